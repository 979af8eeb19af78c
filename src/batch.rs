//! Batches: lines of one database for one POST. Pure.
//!
//! Lines are found by their end offsets, never by `\n`, which a string field may contain.

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

/// Limits of one POST. A single longer line is sent alone.
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

/// Maximum length of a line, in bytes, far above that of any server: offsets have 32 bits.
pub(crate) const MAX_LINE_BYTES: usize = 1 << 30;

/// A batch that still grows.
#[derive(Debug, Default)]
pub(crate) struct OpenBatch {
    bytes: LineBuffer,
    ends: Vec<u32>,
    /// With the index of the line, ascending.
    tickets: Vec<(u32, Ticket)>,
}

impl OpenBatch {
    /// An empty batch, with memory for `bytes` and `lines`.
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

    /// Memory for lines, in bytes.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Capacity that the next batch probably needs, in bytes and lines. The surplus is small enough
    /// to be kept when the batch is sealed.
    pub(crate) fn next_capacity(&self) -> (usize, usize) {
        let and_some = |uses: usize| uses + uses / 16;
        let bytes = and_some(self.byte_len()) + encode::ROOM;
        (bytes, and_some(self.len()))
    }

    /// Where to write the next line, which belongs to the batch once it is [kept](Self::keep_line).
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

    /// Attaches a ticket to the last line.
    pub(crate) fn attach(&mut self, ticket: Ticket) {
        self.tickets.push((self.ends.len() as u32 - 1, ticket));
    }

    /// Whether `lines` more lines of `bytes` bytes fit into the same POST.
    #[inline]
    pub(crate) fn has_room(&self, lines: usize, bytes: usize, limits: BatchLimits) -> bool {
        self.is_empty()
            || (self.len() + lines <= limits.lines && self.byte_len() + bytes <= limits.bytes)
    }

    /// Appends the lines of `other`; without copying if this batch is empty.
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

    /// Makes the batch immutable; if `tight`, without surplus memory.
    pub(crate) fn seal(self, tight: bool) -> Batch {
        let lines = 0..self.ends.len();
        let (mut bytes, mut ends) = (self.bytes.into_bytes(), self.ends);
        if tight {
            shrink(&mut bytes);
            shrink(&mut ends);
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

/// Reallocates if the surplus is large.
fn shrink<T: Copy>(memory: &mut Vec<T>) {
    if memory.capacity() - memory.len() > memory.len() / 8 {
        // Shrinking in place would leave gaps that are too small for later batches: with glibc up
        // to three quarters more memory.
        *memory = memory.as_slice().to_vec();
    }
}

/// Sealed lines, and the tickets of some of them.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) lines: Lines,
    /// With the index of the line, ascending.
    pub(crate) tickets: Vec<(u32, Ticket)>,
}

/// A run of sealed lines. Clones and slices share the bytes.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    /// Bytes and ends of the whole sealed batch.
    bytes: Bytes,
    ends: Arc<Vec<u32>>,
    range: Range<usize>,
    unit: Option<Precision>,
    /// For this run alone.
    #[cfg(feature = "gzip")]
    pub(crate) compressed: compressed::Compressed,
}

impl Lines {
    /// Lines read from a file, with their ends and the unit of their timestamps.
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

    /// Unit of the timestamps; `None` for that of the configuration.
    pub(crate) fn unit(&self) -> Option<Precision> {
        self.unit
    }

    /// Converts timestamps from microseconds to nanoseconds.
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

    /// Bytes that this run keeps from being freed.
    #[cfg(test)]
    pub(crate) fn kept_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The lines as the body of a POST, without copying.
    pub(crate) fn body(&self) -> Bytes {
        let bytes = self.start_of(self.range.start)..self.start_of(self.range.end);
        self.bytes.slice(bytes)
    }

    /// Line `at`, with its `\n`.
    pub(crate) fn line(&self, at: usize) -> &[u8] {
        let at = self.range.start + at;
        &self.bytes[self.start_of(at)..self.start_of(at + 1)]
    }

    /// Number of these lines that fit into one POST, from the first; at least one.
    pub(crate) fn fitting(&self, limits: BatchLimits) -> usize {
        let start = self.start_of(self.range.start);
        let ends = &self.ends[self.range.clone()];
        let within = ends.partition_point(|end| *end as usize - start <= limits.bytes);
        within.min(limits.lines).clamp(1, self.len().max(1))
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|at| self.line(at))
    }

    /// Reuses the memory, unless it is shared.
    pub(crate) fn into_empty_batch(self) -> Option<OpenBatch> {
        // Parts of a batch share its memory.
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

    /// The lines in `range`.
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

    /// Start of line `at` of the sealed batch; its end for the index after the last.
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

    /// Joins batches, in order. Copies the bytes, if there are several.
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

    /// Copies the lines into memory of their own, if they keep more than twice as much from being
    /// freed.
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

    /// Splits the batch into runs of lines, which must cover it in order without gaps.
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
