use crate::{
    batch::{
        BatchLimits, OpenBatch,
        pool::{self, Pool},
    },
    encode::LineBuffer,
    stats::report::Ticket,
};

/// The batches of one database in a thread buffer.
#[derive(Debug, Default)]
pub(super) struct Batches {
    full: Vec<OpenBatch>,
    open: OpenBatch,
    /// What the next batch is likely to need: bytes and lines.
    capacity: (usize, usize),
}

impl Batches {
    /// How many lines.
    pub(super) fn len(&self) -> usize {
        self.open.len() + self.full.iter().map(OpenBatch::len).sum::<usize>()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.full.is_empty()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.open.capacity()
    }

    /// Sees to it that there is memory for a line.
    #[inline]
    pub(super) fn begin(&mut self, pool: &Pool) {
        if self.open.capacity() == 0 {
            self.allocate(pool);
        }
    }

    #[cold]
    fn allocate(&mut self, pool: &Pool) {
        self.open = self.next_batch(pool);
    }

    /// As much is likely to come as the last time.
    fn next_batch(&self, pool: &Pool) -> OpenBatch {
        let (bytes, lines) = self.capacity;
        let pooled = (bytes >= pool::MIN_BYTES).then(|| pool.take()).flatten();
        pooled.unwrap_or_else(|| OpenBatch::with_capacity(bytes, lines))
    }

    /// Where the next line is written.
    #[inline]
    pub(super) fn next_line(&mut self) -> &mut LineBuffer {
        self.open.next_line()
    }

    /// The next line stays.
    #[inline]
    pub(super) fn keep_line(&mut self, limits: BatchLimits, pool: &Pool, ticket: Option<Ticket>) {
        let bytes = self.open.next_line().line_len();
        if !self.open.has_room(1, bytes, limits) {
            self.begin_next(pool);
        }
        self.open.keep_line();
        if let Some(ticket) = ticket {
            self.open.attach(ticket);
        }
    }

    /// The next line goes to a batch of its own.
    #[cold]
    fn begin_next(&mut self, pool: &Pool) {
        self.capacity = self.open.next_capacity();
        let mut next = self.next_batch(pool);
        self.open.move_line(&mut next);
        self.full.push(std::mem::replace(&mut self.open, next));
    }

    /// Takes all of them out.
    pub(super) fn take(&mut self) -> impl Iterator<Item = OpenBatch> {
        // One that is full says more than the rest does.
        self.capacity = self.full.first().unwrap_or(&self.open).next_capacity();
        let open = std::mem::take(&mut self.open);
        self.full.drain(..).chain([open])
    }
}
