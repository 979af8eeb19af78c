//! Whether any server ever answered. Without one, as in development, shutdown need not wait.

use std::collections::BTreeSet;

/// Results of all connection attempts since the pipeline started.
#[derive(Debug, Default)]
pub(crate) struct Contacts {
    /// A server has answered, with any status.
    answered: bool,
    /// Number of POSTs, including those in flight.
    attempts: u64,
    /// Number of POSTs whose connection was refused.
    refused: u64,
    shutdown: Option<SinceShutdown>,
}

#[derive(Debug)]
struct SinceShutdown {
    servers: usize,
    /// Servers, by index, that refused a connection made after the call.
    refused: BTreeSet<usize>,
}

/// One attempt to reach a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contact {
    /// Index in the order of the URLs.
    server: usize,
    is_since_shutdown: bool,
}

impl Contacts {
    /// Counts a POST to a server. Its result is reported by [`answered`](Self::answered) or
    /// [`refused`](Self::refused); other results (a timeout, a reset) need no call.
    pub(crate) fn attempt(&mut self, server: usize) -> Contact {
        self.attempts += 1;
        Contact {
            server,
            is_since_shutdown: self.shutdown.is_some(),
        }
    }

    /// A response came, with any status.
    pub(crate) fn answered(&mut self) {
        self.answered = true;
    }

    /// The connection was refused.
    pub(crate) fn refused(&mut self, contact: Contact) {
        self.refused += 1;
        if let Some(shutdown) = &mut self.shutdown
            && contact.is_since_shutdown
        {
            shutdown.refused.insert(contact.server);
        }
    }

    /// Shutdown was called, with this number of servers.
    pub(crate) fn shut_down(&mut self, servers: usize) {
        self.shutdown = Some(SinceShutdown {
            servers,
            refused: BTreeSet::new(),
        });
    }

    /// Whether shutdown may end without waiting longer.
    pub(crate) fn end_early(&self) -> bool {
        let refused_since_call = self
            .shutdown
            .as_ref()
            .is_some_and(|shutdown| shutdown.refused.len() >= shutdown.servers.max(1));
        ends_early(
            self.answered,
            self.attempts,
            self.refused,
            refused_since_call,
        )
    }

    /// Number of connection attempts.
    pub(crate) fn attempts(&self) -> u64 {
        self.attempts
    }
}

/// Whether nothing was ever delivered, and every connection was refused, also after the call. A
/// server that is restarting has answered before, or drops packets, or doesn't refuse each time.
fn ends_early(delivered_ever: bool, attempts: u64, refused: u64, refused_since_call: bool) -> bool {
    !delivered_ever && refused_since_call && attempts > 0 && attempts == refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_early_only_where_nobody_ever_was() {
        for (delivered_ever, attempts, refused, refused_since_call, early) in [
            (false, 1, 1, true, true),
            (false, 50, 50, true, true),
            // Nothing is known yet.
            (false, 0, 0, false, false),
            (false, 0, 0, true, false),
            // A server may have started since.
            (false, 50, 50, false, false),
            // One attempt is in progress, or timed out, or was reset.
            (false, 50, 49, true, false),
            // A server was reachable before.
            (true, 50, 50, true, false),
            (true, 50, 49, true, false),
        ] {
            assert_eq!(
                ends_early(delivered_ever, attempts, refused, refused_since_call),
                early,
                "{delivered_ever} {attempts} {refused} {refused_since_call}"
            );
        }
    }

    #[test]
    fn a_connection_that_was_made_before_the_call_is_not_one_made_after_it() {
        let mut contacts = Contacts::default();
        let before = contacts.attempt(0);
        contacts.shut_down(1);
        contacts.refused(before);
        assert!(!contacts.end_early());
        let after = contacts.attempt(0);
        assert!(!contacts.end_early(), "it is under way");
        contacts.refused(after);
        assert!(contacts.end_early());
        assert_eq!(contacts.attempts(), 2);
        contacts.attempt(0);
        contacts.answered();
        assert!(!contacts.end_early());
    }

    #[test]
    fn a_server_that_has_answered_anything_is_waited_for_though_it_refuses_every_post() {
        for has_answered in [false, true] {
            let mut contacts = Contacts::default();
            if has_answered {
                contacts.answered();
            }
            contacts.shut_down(1);
            let contact = contacts.attempt(0);
            contacts.refused(contact);
            assert_eq!(contacts.end_early(), !has_answered);
        }
    }

    #[test]
    fn each_server_has_to_refuse_after_the_call() {
        let mut contacts = Contacts::default();
        contacts.shut_down(2);
        for (server, early) in [(0, false), (0, false), (1, true)] {
            let contact = contacts.attempt(server);
            contacts.refused(contact);
            assert_eq!(contacts.end_early(), early);
        }
    }

    #[test]
    fn without_a_shutdown_nothing_ends() {
        let mut contacts = Contacts::default();
        let contact = contacts.attempt(0);
        contacts.refused(contact);
        assert!(!contacts.end_early());
    }
}
