//! Takes what a server sends apart into heads: interim ones are passed over, the final one is read.

use super::{
    foreign,
    head::{self, Head},
};

/// What all heads of one response may have, interim ones included, in bytes.
const MAX_HEADS: usize = 64 << 10;

/// How many interim heads may come before the final one.
const MAX_INTERIM: usize = 100;

/// As many bytes as are waited for before it is said what came instead of HTTP.
const FOREIGN: usize = 64;

/// As few of them are enough if they are no text: the head of a TLS record.
const RECORD: usize = 5;

const HTTP: &[u8] = b"HTTP/1.";

/// What came and is not handed on yet. One is used for all responses of a connection.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    received: Vec<u8>,
    /// As many bytes are done with.
    at: usize,
    /// In what follows, as many bytes hold no end of a head.
    searched: usize,
    interim: usize,
}

/// A response that can't be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// No HTTP/1; what it is, in words that follow "it answered".
    Foreign(String),
    /// HTTP/1, but not one that can be understood; what is wrong, in words that stand for
    /// themselves.
    Faulty(String),
}

impl HeadReader {
    /// Forgets the response before.
    pub(super) fn reset(&mut self) {
        self.received.clear();
        (self.at, self.searched, self.interim) = (0, 0, 0);
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// What follows the heads that were read.
    pub(super) fn rest(&self) -> &[u8] {
        &self.received[self.at..]
    }

    /// Takes as many bytes from the rest.
    pub(super) fn consume(&mut self, count: usize) {
        self.at += count;
    }

    /// Has anything of an answer come, interim heads included?
    pub(super) fn has_begun(&self) -> bool {
        self.interim > 0 || !self.rest().is_empty()
    }

    /// How many interim heads were passed over.
    pub(super) fn interim_count(&self) -> usize {
        self.interim
    }

    /// Is there something that is no HTTP/1 and whose end is waited for?
    pub(super) fn is_foreign(&self) -> bool {
        let (start, _) = self.rest().split_at(self.rest().len().min(HTTP.len()));
        !HTTP.starts_with(start)
    }

    /// The final head, if all of it has come: for awc, it is appended to `out`, where
    /// [`head::finish`] has to follow.
    pub(super) fn next(&mut self, out: &mut Vec<u8>) -> Result<Option<Head>, Unreadable> {
        loop {
            // A stray line end after the body of the response before it, as old servers have it.
            if self.searched == 0 {
                let is_end = |byte: &&u8| matches!(byte, b'\r' | b'\n');
                self.at += self.rest().iter().take_while(is_end).count();
            }
            if self.is_foreign() {
                return match self.is_enough() {
                    true => Err(self.foreign()),
                    false => Ok(None),
                };
            }
            let rest = &self.received[self.at..];
            let Some(end) = head::end_of_head(rest, self.searched) else {
                self.searched = rest.len();
                return match self.received.len() < MAX_HEADS {
                    true => Ok(None),
                    false => Err(faulty(format!("its head is longer than {MAX_HEADS} bytes"))),
                };
            };
            let head = &rest[..end];
            let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
            match head::status_line(line).map_err(faulty)? {
                (101, _) => {
                    let reason = "it has status 101, as if another protocol had been asked for";
                    return Err(faulty(reason.to_owned()));
                }
                (100..=199, _) => {
                    self.interim += 1;
                    if self.interim > MAX_INTERIM || self.at + end > MAX_HEADS {
                        let reason = format!("{} interim responses came before it", self.interim);
                        return Err(faulty(reason));
                    }
                    (self.at, self.searched) = (self.at + end, 0);
                }
                _ => {
                    let read = head::read_head(head, out).map_err(faulty)?;
                    self.at += end;
                    return Ok(Some(read));
                }
            }
        }
    }

    /// What it is that came, if it is no HTTP/1.
    pub(super) fn foreign(&self) -> Unreadable {
        Unreadable::Foreign(foreign::describe(self.rest()))
    }

    /// Enough to say what it is: a line, many bytes, or bytes that are no text.
    fn is_enough(&self) -> bool {
        let rest = self.rest();
        let is_text = |byte: &u8| !byte.is_ascii_control() || byte.is_ascii_whitespace();
        let is_record = rest.len() >= RECORD && !rest.iter().all(is_text);
        rest.len() >= FOREIGN || rest.contains(&b'\n') || is_record
    }
}

fn faulty(reason: String) -> Unreadable {
    Unreadable::Faulty(reason)
}

#[cfg(test)]
mod tests;
