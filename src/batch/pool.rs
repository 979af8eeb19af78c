use parking_lot::Mutex;

use crate::batch::{Lines, OpenBatch};

/// Memory of settled batches, for reuse: fresh memory costs more of the kernel's time than writing
/// into it takes.
#[derive(Debug, Default)]
pub(crate) struct Pool(Mutex<Vec<OpenBatch>>);

/// Minimum size that is kept, in bytes of lines: allocators keep smaller blocks themselves.
pub(crate) const MIN_BYTES: usize = 16 << 10;

/// Maximum number of bytes and batches kept.
const MAX_BYTES: usize = 8 << 20;
const MAX_BATCHES: usize = 16;

impl Pool {
    /// An empty batch with memory, if available without waiting.
    pub(crate) fn take(&self) -> Option<OpenBatch> {
        self.0.try_lock()?.pop()
    }

    /// Keeps the memory of settled lines, unless it is shared.
    pub(crate) fn keep(&self, lines: Lines) {
        if lines.byte_len() < MIN_BYTES {
            return;
        }
        let Some(batch) = lines.into_empty_batch() else {
            return;
        };
        let mut pool = self.0.lock();
        let kept: usize = pool.iter().map(OpenBatch::capacity).sum();
        if pool.len() < MAX_BATCHES && kept + batch.capacity() <= MAX_BYTES {
            pool.push(batch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: usize) -> Lines {
        let mut batch = OpenBatch::default();
        batch.push(&vec![b'x'; bytes]);
        batch.seal(true).lines
    }

    #[test]
    fn the_memory_of_lines_is_used_again_when_nobody_else_has_it() {
        let pool = Pool::default();
        let (one, other) = (lines(MIN_BYTES), lines(2 * MIN_BYTES));
        let clone = other.clone();
        pool.keep(one);
        pool.keep(other);
        assert!(
            pool.take()
                .is_some_and(|pooled| pooled.capacity() >= MIN_BYTES)
        );
        assert!(pool.take().is_none());
        assert_eq!(clone.byte_len(), 2 * MIN_BYTES);
    }

    #[test]
    fn what_is_taken_is_empty() {
        let pool = Pool::default();
        pool.keep(lines(MIN_BYTES));
        let mut batch = pool.take().unwrap();
        assert!(batch.is_empty() && batch.byte_len() == 0);
        batch.push(b"a\n");
        assert_eq!(batch.seal(true).lines.body(), "a\n");
    }

    #[test]
    fn not_more_is_kept_than_a_few_batches() {
        let pool = Pool::default();
        let kept = || {
            let taken = std::iter::from_fn(|| Some(pool.take()?.capacity()));
            taken.collect::<Vec<_>>()
        };
        (0..10).for_each(|_| pool.keep(lines(1 << 20)));
        assert!((1..=MAX_BYTES).contains(&kept().iter().sum::<usize>()));
        (0..100).for_each(|_| pool.keep(lines(MIN_BYTES)));
        assert_eq!(kept().len(), MAX_BATCHES);
        (0..100).for_each(|_| pool.keep(lines(MIN_BYTES - 1)));
        assert_eq!(kept().len(), 0, "too small");
    }
}
