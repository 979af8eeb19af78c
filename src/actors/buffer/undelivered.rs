//! Log lines of a shutdown: what it waits for, and what was not delivered.

use std::{fmt, time::Duration};

use crate::{
    Database, Stats,
    printable::{LIMIT, printable},
};

/// Maximum number of databases listed.
const MAX_LISTED: usize = 3;

/// Maximum length of a name, in characters.
const MAX_NAME_LEN: usize = 100;

/// Number of pending measurements, and their databases.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Undelivered {
    pub(super) measurements: usize,
    /// Databases with the most measurements, in that order.
    largest: Vec<(Database, usize)>,
    databases: usize,
}

/// The last failure of a server.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LastFailure {
    /// The server's base URL.
    pub(super) url: String,
    pub(super) reason: String,
}

impl Undelivered {
    pub(super) fn of<'a>(databases: impl Iterator<Item = (&'a Database, usize)>) -> Self {
        let mut undelivered = Self::default();
        for (database, measurements) in databases.filter(|(_, count)| *count > 0) {
            undelivered.measurements += measurements;
            undelivered.databases += 1;
            let largest = &mut undelivered.largest;
            let at = largest
                .partition_point(|(other, count)| (*count, database) > (measurements, other));
            if at < MAX_LISTED {
                largest.truncate(MAX_LISTED - 1);
                largest.insert(at.min(largest.len()), (database.clone(), measurements));
            }
        }
        undelivered
    }
}

/// For example `10 of a, 2 of b`, or `10 of a, 2 of b, 1 of c and 40 of 7 other databases`.
impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: usize = self.largest.iter().map(|(_, count)| count).sum();
        for (at, (database, count)) in self.largest.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            let name = database.to_string();
            write!(f, "{comma}{count} of {}", printable(&name, MAX_NAME_LEN))?;
        }
        match self.databases - self.largest.len() {
            0 => Ok(()),
            1 => write!(f, " and {} of another database", self.measurements - named),
            others => {
                let rest = self.measurements - named;
                write!(f, " and {rest} of {others} other databases")
            }
        }
    }
}

impl fmt::Display for LastFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, reason } = self;
        write!(f, "{}: {}", printable(url, LIMIT), printable(reason, LIMIT))
    }
}

/// The log line while a shutdown waits.
pub(super) fn still_waiting(
    undelivered: &Undelivered,
    left: Duration,
    url: &str,
    failure: Option<&LastFailure>,
) -> String {
    let count = undelivered.measurements;
    let seconds = left.as_secs_f64().round();
    let what = format!(
        "the shutdown waits for {count} measurements ({undelivered}), for {seconds}s more at most"
    );
    match failure {
        Some(failure) => format!("{what}: the last failure was {failure}"),
        None => format!("{what}: they are being sent to {}", printable(url, LIMIT)),
    }
}

/// How a shutdown ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndReason {
    /// Everything was settled.
    Settled,
    TimedOut,
    /// No server ever answered.
    NoServer {
        attempts: u64,
    },
    /// The servers accept nothing, and there is a spool.
    Unreachable,
    /// The actor or its thread ended without a shutdown.
    Unexpected,
}

/// The last log line, if measurements are lost.
pub(super) fn lost(
    end: EndReason,
    undelivered: &Undelivered,
    url: &str,
    failure: Option<&LastFailure>,
    stats: &Stats,
) -> String {
    let count = undelivered.measurements;
    let url = printable(url, LIMIT);
    let begin = format!("delivery has ended with {count} measurements undelivered ({undelivered})");
    let why = match (end, failure) {
        (EndReason::NoServer { attempts }, _) => format!(
            "no server was ever reachable, {url} refused all {attempts} connections, also after the \
             shutdown was called, so it did not wait for its timeout (is the server running, and is \
             the URL right?)"
        ),
        (EndReason::Unexpected, _) => "its thread ended unexpectedly".to_owned(),
        (_, Some(failure)) => {
            format!("they could not be delivered in time, the last failure was {failure}")
        }
        (_, None) => format!("the timeout passed before {url} answered"),
    };
    format!("{begin}: {why}; {stats}")
}

/// The last log line, if some are on disk and none are lost.
pub(super) fn spooled(stats: &Stats, folder: &str) -> String {
    let spooled = stats.places.spooled;
    format!(
        "delivery has ended, {spooled} measurements are in the spool {folder}, to be delivered after the next \
         start: {stats}"
    )
}

/// The last log line, if none are lost.
pub(super) fn complete(stats: &Stats) -> String {
    match stats.dropped.total() {
        0 => format!("delivery has ended, nothing is pending: {stats}"),
        _ => format!(
            "delivery has ended, nothing is pending: {stats} ({})",
            stats.dropped
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undelivered(counts: &[(&'static str, usize)]) -> Undelivered {
        let counts: Vec<_> = counts
            .iter()
            .map(|(name, count)| (Database::new(*name), *count))
            .collect();
        Undelivered::of(counts.iter().map(|(database, count)| (database, *count)))
    }

    #[test]
    fn the_databases_with_the_most_are_named_and_the_others_counted() {
        for (counts, text) in [
            (&[][..], ""),
            (&[("a", 0)], ""),
            (&[("a", 2), ("b", 10)], "10 of b, 2 of a"),
            (&[("c", 1), ("b", 1), ("a", 1)], "1 of a, 1 of b, 1 of c"),
            (
                &[("a", 1), ("b", 2), ("c", 3), ("d", 4)],
                "4 of d, 3 of c, 2 of b and 1 of another database",
            ),
            (
                &[("e", 5), ("a", 1), ("b", 2), ("c", 3), ("d", 4)],
                "5 of e, 4 of d, 3 of c and 3 of 2 other databases",
            ),
            (&[("a\nERROR forged", 1)], r"1 of a\nERROR forged"),
        ] {
            let undelivered = undelivered(counts);
            assert_eq!(undelivered.to_string(), text);
            let sum: usize = counts.iter().map(|(_, count)| count).sum();
            assert_eq!(undelivered.measurements, sum);
        }
    }

    #[test]
    fn each_sentence_says_how_many_of_what_and_why() {
        let some = undelivered(&[("a", 10), ("b", 2)]);
        let url = "http://h:8086";
        let failure = LastFailure {
            url: url.to_owned(),
            reason: "not connected: Connection refused\n".to_owned(),
        };
        let stats = Stats::default();
        let left = Duration::from_millis(6_001);
        for (text, expected) in [
            (
                still_waiting(&some, left, url, Some(&failure)),
                "the shutdown waits for 12 measurements (10 of a, 2 of b), for 6s more at most: \
                 the last failure was http://h:8086: not connected: Connection refused\\n",
            ),
            (
                still_waiting(&some, left, url, None),
                "the shutdown waits for 12 measurements (10 of a, 2 of b), for 6s more at most: \
                 they are being sent to http://h:8086",
            ),
            (
                lost(EndReason::TimedOut, &some, url, Some(&failure), &stats),
                "delivery has ended with 12 measurements undelivered (10 of a, 2 of b): they could \
                 not be delivered in time, the last failure was http://h:8086: not connected: \
                 Connection refused\\n; recorded=0 written=0 rejected=0 dropped=0 pending=0",
            ),
            (
                lost(EndReason::TimedOut, &some, url, None, &stats),
                "delivery has ended with 12 measurements undelivered (10 of a, 2 of b): the \
                 timeout passed before http://h:8086 answered; recorded=0 written=0 rejected=0 \
                 dropped=0 pending=0",
            ),
            (
                lost(
                    EndReason::NoServer { attempts: 7 },
                    &some,
                    url,
                    Some(&failure),
                    &stats,
                ),
                "delivery has ended with 12 measurements undelivered (10 of a, 2 of b): no server \
                 was ever reachable, http://h:8086 refused all 7 connections, also after the \
                 shutdown was called, so it did not wait for its timeout (is the server running, \
                 and is the URL right?); recorded=0 written=0 rejected=0 dropped=0 pending=0",
            ),
            (
                lost(EndReason::Unexpected, &some, url, None, &stats),
                "delivery has ended with 12 measurements undelivered (10 of a, 2 of b): its thread \
                 ended unexpectedly; recorded=0 written=0 rejected=0 dropped=0 pending=0",
            ),
            (
                complete(&stats),
                "delivery has ended, nothing is pending: recorded=0 written=0 rejected=0 dropped=0 \
                 pending=0",
            ),
        ] {
            assert_eq!(text, expected);
        }
        let mut stats = Stats {
            recorded: 3,
            ..Stats::default()
        };
        stats.dropped.buffer_full = 3;
        assert!(complete(&stats).ends_with("dropped=3 pending=0 (buffer_full=3)"));
    }

    #[test]
    fn every_sentence_is_one_bounded_line() {
        let long: &'static str = Box::leak("x\n".repeat(10_000).into_boxed_str());
        let some = undelivered(&[(long, 1), ("b", 1), ("c", 1), ("d", 1)]);
        let failure = LastFailure {
            url: long.to_owned(),
            reason: long.to_owned(),
        };
        let stats = Stats::default();
        for text in [
            still_waiting(&some, Duration::MAX, long, Some(&failure)),
            still_waiting(&some, Duration::MAX, long, None),
            lost(EndReason::TimedOut, &some, long, Some(&failure), &stats),
            lost(
                EndReason::NoServer { attempts: 1 },
                &some,
                long,
                None,
                &stats,
            ),
        ] {
            assert!(text.chars().count() < 3 * LIMIT, "{text}");
            assert_eq!(text.lines().count(), 1);
        }
    }
}
