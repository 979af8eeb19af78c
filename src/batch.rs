//! Lines of one database, ready to be one POST. Pure.
//!
//! A line is found by its end offset and never by `\n`: a string field may hold one.

#[cfg(feature = "gzip")]
pub(crate) mod compressed;
pub(crate) mod pool;

use std::{ops::Range, sync::Arc};

use bytes::Bytes;

use crate::{
    Config, Precision,
    encode::{self, LineBuffer},
    stats::report::Ticket,
};

/// What one POST may hold. A single line that is longer goes alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchLimits {
    pub(crate) lines: usize,
    pub(crate) bytes: usize,
}

impl BatchLimits {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            lines: config.max_batch_size,
            bytes: config.max_batch_bytes,
        }
    }
}

/// The longest line that is taken, far beyond what any server takes: offsets are 32 bits wide.
pub(crate) const MAX_LINE_BYTES: usize = 1 << 30;

/// A batch that still grows.
#[derive(Debug, Default)]
pub(crate) struct OpenBatch {
    bytes: LineBuffer,
    ends: Vec<u32>,
    /// By line, ascending.
    tickets: Vec<(u32, Ticket)>,
}

impl OpenBatch {
    /// An empty batch, with memory for so many bytes and lines.
    pub(crate) fn with_capacity(bytes: usize, lines: usize) -> Self {
        Self {
            bytes: LineBuffer::with_memory(Vec::with_capacity(bytes)),
            ends: Vec::with_capacity(lines),
            tickets: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(crate) fn byte_len(&self) -> usize {
        self.bytes.kept_len()
    }

    /// How many bytes of lines it has memory for.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// What the next one is likely to need: bytes and lines. With less in reserve than what a batch
    /// that waits has to give back.
    pub(crate) fn capacity_to_come(&self) -> (usize, usize) {
        let and_some = |uses: usize| uses + uses / 16;
        let bytes = and_some(self.byte_len()) + encode::ROOM;
        (bytes, and_some(self.len()))
    }

    /// Where to write the next line, which is one of the batch only when it is
    /// [kept](Self::keep_line).
    #[inline]
    pub(crate) fn next_line(&mut self) -> &mut LineBuffer {
        &mut self.bytes
    }

    #[inline]
    pub(crate) fn keep_line(&mut self) {
        self.bytes.keep_line();
        self.ends.push(self.bytes.kept_len() as u32);
    }

    /// Moves the next line to another batch.
    pub(crate) fn move_line(&mut self, to: &mut Self) {
        to.bytes.push_all(self.bytes.line());
        self.bytes.take_back();
    }

    pub(crate) fn push(&mut self, line: &[u8]) {
        self.bytes.push_all(line);
        self.keep_line();
    }

    /// The last line's fate goes to `ticket`.
    pub(crate) fn attach(&mut self, ticket: Ticket) {
        self.tickets.push((self.ends.len() as u32 - 1, ticket));
    }

    /// Would `lines` more lines of `bytes` bytes go into the same POST?
    #[inline]
    pub(crate) fn has_room(&self, lines: usize, bytes: usize, limits: BatchLimits) -> bool {
        self.is_empty()
            || (self.len() + lines <= limits.lines && self.byte_len() + bytes <= limits.bytes)
    }

    /// Appends the lines of `other`; moves them where there are none yet.
    pub(crate) fn append(&mut self, other: OpenBatch) {
        if self.is_empty() {
            *self = other;
            return;
        }
        let (lines, bytes) = (self.ends.len() as u32, self.byte_len() as u32);
        self.bytes.push_all(&other.bytes.into_bytes());
        self.bytes.keep_line();
        self.ends.extend(other.ends.iter().map(|end| end + bytes));
        let tickets = other.tickets.into_iter();
        self.tickets
            .extend(tickets.map(|(line, ticket)| (line + lines, ticket)));
    }

    /// Makes it immutable; `tight`, without memory in reserve.
    pub(crate) fn seal(self, tight: bool) -> Batch {
        let lines = 0..self.ends.len();
        let (mut bytes, mut ends) = (self.bytes.into_bytes(), self.ends);
        if tight {
            give_back_reserve(&mut bytes);
            give_back_reserve(&mut ends);
        }
        Batch {
            lines: Lines {
                bytes: bytes.into(),
                ends: ends.into(),
                range: lines,
                unit: None,
                #[cfg(feature = "gzip")]
                compressed: Default::default(),
            },
            tickets: self.tickets,
        }
    }
}

/// Only a small part of what it holds may be in reserve.
fn give_back_reserve<T: Copy>(memory: &mut Vec<T>) {
    if memory.capacity() - memory.len() > memory.len() / 8 {
        // Shrunk in its place it would leave holes that are too small for the batches to come:
        // with glibc up to three quarters as much again.
        *memory = memory.as_slice().to_vec();
    }
}

/// Sealed lines, and who waits for the fate of some of them.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) lines: Lines,
    /// By line, ascending.
    pub(crate) tickets: Vec<(u32, Ticket)>,
}

/// A run of sealed lines. Clones and slices share the bytes.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    /// Of the batch that was sealed, as are the ends.
    bytes: Bytes,
    ends: Arc<Vec<u32>>,
    range: Range<usize>,
    unit: Option<Precision>,
    /// Of this run alone.
    #[cfg(feature = "gzip")]
    pub(crate) compressed: compressed::Compressed,
}

impl Lines {
    /// Lines that were read from a file, with their ends and the unit of their timestamps.
    pub(crate) fn of(bytes: Bytes, ends: Vec<u32>, unit: Precision) -> Self {
        Self {
            bytes,
            range: 0..ends.len(),
            ends: Arc::new(ends),
            unit: Some(unit),
            #[cfg(feature = "gzip")]
            compressed: Default::default(),
        }
    }

    /// The unit of the timestamps; `None`: that of the configuration.
    pub(crate) fn unit(&self) -> Option<Precision> {
        self.unit
    }

    /// The same with timestamps in nanoseconds, where they are in microseconds.
    pub(crate) fn in_nanoseconds(&self) -> Self {
        let mut batch = OpenBatch::with_capacity(self.byte_len() + 3 * self.len(), self.len());
        for line in self.iter() {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            batch.push(&[line, b"000\n"].concat());
        }
        let mut lines = batch.seal(false).lines;
        lines.unit = Some(Precision::Nanoseconds);
        lines
    }

    pub(crate) fn len(&self) -> usize {
        self.range.len()
    }

    pub(crate) fn byte_len(&self) -> usize {
        self.start_of(self.range.end) - self.start_of(self.range.start)
    }

    /// How many bytes it keeps from being freed.
    #[cfg(test)]
    pub(crate) fn kept_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The lines as the body of a POST, not copied.
    pub(crate) fn body(&self) -> Bytes {
        let bytes = self.start_of(self.range.start)..self.start_of(self.range.end);
        self.bytes.slice(bytes)
    }

    /// Line number `at`, with its `\n`.
    pub(crate) fn line(&self, at: usize) -> &[u8] {
        let at = self.range.start + at;
        &self.bytes[self.start_of(at)..self.start_of(at + 1)]
    }

    /// How many of these lines one POST may hold, from the first on; at least one.
    pub(crate) fn fitting(&self, limits: BatchLimits) -> usize {
        let start = self.start_of(self.range.start);
        let ends = &self.ends[self.range.clone()];
        let within = ends.partition_point(|end| *end as usize - start <= limits.bytes);
        within.min(limits.lines).clamp(1, self.len().max(1))
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|at| self.line(at))
    }

    /// Their memory, if nobody else has it.
    pub(crate) fn into_empty_batch(self) -> Option<OpenBatch> {
        // A part of a batch doesn't come here alone.
        if !self.bytes.is_unique() {
            return None;
        }
        let mut ends = Arc::into_inner(self.ends)?;
        ends.clear();
        Some(OpenBatch {
            bytes: LineBuffer::with_memory(self.bytes.into()),
            ends,
            tickets: Vec::new(),
        })
    }

    /// The lines `range` of these.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        let start = self.range.start;
        Self {
            bytes: self.bytes.clone(),
            ends: Arc::clone(&self.ends),
            range: start + range.start..start + range.end,
            unit: self.unit,
            #[cfg(feature = "gzip")]
            compressed: match range.len() == self.len() {
                true => self.compressed.clone(),
                false => Default::default(),
            },
        }
    }

    /// Where line number `at` of the sealed batch starts; its end for the one past the last.
    fn start_of(&self, at: usize) -> usize {
        match at {
            0 => 0,
            at => self.ends[at - 1] as usize,
        }
    }
}

impl Batch {
    /// A batch without lines.
    pub(crate) fn empty() -> Self {
        OpenBatch::default().seal(false)
    }

    /// Puts batches together again, in order. Copies the bytes, if there is more than one.
    pub(crate) fn join(parts: impl IntoIterator<Item = Batch>) -> Option<Batch> {
        let mut parts = parts.into_iter();
        let first = parts.next()?;
        let Some(second) = parts.next() else {
            return Some(first);
        };
        let mut joined = OpenBatch::default();
        let unit = first.lines.unit;
        for Batch { lines, tickets } in [first, second].into_iter().chain(parts) {
            let before = joined.len() as u32;
            lines.iter().for_each(|line| joined.push(line));
            let tickets = tickets.into_iter();
            joined
                .tickets
                .extend(tickets.map(|(line, ticket)| (line + before, ticket)));
        }
        let mut joined = joined.seal(true);
        joined.lines.unit = unit;
        Some(joined)
    }

    /// The same, in memory of its own if it would keep more than twice as much from being freed.
    pub(crate) fn compacted(self) -> Batch {
        let Self { lines, tickets } = self;
        if lines.byte_len() * 2 >= lines.bytes.len() {
            return Self { lines, tickets };
        }
        let start = lines.start_of(lines.range.start) as u32;
        let ends = lines.ends[lines.range.clone()].iter();
        let lines = Lines {
            bytes: Bytes::copy_from_slice(&lines.body()),
            ends: Arc::new(ends.map(|end| end - start).collect()),
            range: 0..lines.len(),
            unit: lines.unit,
            #[cfg(feature = "gzip")]
            compressed: lines.compressed.clone(),
        };
        Self { lines, tickets }
    }

    /// Cuts the batch into the given runs of lines, which cover it in order without gaps.
    pub(crate) fn split(self, runs: &[Range<usize>]) -> Vec<Batch> {
        debug_assert!(runs.first().is_none_or(|run| run.start == 0));
        debug_assert!(runs.last().is_none_or(|run| run.end == self.lines.len()));
        debug_assert!(runs.windows(2).all(|pair| pair[0].end == pair[1].start));
        if runs.len() == 1 {
            return vec![self];
        }
        let mut tickets = self.tickets.into_iter().peekable();
        let part = |run: &Range<usize>| {
            let mut own = Vec::new();
            while let Some((line, ticket)) = tickets.next_if(|(line, _)| (*line as usize) < run.end)
            {
                own.push((line - run.start as u32, ticket));
            }
            Batch {
                lines: self.lines.slice(run.clone()),
                tickets: own,
            }
        };
        runs.iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests;
