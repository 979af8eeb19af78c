//! What subscribers hear.

mod support;

use std::{collections::BTreeSet, sync::Mutex, time::Duration};

use actix::{Actor, AsyncContext as _, Context, Handler, Recipient, ResponseFuture};
use actix_influxdb::{
    DropReason, Event, Influx,
    testing::{Answer, FakeInflux, record_line},
};
use support::{
    measurement::record,
    pipeline::{LONG, impatient},
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Passes on what it hears.
struct Listener(UnboundedSender<Event>);

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<Event> for Listener {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        _ = self.0.send(event);
    }
}

fn listen(influx: &Influx) -> UnboundedReceiver<Event> {
    let (sender, events) = unbounded_channel();
    influx.subscribe(Listener(sender).start().recipient());
    events
}

/// So many measurements of `db` were written.
fn is_written(event: &Event, count: usize) -> bool {
    matches!(event, Event::Written { database, measurements, .. }
        if database.name() == "db" && *measurements == count)
}

#[track_caller]
fn assert_written_one_by_one(events: &[Event], count: usize) {
    let all = events.iter().all(|event| is_written(event, 1));
    assert!(all && events.len() == count, "{events:#?}");
}

/// All that came until delivery ended, and with it the listener.
async fn all(influx: &Influx, mut events: UnboundedReceiver<Event>) -> Vec<Event> {
    influx.shutdown(LONG).await;
    let mut all = Vec::new();
    let collect = async {
        while let Some(event) = events.recv().await {
            all.push(event);
        }
    };
    let collected = tokio::time::timeout(LONG, collect).await;
    collected.expect("the listener ends with delivery");
    all
}

#[actix::test]
async fn a_subscriber_hears_what_was_written_and_each_line_that_was_rejected() {
    let fake = FakeInflux::start();
    let influx = Influx::start(impatient(fake.url())).unwrap();
    let events = listen(&influx);
    record(&influx, "db", 3);
    for number in 0..100 {
        record_line(&influx, "db", &format!("bad line {number}")).unwrap();
    }
    let events = all(&influx, events).await;
    let rejected: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Rejected { line, reason, .. } => Some((line.as_str(), reason.message.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(rejected.len(), 100, "{events:?}");
    assert_eq!(rejected[99].0, "bad line 99");
    assert!(
        rejected[0].1.contains("unable to parse"),
        "{:?}",
        rejected[0]
    );
    assert!(events.iter().any(|event| is_written(event, 3)));
}

#[actix::test]
async fn a_subscriber_hears_that_the_server_went_and_came_back() {
    let fake = FakeInflux::start();
    fake.refuse();
    let influx = Influx::start(impatient(fake.url())).unwrap();
    let events = listen(&influx);
    record(&influx, "db", 3);
    influx.flush(Duration::from_millis(300)).await;
    fake.accept_again();
    let events = all(&influx, events).await;
    assert!(
        matches!(&events[..2], [
            Event::EndpointDown { url, .. },
            Event::Retrying { measurements: 3, .. },
        ] if *url == fake.url()),
        "{events:?}"
    );
    assert!(
        matches!(
            &events[events.len() - 2..],
            [
                Event::EndpointUp { attempts: 1.., .. },
                Event::Written {
                    measurements: 3,
                    ..
                },
            ]
        ),
        "{events:?}"
    );
}

#[actix::test]
async fn a_subscriber_hears_of_what_was_dropped_and_why() {
    let fake = FakeInflux::start();
    let influx = Influx::start(impatient(fake.url()).sample_probability(0.0)).unwrap();
    let events = listen(&influx);
    record(&influx, "db", 3);
    influx.flush(LONG).await;
    fake.answer_always(Answer::accept().stall_before_response());
    influx
        .update(|config| config.sample_probability(1.0))
        .unwrap();
    record(&influx, "db", 2);
    influx.shutdown(Duration::from_millis(50)).await;
    let events = all(&influx, events).await;
    let dropped: Vec<_> = events
        .iter()
        .map(|event| match event {
            Event::Dropped {
                database,
                measurements,
                reason,
                ..
            } => (database.name(), *measurements, reason.clone()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        dropped,
        [
            ("db", 3, DropReason::Sampled),
            ("db", 2, DropReason::Undelivered)
        ]
    );
}

#[actix::test]
async fn a_connection_that_is_closed_just_when_it_is_used_again_is_no_failure() {
    let fake = FakeInflux::start();
    let seen = Mutex::new(BTreeSet::new());
    fake.answer_with(
        move |request| match seen.lock().unwrap().insert(request.connection) {
            true => Answer::accept(),
            // Kept alive until here, and closed with the request on its way.
            false => Answer::hang_up(),
        },
    );
    let influx = Influx::start(impatient(fake.url())).unwrap();
    let events = listen(&influx);
    for _ in 0..5 {
        record(&influx, "db", 1);
        assert!(influx.flush(LONG).await.is_complete());
    }
    assert!(fake.write_count() > 5, "no connection was used again");
    assert_written_one_by_one(&all(&influx, events).await, 5);
}

/// Never done with its first event.
struct Stuck;

impl Actor for Stuck {
    type Context = Context<Self>;
}

impl Handler<Event> for Stuck {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Event, _: &mut Self::Context) -> Self::Result {
        Box::pin(std::future::pending())
    }
}

#[actix::test]
async fn a_subscriber_that_is_stuck_or_dead_slows_nothing_and_no_other() {
    let fake = FakeInflux::start();
    let influx = Influx::start(impatient(fake.url())).unwrap();
    influx.subscribe(Stuck.start().recipient());
    let dead: Recipient<Event> = Context::<Stuck>::new().address().recipient();
    influx.subscribe(dead);
    let events = listen(&influx);
    for _ in 0..20 {
        record(&influx, "db", 1);
        assert!(influx.flush(LONG).await.is_complete());
    }
    assert_written_one_by_one(&all(&influx, events).await, 20);
}
