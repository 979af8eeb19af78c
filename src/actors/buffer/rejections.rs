//! Logs rejected lines, up to a limit, and the number of further ones.

use std::time::Duration;

use actix::{AsyncContext as _, Context, SpawnHandle};

use super::{BufferActor, notifications::shown};
use crate::{
    Database,
    actors::log_limit::LogLimit,
    batch::Lines,
    logging,
    printable::{LIMIT, printable},
};

/// Maximum number of rejected lines logged per [`WINDOW`].
const LINES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(10);

/// Maximum length of a logged line, in characters.
const LENGTH: usize = 300;

#[derive(Debug)]
pub(super) struct Rejections {
    limit: LogLimit,
    /// Set while lines are held back.
    summary: Option<SpawnHandle>,
}

impl Default for Rejections {
    fn default() -> Self {
        Self {
            limit: LogLimit::new(LINES, WINDOW),
            summary: None,
        }
    }
}

impl BufferActor {
    pub(super) fn log_rejected(&mut self, database: &Database, lines: &Lines, reason: &str) {
        let now = self.now();
        for line in lines.iter() {
            let Some(shown_line) = self.rejections.limit.ask(now) else {
                continue;
            };
            let (database, rejected) = (shown(database), describe(line, reason));
            logging::error!("database {database} rejected a measurement {rejected}");
            log_held_back(shown_line.held_back);
        }
    }

    /// Arms the timer that logs the number of lines held back.
    pub(super) fn arm_rejection_summary(&mut self, context: &mut Context<Self>) {
        if self.rejections.summary.is_none() && self.rejections.limit.holds_back() {
            self.rejections.summary = Some(context.run_later(WINDOW, |buffer, _| {
                buffer.rejections.summary = None;
                log_held_back(buffer.rejections.limit.take_held_back());
            }));
        }
    }
}

fn log_held_back(held_back: u64) {
    if held_back > 0 {
        logging::error!(
            "{held_back} more measurements were rejected and are not logged one by one"
        );
    }
}

/// Reason and line as one log line. Both may contain untrusted text (servers quote lines as they
/// are), which must not forge log lines.
fn describe(line: &[u8], reason: &str) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    // Enough bytes for the shown characters, at four each.
    let start = String::from_utf8_lossy(&line[..line.len().min(4 * LENGTH + 4)]);
    format!(
        "({}): {}",
        printable(reason, LIMIT),
        printable(&start, LENGTH)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejected_line_with_newlines_is_one_line_of_the_log() {
        assert_eq!(
            describe(
                b"m s=\"a\nERROR forged\" x\n",
                "unable to parse 'm s=\"a\nERROR forged\" x'"
            ),
            r#"(unable to parse 'm s="a\nERROR forged" x'): m s="a\nERROR forged" x"#
        );
    }

    #[test]
    fn a_long_line_is_cut() {
        let described = describe("ä".repeat(100_000).as_bytes(), "r");
        assert_eq!(described, format!("(r): {}…", "ä".repeat(LENGTH - 1)));
    }
}
