//! The buffer actor under paused time, between a recorder in the writers' place and the test.

mod ending;
mod flooding;
mod loading;
mod retrying;
mod self_measuring;
mod sending;
mod spooling;
mod updating;
mod waking;

use std::time::Duration;

use actix::{Addr, Handler, Message, Recipient};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::Instant,
};

use super::{spool::StartDisk, *};
use crate::{
    ConfigError, Delivery, FlushReport, Measurement, RecordError, ShutdownReport, Stats,
    actors::{
        Addresses, IngestActor,
        messages::{
            Deliver, Flush, GetStats, Shutdown, Update,
            internal::{Returned, Wake, Write},
        },
        replay::ReplayActor,
    },
    delivery::verdict::{Cause, Refusal, Retry, Scope, Verdict},
};

const SECOND: Duration = Duration::from_secs(1);

/// What doesn't come within two hours of the paused clock never comes: longer than any delay that a
/// test waits for.
async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let limited = tokio::time::timeout(7_200 * SECOND, future).await;
    limited.unwrap_or_else(|_| panic!("{what} never came"))
}

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
    ingest: Addr<IngestActor>,
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
        Self::with_replay(
            config,
            Box::new(|| ReplayActor::default().start().recipient()),
        )
    }

    fn with_replay(config: Config, replay: StartReplay) -> Self {
        tokio::time::pause();
        Self::with_parts(config, replay, None)
    }

    /// With time as it is.
    fn with_parts(config: Config, replay: StartReplay, disk: Option<StartDisk>) -> Self {
        let endpoints = Endpoint::all(&config).unwrap();
        let shared = Arc::new(Shared::new(config));
        let (writer, writes) = recorder();
        let pool = Pool::new(shared.config().max_clients, move || writer.clone());
        let mut actor = BufferActor::new(Arc::clone(&shared), endpoints, Http::new(), pool, replay);
        if let (Some(disk), Some(folder)) = (disk, shared.config().spool_dir.clone()) {
            actor.set_spool(disk, folder);
        }
        let Addresses { ingest, buffer } = crate::actors::join(Arc::clone(&shared), actor);
        Self {
            shared,
            ingest,
            buffer,
            writes,
        }
    }

    fn record(&self, database: &'static str, count: u64) {
        for _ in 0..count {
            let measurement = Measurement::new(database, "m").field("f", 1);
            self.shared.intake.take(measurement, None).unwrap();
        }
    }

    /// The next batch that is sent: time runs until there is one.
    async fn write(&mut self) -> Write {
        within("a batch to send", self.writes.recv()).await.unwrap()
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
        let stats = self.shared.stats();
        assert!(stats.balanced(), "{stats}");
        if stats.spool.is_none() {
            assert_eq!(stats.pending, self.shared.intake.quota.lines() as u64);
        }
        assert_eq!(stats.pending, stats.places.total());
        stats
    }

    fn flush(&self, timeout: Duration) -> impl Future<Output = FlushReport> + use<> {
        let report = self.buffer.send(Flush { timeout });
        async { within("the report of a flush", report).await.unwrap() }
    }

    fn shutting_down(&self, timeout: Duration) -> actix_rt::task::JoinHandle<ShutdownReport> {
        let report = self.buffer.send(Shutdown { timeout });
        let limited = async { within("the report of a shutdown", report).await.unwrap() };
        actix::spawn(limited)
    }

    async fn shut_down(&self, timeout: Duration) -> ShutdownReport {
        self.shutting_down(timeout).await.unwrap()
    }

    async fn update(
        &self,
        change: impl FnOnce(Config) -> Config + Send + 'static,
    ) -> Result<(), ConfigError> {
        let updated = self.buffer.send(Update::new(change));
        within("the answer to an update", updated).await.unwrap()
    }
}

fn lines(write: &Write) -> usize {
    write
        .payload
        .body
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
}

fn answer(write: Write, verdict: Verdict) {
    write.reply.send(|lost| Returned { verdict, ..lost });
}

fn retry(scope: Scope) -> Verdict {
    Verdict::Retry(Retry::new(scope, Cause::Unavailable, "on purpose"))
}

fn rejected() -> Verdict {
    Verdict::Refused(Refusal {
        status: 400,
        reason: "on purpose".to_owned(),
        text: "on purpose".to_owned(),
        json: None,
        is_about_lines: true,
        normalized: String::new(),
    })
}
