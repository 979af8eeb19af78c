use std::collections::{BTreeMap, VecDeque};

use super::turns::Turn;
use crate::{
    Overflow,
    batch::{Batch, OpenBatch},
    delivery::verdict::Oddity,
};

/// A sealed batch, or a slice of one.
#[derive(Debug)]
pub(super) struct Job {
    /// Counts the sealed batches; a slice has its batch's number.
    pub(super) number: u64,
    pub(super) is_slice: bool,
    pub(super) was_lent: bool,
    pub(super) strikes: Strikes,
    pub(super) batch: Batch,
}

/// How a batch came back last, and how many times running.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Strikes {
    pub(super) oddity: Option<Oddity>,
    pub(super) times: u32,
    /// How many readable answers the server had given the first time.
    pub(super) answers: u64,
}

impl Job {
    /// A part of the batch `number`.
    pub(super) fn slice(number: u64, batch: Batch, strikes: Strikes) -> Self {
        Self {
            is_slice: true,
            was_lent: true,
            strikes,
            ..Self::sealed(number, batch.compacted())
        }
    }

    fn sealed(number: u64, batch: Batch) -> Self {
        Self {
            number,
            is_slice: false,
            was_lent: false,
            strikes: Strikes::default(),
            batch,
        }
    }
}

/// So many batches, of all databases, are more than are about to be sent.
const MANY: usize = 16;

/// What one database has pending.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) turn: Turn,
    pub(super) open: OpenBatch,
    pub(super) sealed: VecDeque<Job>,
    /// Of rejected batches.
    pub(super) slices: VecDeque<Job>,
    /// So that isolation and fresh batches take turns.
    slice_was_last: bool,
    /// How many batches are lent.
    pub(super) lent: usize,
    /// How many lines are not settled, lent or not.
    pub(super) pending: usize,
}

impl Queue {
    pub(super) fn new(turn: Turn) -> Self {
        Self {
            turn,
            open: OpenBatch::default(),
            sealed: VecDeque::new(),
            slices: VecDeque::new(),
            slice_was_last: false,
            lent: 0,
            pending: 0,
        }
    }

    pub(super) fn has_work(&self) -> bool {
        !(self.open.is_empty() && self.sealed.is_empty() && self.slices.is_empty())
    }

    pub(super) fn is_idle(&self) -> bool {
        !self.has_work() && self.lent == 0
    }

    pub(super) fn seal(&mut self, next_number: &mut u64, unsettled: &mut BTreeMap<u64, usize>) {
        if self.open.is_empty() {
            return;
        }
        // What is about to be sent will be gone soon, and then its memory is of use.
        let waits = !self.sealed.is_empty() || unsettled.len() >= MANY;
        let batch = std::mem::take(&mut self.open).seal(waits);
        let number = *next_number;
        *next_number += 1;
        unsettled.insert(number, batch.lines.len());
        self.sealed.push_back(Job::sealed(number, batch));
    }

    pub(super) fn next(
        &mut self,
        next_number: &mut u64,
        unsettled: &mut BTreeMap<u64, usize>,
    ) -> Option<Job> {
        let fresh_waits = !(self.sealed.is_empty() && self.open.is_empty());
        let is_fresh_ones_turn = self.slice_was_last && fresh_waits;
        self.slice_was_last = !self.slices.is_empty() && !is_fresh_ones_turn;
        if self.slice_was_last {
            return self.slices.pop_front();
        }
        if self.sealed.is_empty() {
            self.seal(next_number, unsettled);
        }
        self.sealed.pop_front()
    }

    /// The number of the oldest batch that is not lent; none yet, if it still grows.
    pub(super) fn oldest(&self) -> u64 {
        let jobs = [self.slices.front(), self.sealed.front()];
        let numbers = jobs.into_iter().flatten().map(|job| job.number);
        numbers.min().unwrap_or(u64::MAX)
    }

    /// Takes the oldest or the newest batch out.
    pub(super) fn take(&mut self, overflow: Overflow) -> Option<Job> {
        match overflow {
            Overflow::DropOldest => self.slices.pop_front().or_else(|| self.sealed.pop_front()),
            Overflow::DropNewest => self.sealed.pop_back().or_else(|| self.slices.pop_back()),
        }
    }
}
