//! `Display` of statistics and health: one line, or an aligned block with `{:#}`.

use std::{
    cmp::Reverse,
    fmt,
    time::{Duration, SystemTime},
};

use crate::{
    DatabaseOutage, DatabaseStats, EndpointOutage, EndpointStats, Health, HealthStatus, Outage,
    Stats, printable::printable, stats::rfc3339::Rfc3339,
};

/// Maximum length of a name, in characters.
const MAX_NAME_LEN: usize = 100;

/// Maximum number of databases listed in a block.
const MAX_IN_BLOCK: usize = 20;

/// Maximum number of databases, and of endpoints, listed in a line.
const MAX_IN_LINE: usize = 3;

/// Width of a block's first column.
const KEY_WIDTH: usize = 12;

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
            writeln!(f, "{name:KEY_WIDTH$} {count:>width$}{space}{more}")?;
        }
        write!(f, "{:#}", self.health)?;
        for endpoint in &self.endpoints {
            write!(f, "\n{:KEY_WIDTH$} {endpoint}", "endpoint")?;
        }
        let mut listed: Vec<_> = self.databases.iter().collect();
        listed.sort_by_key(|own| Reverse(own.pending));
        for database in listed.iter().take(MAX_IN_BLOCK) {
            write!(f, "\n{:KEY_WIDTH$} {database}", "database")?;
        }
        match listed.len().saturating_sub(MAX_IN_BLOCK) {
            0 => Ok(()),
            more => write!(f, "\n{:KEY_WIDTH$} {more} more", "databases"),
        }
    }

    fn reasons(&self) -> String {
        match self.dropped.total() {
            0 => String::new(),
            _ => self.dropped.to_string(),
        }
    }
}

/// For example `buffered=2 in_flight=3 spooled=0`.
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

/// The URL and the breaker's state, for example `http://localhost:8086 closed`.
impl fmt::Display for EndpointStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", printable(&self.url, MAX_NAME_LEN), self.state)
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
            printable(&name, MAX_NAME_LEN)
        )
    }
}

/// For example `down: 12 pending for 3s, last success 5s ago; http://localhost:8086 for 3s:
/// connection refused`. With `{:#}`, one line for each of these.
impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = SystemTime::now();
        let shown = HealthAt { health: self, now };
        match f.alternate() {
            false => shown.line(f),
            true => shown.block(f),
        }
    }
}

/// Health at a point in time, for printing.
struct HealthAt<'a> {
    health: &'a Health,
    now: SystemTime,
}

impl HealthAt<'_> {
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
            (None, _) => f.write_str(", nothing was stored yet")?,
        }
        for down in endpoints_down.iter().take(MAX_IN_LINE) {
            write!(f, "; {}", self.endpoint(down))?;
        }
        for down in databases_down.iter().take(MAX_IN_LINE) {
            write!(f, "; {}", self.database(down))?;
        }
        let beyond = |count: usize| count.saturating_sub(MAX_IN_LINE) as u64;
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
        write!(f, "{:KEY_WIDTH$} {status}", "status")?;
        if let Some(since) = self.health.pending_since {
            write!(f, "\n{:KEY_WIDTH$} {}", "waits for", self.ago(since))?;
        }
        match *last_success {
            Some(at) => {
                let ago = self.ago(at);
                write!(
                    f,
                    "\n{:KEY_WIDTH$} {ago} ago, {}",
                    "last success",
                    Rfc3339(at)
                )?;
            }
            None => write!(f, "\n{:KEY_WIDTH$} never", "last success")?,
        }
        if let Some(spool) = &self.health.spool {
            write!(f, "\n{:KEY_WIDTH$} {spool}", "spool")?;
            if let Some(oldest) = spool.oldest {
                write!(f, ", the oldest {} old", self.ago(oldest))?;
            }
        }
        for down in endpoints_down {
            write!(f, "\n{:KEY_WIDTH$} {}", "down", self.endpoint(down))?;
        }
        for down in databases_down.iter().take(MAX_IN_BLOCK) {
            write!(f, "\n{:KEY_WIDTH$} {}", "down", self.database(down))?;
        }
        let beyond = databases_down.len().saturating_sub(MAX_IN_BLOCK) as u64;
        match beyond + self.health.more_databases_down {
            0 => Ok(()),
            more => write!(f, "\n{:KEY_WIDTH$} {more} more databases", "down"),
        }
    }

    fn endpoint(&self, EndpointOutage { url, outage }: &EndpointOutage) -> String {
        format!("{} {}", printable(url, MAX_NAME_LEN), self.outage(outage))
    }

    fn database(&self, down: &DatabaseOutage) -> String {
        let name = down.database.to_string();
        let (name, pending) = (printable(&name, MAX_NAME_LEN), down.pending);
        let outage = self.outage(&down.outage);
        format!("database {name} ({pending} pending) {outage}")
    }

    fn outage(&self, outage: &Outage) -> String {
        format!("for {}: {}", self.ago(outage.since), outage.reason)
    }

    fn ago(&self, then: SystemTime) -> Rounded {
        Rounded(self.now.duration_since(then).unwrap_or_default())
    }
}

/// A rounded duration: `40ms`, `3s`, `5min`, `7h`, `2d`.
struct Rounded(Duration);

impl fmt::Display for Rounded {
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
mod tests;
