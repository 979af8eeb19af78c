use std::time::Instant;

use crate::{
    Config, ConfigError, Database,
    backlog::{Backlog, Lent},
    endpoint::Endpoint,
    gate::{Gate, Pass},
};

/// The server at each of its base URLs: one is in use, the others stand by.
#[derive(Debug)]
pub(crate) struct Servers {
    /// At least one.
    all: Vec<Server>,
    current: usize,
}

#[derive(Debug)]
pub(super) struct Server {
    pub(super) endpoint: Endpoint,
    pub(super) gate: Gate,
}

/// What a batch was sent with, and where to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    server: usize,
    pub(super) pass: Pass,
}

impl Servers {
    /// All of them, with nothing known against any.
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let server = |endpoint| Server {
            endpoint,
            gate: Gate::default(),
        };
        let all = Endpoint::all(config)?.into_iter().map(server).collect();
        Ok(Self { all, current: 0 })
    }

    /// The one in use.
    pub(super) fn current(&self) -> &Endpoint {
        &self.all[self.current].endpoint
    }

    /// Where a batch was sent.
    pub(super) fn of(&mut self, sent: Sent) -> &mut Server {
        &mut self.all[sent.server]
    }

    /// The next batch that may be sent now: to the one in use, or else to the first of the others
    /// that may be sent to, which is then in use.
    pub(super) fn lend(
        &mut self,
        backlog: &mut Backlog,
        max_loans: usize,
        now: Instant,
    ) -> Option<Lent> {
        for offset in 0..self.all.len() {
            let at = (self.current + offset) % self.all.len();
            if let Some(lent) = self.all[at].gate.lend(backlog, max_loans, now) {
                self.current = at;
                return Some(lent);
            }
        }
        None
    }

    /// A batch of this database is sent to the one in use.
    pub(super) fn send(&mut self, database: &Database) -> Sent {
        Sent {
            server: self.current,
            pass: self.all[self.current].gate.send(database),
        }
    }

    /// Something that was sent there has failed: the next one is in use, if there are several.
    pub(super) fn turn_from(&mut self, sent: Sent) {
        if self.current == sent.server {
            self.current = (self.current + 1) % self.all.len();
        }
    }

    /// When the first of these databases may be sent to, if only time keeps them from it.
    pub(super) fn opens_at<'a>(
        &self,
        databases: impl Iterator<Item = &'a Database> + Clone,
    ) -> Option<Instant> {
        let of = |server: &Server| server.gate.opens_at(databases.clone());
        self.all.iter().filter_map(of).min()
    }

    pub(super) fn each(&mut self) -> impl Iterator<Item = &mut Gate> {
        self.all.iter_mut().map(|server| &mut server.gate)
    }
}
