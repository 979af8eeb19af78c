//! Records the pipeline's own figures at an interval: see
//! [`Config::self_measurement`](crate::Config::self_measurement).

use std::time::{Duration, Instant};

use actix::{ActorFutureExt as _, AsyncContext as _, Context, SpawnHandle, WrapFuture as _};

use super::BufferActor;
use crate::{
    Config, Measurement,
    stats::{
        report::Ticket,
        self_measurement::{Figures, Posts},
        thinning::{Load, Thinning},
    },
};

/// The pipeline's figures, and the timer that records them.
#[derive(Debug)]
pub(super) struct SelfMeasuring {
    pub(super) posts: Posts,
    began: Instant,
    program: Option<String>,
    thinning: Thinning,
    /// Number of own measurements that are pending.
    unsettled: usize,
    timer: Option<(Duration, SpawnHandle)>,
}

impl SelfMeasuring {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            posts: Posts::default(),
            began: now,
            program: program(),
            thinning: Thinning::default(),
            unsettled: 0,
            timer: None,
        }
    }
}

/// Name of the executable, without folder and extension.
fn program() -> Option<String> {
    let path = std::env::current_exe().ok()?;
    Some(path.file_stem()?.to_string_lossy().into_owned())
}

impl BufferActor {
    /// Arms or cancels the timer, as the settings say.
    pub(super) fn arm_self_measuring(&mut self, context: &mut Context<Self>) {
        let is_on = self.config.self_measurement.is_some();
        let interval = is_on.then_some(self.config.self_measurement_interval);
        let own = &mut self.self_measuring;
        if own.timer.as_ref().map(|(interval, _)| *interval) == interval {
            return;
        }
        self.stop_self_measuring(context);
        self.self_measuring.timer = interval.map(|interval| {
            let timer = context.run_interval(interval, Self::self_measure);
            (interval, timer)
        });
    }

    /// Ends self-measurement when a shutdown begins.
    pub(super) fn stop_self_measuring(&mut self, context: &mut Context<Self>) {
        if let Some((_, timer)) = self.self_measuring.timer.take() {
            context.cancel_future(timer);
        }
    }

    fn self_measure(&mut self, context: &mut Context<Self>) {
        let Some(database) = self.config.self_measurement.clone() else {
            return;
        };
        let (now, quota) = (self.now(), &self.shared.intake.quota);
        let Config {
            interval,
            self_measurement_interval: every,
            ..
        } = &*self.config;
        // Twice, because the next interval's are recorded while the last are being sent.
        let usual = 2 * interval.as_nanos().div_ceil(every.as_nanos().max(1));
        let load = Load {
            lines: 1 + self.endpoints.len(),
            unsettled: self.self_measuring.unsettled,
            usual: usual.try_into().unwrap_or(usize::MAX),
            pending: (quota.lines(), self.config.max_buffer_size),
            bytes: (quota.bytes(), self.config.max_buffer_bytes),
        };
        if !self.self_measuring.thinning.is_due(load) {
            return;
        }
        let has_own_tag = self.config.base_tags.contains_key("program");
        let figures = Figures {
            database: &database,
            program: self
                .self_measuring
                .program
                .as_deref()
                .filter(|_| !has_own_tag),
            ledger: &self.shared.intake.stats(),
            servers: &self.shared.health.servers(),
            spool: self.shared.spool.get(),
            pending_bytes: quota.bytes(),
            uptime: now.saturating_duration_since(self.self_measuring.began),
        };
        let client = figures.client(&mut self.self_measuring.posts);
        let endpoints = self.shared.health.endpoints();
        let endpoints: Vec<_> = endpoints.iter().map(|it| figures.endpoint(it)).collect();
        self.record_self_measurement(client, context);
        for endpoint in endpoints {
            // Counted as dropped on failure.
            _ = self.shared.intake.take(endpoint, None);
        }
    }

    fn record_self_measurement(&mut self, client: Measurement, context: &mut Context<Self>) {
        let (ticket, delivery) = Ticket::new();
        if self.shared.intake.take(client, Some(ticket)).is_ok() {
            self.self_measuring.unsettled += 1;
            let settled = delivery.into_actor(self);
            context
                .spawn(settled.map(|_, buffer: &mut Self, _| buffer.self_measuring.unsettled -= 1));
        }
    }
}
