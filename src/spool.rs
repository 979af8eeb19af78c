//! A bounded folder of batches on disk, for measurements that memory can't keep: while the server
//! is down for long, when the process ends before everything is delivered, and, with write-ahead,
//! when it is killed.
//!
//! | file | contents |
//! |---|---|
//! | `name` | file names: order, age, lines, database |
//! | `format` | file contents: a comment per batch, and its lines |
//! | `compression` | gzip |
//! | `disk` | the file system operations, each of which can fail in tests |
//! | `store` | the files of a folder, used by one process at a time |
//! | `index` | the files in memory: what to read and what to remove next. Pure |
//! | `folder` | a folder in the public API |
//!
//! # Usage
//!
//! The disk actor does all work on the disk, on its own thread; the buffer actor keeps the index
//! and decides. A batch is in one of three places, and counted in one:
//!
//! - *in memory*, under the quota. With `write_ahead` a copy is on disk, removed when the last line
//!   is settled;
//! - *on disk only*: counted as `spooled`;
//! - *loaded*: read back to be sent. The file stays until all its lines are settled: if the process
//!   ends before, they are sent again, with the same timestamps.
//!
//! A loaded batch doesn't count against the quota (a full buffer must not prevent that it is sent),
//! but few are loaded at a time.

pub(crate) mod compression;
pub(crate) mod disk;
#[cfg(test)]
pub(crate) mod faults;
pub(crate) mod folder;
pub(crate) mod format;
pub(crate) mod index;
pub(crate) mod name;
pub(crate) mod store;
