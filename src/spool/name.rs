//! File names: order, age, number of lines and database, so that a folder can be listed without
//! opening files.

use std::{fmt, time::Duration, time::SystemTime};

/// For example `000000000042-1764157800123-10000-telemetry.lp.gz`: sequence number, time of the
/// newest line in milliseconds since 1970, number of lines, and database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileName {
    pub(crate) sequence: u64,
    pub(crate) newest: u64,
    pub(crate) lines: u64,
    /// Escaped and shortened; for people, and to group files by database.
    pub(crate) database: String,
    pub(crate) is_compressed: bool,
}

/// In place of the database, for a file with lines of several databases.
pub(crate) const SEVERAL: &str = "+several";

/// Suffix of a file that is being written.
pub(crate) const TEMPORARY: &str = ".tmp";

/// Suffix of a file that was moved aside.
pub(crate) const BAD: &str = ".bad";

/// The file that is locked while the folder is in use.
pub(crate) const LOCK: &str = "lock";

const PLAIN: &str = ".lp";
const COMPRESSED: &str = ".lp.gz";

/// Maximum length of a database's name, in bytes: file names are limited to 255 on most systems.
const MAX_NAME_LEN: usize = 48;

/// No spool reaches this number, so nothing overflows for any file name.
const MAX_SEQUENCE: u64 = 1 << 48;

impl FileName {
    /// Parses a file name; `None` if it is not that of a spool file.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (stem, is_compressed) = match text.strip_suffix(COMPRESSED) {
            Some(stem) => (stem, true),
            None => (text.strip_suffix(PLAIN)?, false),
        };
        let mut parts = stem.splitn(4, '-');
        let mut number = || {
            let digits = parts.next()?;
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| is_number)
        };
        let (sequence, newest, lines) = (number()?, number()?, number()?);
        let name = Self {
            sequence,
            newest,
            lines,
            database: parts.next()?.to_owned(),
            is_compressed,
        };
        // A different spelling is another file, and no spool creates larger numbers.
        let is_own =
            name.to_string() == text && name.sequence < MAX_SEQUENCE && name.lines < MAX_SEQUENCE;
        is_own.then_some(name)
    }

    /// When the newest line was recorded.
    pub(crate) fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.newest)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sequence,
            newest,
            lines,
            database,
            is_compressed,
        } = self;
        let end = if *is_compressed { COMPRESSED } else { PLAIN };
        write!(f, "{sequence:012}-{newest}-{lines}-{database}{end}")
    }
}

/// Milliseconds since 1970; 0 for an earlier time.
pub(crate) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// A database's name within a file name: letters, digits, `_`, `-` and `.`; other bytes as `%` and
/// two hexadecimal digits.
pub(crate) fn escaped(database: &str) -> String {
    let mut escaped = String::new();
    for byte in database.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let part = match is_plain {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        };
        if escaped.len() + part.len() > MAX_NAME_LEN {
            escaped.push('~');
            break;
        }
        escaped.push_str(&part);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(database: &str, is_compressed: bool) -> FileName {
        FileName {
            sequence: 42,
            newest: 1_764_157_800_123,
            lines: 10_000,
            database: escaped(database),
            is_compressed,
        }
    }

    #[test]
    fn a_name_is_read_back_from_what_it_prints() {
        for database in ["telemetry", "a-b.c_d", "ä/ö", "a\nb", "", "%", SEVERAL] {
            for is_compressed in [false, true] {
                let name = name(database, is_compressed);
                assert_eq!(FileName::parse(&name.to_string()), Some(name));
            }
        }
        assert_eq!(
            name("telemetry", true).to_string(),
            "000000000042-1764157800123-10000-telemetry.lp.gz"
        );
    }

    #[test]
    fn names_sort_as_they_were_given() {
        let at = |sequence| {
            let name = FileName {
                sequence,
                ..name("db", false)
            };
            name.to_string()
        };
        assert!(at(9) < at(10) && at(99_999) < at(100_000));
    }

    #[test]
    fn names_are_short_and_hold_nothing_that_a_file_system_or_a_shell_takes_for_something_else() {
        for database in ["../../etc/passwd", "a b;rm -rf $HOME", &"ä".repeat(500)] {
            let text = name(database, true).to_string();
            assert!(text.len() < 120, "{text}");
            let is_plain = |char: char| char.is_ascii_alphanumeric() || "%_-.~".contains(char);
            assert!(text.chars().all(is_plain), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_of_a_spool_is_not_read() {
        for text in [
            "",
            "lock",
            "notes.txt",
            "x.lp",
            "1-2-3-db.lp",
            "000000000042-1764157800123-10000.lp",
            "000000000042-1764157800123--db.lp",
            "000000000042-1764157800123-+1-db.lp",
            "00000000004x-1764157800123-1-db.lp",
            "000000000042-1764157800123-1-db.lp.tmp",
            "000000000042-1764157800123-1-db.lp.bad",
            "99999999999999999999999-1-1-db.lp",
            "18446744073709551615-1-1-db.lp",
            "000000000042-1764157800123-18446744073709551615-db.lp",
        ] {
            assert_eq!(FileName::parse(text), None, "{text}");
        }
    }
}
