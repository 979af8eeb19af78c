use std::collections::{BTreeMap, VecDeque};

use crate::batch::{Batch, OpenBatch};

/// A sealed batch, or a slice of one.
#[derive(Debug)]
pub(super) struct Job {
    /// Counts the sealed batches; a slice has its batch's number.
    pub(super) number: u64,
    pub(super) is_slice: bool,
    pub(super) batch: Batch,
}

/// What one database has pending.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) open: OpenBatch,
    pub(super) sealed: VecDeque<Job>,
    /// Of rejected batches.
    pub(super) slices: VecDeque<Job>,
    /// So that isolation and fresh batches take turns.
    slice_was_last: bool,
    pub(super) lent: usize,
}

impl Queue {
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
        let batch = std::mem::take(&mut self.open).seal();
        let number = *next_number;
        *next_number += 1;
        unsettled.insert(number, batch.lines.len());
        self.sealed.push_back(Job {
            number,
            is_slice: false,
            batch,
        });
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
}
