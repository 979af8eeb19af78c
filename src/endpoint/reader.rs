//! Splits a server's bytes into heads: skips interim ones, and parses the final one.

use super::{
    foreign,
    head::{self, Head},
};

/// Maximum length of all heads of a response, interim ones included, in bytes.
const MAX_HEADS: usize = 64 << 10;

/// Maximum number of interim heads.
const MAX_INTERIM: usize = 100;

/// Number of bytes that are awaited to recognize another protocol.
const MIN_FOREIGN: usize = 64;

/// Number of bytes that suffice if they are not text: the head of a TLS record.
const TLS_RECORD_HEAD: usize = 5;

const HTTP: &[u8] = b"HTTP/1.";

/// Bytes that were received and not passed on yet; reused for all responses of a connection.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    received: Vec<u8>,
    /// Number of bytes that were processed.
    at: usize,
    /// Number of the following bytes that contain no end of a head.
    searched: usize,
    interim: usize,
}

/// A response that can't be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Not HTTP/1; a description to follow "it answered".
    Foreign(String),
    /// HTTP/1, but invalid; what is wrong, as a clause.
    Faulty(String),
}

impl HeadReader {
    /// Discards the previous response.
    pub(super) fn reset(&mut self) {
        self.received.clear();
        (self.at, self.searched, self.interim) = (0, 0, 0);
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// The bytes after the parsed heads.
    pub(super) fn rest(&self) -> &[u8] {
        &self.received[self.at..]
    }

    /// Removes `count` bytes from the rest.
    pub(super) fn consume(&mut self, count: usize) {
        self.at += count;
    }

    /// Whether any of the response has arrived, interim heads included.
    pub(super) fn has_begun(&self) -> bool {
        self.interim > 0 || !self.rest().is_empty()
    }

    /// Number of interim heads skipped.
    pub(super) fn interim_count(&self) -> usize {
        self.interim
    }

    /// Whether something has arrived that is not HTTP/1.
    pub(super) fn is_foreign(&self) -> bool {
        let (start, _) = self.rest().split_at(self.rest().len().min(HTTP.len()));
        !HTTP.starts_with(start)
    }

    /// The final head, if it is complete; for awc, it is appended to `out`, and [`head::finish`]
    /// must follow.
    pub(super) fn next(&mut self, out: &mut Vec<u8>) -> Result<Option<Head>, Unreadable> {
        loop {
            // A stray line end after the previous body, sent by old servers.
            if self.searched == 0 {
                let is_end = |byte: &&u8| matches!(byte, b'\r' | b'\n');
                self.at += self.rest().iter().take_while(is_end).count();
            }
            if self.is_foreign() {
                return match self.is_recognizable() {
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
                    let reason = "it has status 101, which was not requested";
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

    /// Describes what arrived instead of HTTP/1.
    pub(super) fn foreign(&self) -> Unreadable {
        Unreadable::Foreign(foreign::describe(self.rest()))
    }

    /// Whether it can be described now: there is a line, enough bytes, or bytes that are not text.
    fn is_recognizable(&self) -> bool {
        let rest = self.rest();
        let is_text = |byte: &u8| !byte.is_ascii_control() || byte.is_ascii_whitespace();
        let is_record = rest.len() >= TLS_RECORD_HEAD && !rest.iter().all(is_text);
        rest.len() >= MIN_FOREIGN || rest.contains(&b'\n') || is_record
    }
}

fn faulty(reason: String) -> Unreadable {
    Unreadable::Faulty(reason)
}

#[cfg(test)]
mod tests;
