use std::{path::PathBuf, time::Duration};

use super::non_empty_path;
use crate::{Config, Overflow};

/// What is kept on disk, and what is dropped when the buffer is full.
impl Config {
    /// Which measurements are dropped when the buffer is full.
    ///
    /// `INFLUXDB_OVERFLOW`: `drop_newest` (default), `drop_oldest`, or `spool`, which needs a
    /// [`spool_dir`](Self::spool_dir).
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.origin.set_by_program("overflow");
        self.overflow = overflow;
        self
    }

    /// Folder for measurements that can't be delivered: they are kept there at a shutdown, when the
    /// buffer is full ([`overflow`](Self::overflow)), and, with [`write_ahead`](Self::write_ahead),
    /// before they are sent. The next process with the same folder delivers them. Empty: none.
    ///
    /// A missing folder is created, for its owner only. The folder belongs to one process at a time:
    /// another one with the same folder starts without a spool, logs a WARN, and uses the folder
    /// when it is free. If the folder can't be used, an ERROR is logged, and measurements stay in
    /// memory. Can't be changed while delivery runs.
    ///
    /// ```
    /// use actix_influxdb::{Config, Overflow};
    ///
    /// let config = Config::v1("http://localhost:8086")
    ///     .spool_dir("/var/lib/shop/influx-spool")
    ///     .overflow(Overflow::Spool);
    /// config.validate()?;
    /// # Ok::<(), actix_influxdb::ConfigError>(())
    /// ```
    ///
    /// `INFLUXDB_SPOOL_DIR`; default none.
    pub fn spool_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.origin.set_by_program("spool_dir");
        self.spool_dir = non_empty_path(folder);
        self
    }

    /// Maximum number of bytes of the files in the [`spool_dir`](Self::spool_dir), at least
    /// [`max_batch_bytes`](Self::max_batch_bytes). Beyond that the oldest file is removed, and its
    /// measurements are counted as dropped ([`DropReason::SpoolFull`](crate::DropReason::SpoolFull)).
    ///
    /// `INFLUXDB_SPOOL_MAX_BYTES`, bytes or with `KiB`, `MiB`, `GiB`; default 1 GiB.
    pub fn spool_max_bytes(mut self, bytes: usize) -> Self {
        self.origin.set_by_program("spool_max_bytes");
        self.spool_max_bytes = bytes;
        self
    }

    /// Whether measurements are written to the [`spool_dir`](Self::spool_dir) before they are sent,
    /// and removed when they are written, rejected or dropped. A process that is killed, or a
    /// machine that loses power, then loses at most the measurements of the last
    /// [`seal_interval`](Self::seal_interval) and of the time that writing to disk takes.
    ///
    /// `INFLUXDB_WRITE_AHEAD`; default `false`.
    pub fn write_ahead(mut self, write_ahead: bool) -> Self {
        self.origin.set_by_program("write_ahead");
        self.write_ahead = write_ahead;
        self
    }

    /// Maximum time before recorded measurements are written to disk, with
    /// [`write_ahead`](Self::write_ahead), from 1 ms to 1 day. One file is written each time, whatever the
    /// number of databases.
    ///
    /// `INFLUXDB_SEAL_INTERVAL`, milliseconds; default 1 s.
    pub fn seal_interval(mut self, interval: Duration) -> Self {
        self.origin.set_by_program("seal_interval");
        self.seal_interval = interval;
        self
    }
}
