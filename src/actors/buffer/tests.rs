//! The buffer actor under paused time, between a recorder in the writers' place and the test.

use std::time::Duration;

use actix::{Addr, Message, Recipient};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::Instant,
};

use super::*;
use crate::{
    FlushReport, RecordError, Stats,
    actors::{replay::ReplayActor, writer::Write},
    gate::Scope,
    verdict::{Retry, Verdict},
};

const SECOND: Duration = Duration::from_secs(1);

/// Stands for all writers or for the replay actor: passes on what it is sent.
struct Recorder<M>(UnboundedSender<M>);

impl<M: 'static> Actor for Recorder<M> {
    type Context = Context<Self>;
}

impl<M: Message<Result = ()> + 'static> Handler<M> for Recorder<M> {
    type Result = ();

    fn handle(&mut self, message: M, _: &mut Self::Context) {
        _ = self.0.send(message);
    }
}

fn recorder<M>() -> (Recipient<M>, UnboundedReceiver<M>)
where
    M: Message<Result = ()> + Send + Unpin + 'static,
{
    let (sender, receiver) = unbounded_channel();
    (Recorder(sender).start().recipient(), receiver)
}

struct Rig {
    shared: Arc<Shared>,
    buffer: Addr<BufferActor>,
    writes: UnboundedReceiver<Write>,
}

fn config() -> Config {
    Config::default()
        .tag_hostname(false)
        .interval(10 * SECOND)
        .trigger_size(3)
}

impl Rig {
    fn new(config: Config) -> Self {
        Self::with_replay(config, ReplayActor::default().start().recipient())
    }

    fn with_replay(config: Config, replay: Recipient<Isolate>) -> Self {
        tokio::time::pause();
        let endpoint = Endpoint::new(&config).unwrap();
        let shared = Arc::new(Shared::new(config));
        let (writer, writes) = recorder();
        let pool = Pool::new(shared.config().max_clients, move || writer.clone());
        let actor = BufferActor::new(Arc::clone(&shared), endpoint, Http::new(), pool, replay);
        let buffer = actor.start();
        let waker = buffer.clone();
        shared.intake.wake_with(move || waker.do_send(Wake));
        Self {
            shared,
            buffer,
            writes,
        }
    }

    fn record(&self, database: &'static str, count: u64) {
        for _ in 0..count {
            let measurement = Measurement::new(database, "m").field("f", 1);
            self.shared.intake.record(measurement, None).unwrap();
        }
    }

    /// The next batch that is sent: time runs until there is one.
    async fn write(&mut self) -> Write {
        self.writes.recv().await.unwrap()
    }

    async fn settle_next(&mut self, verdict: Verdict) -> usize {
        let write = self.write().await;
        let lines = lines(&write);
        answer(write, verdict);
        lines
    }

    /// Lets all actors do what they can without time passing.
    async fn idle(&self) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    async fn nothing_is_sent(&mut self) {
        self.idle().await;
        assert!(self.writes.try_recv().is_err());
    }

    fn stats(&self) -> Stats {
        let stats = self.shared.intake.stats();
        assert!(stats.balanced(), "{stats}");
        assert_eq!(stats.pending, self.shared.intake.gauge.lines() as u64);
        stats
    }

    fn flush(&self, timeout: Duration) -> impl Future<Output = FlushReport> + use<> {
        let report = self.buffer.send(Flush { timeout });
        async { report.await.unwrap() }
    }

    async fn shut_down(&self, timeout: Duration) -> ShutdownReport {
        self.buffer.send(Shutdown { timeout }).await.unwrap()
    }
}

fn lines(write: &Write) -> usize {
    write.body.iter().filter(|byte| **byte == b'\n').count()
}

fn answer(write: Write, verdict: Verdict) {
    write.reply.send(|lost| Returned { verdict, ..lost });
}

fn retry(scope: Scope) -> Verdict {
    Verdict::Retry(Retry::new(scope, "on purpose".to_owned()))
}

fn rejected() -> Verdict {
    Verdict::Rejected {
        reason: "on purpose".to_owned(),
    }
}

#[actix::test]
async fn a_batch_is_sent_when_the_trigger_size_is_reached() {
    let mut rig = Rig::new(config());
    let began = Instant::now();
    rig.record("db", 2);
    rig.nothing_is_sent().await;
    rig.record("db", 1);
    assert_eq!(rig.settle_next(Verdict::Written).await, 3);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[actix::test]
async fn a_batch_is_sent_an_interval_after_the_first_measurement_that_waits() {
    let mut rig = Rig::new(config());
    let began = Instant::now();
    rig.record("db", 1);
    rig.idle().await;
    tokio::time::advance(4 * SECOND).await;
    rig.record("db", 1);
    assert_eq!(rig.settle_next(Verdict::Written).await, 2);
    assert_eq!(began.elapsed().as_secs(), 10);
    // And again from the first one after that.
    tokio::time::advance(7 * SECOND).await;
    let began = Instant::now();
    rig.record("db", 1);
    assert_eq!(rig.settle_next(Verdict::Written).await, 1);
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[actix::test]
async fn the_trigger_counts_the_measurements_of_all_databases() {
    let mut rig = Rig::new(config());
    rig.record("a", 2);
    rig.record("b", 1);
    let (one, other) = (rig.write().await, rig.write().await);
    assert_eq!(lines(&one) + lines(&other), 3);
    assert_ne!(one.database, other.database);
}

#[actix::test]
async fn no_batch_has_more_lines_than_one_may() {
    let mut rig = Rig::new(config().trigger_size(2_500).max_batch_size(1_000));
    rig.record("db", 2_500);
    for wanted in [1_000, 1_000, 500] {
        assert_eq!(rig.settle_next(Verdict::Written).await, wanted);
    }
}

#[actix::test]
async fn no_batch_has_more_bytes_than_one_may() {
    let mut rig = Rig::new(config().trigger_size(100).max_batch_bytes(1_024));
    rig.record("db", 100);
    let mut sent = 0;
    while sent < 100 {
        let write = rig.write().await;
        assert!(write.body.len() <= 1_024);
        assert!(write.body.len() > 900 || sent + lines(&write) == 100);
        sent += lines(&write);
    }
}

#[actix::test]
async fn no_more_than_max_clients_posts_are_in_flight() {
    let mut rig = Rig::new(config().max_clients(2).max_batch_size(1));
    rig.record("db", 3);
    let first = rig.write().await;
    let second = rig.write().await;
    rig.nothing_is_sent().await;
    answer(first, Verdict::Written);
    answer(rig.write().await, Verdict::Written);
    answer(second, Verdict::Written);
    rig.idle().await;
    assert_eq!(rig.stats().written, 3);
}

#[actix::test]
async fn a_database_that_waits_for_its_answer_does_not_hold_up_another() {
    let mut rig = Rig::new(config());
    rig.record("slow", 3);
    let slow = rig.write().await;
    rig.record("fast", 3);
    let fast = rig.write().await;
    assert_eq!(fast.database, "fast".into());
    answer(fast, Verdict::Written);
    rig.idle().await;
    assert_eq!((rig.stats().written, rig.stats().pending), (3, 3));
    answer(slow, Verdict::Written);
}

#[actix::test]
async fn a_batch_that_fails_is_sent_again_with_backoff_and_nothing_is_lost() {
    let mut rig = Rig::new(config());
    rig.record("db", 3);
    let mut last = Instant::now();
    let mut waited = Duration::ZERO;
    for attempt in 0..12 {
        let scope = [Scope::Endpoint, Scope::Unclear, Scope::Database][attempt % 3];
        assert_eq!(rig.settle_next(retry(scope)).await, 3);
        let delay = last.elapsed();
        assert!(
            attempt == 0 || delay >= Duration::from_millis(25),
            "hot loop: {delay:?}"
        );
        waited += delay;
        last = Instant::now();
        assert_eq!(rig.stats().pending, 3);
    }
    assert!(waited > SECOND, "delays grow: {waited:?}");
    assert_eq!(rig.settle_next(Verdict::Written).await, 3);
    rig.idle().await;
    assert_eq!(rig.stats().written, 3);
}

#[actix::test]
async fn while_the_endpoint_is_down_a_single_batch_probes_it() {
    let mut rig = Rig::new(config().max_batch_size(1));
    rig.record("a", 2);
    rig.record("b", 1);
    let writes = [rig.write().await, rig.write().await, rig.write().await];
    for write in writes {
        answer(write, retry(Scope::Endpoint));
    }
    let probe = rig.write().await;
    rig.nothing_is_sent().await;
    tokio::time::advance(100 * SECOND).await;
    rig.nothing_is_sent().await;
    answer(probe, Verdict::Written);
    let rest = [rig.write().await, rig.write().await];
    for write in rest {
        answer(write, Verdict::Written);
    }
    rig.idle().await;
    assert_eq!(rig.stats().written, 3);
}

#[actix::test]
async fn a_rejected_batch_is_halved_to_the_bad_line() {
    let mut rig = Rig::new(config().trigger_size(8));
    rig.record("db", 7);
    let bad = Measurement::new("db", "bad").field("f", 1);
    rig.shared.intake.record(bad, None).unwrap();
    let mut posts = 0;
    while rig.shared.intake.stats().pending > 0 {
        let write = rig.write().await;
        posts += 1;
        let verdict = match write.body.windows(3).any(|text| text == b"bad") {
            true => rejected(),
            false => Verdict::Written,
        };
        answer(write, verdict);
        rig.idle().await;
    }
    assert_eq!((rig.stats().written, rig.stats().rejected), (7, 1));
    assert_eq!(posts, 7, "8, 4 + 4, 2 + 2, 1 + 1");
}

#[actix::test]
async fn isolation_pauses_while_the_server_is_down_with_only_the_unsettled_lines() {
    let mut rig = Rig::new(config().trigger_size(4).max_clients(1));
    rig.record("db", 4);
    assert_eq!(rig.settle_next(rejected()).await, 4);
    assert_eq!(rig.settle_next(Verdict::Written).await, 2);
    assert_eq!(rig.settle_next(retry(Scope::Endpoint)).await, 2);
    rig.idle().await;
    assert_eq!((rig.stats().written, rig.stats().pending), (2, 2));
    assert_eq!(rig.settle_next(rejected()).await, 2);
    assert_eq!(rig.settle_next(rejected()).await, 1);
    assert_eq!(rig.settle_next(Verdict::Written).await, 1);
    rig.idle().await;
    assert_eq!((rig.stats().written, rig.stats().rejected), (3, 1));
}

#[actix::test]
async fn a_writer_that_dies_over_a_batch_loses_nothing() {
    let mut rig = Rig::new(config());
    rig.record("db", 3);
    drop(rig.write().await);
    assert_eq!(rig.settle_next(Verdict::Written).await, 3);
    rig.idle().await;
    assert_eq!(rig.stats().written, 3);
}

#[actix::test]
async fn a_replay_actor_that_dies_over_a_batch_loses_nothing() {
    let (replay, mut isolates) = recorder();
    let mut rig = Rig::with_replay(config(), replay);
    rig.record("db", 3);
    rig.settle_next(rejected()).await;
    drop(isolates.recv().await);
    assert_eq!(rig.settle_next(Verdict::Written).await, 3);
    rig.idle().await;
    assert_eq!(rig.stats().written, 3);
}

#[actix::test]
async fn flush_sends_at_once_and_answers_when_all_before_it_is_settled() {
    let mut rig = Rig::new(config());
    rig.record("a", 1);
    rig.record("b", 1);
    let report = rig.flush(60 * SECOND);
    let report = actix::spawn(report);
    let (one, other) = (rig.write().await, rig.write().await);
    rig.record("a", 1);
    answer(one, Verdict::Written);
    rig.idle().await;
    assert!(!report.is_finished());
    answer(other, rejected());
    assert_eq!(rig.settle_next(rejected()).await, 1);
    let report = report.await.unwrap();
    assert!(report.is_complete());
    assert_eq!((report.written, report.rejected), (1, 1));
    assert_eq!(rig.stats().pending, 1);
}

#[actix::test]
async fn flush_answers_at_its_timeout_with_what_is_still_pending() {
    let mut rig = Rig::new(config());
    rig.record("a", 2);
    let began = Instant::now();
    let report = actix::spawn(rig.flush(5 * SECOND));
    let stalled = rig.write().await;
    let report = report.await.unwrap();
    assert_eq!(report.undelivered, 2);
    assert!(!report.is_complete());
    assert_eq!(began.elapsed().as_secs(), 5);
    answer(stalled, Verdict::Written);
    rig.idle().await;
    assert_eq!(rig.stats().written, 2);
}

#[actix::test]
async fn flush_with_nothing_pending_answers_at_once() {
    let rig = Rig::new(config());
    assert!(rig.flush(SECOND).await.is_complete());
}

#[actix::test]
async fn shutdown_delivers_what_is_there_and_takes_nothing_more() {
    let mut rig = Rig::new(config());
    rig.record("db", 2);
    let report = actix::spawn(rig.buffer.send(Shutdown { timeout: SECOND }));
    let write = rig.write().await;
    let late = Measurement::new("db", "m").field("f", 1);
    let error = rig.shared.intake.record(late.clone(), None);
    assert_eq!(error, Err(RecordError::Stopping));
    rig.buffer.do_send(late);
    answer(write, Verdict::Written);
    let report = report.await.unwrap().unwrap();
    assert!(report.is_complete());
    assert_eq!(report.written, 2);
    assert_eq!(report.stats, rig.stats());
    assert_eq!(rig.stats().dropped.stopping, 2);
}

#[actix::test]
async fn shutdown_tries_at_once_also_while_a_breaker_is_open() {
    let mut rig = Rig::new(config());
    rig.record("db", 3);
    let not_before = Some(100 * SECOND);
    let asked_to_wait = Verdict::Retry(Retry {
        not_before,
        ..Retry::new(Scope::Endpoint, String::new())
    });
    rig.settle_next(asked_to_wait).await;
    rig.idle().await;
    let report = actix::spawn(rig.buffer.send(Shutdown { timeout: SECOND }));
    rig.settle_next(Verdict::Written).await;
    assert!(report.await.unwrap().unwrap().is_complete());
}

#[actix::test]
async fn shutdown_ends_at_its_timeout_and_hands_back_what_was_not_delivered() {
    let mut rig = Rig::new(config());
    rig.record("db", 3);
    let _stalled = rig.write().await;
    rig.record("other", 1);
    let began = Instant::now();
    let report = rig.shut_down(5 * SECOND).await;
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(report.undelivered, 4);
    let lines: Vec<_> = report.undelivered_lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(
        lines
            .iter()
            .all(|(_, line)| line.starts_with("m f=1i ") && line.ends_with('\n'))
    );
    assert_eq!(lines[3].0.name(), "other");
    let stats = rig.stats();
    assert_eq!((stats.dropped.undelivered, stats.pending), (4, 0));
}

#[actix::test]
async fn a_second_shutdown_waits_for_the_end_of_the_first_and_a_later_one_hears_its_report() {
    let mut rig = Rig::new(config());
    rig.record("db", 3);
    let first = actix::spawn(rig.buffer.send(Shutdown { timeout: SECOND }));
    let second = actix::spawn(rig.buffer.send(Shutdown { timeout: SECOND }));
    rig.settle_next(Verdict::Written).await;
    let first = first.await.unwrap().unwrap();
    let second = second.await.unwrap().unwrap();
    let third = rig.shut_down(SECOND).await;
    assert_eq!((first.written, second.written, third.written), (3, 3, 3));
}

#[actix::test]
async fn an_update_is_applied_from_the_next_batch_on() {
    let mut rig = Rig::new(config());
    rig.record("db", 2);
    let update = Update::new(|config| {
        config
            .trigger_size(2)
            .max_batch_size(1)
            .password("p")
            .user("u")
    });
    rig.buffer.send(update).await.unwrap().unwrap();
    let write = rig.write().await;
    assert!(write.endpoint.authorization().is_some());
    assert_eq!(lines(&write), 2, "they were in a tray before");
    rig.record("db", 2);
    assert_eq!(lines(&rig.write().await), 1);
    let refused = Update::new(|config| config.max_clients(0));
    let error = rig.buffer.send(refused).await.unwrap().unwrap_err();
    assert_eq!(error.setting, "max_clients");
}

#[actix::test]
async fn a_changed_credential_is_tried_at_once() {
    let mut rig = Rig::new(config());
    rig.record("db", 3);
    let not_before = Some(600 * SECOND);
    let refused = Verdict::Retry(Retry {
        not_before,
        ..Retry::new(Scope::Endpoint, String::new())
    });
    rig.settle_next(refused).await;
    rig.nothing_is_sent().await;
    let update = Update::new(|config| config.user("u").password("right"));
    rig.buffer.send(update).await.unwrap().unwrap();
    assert_eq!(rig.settle_next(Verdict::Written).await, 3);
}

#[actix::test]
async fn fewer_clients_apply_as_posts_come_back() {
    let mut rig = Rig::new(config().max_clients(3).max_batch_size(1));
    rig.record("db", 3);
    let writes = [rig.write().await, rig.write().await, rig.write().await];
    let update = Update::new(|config| config.max_clients(1));
    rig.buffer.send(update).await.unwrap().unwrap();
    for write in writes {
        answer(write, Verdict::Written);
    }
    rig.record("db", 3);
    for _ in 0..3 {
        let write = rig.write().await;
        rig.nothing_is_sent().await;
        answer(write, Verdict::Written);
    }
}

#[actix::test]
async fn a_message_that_asks_for_delivery_hears_what_became_of_it() {
    let mut rig = Rig::new(config());
    let measurement = || Measurement::new("db", "m").field("f", 1);
    let deliver = |measurement| actix::spawn(rig.buffer.send(Deliver(measurement)));
    let invalid = deliver(Measurement::new("db", "m")).await.unwrap().unwrap();
    assert!(matches!(invalid, Delivery::Dropped { reason } if reason.contains("no field")));
    let all = [
        deliver(measurement()),
        deliver(measurement()),
        deliver(measurement()),
    ];
    rig.settle_next(Verdict::Written).await;
    for delivery in all {
        assert_eq!(delivery.await.unwrap().unwrap(), Delivery::Written);
    }
    assert_eq!(rig.buffer.send(GetStats).await.unwrap(), rig.stats());
}

#[actix::test]
async fn an_actor_that_ends_without_a_shutdown_leaves_no_measurement_uncounted() {
    let mut rig = Rig::new(config());
    rig.record("db", 3);
    let _in_flight = rig.write().await;
    rig.record("db", 1);
    struct Panic;
    impl Message for Panic {
        type Result = ();
    }
    impl Handler<Panic> for BufferActor {
        type Result = ();
        fn handle(&mut self, _: Panic, _: &mut Self::Context) {
            panic!("on purpose");
        }
    }
    assert!(rig.buffer.send(Panic).await.is_err());
    assert_eq!(rig.stats().dropped.undelivered, 4);
    assert_eq!(rig.shared.end().unwrap().undelivered, 4);
    let late = Measurement::new("db", "m").field("f", 1);
    assert_eq!(
        rig.shared.intake.record(late, None),
        Err(RecordError::Stopping)
    );
}
