//! File contents: per batch a comment line and the batch's lines unchanged, so that a person can
//! read them and `curl` can post them.
//!
//! ```text
//! # actix-influxdb-spool 1 crc32=9ae0daaf db=telemetry rp=one_week precision=ns lines=2 bytes=58 part=1/1
//! cpu,host=a usage=0.5 1764157800000000000
//! cpu,host=a usage=0.7 1764157801000000000
//! ```
//!
//! The checksum covers everything after it, up to the end of the batch. A batch with newlines
//! *within* lines has a second comment, `# lengths 41 40`, with the number of bytes of each line,
//! as it can't be split at newlines. A version above `1` is the format of a later release.

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::{Database, Precision, batch::Lines};

const MAGIC: &str = "# actix-influxdb-spool ";
const VERSION: u32 = 1;
const LENGTHS: &[u8] = b"# lengths";

/// Escapes blanks and newlines, which end a word.
const WORD: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Lines of one database in a file.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) database: Database,
    /// The unit of the timestamps.
    pub(crate) precision: Precision,
    pub(crate) lines: Lines,
}

impl Section {
    /// A section with lines in memory. Their unit is that of the settings, unless they came from a
    /// file.
    pub(crate) fn of(database: &Database, lines: &Lines, unit: Precision) -> Self {
        Self {
            database: database.clone(),
            precision: lines.unit().unwrap_or(unit),
            lines: lines.clone(),
        }
    }
}

/// Why a file can't be decoded.
#[derive(Clone, Debug, PartialEq, Eq, derive_more::Display)]
pub(crate) enum Unreadable {
    #[display("{_0}")]
    Damaged(&'static str),
    #[display("its format {_0} is newer than this version of actix-influxdb supports")]
    Newer(u32),
}

/// Encodes batches as the contents of a file.
pub(crate) fn encode(sections: &[Section]) -> Vec<u8> {
    let size: usize = sections
        .iter()
        .map(|part| part.lines.byte_len() + 256)
        .sum();
    let mut file = Vec::with_capacity(size);
    for (at, section) in sections.iter().enumerate() {
        let Section {
            database,
            precision,
            lines,
        } = section;
        let body = lines.body();
        let word = |text: &str| utf8_percent_encode(text, WORD).to_string();
        let policy = match database.get_retention_policy() {
            Some(policy) => format!(" rp={}", word(policy)),
            None => String::new(),
        };
        let mut header = format!(
            "db={}{policy} precision={precision} lines={} bytes={} part={}/{}\n",
            word(database.name()),
            lines.len(),
            body.len(),
            at + 1,
            sections.len(),
        )
        .into_bytes();
        if !ends_at_newlines(lines, &body) {
            header.extend_from_slice(LENGTHS);
            for line in lines.iter() {
                header.extend_from_slice(format!(" {}", line.len()).as_bytes());
            }
            header.push(b'\n');
        }
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&header);
        checksum.update(&body);
        let checksum = checksum.finalize();
        file.extend_from_slice(format!("{MAGIC}{VERSION} crc32={checksum:08x} ").as_bytes());
        file.extend_from_slice(&header);
        file.extend_from_slice(&body);
    }
    file
}

fn ends_at_newlines(lines: &Lines, body: &[u8]) -> bool {
    let newlines = body.iter().filter(|byte| **byte == b'\n').count();
    newlines == lines.len() && lines.iter().all(|line| line.ends_with(b"\n"))
}

/// Decodes the contents of a file. The batches share its memory.
pub(crate) fn decode(file: &Bytes) -> Result<Vec<Section>, Unreadable> {
    let (mut at, mut sections, mut parts) = (0, Vec::new(), 1);
    while at < file.len() || sections.is_empty() {
        let header = Header::read(file, at)?;
        let end = header.body + header.bytes;
        if header.part != (sections.len() + 1, header.part.1) {
            return Err(Unreadable::Damaged("a batch is missing"));
        }
        parts = header.part.1;
        let body = file.slice(header.body..end);
        let ends = match header.lengths {
            Some(lengths) => ends_of(&lengths, body.len()),
            None => newlines_of(&body),
        };
        let ends = ends.filter(|ends| ends.len() == header.lines && header.lines > 0);
        let ends = ends.ok_or(Unreadable::Damaged("the number of lines is wrong"))?;
        sections.push(Section {
            database: header.database,
            precision: header.precision,
            lines: Lines::of(body, ends, header.precision),
        });
        at = end;
    }
    match sections.len() == parts {
        true => Ok(sections),
        false => Err(Unreadable::Damaged("a batch is missing")),
    }
}

fn ends_of(lengths: &[usize], body: usize) -> Option<Vec<u32>> {
    let mut end = 0_usize;
    let mut ends = Vec::with_capacity(lengths.len());
    for length in lengths {
        end = end.checked_add(*length).filter(|end| *end <= body)?;
        ends.push(u32::try_from(end).ok()?);
    }
    (end == body).then_some(ends)
}

fn newlines_of(body: &[u8]) -> Option<Vec<u32>> {
    let newlines = body.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let ends: Option<Vec<u32>> = newlines.map(|(at, _)| u32::try_from(at + 1).ok()).collect();
    ends.filter(|ends| ends.last().map_or(0, |end| *end as usize) == body.len())
}

/// The comment before a batch's lines.
struct Header {
    database: Database,
    precision: Precision,
    lines: usize,
    bytes: usize,
    part: (usize, usize),
    lengths: Option<Vec<usize>>,
    /// Start of the lines.
    body: usize,
}

impl Header {
    fn read(file: &Bytes, start: usize) -> Result<Self, Unreadable> {
        let damaged = Unreadable::Damaged;
        let line = line_at(file, start).ok_or(damaged("it has no first line"))?;
        let text = str::from_utf8(line).map_err(|_| damaged("its first line is not text"))?;
        let rest = text.strip_prefix(MAGIC);
        let rest = rest.ok_or(damaged("it does not begin like a spool file"))?;
        let (version, rest) = rest.split_once(' ').ok_or(damaged("it has no version"))?;
        match version.parse() {
            Ok(VERSION) if version.len() == 1 => {}
            Ok(newer) if newer > VERSION => return Err(Unreadable::Newer(newer)),
            _ => return Err(damaged("its version is invalid")),
        }
        let checksum = rest
            .strip_prefix("crc32=")
            .and_then(|rest| rest.split_once(' '));
        let (checksum, words) = checksum.ok_or(damaged("it has no checksum"))?;
        let mut header = Self::parse(words).ok_or(damaged("its first line is damaged"))?;
        let covered = start + text.len() - words.len();
        header.body = start + line.len() + 1;
        if let Some(line) = line_at(file, header.body).filter(|line| line.starts_with(LENGTHS)) {
            let lengths = str::from_utf8(&line[LENGTHS.len()..]).unwrap_or("-");
            let lengths = lengths
                .split_ascii_whitespace()
                .map(|word| word.parse().ok());
            let lengths: Option<Vec<_>> = lengths.collect();
            header.lengths = Some(lengths.ok_or(damaged("the lengths of its lines are damaged"))?);
            header.body += line.len() + 1;
        }
        let end = header.body.checked_add(header.bytes);
        let end = end
            .filter(|end| *end <= file.len())
            .ok_or(damaged("it is truncated"))?;
        match format!("{:08x}", crc32fast::hash(&file[covered..end])) == checksum {
            true => Ok(header),
            false => Err(damaged("its checksum is wrong")),
        }
    }

    fn parse(words: &str) -> Option<Self> {
        let (mut database, mut policy, mut precision) = (None, None, None);
        let (mut lines, mut bytes, mut part) = (None, None, None);
        for word in words.split(' ') {
            let (key, value) = word.split_once('=')?;
            let text = || Some(percent_decode_str(value).decode_utf8().ok()?.into_owned());
            match key {
                "db" => database = Some(text()?),
                "rp" => policy = Some(text()?),
                "precision" => precision = value.parse().ok(),
                "lines" => lines = value.parse().ok(),
                "bytes" => bytes = value.parse().ok(),
                "part" => {
                    let (part_number, parts) = value.split_once('/')?;
                    part = Some((part_number.parse().ok()?, parts.parse().ok()?));
                }
                // Added by a later release; an incompatible one would change the version.
                _ => {}
            }
        }
        let database = Database::new(database?);
        Some(Self {
            database: match policy {
                Some(policy) => database.retention_policy(policy),
                None => database,
            },
            precision: precision?,
            lines: lines?,
            bytes: bytes?,
            part: part?,
            lengths: None,
            body: 0,
        })
    }
}

/// The line that starts at `start`, without its `\n`; `None` if incomplete.
fn line_at(file: &[u8], start: usize) -> Option<&[u8]> {
    let rest = file.get(start..)?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    Some(&rest[..end])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::batch::OpenBatch;

    pub(in crate::spool) fn section(database: impl Into<Database>, lines: &[&str]) -> Section {
        let mut batch = OpenBatch::default();
        lines.iter().for_each(|line| batch.push(line.as_bytes()));
        Section {
            database: database.into(),
            precision: Precision::Milliseconds,
            lines: batch.seal(true).lines,
        }
    }

    /// Database, unit and lines, to compare.
    pub(in crate::spool) fn plain(sections: &[Section]) -> Vec<(String, Precision, Vec<Vec<u8>>)> {
        let plain = |section: &Section| {
            let lines = section.lines.iter().map(<[u8]>::to_vec).collect();
            (section.database.to_string(), section.precision, lines)
        };
        sections.iter().map(plain).collect()
    }

    fn several() -> Vec<Section> {
        vec![
            section("telemetry", &["a f=1i 1\n", "b f=2i 2\n"]),
            section(
                Database::new("ä b\n=%").retention_policy("a week"),
                &[
                    "c f=\"x\ny\" 3\n",
                    "d f=1i 4\n",
                    "#e f=\"\n# lengths 1\" 5\n",
                ],
            ),
            section("third", &["e f=1i 5\n"]),
        ]
    }

    #[test]
    fn what_is_written_is_read_back_with_its_databases_units_and_lines() {
        for sections in [several(), several()[..1].to_vec()] {
            let file = Bytes::from(encode(&sections));
            let read = decode(&file).unwrap();
            assert_eq!(plain(&read), plain(&sections));
            assert!(
                read.iter()
                    .all(|read| read.lines.unit() == Some(read.precision))
            );
        }
    }

    #[test]
    fn a_file_is_a_comment_and_the_lines_as_they_are() {
        let file = encode(&[section(
            Database::new("db").retention_policy("week"),
            &["a f=1i 1\n", "b f=2i 2\n"],
        )]);
        let text = String::from_utf8(file).unwrap();
        let (first, rest) = text.split_once('\n').unwrap();
        assert_eq!(rest, "a f=1i 1\nb f=2i 2\n");
        assert!(
            first.starts_with("# actix-influxdb-spool 1 crc32="),
            "{first}"
        );
        assert!(
            first.ends_with(" db=db rp=week precision=ms lines=2 bytes=18 part=1/1"),
            "{first}"
        );
    }

    #[test]
    fn a_file_with_any_bit_of_it_flipped_is_not_read() {
        let file = encode(&several());
        for at in 0..file.len() {
            for bit in 0..8 {
                let mut flipped = file.clone();
                flipped[at] ^= 1 << bit;
                let read = decode(&flipped.into());
                assert!(read.is_err(), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_file_that_was_cut_anywhere_or_has_something_added_is_not_read() {
        let file = encode(&several());
        for end in 0..file.len() {
            let cut = Bytes::copy_from_slice(&file[..end]);
            assert!(matches!(decode(&cut), Err(Unreadable::Damaged(_))), "{end}");
        }
        for added in ["\n", "x", "f f=1i 6\n"] {
            let longer = [&file[..], added.as_bytes()].concat();
            assert!(decode(&longer.into()).is_err(), "{added:?}");
        }
        let twice = [&file[..], &file[..]].concat();
        assert!(decode(&twice.into()).is_err());
    }

    #[test]
    fn a_later_format_is_told_from_a_damaged_file() {
        for (version, expected) in [
            ("2", Unreadable::Newer(2)),
            ("17", Unreadable::Newer(17)),
            ("0", Unreadable::Damaged("its version is invalid")),
            ("01", Unreadable::Damaged("its version is invalid")),
            ("x", Unreadable::Damaged("its version is invalid")),
        ] {
            let file = format!("{MAGIC}{version} something else\n");
            assert_eq!(decode(&file.into()).unwrap_err(), expected, "{version}");
        }
    }

    #[test]
    fn words_that_are_not_known_are_passed_over() {
        let rest = "db=db precision=s color=red lines=1 bytes=9 part=1/1\na f=1i 1\n";
        let checksum = crc32fast::hash(rest.as_bytes());
        let file = format!("{MAGIC}1 crc32={checksum:08x} {rest}");
        let read = decode(&file.into()).unwrap();
        assert_eq!(read[0].precision, Precision::Seconds);
        assert_eq!(read[0].lines.len(), 1);
    }
}
