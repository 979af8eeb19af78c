//! The process that a pipeline was started in. In a fork of it there are no threads but the one
//! that forked (POSIX `fork`): nothing is delivered there, and a call that waits for an answer would wait for ever.

use std::{
    process,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{ConfigError, logging};

/// The process that started the pipeline and has its thread.
#[derive(Debug)]
pub(crate) struct Home {
    id: u32,
    is_told: AtomicBool,
}

/// The value in errors of calls that a fork can't serve.
pub(crate) const IN_A_FORK: &str = "called in a fork of the process that has started delivery";

impl Home {
    /// This process.
    pub(crate) fn here() -> Self {
        Self {
            id: process::id(),
            is_told: AtomicBool::new(false),
        }
    }

    /// Whether this is another process, a fork. Costs a system call, so it isn't asked for each
    /// measurement. Logged once.
    pub(crate) fn is_elsewhere(&self) -> bool {
        let (home, here) = (self.id, process::id());
        let is_elsewhere = home != here;
        if is_elsewhere && !self.is_told.swap(true, Ordering::Relaxed) {
            logging::error!(
                "nothing is delivered from this process ({here}): it was forked from the process \
                 that started delivery ({home}), and has none of its threads. Call Influx::start \
                 after the fork"
            );
        }
        is_elsewhere
    }

    pub(crate) fn refuse_elsewhere(&self) -> Result<(), ConfigError> {
        match self.is_elsewhere() {
            true => Err(ConfigError::new(
                "update",
                IN_A_FORK,
                "nothing was changed, start delivery after the fork",
            )),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_that_it_was_started_in_is_no_other() {
        assert!(!Home::here().is_elsewhere());
        assert_eq!(Home::here().refuse_elsewhere(), Ok(()));
        let elsewhere = Home {
            id: process::id() + 1,
            is_told: AtomicBool::new(false),
        };
        assert!(elsewhere.is_elsewhere());
        assert!(elsewhere.is_told.into_inner());
    }
}
