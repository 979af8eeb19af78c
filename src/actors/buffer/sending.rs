//! Sends the batches that are due.

use std::time::{Duration, Instant, SystemTime};

use actix::{AsyncContext as _, Context};

use super::{BufferActor, draining::Interval};
use crate::{
    actors::{
        messages::internal::{Returned, Write},
        reply::Reply,
    },
    delivery::{
        dispatcher::{Dispatch, NextUp},
        verdict::{Cause, Retry, Scope, Verdict},
    },
    endpoint::Payload,
};

impl BufferActor {
    /// Sends batches to idle writers, as far as the breakers allow.
    pub(super) fn pump(&mut self, context: &mut Context<Self>) {
        // One time for all decisions: a timer must be armed for anything not sent at this time.
        let now = self.now();
        self.remove_released(context);
        if self.is_saving() {
            return self.publish_spool();
        }
        self.load_files(now, context);
        while let Some(writer) = self.writers.take() {
            let probability = self.config.sample_probability;
            let passes_sampling = || fastrand::f64() < probability;
            match self
                .dispatcher
                .next(self.writers.size(), now, passes_sampling)
            {
                Some(NextUp::Send(dispatch)) => self.send(writer, dispatch, context),
                Some(NextUp::Sampled(settled)) => {
                    self.writers.put_back(writer);
                    settled.into_iter().for_each(|run| self.settle(run, None));
                }
                None => {
                    self.writers.put_back(writer);
                    break;
                }
            }
        }
        let in_flight = self.dispatcher.in_flight();
        self.shared.intake.ledger.set_in_flight(in_flight);
        self.publish_oldest(now);
        self.arm_reopening(now, context);
        self.arm_expiry(now, context);
        self.arm_ping_back(context);
        self.arm_rejection_summary(context);
        self.remove_released(context);
        self.publish_spool();
        self.answer_waiting(context);
        self.send_events(context);
    }

    /// Publishes the age of the oldest measurement for [`Health`](crate::Health): in the backlog or
    /// the spool, or else in a thread buffer.
    pub(super) fn publish_oldest(&self, now: Instant) {
        let in_backlog = self.dispatcher.backlog().oldest_began();
        let oldest = [in_backlog, self.oldest_file(now)]
            .into_iter()
            .flatten()
            .min();
        let oldest_began = oldest.or(self.interval.as_ref().map(Interval::began));
        let age = oldest_began.map(|since| now.saturating_duration_since(since));
        let at = |age| SystemTime::now().checked_sub(age);
        self.shared.health.set_pending_since(age.and_then(at));
    }

    fn send(&mut self, writer: usize, dispatch: Dispatch, context: &mut Context<Self>) {
        let Dispatch {
            lease,
            database,
            endpoint,
            lines,
        } = dispatch;
        let reason = "the writer ended before the server had answered";
        let lost = Returned {
            lease,
            writer,
            contact: self.contacts.attempt(endpoint),
            is_unusual: false,
            bytes: lines.byte_len(),
            took: Duration::ZERO,
            identification: None,
            verdict: Verdict::Retry(Retry::new(Scope::Unclear, Cause::Unavailable, reason)),
        };
        let write = Write {
            endpoint: self.endpoints[endpoint].clone().in_unit(lines.unit()),
            database,
            payload: Payload {
                body: lines.body(),
                #[cfg(feature = "gzip")]
                compressed: lines.compressed.clone(),
            },
            timeout: self.config.request_timeout,
            reply: Reply::new(context.address().recipient(), lost),
        };
        self.writers.send(writer, write);
    }

    /// Arms the timer for the time from which a breaker allows sending.
    fn arm_reopening(&mut self, now: Instant, context: &mut Context<Self>) {
        let at = self.dispatcher.next_send_at(now);
        let armed = self.reopening.as_ref().map(|(at, _)| *at);
        if at == armed {
            return;
        }
        if let Some((_, reopening)) = self.reopening.take() {
            context.cancel_future(reopening);
        }
        self.reopening = at.map(|at| {
            let reopening = context.run_later(at - now, |buffer, context| {
                buffer.reopening = None;
                buffer.pump(context);
            });
            (at, reopening)
        });
    }

    /// Arms the timer for the time at which the oldest batch reaches `max_age`.
    fn arm_expiry(&mut self, now: Instant, context: &mut Context<Self>) {
        if self.expiry.is_some() {
            return;
        }
        let oldest = [self.dispatcher.backlog().oldest(), self.oldest_file(now)];
        let oldest = oldest.into_iter().flatten().min();
        let (Some(age), Some(oldest)) = (self.config.max_age, oldest) else {
            return;
        };
        // A batch in flight expires when it returns: don't check all the time until then.
        let at = (oldest + age).max(now + age / 8);
        self.expiry = Some(context.run_later(at - now, move |buffer, context| {
            buffer.expiry = None;
            buffer.expire(context);
            buffer.pump(context);
        }));
    }

    fn expire(&mut self, context: &mut Context<Self>) {
        let now = self.now();
        let limit = self.config.max_age.and_then(|age| now.checked_sub(age));
        if let Some(limit) = limit {
            let expired = self.dispatcher.expire(limit, now);
            expired.into_iter().for_each(|run| self.settle(run, None));
        }
        let limit = self
            .config
            .max_age
            .and_then(|age| SystemTime::now().checked_sub(age));
        if let Some(limit) = limit {
            self.expire_files(limit, context);
        }
    }
}
