use std::collections::VecDeque;

use actix::{MailboxError, Recipient};

use crate::Event;

/// How many events wait for one subscriber. Then the oldest make room, and it is told how many.
const MAX_WAITING: usize = 10_000;

/// Who wants to hear of events.
///
/// Each is sent its next event when it has handled the one before: one that is slow costs a queue
/// of bounded length, one that is dead costs nothing.
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
    missed: u64,
    is_busy: bool,
}

impl Subscriber {
    fn push(&mut self, event: Event) {
        if self.waiting.len() == MAX_WAITING {
            self.waiting.pop_front();
            self.missed += 1;
        }
        self.waiting.push_back(event);
    }

    fn next(&mut self) -> Option<Event> {
        match std::mem::take(&mut self.missed) {
            0 => self.waiting.pop_front(),
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
            missed: 0,
            is_busy: false,
        });
    }

    /// Is there nobody to hear of anything?
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

    /// Is there an event that somebody has not handled yet?
    pub(crate) fn are_waiting(&self) -> bool {
        let waits = |subscriber: &Subscriber| subscriber.is_busy || !subscriber.waiting.is_empty();
        self.all.iter().any(waits)
    }

    /// What is to be sent now: to whom, and what. Each is to be reported as handled.
    pub(crate) fn due(&mut self) -> Vec<(u64, Recipient<Event>, Event)> {
        let idle = self.all.iter_mut().filter(|subscriber| !subscriber.is_busy);
        idle.filter_map(|subscriber| {
            let event = subscriber.next()?;
            subscriber.is_busy = true;
            Some((subscriber.id, subscriber.recipient.clone(), event))
        })
        .collect()
    }

    /// A subscriber has handled its event, or is no more.
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
}
