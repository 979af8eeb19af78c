//! Compressed bodies, kept for the next attempt.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;

/// Maximum size of all compressed bodies in the process, in bytes. Beyond that, a retry compresses
/// again.
const MAX_BYTES: usize = 16 << 20;

static KEPT_BYTES: AtomicUsize = AtomicUsize::new(0);

/// The compressed form of a run of lines, if any. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Compressed(Arc<OnceLock<Kept>>);

#[derive(Debug)]
struct Kept(Bytes);

impl Compressed {
    pub(crate) fn get(&self) -> Option<Bytes> {
        self.0.get().map(|kept| kept.0.clone())
    }

    /// Keeps a compressed body, if there is room.
    pub(crate) fn keep(&self, body: &Bytes) {
        let count = body.len();
        let add = |kept: usize| Some(kept + count).filter(|kept| *kept <= MAX_BYTES);
        let has_room = KEPT_BYTES.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        if has_room.is_ok() {
            // If another thread was first, dropping this one releases its room.
            _ = self.0.set(Kept(body.clone()));
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        KEPT_BYTES.fetch_sub(self.0.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressed_body_is_kept_as_long_as_its_lines_and_there_is_room() {
        let (first, second) = (Compressed::default(), Compressed::default());
        let body = Bytes::from(vec![0; MAX_BYTES / 2 + 1]);
        first.keep(&body);
        assert_eq!(first.clone().get(), Some(body.clone()));
        second.keep(&body);
        assert_eq!(second.get(), None, "there is no room for both");
        drop(first);
        second.keep(&body);
        assert_eq!(second.get(), Some(body));
    }
}
