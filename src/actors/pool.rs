use actix::Recipient;

use super::messages::internal::Write;

/// The writers: as many as there may be concurrent POSTs, started when they are first needed.
pub(crate) struct Pool {
    size: usize,
    start: Box<dyn Fn() -> Recipient<Write>>,
    writers: Vec<Recipient<Write>>,
    /// Indices into `writers`.
    idle: Vec<usize>,
}

impl Pool {
    pub(crate) fn new(size: usize, start: impl Fn() -> Recipient<Write> + 'static) -> Self {
        Self {
            size,
            start: Box::new(start),
            writers: Vec::new(),
            idle: Vec::new(),
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Applies as writers come back: one that is at work finishes it.
    pub(crate) fn resize(&mut self, size: usize) {
        self.size = size;
    }

    /// A writer that has nothing to do, if there is or may be one.
    pub(crate) fn take(&mut self) -> Option<usize> {
        if self.writers.len() - self.idle.len() >= self.size {
            return None;
        }
        let Some(writer) = self.idle.pop() else {
            self.writers.push((self.start)());
            return Some(self.writers.len() - 1);
        };
        if !self.writers[writer].connected() {
            self.writers[writer] = (self.start)();
        }
        Some(writer)
    }

    pub(crate) fn send(&self, writer: usize, write: Write) {
        self.writers[writer].do_send(write);
    }

    pub(crate) fn put_back(&mut self, writer: usize) {
        self.idle.push(writer);
    }
}
