//! One method per setting, each documented with its variable, unit, default and range.

mod server;
mod spool;

use std::{path::PathBuf, time::Duration};

use super::{Config, Consistency, StringNewlines};
use crate::point::database::Database;
use crate::point::precision::Precision;

/// What is delivered, when, and in what format.
impl Config {
    /// Whether measurements are delivered at all. If not, recording succeeds, and the measurement is
    /// counted as [disabled](crate::Dropped::disabled) and dropped.
    ///
    /// `INFLUXDB_ENABLED`; default `true`.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.origin.set_by_program("enabled");
        self.enabled = enabled;
        self
    }

    /// Maximum time before buffered measurements are sent, counted from the first of them, from 1 ms to
    /// 1 day.
    ///
    /// `INFLUXDB_INTERVAL`, milliseconds; default 10 s.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.origin.set_by_program("interval");
        self.interval = interval;
        self
    }

    /// Maximum random time that is added to each [`interval`](Self::interval), up to 1 day.
    ///
    /// Services that were started together, by a deployment or after an outage, send at the same
    /// moments: a jitter as long as the interval spreads their requests over it
    /// (`docs/connections.md` has figures). Measurements that reach
    /// [`trigger_size`](Self::trigger_size) are sent at once nevertheless.
    ///
    /// `INFLUXDB_FLUSH_JITTER`, milliseconds; default 0.
    pub fn flush_jitter(mut self, jitter: Duration) -> Self {
        self.origin.set_by_program("flush_jitter");
        self.flush_jitter = jitter;
        self
    }

    /// Number of buffered measurements, of all databases together, that are sent without waiting
    /// for the [`interval`](Self::interval), at least 1. A full buffer is sent too, so a value
    /// above [`max_buffer_size`](Self::max_buffer_size) has no effect.
    ///
    /// `INFLUXDB_TRIGGER_SIZE`, measurements; default 5,000.
    pub fn trigger_size(mut self, measurements: usize) -> Self {
        self.origin.set_by_program("trigger_size");
        self.trigger_size = measurements;
        self
    }

    /// Maximum number of measurements in one request, at least 1.
    ///
    /// `INFLUXDB_MAX_BATCH_SIZE`, measurements; default 10,000.
    pub fn max_batch_size(mut self, measurements: usize) -> Self {
        self.origin.set_by_program("max_batch_size");
        self.max_batch_size = measurements;
        self
    }

    /// Maximum number of bytes in one request, from 1 KiB to 1 GiB. A single longer line is sent alone.
    ///
    /// `INFLUXDB_MAX_BATCH_BYTES`, bytes or with `KiB`, `MiB`, `GiB`; default 4 MiB.
    pub fn max_batch_bytes(mut self, bytes: usize) -> Self {
        self.origin.set_by_program("max_batch_bytes");
        self.max_batch_bytes = bytes;
        self
    }

    /// Maximum number of pending measurements in memory, at least 1. Beyond that, or beyond
    /// [`max_buffer_bytes`](Self::max_buffer_bytes), measurements are dropped according to
    /// [`overflow`](Self::overflow).
    ///
    /// `INFLUXDB_MAX_BUFFER_SIZE`, measurements; default 500,000.
    pub fn max_buffer_size(mut self, measurements: usize) -> Self {
        self.origin.set_by_program("max_buffer_size");
        self.max_buffer_size = measurements;
        self
    }

    /// Maximum number of bytes of the lines of pending measurements, at least 1 KiB.
    ///
    /// `INFLUXDB_MAX_BUFFER_BYTES`, bytes or with `KiB`, `MiB`, `GiB`; default 128 MiB.
    pub fn max_buffer_bytes(mut self, bytes: usize) -> Self {
        self.origin.set_by_program("max_buffer_bytes");
        self.max_buffer_bytes = bytes;
        self
    }

    /// Number of pending measurements at which a warning is logged, from 1 to
    /// [`max_buffer_size`](Self::max_buffer_size). Logged at most once in 2 minutes.
    ///
    /// `INFLUXDB_WARN_THRESHOLD`, measurements; default 60 % of `max_buffer_size`.
    pub fn warn_threshold(mut self, measurements: usize) -> Self {
        self.origin.set_by_program("warn_threshold");
        self.warn_threshold = Some(measurements);
        self
    }

    /// Maximum number of concurrent requests to the servers, from 1 to 1,000.
    ///
    /// `INFLUXDB_MAX_CLIENTS`, requests; default 10.
    pub fn max_clients(mut self, requests: usize) -> Self {
        self.origin.set_by_program("max_clients");
        self.max_clients = requests;
        self
    }

    /// Maximum number of distinct values of a tag, for each database, measurement and tag key. 0:
    /// unlimited.
    ///
    /// Each value costs the server memory permanently, so a tag whose values come from outside
    /// could bring the server down. Beyond the limit, a value that is new since the program's start
    /// is replaced by `_other`; known values stay. Replaced values are counted in
    /// [`Stats::tags_capped`](crate::Stats::tags_capped), and one warning is logged for each limit
    /// that is reached. Base tags are constant and are not counted.
    ///
    /// All tags together are limited to 10,000 combinations of measurement and tag key, and to
    /// 1,000,000 values or those of 100 full keys; a new value beyond that is replaced by `_other`
    /// too.
    ///
    /// `INFLUXDB_MAX_TAG_VALUES`, distinct values; default 10,000.
    pub fn max_tag_values(mut self, values: usize) -> Self {
        self.origin.set_by_program("max_tag_values");
        self.max_tag_values = values;
        self
    }

    /// Probability that a batch is sent rather than dropped
    /// ([`DropReason::Sampled`](crate::DropReason::Sampled)), from 0 to 1.
    ///
    /// `INFLUXDB_SAMPLE_PROBABILITY`; default 1.
    pub fn sample_probability(mut self, probability: f64) -> Self {
        self.origin.set_by_program("sample_probability");
        self.sample_probability = probability;
        self
    }

    /// Unit of the timestamps that are sent. Can't be changed while delivery runs.
    ///
    /// With API v1, `us` is sent as nanoseconds that are rounded to microseconds, as its servers
    /// differ in how microseconds are requested (InfluxDB 2 reads the `u` of InfluxDB 1 as
    /// nanoseconds).
    ///
    /// `INFLUXDB_PRECISION`: `ns` (default), `us`, `ms` or `s`.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.origin.set_by_program("precision");
        self.precision = precision;
        self
    }

    /// Whether unsigned fields are written as such (`7u`), for servers that accept them: InfluxDB 2
    /// and 3 do, InfluxDB 1 refuses the line. Otherwise they are written as integers, those above
    /// `i64::MAX` clipped to it.
    ///
    /// `INFLUXDB_UNSIGNED`; default `false`.
    pub fn unsigned(mut self, unsigned: bool) -> Self {
        self.origin.set_by_program("unsigned");
        self.unsigned = unsigned;
        self
    }

    /// How a newline in a string field is sent: escaped, so that one measurement is one line for
    /// every server and a value from outside can't forge another, or raw.
    ///
    /// `INFLUXDB_STRING_NEWLINES`: `escape` (default) or `raw`.
    pub fn string_newlines(mut self, newlines: StringNewlines) -> Self {
        self.string_newlines = newlines;
        self
    }

    /// Maximum time for one request, from 1 ms to 1 hour.
    ///
    /// Resolving the name and connecting may take half of it, but at most 5 s. After the response's
    /// head, its body may take 2 s, with pauses of at most half a second; the rest is not read.
    ///
    /// `INFLUXDB_REQUEST_TIMEOUT`, milliseconds; default 10 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.origin.set_by_program("request_timeout");
        self.request_timeout = timeout;
        self
    }

    /// Maximum delay between two attempts, from 1 ms to 1 day.
    ///
    /// `INFLUXDB_MAX_RETRY_DELAY`, milliseconds; default 60 s.
    pub fn max_retry_delay(mut self, delay: Duration) -> Self {
        self.origin.set_by_program("max_retry_delay");
        self.max_retry_delay = delay;
        self
    }

    /// Age at which pending measurements are dropped as expired
    /// ([`DropReason::Expired`](crate::DropReason::Expired)) rather than sent, from 1 ms to 365
    /// days after they were recorded; `None`: never.
    ///
    /// Set it where measurements are worthless after a long outage. With an age below the
    /// [`interval`](Self::interval), measurements may expire before they are sent at all.
    ///
    /// ```
    /// use std::time::Duration;
    /// use actix_influxdb::Config;
    ///
    /// let config = Config::default().max_age(Duration::from_secs(3_600));
    /// assert_eq!(config.max_age(None), Config::default());
    /// ```
    ///
    /// `INFLUXDB_MAX_AGE`, milliseconds; default none.
    pub fn max_age(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.origin.set_by_program("max_age");
        self.max_age = age.into();
        self
    }

    /// Whether a missing database is created. API v1 only.
    ///
    /// `INFLUXDB_CREATE_DATABASE`; default `false`.
    pub fn create_database(mut self, create: bool) -> Self {
        self.origin.set_by_program("create_database");
        self.create_database = create;
        self
    }

    /// Writes the pipeline's own statistics to `database` every `interval`, from 1 ms to 1 day. An
    /// empty name: none are written.
    ///
    /// `influx_client` has the ledger, where pending measurements are, and how many POSTs took how
    /// long; `influx_client_endpoint` has a point for each endpoint. Both have the tag `program`,
    /// the name of the executable. docs/operations.md lists their fields. They are delivered like
    /// other measurements: counted in the [ledger](crate::Stats) and kept during an outage. During
    /// an outage they are recorded less often, take at most a hundredth of the buffer, and are left
    /// out while it is more than half full.
    ///
    /// ```
    /// use std::time::Duration;
    /// use actix_influxdb::Config;
    ///
    /// let config = Config::default().self_measurement("monitoring", Duration::from_secs(10));
    /// let settings = config.settings();
    /// assert_eq!(settings.self_measurement().unwrap().name(), "monitoring");
    /// ```
    ///
    /// `INFLUXDB_SELF_MEASUREMENT`, the database, and `INFLUXDB_SELF_MEASUREMENT_INTERVAL`, milliseconds;
    /// default none, 10 s.
    pub fn self_measurement(mut self, database: impl Into<Database>, interval: Duration) -> Self {
        self.origin.set_by_program("self_measurement");
        self.origin.set_by_program("self_measurement_interval");
        self.self_measurement = Some(database.into()).filter(|it| !it.name().is_empty());
        self.self_measurement_interval = interval;
        self
    }

    /// Number of cluster nodes that have to accept a write, or `None` for the server's default.
    /// Only with API v1, for clusters of InfluxDB Enterprise.
    ///
    /// `INFLUXDB_CONSISTENCY`: `any`, `one`, `quorum` or `all`; default none.
    pub fn consistency(mut self, level: impl Into<Option<Consistency>>) -> Self {
        self.origin.set_by_program("consistency");
        self.consistency = level.into();
        self
    }

    /// Whether InfluxDB 3 may answer before a write is in its write-ahead log: sooner (the log is
    /// written once a second), but a crash of the server then loses measurements that are counted
    /// as written. Only with API v3.
    ///
    /// `INFLUXDB_NO_SYNC`; default `false`.
    pub fn no_sync(mut self, no_sync: bool) -> Self {
        self.origin.set_by_program("no_sync");
        self.no_sync = no_sync;
        self
    }

    /// Whether every measurement gets the host name as the tag `hostname`.
    ///
    /// `INFLUXDB_TAG_HOSTNAME`; default `true`.
    pub fn tag_hostname(mut self, tag: bool) -> Self {
        self.origin.set_by_program("tag_hostname");
        self.tag_hostname = tag;
        self
    }

    /// Value of the tag `environment` of every measurement. Empty: no tag.
    ///
    /// `ENVIRONMENT`, without a prefix; default none.
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.origin.set_by_program("environment");
        self.environment = non_empty(environment);
        self
    }

    /// Adds a tag to every measurement. The last value of a key wins, even over `hostname` and
    /// `environment`; an empty value leaves the tag out. The key must be neither empty nor `time`.
    ///
    /// ```
    /// use actix_influxdb::Config;
    ///
    /// let config = Config::default().tag_hostname(false).base_tag("region", "eu-1");
    /// assert_eq!(config.settings().base_tags(), [("region".to_owned(), "eu-1".to_owned())]);
    /// ```
    pub fn base_tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.base_tags.insert(key.into(), value.into());
        self
    }

    /// Adds several tags to every measurement, each as [`base_tag`](Self::base_tag) does.
    pub fn base_tags<K, V>(mut self, tags: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<String>,
        V: Into<String>,
    {
        let tags = tags.into_iter();
        self.base_tags
            .extend(tags.map(|(key, value)| (key.into(), value.into())));
        self
    }
}

fn non_empty_path(path: impl Into<PathBuf>) -> Option<PathBuf> {
    Some(path.into()).filter(|path| !path.as_os_str().is_empty())
}

fn non_empty(text: impl Into<String>) -> Option<String> {
    Some(text.into()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_text_takes_a_setting_back() {
        let config = Config::default()
            .user("u")
            .password("p")
            .token("t")
            .org("o")
            .environment("e");
        assert_eq!(
            config
                .user("")
                .password("")
                .token("")
                .org("")
                .environment(""),
            Config::default()
        );
    }
}
