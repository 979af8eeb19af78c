//! A bounded folder of batches on disk, for what memory can't keep: while the server is down for long,
//! when the process ends before all is delivered, and, written ahead, when it is killed.
//!
//! | file | what it is |
//! |---|---|
//! | `name` | the name of a file: order, age, lines, database |
//! | `format` | what is in it: a comment for each batch, and its lines |
//! | `compression` | the same, gzipped |
//! | `disk` | the steps on the file system, each of which a test can let fail |
//! | `store` | the files of one folder, which one process has at a time |
//! | `index` | what is in the folder, kept in memory: what to read next, what has to go. Pure |
//! | `folder` | a folder as programs see it |
//!
//! # How it is used
//!
//! All work on the disk is done by the disk actor, on a thread of its own; the buffer actor keeps the
//! index and decides. A batch is in one of three places, and counted in one:
//!
//! - *in memory*, under the quota. With `write_ahead` a copy is on disk, which goes when the last of its
//!   lines is settled;
//! - *on disk only*: counted as `spooled`;
//! - *loaded*: read again, to be sent. The file stays until all its lines are settled, so that nothing is
//!   lost if the process ends meanwhile: then they are sent again, with the same timestamps.
//!
//! A loaded batch is not under the quota (a full buffer must not keep it from being sent), but few are
//! loaded at a time.

pub(crate) mod compression;
pub(crate) mod disk;
#[cfg(test)]
pub(crate) mod faults;
pub(crate) mod folder;
pub(crate) mod format;
pub(crate) mod index;
pub(crate) mod name;
pub(crate) mod store;
