//! The process that started a pipeline. A fork of it has only the thread that forked (POSIX
//! `fork`): it delivers nothing, and a call that waits for a response would wait forever.

use std::{
    process,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{ConfigError, logging};

/// The process that started the pipeline and has its thread.
#[derive(Debug)]
pub(crate) struct OwnerProcess {
    id: u32,
    is_logged: AtomicBool,
}

/// The value in errors of calls in a fork.
pub(crate) const IN_A_FORK: &str = "called in a fork of the process that has started delivery";

impl OwnerProcess {
    /// This process.
    pub(crate) fn here() -> Self {
        Self {
            id: process::id(),
            is_logged: AtomicBool::new(false),
        }
    }

    /// Whether this is another process, a fork. Costs a system call, so it is not called for each
    /// measurement. Logged once.
    pub(crate) fn is_forked(&self) -> bool {
        let (owner_process, here) = (self.id, process::id());
        let is_forked = owner_process != here;
        if is_forked && !self.is_logged.swap(true, Ordering::Relaxed) {
            logging::error!(
                "nothing is delivered from this process ({here}): it was forked from the process \
                 that started delivery ({owner_process}), and lacks its threads. Call Influx::start after the \
                 fork"
            );
        }
        is_forked
    }

    pub(crate) fn refuse_if_forked(&self) -> Result<(), ConfigError> {
        match self.is_forked() {
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
        assert!(!OwnerProcess::here().is_forked());
        assert_eq!(OwnerProcess::here().refuse_if_forked(), Ok(()));
        let fork = OwnerProcess {
            id: process::id() + 1,
            is_logged: AtomicBool::new(false),
        };
        assert!(fork.is_forked());
        assert!(fork.is_logged.into_inner());
    }
}
