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
    struct Line<'a>(HealthAt<'a>);
    impl fmt::Display for Line<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.line(f)
        }
    }
    let now = now();
    Line(HealthAt { health, now }).to_string()
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
    assert!(line.contains(", nothing was stored yet; http://"), "{line}");
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
            databases_down: (0..MAX_IN_BLOCK as u64 + 2).map(database).collect(),
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
    assert_eq!(lines[3 + MAX_IN_BLOCK], "down         2 more databases");
    assert_eq!(lines[4 + MAX_IN_BLOCK], "endpoint     http://h:8086 open");
    assert_eq!(
        lines[5 + MAX_IN_BLOCK],
        "database     db closed written=1234000 rejected=1 dropped=0 pending=563"
    );
    assert_eq!(lines.len(), 6 + MAX_IN_BLOCK);
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
        assert_eq!(Rounded(Duration::from_millis(millis)).to_string(), text);
    }
}
