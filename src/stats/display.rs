//! How statistics and health print: on one line, or as an aligned block with `{:#}`.

use std::{
    cmp::Reverse,
    fmt,
    time::{Duration, SystemTime},
};

use crate::{
    DatabaseOutage, DatabaseStats, EndpointOutage, EndpointStats, Health, HealthStatus, Outage,
    Stats, printable::printable, stats::rfc3339::Rfc3339,
};

/// Length to which a name is cut, in characters.
const NAME: usize = 100;

/// Number of databases that a block lists.
const LISTED: usize = 20;

/// Number of databases and endpoints that a line names.
const NAMED: usize = 3;

/// Width of the first column of a block.
const KEY: usize = 12;

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match f.alternate() {
            false => self.line(f),
            true => self.block(f),
        }
    }
}

impl Stats {
    fn line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            recorded,
            recovered,
            written,
            rejected,
            dropped,
            pending,
            ..
        } = self;
        let dropped = dropped.total();
        write!(f, "recorded={recorded} ")?;
        if *recovered > 0 {
            write!(f, "recovered={recovered} ")?;
        }
        write!(
            f,
            "written={written} rejected={rejected} dropped={dropped} pending={pending}"
        )
    }

    fn block(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recovered = ("recovered", self.recovered, String::new());
        let rows = [
            Some(("recorded", self.recorded, String::new())),
            (self.recovered > 0).then_some(recovered),
            Some(("written", self.written, String::new())),
            Some(("rejected", self.rejected, String::new())),
            Some(("dropped", self.dropped.total(), self.reasons())),
            Some(("pending", self.pending, self.places.to_string())),
            Some(("tags capped", self.tags_capped, String::new())),
        ];
        let rows = || rows.iter().flatten();
        let width = rows().map(|(_, count, _)| count.to_string().len()).max();
        let width = width.unwrap_or_default();
        for (name, count, more) in rows() {
            let space = if more.is_empty() { "" } else { "  " };
            writeln!(f, "{name:KEY$} {count:>width$}{space}{more}")?;
        }
        write!(f, "{:#}", self.health)?;
        for endpoint in &self.endpoints {
            write!(f, "\n{:KEY$} {endpoint}", "endpoint")?;
        }
        let mut listed: Vec<_> = self.databases.iter().collect();
        listed.sort_by_key(|own| Reverse(own.pending));
        for database in listed.iter().take(LISTED) {
            write!(f, "\n{:KEY$} {database}", "database")?;
        }
        match listed.len().saturating_sub(LISTED) {
            0 => Ok(()),
            more => write!(f, "\n{:KEY$} {more} more", "databases"),
        }
    }

    fn reasons(&self) -> String {
        match self.dropped.total() {
            0 => String::new(),
            _ => self.dropped.to_string(),
        }
    }
}

/// `buffered=2 in_flight=3 spooled=0`.
impl fmt::Display for crate::Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            buffered,
            in_flight,
            spooled,
        } = self;
        write!(
            f,
            "buffered={buffered} in_flight={in_flight} spooled={spooled}"
        )
    }
}

/// The URL and the breaker's state: `http://localhost:8086 closed`.
impl fmt::Display for EndpointStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", printable(&self.url, NAME), self.state)
    }
}

/// The name, the breaker's state and the counts.
impl fmt::Display for DatabaseStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            database,
            state,
            written,
            rejected,
            dropped,
            pending,
            ..
        } = self;
        let name = database.to_string();
        write!(
            f,
            "{} {state} written={written} rejected={rejected} dropped={dropped} pending={pending}",
            printable(&name, NAME)
        )
    }
}

/// `down: 12 pending for 3s, last success 5s ago; http://localhost:8086 for 3s: connection refused`.
/// `{:#}` has a line for each of these.
impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = SystemTime::now();
        let shown = Shown { health: self, now };
        match f.alternate() {
            false => shown.line(f),
            true => shown.block(f),
        }
    }
}

/// Health, as it prints at a time.
struct Shown<'a> {
    health: &'a Health,
    now: SystemTime,
}

impl Shown<'_> {
    fn line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Health {
            status,
            pending,
            endpoints_down,
            databases_down,
            ..
        } = self.health;
        write!(f, "{status}: {pending} pending")?;
        if let Some(since) = self.health.pending_since {
            write!(f, " for {}", self.ago(since))?;
        }
        match (self.health.last_success, status) {
            (Some(at), _) => write!(f, ", last success {} ago", self.ago(at))?,
            (None, HealthStatus::Untried) => f.write_str(", nothing was sent yet")?,
            (None, HealthStatus::Disabled) => {}
            (None, _) => f.write_str(", nothing was ever stored")?,
        }
        for down in endpoints_down.iter().take(NAMED) {
            write!(f, "; {}", self.endpoint(down))?;
        }
        for down in databases_down.iter().take(NAMED) {
            write!(f, "; {}", self.database(down))?;
        }
        let beyond = |count: usize| count.saturating_sub(NAMED) as u64;
        let more = beyond(endpoints_down.len()) + beyond(databases_down.len());
        match more + self.health.more_databases_down {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }

    fn block(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Health {
            status,
            last_success,
            endpoints_down,
            databases_down,
            ..
        } = self.health;
        write!(f, "{:KEY$} {status}", "status")?;
        if let Some(since) = self.health.pending_since {
            write!(f, "\n{:KEY$} {}", "waits for", self.ago(since))?;
        }
        match *last_success {
            Some(at) => {
                let ago = self.ago(at);
                write!(f, "\n{:KEY$} {ago} ago, {}", "last success", Rfc3339(at))?;
            }
            None => write!(f, "\n{:KEY$} never", "last success")?,
        }
        for down in endpoints_down {
            write!(f, "\n{:KEY$} {}", "down", self.endpoint(down))?;
        }
        for down in databases_down.iter().take(LISTED) {
            write!(f, "\n{:KEY$} {}", "down", self.database(down))?;
        }
        let beyond = databases_down.len().saturating_sub(LISTED) as u64;
        match beyond + self.health.more_databases_down {
            0 => Ok(()),
            more => write!(f, "\n{:KEY$} {more} more databases", "down"),
        }
    }

    fn endpoint(&self, EndpointOutage { url, outage }: &EndpointOutage) -> String {
        format!("{} {}", printable(url, NAME), self.outage(outage))
    }

    fn database(&self, down: &DatabaseOutage) -> String {
        let name = down.database.to_string();
        let (name, pending) = (printable(&name, NAME), down.pending);
        let outage = self.outage(&down.outage);
        format!("database {name} ({pending} pending) {outage}")
    }

    fn outage(&self, outage: &Outage) -> String {
        format!("for {}: {}", self.ago(outage.since), outage.reason)
    }

    fn ago(&self, then: SystemTime) -> Rough {
        Rough(self.now.duration_since(then).unwrap_or_default())
    }
}

/// A duration as a person says it: `40ms`, `3s`, `5min`, `7h`, `2d`.
struct Rough(Duration);

impl fmt::Display for Rough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0 => write!(f, "{}ms", self.0.as_millis()),
            seconds @ 1..120 => write!(f, "{seconds}s"),
            seconds @ 120..7_200 => write!(f, "{}min", seconds / 60),
            seconds @ 7_200..172_800 => write!(f, "{}h", seconds / 3_600),
            seconds => write!(f, "{}d", seconds / 86_400),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::{BreakerState, Failure, FailureKind, Places};

    /// 2026-11-26T11:18:00.250Z.
    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(1_795_691_880_250)
    }

    fn outage(seconds: u64, message: &str) -> Outage {
        Outage {
            since: now() - Duration::from_secs(seconds),
            reason: Failure {
                kind: FailureKind::Unreachable,
                status: None,
                message: message.to_owned(),
            },
        }
    }

    fn database(number: u64) -> DatabaseOutage {
        DatabaseOutage {
            database: format!("db{number}\n").into(),
            pending: number,
            outage: outage(5_400, "database not found"),
        }
    }

    fn down() -> Health {
        Health {
            status: HealthStatus::Down,
            recording: true,
            pending: 563,
            last_success: Some(now() - Duration::from_secs(180)),
            pending_since: Some(now() - Duration::from_secs(30)),
            endpoints_down: vec![EndpointOutage {
                url: "http://h:8086".to_owned(),
                outage: outage(29, "Connection refused"),
            }],
            databases_down: vec![database(7)],
            ..Health::default()
        }
    }

    fn line(health: &Health) -> String {
        struct Line<'a>(Shown<'a>);
        impl fmt::Display for Line<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.line(f)
            }
        }
        let now = now();
        Line(Shown { health, now }).to_string()
    }

    #[test]
    fn health_on_one_line_says_what_is_pending_since_when_and_why() {
        assert_eq!(
            line(&down()),
            "down: 563 pending for 30s, last success 3min ago; http://h:8086 for 29s: Connection \
             refused; database db7\\n (7 pending) for 90min: database not found"
        );
        let first_start = Health {
            last_success: None,
            databases_down: (0..9).map(database).collect(),
            more_databases_down: 10,
            ..down()
        };
        let line = line(&first_start);
        assert!(
            line.contains(", nothing was ever stored; http://"),
            "{line}"
        );
        assert!(line.ends_with("; and 16 more"), "{line}");
        assert_eq!(
            Health::default().to_string(),
            "untried: 0 pending, nothing was sent yet"
        );
    }

    #[test]
    fn statistics_print_as_an_aligned_block() {
        let mut stats = Stats {
            recorded: 1_234_567,
            written: 1_234_000,
            rejected: 1,
            pending: 563,
            places: Places {
                buffered: 500,
                in_flight: 63,
                ..Places::default()
            },
            endpoints: vec![EndpointStats {
                url: "http://h:8086".to_owned(),
                state: BreakerState::Open,
                server: None,
                last_success: None,
                last_failure: None,
                outage: None,
            }],
            databases: vec![DatabaseStats {
                database: "db".into(),
                state: BreakerState::Closed,
                written: 1_234_000,
                rejected: 1,
                dropped: 0,
                pending: 563,
                last_success: None,
                last_failure: None,
                last_rejection: None,
                outage: None,
            }],
            health: Health {
                pending_since: None,
                last_success: None,
                databases_down: (0..LISTED as u64 + 2).map(database).collect(),
                ..down()
            },
            ..Stats::default()
        };
        stats.dropped.buffer_full = 3;
        let block = format!("{stats:#}");
        let (counts, servers) = block.split_once("\nstatus").unwrap();
        assert_eq!(
            counts,
            "recorded     1234567\n\
             written      1234000\n\
             rejected           1\n\
             dropped            3  buffer_full=3\n\
             pending          563  buffered=500 in_flight=63 spooled=0\n\
             tags capped        0"
        );
        let lines: Vec<_> = servers.lines().collect();
        assert_eq!(lines[0], "       down");
        assert_eq!(lines[1], "last success never");
        assert!(
            lines[2].starts_with("down         http://h:8086 for "),
            "{block}"
        );
        assert!(lines[3].starts_with("down         database db0\\n (0 pending) for "));
        assert_eq!(lines[3 + LISTED], "down         2 more databases");
        assert_eq!(lines[4 + LISTED], "endpoint     http://h:8086 open");
        assert_eq!(
            lines[5 + LISTED],
            "database     db closed written=1234000 rejected=1 dropped=0 pending=563"
        );
        assert_eq!(lines.len(), 6 + LISTED);
    }

    #[test]
    fn durations_print_in_the_unit_that_a_person_would_use() {
        for (millis, text) in [
            (40, "40ms"),
            (1_999, "1s"),
            (119_000, "119s"),
            (120_000, "2min"),
            (7_200_000, "2h"),
            (172_800_000, "2d"),
        ] {
            assert_eq!(Rough(Duration::from_millis(millis)).to_string(), text);
        }
    }
}
