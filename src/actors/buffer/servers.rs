use std::time::Instant;

use crate::{
    Config, ConfigError, Database,
    delivery::backlog::{Backlog, Lent},
    delivery::gate::{Gate, Pass},
    endpoint::Endpoint,
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
    /// How many readable answers it has given.
    pub(super) answers: u64,
}

/// Which of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerId(usize);

/// What a batch was sent with, and where to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    server: ServerId,
    pub(super) pass: Pass,
}

impl Servers {
    /// All of them, with nothing known against any.
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let server = |endpoint| Server {
            endpoint,
            gate: Gate::default(),
            answers: 0,
        };
        let all = Endpoint::all(config)?.into_iter().map(server).collect();
        Ok(Self { all, current: 0 })
    }

    /// The one in use.
    pub(super) fn current(&self) -> &Endpoint {
        &self.all[self.current].endpoint
    }

    /// Where a batch was sent.
    pub(super) fn of(&mut self, sent: &Sent) -> &mut Server {
        &mut self.all[sent.server.0]
    }

    /// The next batch that may be sent now, and where to: to the one in use, or else to the first
    /// of the others that it may be sent to. If the one in use is out of service, that one is in
    /// use from here on; if only this database can't be served there, the others stay.
    pub(super) fn lend(
        &mut self,
        backlog: &mut Backlog,
        max_loans: usize,
        now: Instant,
    ) -> Option<(Lent, ServerId)> {
        for offset in 0..self.all.len() {
            let at = (self.current + offset) % self.all.len();
            let Some(lent) = self.all[at].gate.lend(backlog, max_loans, now) else {
                continue;
            };
            if self.all[self.current].gate.is_open() {
                self.current = at;
            }
            return Some((lent, ServerId(at)));
        }
        None
    }

    /// A batch of this database is sent there.
    pub(super) fn send(&mut self, server: ServerId, database: &Database) -> Sent {
        let pass = self.all[server.0].gate.send(database);
        Sent { server, pass }
    }

    /// As [`Gate::opens_at`], at the first of them.
    pub(super) fn opens_at<'a>(
        &self,
        databases: impl Iterator<Item = &'a Database> + Clone,
        now: Instant,
    ) -> Option<Instant> {
        let of = |server: &Server| server.gate.opens_at(databases.clone(), now);
        self.all.iter().filter_map(of).min()
    }

    pub(super) fn each(&mut self) -> impl Iterator<Item = &mut Gate> {
        self.all.iter_mut().map(|server| &mut server.gate)
    }
}
