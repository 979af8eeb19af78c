use std::collections::VecDeque;

use actix::{MailboxError, Recipient};

use crate::Event;

/// Maximum number and bytes of events queued for one subscriber. Beyond that the oldest are
/// dropped, and the subscriber is told how many.
const MAX_WAITING: usize = 10_000;
const MAX_BYTES: usize = 8 << 20;

/// The subscribers of events.
///
/// A subscriber gets an event when it has handled the previous one: a slow one costs a bounded
/// queue, a dead one nothing.
#[derive(Debug, Default)]
pub(crate) struct Subscribers {
    all: Vec<Subscriber>,
    next_id: u64,
}

#[derive(Debug)]
struct Subscriber {
    id: u64,
    recipient: Recipient<Event>,
    waiting: VecDeque<Event>,
    /// Bytes of the queued events.
    bytes: usize,
    missed: u64,
    is_busy: bool,
}

impl Subscriber {
    fn push(&mut self, event: Event) {
        let bytes = event.size();
        if bytes > MAX_BYTES {
            // An oversized line, for which dropping others makes no room.
            self.missed += 1;
            return;
        }
        while self.waiting.len() == MAX_WAITING || self.bytes + bytes > MAX_BYTES {
            self.pop();
            self.missed += 1;
        }
        self.bytes += bytes;
        self.waiting.push_back(event);
    }

    fn pop(&mut self) -> Option<Event> {
        let event = self.waiting.pop_front()?;
        self.bytes -= event.size();
        Some(event)
    }

    fn next(&mut self) -> Option<Event> {
        match std::mem::take(&mut self.missed) {
            0 => self.pop(),
            events => Some(Event::Missed { events }),
        }
    }
}

impl Subscribers {
    pub(crate) fn add(&mut self, recipient: Recipient<Event>) {
        let id = self.next_id;
        self.next_id += 1;
        self.all.push(Subscriber {
            id,
            recipient,
            waiting: VecDeque::new(),
            bytes: 0,
            missed: 0,
            is_busy: false,
        });
    }

    /// Whether there are no subscribers.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn push(&mut self, event: Event) {
        if let Some((last, others)) = self.all.split_last_mut() {
            for subscriber in others {
                subscriber.push(event.clone());
            }
            last.push(event);
        }
    }

    /// Whether any event is not handled yet.
    pub(crate) fn are_waiting(&self) -> bool {
        let waits = |subscriber: &Subscriber| {
            subscriber.is_busy || !subscriber.waiting.is_empty() || subscriber.missed > 0
        };
        self.all.iter().any(waits)
    }

    /// The events to send now, with their recipients. Each must be reported to
    /// [`handled`](Self::handled).
    pub(crate) fn due(&mut self) -> Vec<(u64, Recipient<Event>, Event)> {
        let idle = self.all.iter_mut().filter(|subscriber| !subscriber.is_busy);
        idle.filter_map(|subscriber| {
            let event = subscriber.next()?;
            subscriber.is_busy = true;
            Some((subscriber.id, subscriber.recipient.clone(), event))
        })
        .collect()
    }

    /// Notes that a subscriber has handled its event, or has died.
    pub(crate) fn handled(&mut self, id: u64, result: Result<(), MailboxError>) {
        if result.is_err() {
            self.all.retain(|subscriber| subscriber.id != id);
        }
        if let Some(subscriber) = self.all.iter_mut().find(|subscriber| subscriber.id == id) {
            subscriber.is_busy = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use actix::{Actor, AsyncContext as _, Context, Handler};

    use super::*;
    use crate::Rejection;

    struct Nobody;

    impl Actor for Nobody {
        type Context = Context<Self>;
    }

    impl Handler<Event> for Nobody {
        type Result = ();

        fn handle(&mut self, _: Event, _: &mut Self::Context) {}
    }

    fn event(measurements: usize) -> Event {
        Event::Written {
            database: "db".into(),
            measurements,
        }
    }

    fn due(subscribers: &mut Subscribers) -> Vec<Event> {
        let due = subscribers.due();
        due.into_iter().map(|(.., event)| event).collect()
    }

    #[test]
    fn a_slow_subscriber_gets_one_event_at_a_time_and_hears_how_many_it_missed() {
        let mut subscribers = Subscribers::default();
        subscribers.push(event(0));
        subscribers.add(Context::<Nobody>::new().address().recipient());
        subscribers.push(event(1));
        assert_eq!(due(&mut subscribers), [event(1)]);
        for number in 2..MAX_WAITING + 5 {
            subscribers.push(event(number));
        }
        assert!(due(&mut subscribers).is_empty(), "it is at work");
        subscribers.handled(0, Ok(()));
        assert_eq!(due(&mut subscribers), [Event::Missed { events: 3 }]);
        subscribers.handled(0, Ok(()));
        assert_eq!(due(&mut subscribers), [event(5)]);
        assert!(subscribers.are_waiting());
        subscribers.handled(0, Err(MailboxError::Closed));
        assert!(subscribers.is_empty() && !subscribers.are_waiting());
    }

    fn rejected(reason: usize) -> Event {
        Event::Rejected {
            database: "db".into(),
            line: "m f=1".to_owned(),
            reason: Rejection::new(Some(400), "r".repeat(reason)),
        }
    }

    #[test]
    fn what_waits_for_a_subscriber_is_bounded_in_bytes() {
        let mut subscribers = Subscribers::default();
        subscribers.add(Context::<Nobody>::new().address().recipient());
        subscribers.add(Context::<Nobody>::new().address().recipient());
        for _ in 0..MAX_WAITING {
            subscribers.push(rejected(60_000));
        }
        for subscriber in &subscribers.all {
            let bytes: usize = subscriber.waiting.iter().map(Event::size).sum();
            assert_eq!(subscriber.bytes, bytes);
            assert!(bytes <= MAX_BYTES && bytes + 61_000 > MAX_BYTES, "{bytes}");
            let told = subscriber.missed + subscriber.waiting.len() as u64;
            assert_eq!(told, MAX_WAITING as u64);
        }
        let missed = subscribers.all[0].missed;
        assert_eq!(
            due(&mut subscribers),
            vec![Event::Missed { events: missed }; 2]
        );
        subscribers.handled(0, Ok(()));
        assert_eq!(due(&mut subscribers), [rejected(60_000)]);
    }

    #[test]
    fn an_event_that_is_too_large_by_itself_is_one_that_was_missed() {
        let mut subscribers = Subscribers::default();
        subscribers.add(Context::<Nobody>::new().address().recipient());
        subscribers.push(event(1));
        subscribers.push(rejected(MAX_BYTES));
        assert!(subscribers.are_waiting());
        assert_eq!(due(&mut subscribers), [Event::Missed { events: 1 }]);
        subscribers.handled(0, Ok(()));
        assert_eq!(due(&mut subscribers), [event(1)]);
        subscribers.handled(0, Ok(()));
        assert!(!subscribers.are_waiting());
    }

    #[test]
    fn the_size_of_an_event_is_that_of_its_texts_and_itself() {
        let own = size_of::<Event>();
        assert_eq!(event(1).size(), own);
        assert_eq!(rejected(1_000).size(), own + 5 + 1_000);
        let owned = Event::Written {
            database: "a name of its own".to_owned().into(),
            measurements: 1,
        };
        assert_eq!(owned.size(), own + 17);
    }
}
