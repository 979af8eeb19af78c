use actix::Recipient;

use super::messages::internal::Write;

/// The writers, one per concurrent POST, started when first needed.
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

    /// Changes the number of writers; a busy writer finishes first.
    pub(crate) fn resize(&mut self, size: usize) {
        self.size = size;
    }

    /// Takes an idle writer, or starts one if allowed.
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
