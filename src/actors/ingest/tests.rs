use actix::{Message, System};

use super::*;
use crate::{Config, RecordError, actors::Addresses};

struct Panic;

impl Message for Panic {
    type Result = ();
}

impl Handler<Panic> for IngestActor {
    type Result = ();

    fn handle(&mut self, _: Panic, _: &mut Self::Context) {
        panic!("on purpose");
    }
}

fn measurement() -> Measurement {
    Measurement::new("db", "m").field("f", 1)
}

/// A pipeline to nowhere.
fn start() -> (Arc<Shared>, Addresses) {
    let config = Config::v1("http://127.0.0.1:9").interval(Duration::from_secs(3_600));
    let shared = Arc::new(Shared::new(config.max_retry_delay(Duration::from_secs(60))));
    let addresses = crate::actors::start(&shared).unwrap();
    (shared, addresses)
}

async fn until_ended(ingest: &Addr<IngestActor>) {
    let ended = async {
        while ingest.connected() {
            actix_rt::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let limit = Duration::from_secs(20);
    actix_rt::time::timeout(limit, ended).await.unwrap();
}

#[test]
fn an_ingest_actor_that_panics_takes_nothing_along() {
    let (shared, Addresses { ingest, buffer }) = start();
    System::new().block_on(async {
        ingest.send(measurement()).await.unwrap();
        assert!(ingest.send(Panic).await.is_err());
        until_ended(&ingest).await;
        assert!(buffer.connected());
        shared.intake.take(measurement(), None).unwrap();
        let timeout = Duration::from_millis(50);
        let report = buffer.send(Flush { timeout }).await.unwrap();
        assert_eq!(report.undelivered, 2);
        let report = buffer.send(Shutdown { timeout }).await.unwrap();
        assert_eq!(report.undelivered, 2);
    });
}

#[test]
fn a_pipeline_that_has_ended_answers_whoever_asks_its_address() {
    let (shared, Addresses { ingest, buffer }) = start();
    System::new().block_on(async {
        let timeout = Duration::from_millis(50);
        let report = ingest.send(Shutdown { timeout }).await.unwrap();
        assert!(report.is_complete());
        let late = shared.intake.take(measurement(), None);
        assert_eq!(late, Err(RecordError::Stopping.into()));
        drop(buffer);
        // Its mailbox is closed then: nothing that is sent is kept.
        until_ended(&ingest).await;
        assert!(ingest.send(Flush { timeout }).await.is_err());
    });
}

#[test]
fn messages_past_what_fits_are_given_back_by_try_send() {
    // An actor that is not started takes nothing.
    let context = Context::<IngestActor>::new();
    let ingest = context.address();
    let sent = std::iter::repeat_with(|| ingest.try_send(measurement())).take(10_000);
    let refused = sent.filter(Result::is_err).count();
    assert!((1..10_000).contains(&refused), "{refused}");
}
