//! A pipeline that is installed for one thread only, so that tests of code that uses the installed
//! one can run concurrently.

use std::{
    cell::RefCell,
    marker::PhantomData,
    sync::atomic::{AtomicU64, Ordering},
};

use super::Influx;

thread_local! {
    /// The last one is in use.
    static HERE: RefCell<Vec<(u64, Influx)>> = const { RefCell::new(Vec::new()) };
}

/// Keeps a pipeline installed for the thread that called [`Influx::install_here`], until it is
/// dropped.
///
/// ```
/// use actix_influxdb::{Config, Influx, InstalledHere};
///
/// struct World {
///     influx: Influx,
///     _here: InstalledHere,
/// }
///
/// let influx = Influx::start(Config::default().enabled(false))?;
/// let _here = influx.install_here();
/// let world = World { influx, _here };
/// # drop(world);
/// # Ok::<(), actix_influxdb::StartError>(())
/// ```
#[derive(Debug)]
#[must_use = "the pipeline is only installed until this is dropped"]
pub struct InstalledHere {
    id: u64,
    /// Not `Send`: belongs to its thread.
    thread: PhantomData<*const ()>,
}

impl Influx {
    /// Installs this pipeline for the calling thread, until the returned value is dropped: there
    /// [`record`](crate::record), [`series`](crate::series()) and [`installed`](Self::installed)
    /// use it instead of the process-wide one. So each test can have its own pipeline, and tests
    /// can run concurrently. Of several on one thread, the last is used.
    ///
    /// Other threads are not affected: a handler in `actix_web::test` runs on the test's thread, a
    /// closure in `web::block` and the workers of an `HttpServer` do not.
    ///
    /// ```
    /// use std::time::Duration;
    /// use actix_influxdb::{Config, Influx, Measurement, testing::FakeInflux};
    ///
    /// /// Code to be tested.
    /// fn login() {
    ///     actix_influxdb::record(Measurement::new("example", "login").field("ok", true)).ok();
    /// }
    ///
    /// let fake = FakeInflux::start();
    /// let influx = Influx::start(Config::v1(fake.url()))?;
    /// let here = influx.install_here();
    /// login();
    /// drop(here);
    /// login(); // nothing is installed any more
    /// drop(influx.guard(Duration::from_secs(5)));
    /// assert_eq!(fake.count("example"), 1);
    /// # Ok::<(), actix_influxdb::StartError>(())
    /// ```
    pub fn install_here(&self) -> InstalledHere {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        HERE.with_borrow_mut(|here| here.push((id, self.clone())));
        InstalledHere {
            id,
            thread: PhantomData,
        }
    }
}

impl Drop for InstalledHere {
    fn drop(&mut self) {
        // A thread that is ending has no list any more. Dropped outside of the borrow, because the
        // last handle of a pipeline ends it.
        let taken = HERE.try_with(|here| {
            let mut here = here.borrow_mut();
            let at = here.iter().position(|(id, _)| *id == self.id)?;
            Some(here.remove(at))
        });
        drop(taken);
    }
}

/// The pipeline installed for this thread, if any.
pub(super) fn here() -> Option<Influx> {
    let last = HERE.try_with(|here| here.borrow().last().map(|(_, influx)| influx.clone()));
    last.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn pending_limit() -> Option<usize> {
        let config = Influx::installed()?.config();
        Some(config.settings().max_buffer_size())
    }

    fn started(size: usize) -> Influx {
        Influx::start(Config::default().enabled(false).max_buffer_size(size)).unwrap()
    }

    #[test]
    fn the_last_one_counts_on_its_own_thread_until_it_is_dropped_in_whatever_order() {
        assert_eq!(pending_limit(), None);
        let first = started(1).install_here();
        let second = started(2).install_here();
        let third = started(3).install_here();
        assert_eq!(pending_limit(), Some(3));
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(pending_limit(), None));
        });
        drop(second);
        assert_eq!(pending_limit(), Some(3));
        drop(third);
        assert_eq!(pending_limit(), Some(1));
        drop(first);
        assert_eq!(pending_limit(), None);
    }
}
