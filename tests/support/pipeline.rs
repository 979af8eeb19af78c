//! A pipeline that sends only what it is told to, and its end.

use std::time::Duration;

use actix_influxdb::{Config, Influx, Stats};

/// What is waited for comes long before, or never.
pub const LONG: Duration = Duration::from_secs(20);

/// Nothing is sent by itself.
pub fn quiet(url: impl Into<String>) -> Config {
    Config::v1(url)
        .interval(Duration::from_secs(3_600))
        .trigger_size(1_000_000)
}

/// Quiet, and what failed is soon tried again.
pub fn impatient(url: impl Into<String>) -> Config {
    quiet(url).max_retry_delay(Duration::from_millis(100))
}

/// Ends the pipeline; everything has to be settled, and the law to hold.
pub async fn settled(influx: &Influx) -> Stats {
    settled_within(LONG, influx).await
}

/// The same, where [`LONG`] isn't right.
pub async fn settled_within(timeout: Duration, influx: &Influx) -> Stats {
    let report = influx.shutdown(timeout).await;
    let stats = influx.stats();
    assert!(report.is_complete(), "{report:?}");
    assert_settled(&stats);
    assert_eq!(report.stats, stats);
    stats
}

/// Nothing is pending, and the law holds.
pub fn assert_settled(stats: &Stats) {
    assert!(stats.balanced(), "{stats}");
    assert_eq!(stats.pending, 0, "{stats}");
}
