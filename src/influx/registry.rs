//! The pipelines of this process, so that a test's wait that fails can say why.

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
    /// The number of requests that the middleware has not recorded yet.
    pub(crate) fn open_requests(&self) -> &Arc<AtomicUsize> {
        &self.0.shared.open_requests
    }
}

pub(super) fn add(pipeline: &Arc<Shared>) {
    let mut all = ALL.lock();
    all.retain(|pipeline| pipeline.strong_count() > 0);
    all.push(Arc::downgrade(pipeline));
}

/// The pipelines that somebody has a handle of, or that still deliver.
pub(crate) fn pipelines() -> Vec<Arc<Shared>> {
    ALL.lock().iter().filter_map(Weak::upgrade).collect()
}
