//! A pipeline of which nothing is left but its counters, locks, timer and mailbox.

use loom::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use crate::{
    quota::{Full, Limits, Quota},
    wakeup::{Due, Guarded},
};

/// What becomes of a measurement.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Good,
    /// Refused when it is encoded, after room was made for its line.
    Invalid,
    /// Encoded, and then there is no room for its bytes.
    TooLong,
}

#[derive(Debug)]
struct Pipeline {
    quota: Quota,
    limits: Limits,
    buffers: Vec<Guarded<usize>>,
    /// Wakes in the buffer actor's mailbox.
    wakes: AtomicUsize,
}

/// The buffer actor.
#[derive(Debug, Default)]
struct Actor {
    interval_runs: bool,
    drained: usize,
}

impl Pipeline {
    fn record(&self, thread: usize, kind: Kind) -> Result<(), Option<Full>> {
        let wake = || _ = self.wakes.fetch_add(1, SeqCst);
        self.buffers[thread].put(wake, |lines, allowance| {
            let room = allowance.reserve(&self.quota, &self.limits, || false)?;
            let bytes = match kind {
                Kind::Good => 1,
                Kind::Invalid => return Err(None),
                Kind::TooLong => self.limits.line_bytes + 1,
            };
            room.commit(bytes, &self.limits, || false)?;
            *lines += 1;
            Ok(())
        })
    }

    fn takes_wake(&self) -> bool {
        let took = |wakes: usize| wakes.checked_sub(1);
        self.wakes.fetch_update(SeqCst, SeqCst, took).is_ok()
    }
}

impl Actor {
    fn look(&mut self, pipeline: &Pipeline) {
        match pipeline.quota.due(&pipeline.limits) {
            Due::Drain => self.drain(pipeline),
            Due::Interval => self.interval_runs = true,
            Due::Nothing => {}
        }
        pipeline.quota.take_lost();
    }

    fn drain(&mut self, pipeline: &Pipeline) {
        self.interval_runs = false;
        for buffer in &pipeline.buffers {
            self.drained += buffer.drain(&pipeline.quota, std::mem::take);
        }
        match pipeline.quota.due_after_drain(&pipeline.limits) {
            Due::Drain => _ = pipeline.wakes.fetch_add(1, SeqCst),
            Due::Interval => self.interval_runs = true,
            Due::Nothing => {}
        }
    }
}

/// Some threads that record, beside the buffer actor.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub trigger: usize,
    /// A loss has been told of already, and the actor hasn't heard of it yet.
    pub has_lost: bool,
    /// What each thread records.
    pub threads: &'static [&'static [Kind]],
    /// How often the actor takes a message, if there is one.
    pub looks: usize,
    /// The actor drains by itself: for a flush, or at the end of an interval.
    pub drains: bool,
    /// How often at most a thread is interrupted where it need not wait. More take minutes.
    pub preemptions: usize,
}

impl Scenario {
    /// # Panics
    ///
    /// If one of the orders leaves a line that nobody will ever see to.
    pub fn check(self) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(self.preemptions);
        model.check(move || self.run());
    }

    fn run(&self) {
        let pipeline = Arc::new(Pipeline {
            quota: Quota::default(),
            limits: Limits {
                lines: 1_000,
                bytes: 1_000,
                line_bytes: 100,
                warn_lines: 1_000,
                trigger: self.trigger,
            },
            buffers: self.threads.iter().map(|_| Guarded::new(0)).collect(),
            wakes: AtomicUsize::new(0),
        });
        if self.has_lost {
            pipeline.record(0, Kind::TooLong).unwrap_err();
            // The wake is under way, to an actor that may take it at any time.
        }
        let threads: Vec<_> = (0..self.threads.len())
            .map(|thread| {
                let (pipeline, kinds) = (Arc::clone(&pipeline), self.threads[thread]);
                thread::spawn(move || {
                    for kind in kinds {
                        _ = pipeline.record(thread, *kind);
                    }
                })
            })
            .collect();
        let mut actor = Actor::default();
        for _ in 0..self.looks {
            if pipeline.takes_wake() {
                actor.look(&pipeline);
            }
        }
        if self.drains {
            actor.drain(&pipeline);
        }
        for thread in threads {
            thread.join().unwrap();
        }
        self.assert_quiet(&pipeline, &actor);
    }

    /// All is quiet now, but for messages that are under way.
    fn assert_quiet(&self, pipeline: &Pipeline, actor: &Actor) {
        let wakes = pipeline.wakes.load(SeqCst);
        let line = |buffer: &Guarded<usize>| {
            buffer.look(|lines, used| {
                assert_eq!(*lines, used, "room for lines that are not there");
                *lines
            })
        };
        let lines: usize = pipeline.buffers.iter().map(line).sum();
        let all = self.threads.iter().flat_map(|kinds| *kinds);
        let good = all.filter(|kind| matches!(kind, Kind::Good)).count();
        assert_eq!(lines + actor.drained, good);
        assert!(
            lines == 0 || actor.interval_runs || wakes > 0,
            "{lines} lines wait, no timer runs for them and no wake is under way"
        );
        assert!(
            lines < self.trigger || wakes > 0,
            "{lines} lines wait, the trigger size is {}, and no wake is under way",
            self.trigger
        );
        for buffer in &pipeline.buffers {
            buffer.drain(&pipeline.quota, |_| ());
        }
        assert_eq!(pipeline.quota.lines(), good, "room that nobody has");
        assert_eq!(pipeline.quota.waiting(), 0, "nothing waits");
    }
}
