//! The pipelines of this process, to explain a test's failed wait.

#[cfg(feature = "middleware")]
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

#[cfg(feature = "middleware")]
use super::Influx;
use super::shared::Shared;

static ALL: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

#[cfg(feature = "middleware")]
impl Influx {
    /// Number of requests that the middleware has not recorded yet.
    pub(crate) fn open_requests(&self) -> &Arc<AtomicUsize> {
        &self.0.shared.open_requests
    }
}

pub(super) fn add(pipeline: &Arc<Shared>) {
    let mut all = ALL.lock();
    all.retain(|pipeline| pipeline.strong_count() > 0);
    all.push(Arc::downgrade(pipeline));
}

/// Pipelines that have a handle, or still deliver.
pub(crate) fn pipelines() -> Vec<Arc<Shared>> {
    ALL.lock().iter().filter_map(Weak::upgrade).collect()
}
