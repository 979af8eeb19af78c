use std::{collections::VecDeque, time::Instant};

use super::{Origin, PartPosition};
use crate::{
    Overflow,
    batch::{Batch, BatchLimits, OpenBatch},
    delivery::retry_history::RetryHistory,
};

/// A sealed batch, or a part of one, in a queue.
#[derive(Debug)]
pub(super) struct Job {
    /// Number of the batch that this is, or is a part of: see [`Backlog`](super::Backlog).
    pub(super) number: u64,
    pub(super) subqueue: SubQueue,
    pub(super) origin: Origin,
    /// Whether the part was leased before, or had passed sampling when it was written to disk.
    pub(super) was_leased: bool,
    pub(super) history: RetryHistory,
    pub(super) batch: Batch,
}

/// The subqueue of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SubQueue {
    /// Sealed batches, in order.
    Fresh,
    /// Parts of batches that are being isolated.
    Parts,
    /// Batches that fail while others pass: at most one is in flight at a time.
    Suspects,
    /// Batches that were loaded from disk.
    Loaded,
}

impl Job {
    pub(super) fn new(
        number: u64,
        subqueue: SubQueue,
        batch: Batch,
        history: RetryHistory,
    ) -> Self {
        Self {
            number,
            subqueue,
            origin: Origin::Recorded,
            was_leased: subqueue != SubQueue::Fresh,
            history,
            batch,
        }
    }

    fn is_loaded(&self) -> bool {
        self.origin == Origin::Loaded
    }
}

/// When a queue has something to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Now,
    At(Instant),
}

/// The queue of one database.
#[derive(Debug)]
pub(super) struct Queue {
    /// Key of this queue in the order by pending lines.
    pub(super) id: u64,
    /// The open batch; `open_number` is its number unless it is empty.
    pub(super) open: OpenBatch,
    pub(super) open_number: u64,
    fresh: VecDeque<Job>,
    parts: VecDeque<Job>,
    /// Ordered by the time from which they may be sent.
    suspects: VecDeque<Job>,
    loaded: VecDeque<Job>,
    is_suspect_out: bool,
    last: SubQueue,
    /// Number of batches in flight.
    leased: usize,
    /// Number of unsettled lines, queued or in flight.
    pub(super) pending: usize,
}

impl Queue {
    pub(super) fn new(id: u64) -> Self {
        Self {
            id,
            open: OpenBatch::default(),
            open_number: 0,
            fresh: VecDeque::new(),
            parts: VecDeque::new(),
            suspects: VecDeque::new(),
            loaded: VecDeque::new(),
            is_suspect_out: false,
            last: SubQueue::Loaded,
            leased: 0,
            pending: 0,
        }
    }

    pub(super) fn has_work(&self) -> bool {
        !self.open.is_empty() || self.jobs().next().is_some()
    }

    /// Whether anything is queued that counts against the quota.
    pub(super) fn has_evictable(&self) -> bool {
        !self.open.is_empty() || self.jobs().any(|job| !job.is_loaded())
    }

    /// Whether there are parts that were not sent yet.
    pub(super) fn has_parts(&self) -> bool {
        !self.parts.is_empty()
    }

    fn jobs(&self) -> impl Iterator<Item = &Job> {
        let jobs = self.fresh.iter().chain(&self.parts);
        jobs.chain(&self.suspects).chain(&self.loaded)
    }

    pub(super) fn is_idle(&self) -> bool {
        !self.has_work() && self.leased == 0
    }

    /// When there is something to send; `None` if nothing is queued.
    pub(super) fn due(&self, now: Instant) -> Option<Due> {
        let is_empty = self.open.is_empty()
            && self.fresh.is_empty()
            && self.parts.is_empty()
            && self.loaded.is_empty();
        if !is_empty {
            return Some(Due::Now);
        }
        // While a suspect is in flight, its return decides.
        let suspect = self.suspects.front().filter(|_| !self.is_suspect_out)?;
        Some(match suspect.history.not_before {
            Some(at) if at > now => Due::At(at),
            _ => Due::Now,
        })
    }

    /// Seals the open batch. `many_pending` says that it won't be sent soon.
    pub(super) fn seal(&mut self, many_pending: bool) {
        if self.open.is_empty() {
            return;
        }
        // A batch that is sent soon frees its memory soon: only one that waits is worth compacting.
        let waits = !self.fresh.is_empty() || many_pending;
        let batch = std::mem::take(&mut self.open).seal(waits);
        let history = RetryHistory::default();
        let job = Job::new(self.open_number, SubQueue::Fresh, batch, history);
        self.fresh.push_back(job);
    }

    /// Takes the next batch, cut to the limits: from each subqueue in turn, so that none holds up
    /// another.
    pub(super) fn next(
        &mut self,
        limits: BatchLimits,
        many_pending: bool,
        now: Instant,
    ) -> Option<Job> {
        use SubQueue::{Fresh, Loaded, Parts, Suspects};
        let order = match self.last {
            SubQueue::Fresh => [Parts, Suspects, Loaded, Fresh],
            SubQueue::Parts => [Suspects, Loaded, Fresh, Parts],
            SubQueue::Suspects => [Loaded, Fresh, Parts, Suspects],
            SubQueue::Loaded => [Fresh, Parts, Suspects, Loaded],
        };
        let mut job = order
            .into_iter()
            .find_map(|subqueue| self.pop(subqueue, many_pending, now))?;
        self.last = job.subqueue;
        let fitting = job.batch.lines.fitting(limits);
        let lines = job.batch.lines.len();
        if fitting < lines {
            let mut parts = job.batch.split(&[0..fitting, fitting..lines]).into_iter();
            // `split` returns one part per range.
            let (first, rest) = (parts.next()?, parts.next()?);
            job.batch = first;
            let rest = Job {
                batch: rest,
                ..job_like(&job)
            };
            self.jobs_of(rest.subqueue).push_front(rest);
        }
        self.is_suspect_out |= job.subqueue == SubQueue::Suspects;
        self.leased += 1;
        Some(job)
    }

    fn pop(&mut self, subqueue: SubQueue, many_pending: bool, now: Instant) -> Option<Job> {
        match subqueue {
            SubQueue::Fresh => {
                if self.fresh.is_empty() {
                    self.seal(many_pending);
                }
                self.fresh.pop_front()
            }
            SubQueue::Parts => self.parts.pop_front(),
            SubQueue::Suspects => {
                let may_go = |job: &Job| job.history.not_before.is_none_or(|at| at <= now);
                let may_go = !self.is_suspect_out && self.suspects.front().is_some_and(may_go);
                may_go.then(|| self.suspects.pop_front()).flatten()
            }
            SubQueue::Loaded => self.loaded.pop_front(),
        }
    }

    fn jobs_of(&mut self, subqueue: SubQueue) -> &mut VecDeque<Job> {
        match subqueue {
            SubQueue::Fresh => &mut self.fresh,
            SubQueue::Parts => &mut self.parts,
            SubQueue::Suspects => &mut self.suspects,
            SubQueue::Loaded => &mut self.loaded,
        }
    }

    /// Appends a sealed batch to its subqueue.
    pub(super) fn push_sealed(&mut self, job: Job) {
        self.jobs_of(job.subqueue).push_back(job);
    }

    /// Notes that a batch is no longer in flight.
    pub(super) fn returned(&mut self, job: &Job) {
        self.leased -= 1;
        if job.subqueue == SubQueue::Suspects {
            self.is_suspect_out = false;
        }
    }

    /// Puts a batch back at the head of its subqueue.
    pub(super) fn push_front(&mut self, job: Job) {
        self.jobs_of(job.subqueue).push_front(job);
    }

    /// Adds a suspect, behind those that may be sent before it.
    pub(super) fn push_suspect(&mut self, mut job: Job) {
        job.subqueue = SubQueue::Suspects;
        let at = job.history.not_before;
        let place = self
            .suspects
            .partition_point(|other| other.history.not_before <= at);
        self.suspects.insert(place, job);
    }

    /// Adds parts that are to be sent again.
    pub(super) fn push_parts(&mut self, parts: impl Iterator<Item = Job>, place: PartPosition) {
        match place {
            PartPosition::Behind => self.parts.extend(parts),
            PartPosition::Before { last_first } => {
                let parts: Vec<_> = parts.collect();
                let mut push = |part| self.parts.push_front(part);
                match last_first {
                    true => parts.into_iter().for_each(&mut push),
                    false => parts.into_iter().rev().for_each(&mut push),
                }
            }
        }
    }

    /// Makes the oldest part the next one.
    pub(super) fn rotate_parts(&mut self) {
        if let Some(part) = self.parts.pop_back() {
            self.parts.push_front(part);
        }
    }

    /// Lets all suspects be sent at once.
    pub(super) fn release_suspects(&mut self) {
        for job in &mut self.suspects {
            job.history.not_before = None;
        }
    }

    /// Removes the oldest or the newest queued batch that counts against the quota.
    pub(super) fn take(&mut self, overflow: Overflow) -> Option<Job> {
        let sources = [SubQueue::Suspects, SubQueue::Parts, SubQueue::Fresh];
        let ends = sources.into_iter().filter_map(|subqueue| {
            let jobs = self.jobs_of(subqueue);
            let is_own = |job: &Job| !job.is_loaded();
            let end = match overflow {
                Overflow::DropOldest | Overflow::Spool => jobs.iter().position(is_own),
                Overflow::DropNewest => jobs.iter().rposition(is_own),
            };
            end.map(|at| (jobs[at].number, subqueue, at))
        });
        let ends: Vec<_> = ends.collect();
        let (_, subqueue, at) = match overflow {
            Overflow::DropOldest | Overflow::Spool => {
                ends.into_iter().min_by_key(|(number, ..)| *number)?
            }
            Overflow::DropNewest => ends.into_iter().max_by_key(|(number, ..)| *number)?,
        };
        self.jobs_of(subqueue).remove(at)
    }

    /// The loaded jobs in the queue.
    pub(super) fn loaded(&self) -> impl Iterator<Item = &Job> {
        let jobs = self.parts.iter().chain(&self.suspects).chain(&self.loaded);
        jobs.filter(|job| job.is_loaded())
    }

    /// Removes the queued batches that were loaded and whose numbers `is_wanted` accepts.
    pub(super) fn take_loaded(&mut self, is_wanted: impl Fn(u64) -> bool) -> Vec<Job> {
        let mut taken = Vec::new();
        for jobs in [&mut self.parts, &mut self.suspects, &mut self.loaded] {
            let is_taken = |job: &Job| job.is_loaded() && is_wanted(job.number);
            if jobs.iter().any(is_taken) {
                let (wanted, others): (Vec<_>, Vec<_>) = jobs.drain(..).partition(is_taken);
                *jobs = others.into();
                taken.extend(wanted);
            }
        }
        taken
    }

    /// Removes the queued parts of the batch `number`.
    pub(super) fn take_number(&mut self, number: u64, many_pending: bool) -> Vec<Job> {
        if self.open_number == number {
            self.seal(many_pending);
        }
        let mut taken = Vec::new();
        // Batches that expire are usually the first.
        while self.fresh.front().is_some_and(|job| job.number == number) {
            taken.extend(self.fresh.pop_front());
        }
        if !taken.is_empty() {
            return taken;
        }
        for jobs in [
            &mut self.fresh,
            &mut self.parts,
            &mut self.suspects,
            &mut self.loaded,
        ] {
            if jobs.iter().any(|job| job.number == number) {
                let (old, others) = jobs.drain(..).partition(|job| job.number == number);
                *jobs = others;
                let old: VecDeque<_> = old;
                taken.extend(old);
            }
        }
        taken
    }

    pub(super) fn into_jobs(mut self) -> impl Iterator<Item = Job> {
        self.seal(true);
        self.fresh
            .into_iter()
            .chain(self.parts)
            .chain(self.suspects)
            .chain(self.loaded)
    }
}

/// A copy of a queued batch without its lines.
fn job_like(job: &Job) -> Job {
    Job {
        number: job.number,
        subqueue: job.subqueue,
        origin: job.origin,
        was_leased: job.was_leased,
        history: job.history,
        batch: Batch::empty(),
    }
}
