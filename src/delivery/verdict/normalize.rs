//! Normalization of error texts: removes what a server repeats of the request.

/// Text before and after a line that InfluxDB 1.x and 2.x repeat.
const BEFORE_LINE: &str = "unable to parse '";
const AFTER_LINE: &str = "': ";

/// Between these, InfluxDB 1.12 and 2.7 repeat series keys unquoted.
const KEYS: [&str; 2] = [" oldest point ", " keys="];
const AFTER_KEYS: &str = " dropped=";

/// InfluxDB 1.12 and 2.7 end texts about points with these names.
const DATABASE: &str = " for database: ";

/// Text before and after names that are not quoted: QuestDB, VictoriaMetrics (which repeats the
/// URL) and InfluxDB 1.x.
const NAMED: [(&str, &[char]); 5] = [
    ("write error: ", &[',']),
    ("table: ", &[',', ';']),
    ("column: ", &[',', ';']),
    ("requestURI: ", &[';']),
    ("retention policy not found: ", &['\n']),
];

/// QuestDB repeats names and values unquoted after the number of the line.
const IN_LINE: &str = "error in line ";

/// The text in lower case, without quoted lines, names and values: clients may have chosen those,
/// and they may contain any phrase.
pub(crate) fn unquoted(text: &str) -> String {
    let mut unquoted = String::new();
    let text = match text.rfind(DATABASE) {
        Some(at) if text[..at].contains(AFTER_KEYS) => &text[..at],
        _ => text,
    };
    let text = match text.find(IN_LINE) {
        Some(at) if !text[..at].contains(BEFORE_LINE) => &text[..at + IN_LINE.len()],
        _ => text,
    };
    let keys = KEYS
        .iter()
        .filter_map(|before| Some(text.find(before)? + before.len()))
        .min();
    if let Some(start) = keys
        && let Some(end) = text.rfind(AFTER_KEYS).filter(|end| *end >= start)
    {
        push_unquoted(&text[..start], &mut unquoted);
        push_unquoted(&text[end..], &mut unquoted);
        return unquoted;
    }
    match text.find(BEFORE_LINE) {
        Some(start) => {
            // A line may contain the text that ends it: the last occurrence counts.
            let quoted = start + BEFORE_LINE.len() - 1;
            push_unquoted(&text[..quoted], &mut unquoted);
            if let Some(end) = text[quoted..].rfind(AFTER_LINE) {
                push_unquoted(&text[quoted + end + 1..], &mut unquoted);
            }
        }
        None => push_unquoted(text, &mut unquoted),
    }
    unquoted
}

/// The text before the first quote, in lower case.
pub(super) fn text_before_quote(text: &str) -> String {
    let end = text.find(['"', '\'', '`']).unwrap_or(text.len());
    text[..end].to_lowercase()
}

/// The text without digits, to compare what is said of different lines.
pub(super) fn without_digits(unquoted: &str) -> String {
    let letters = unquoted.chars().filter(|char| !char.is_ascii_digit());
    letters.collect()
}

fn push_unquoted(text: &str, to: &mut String) {
    let mut rest = text;
    loop {
        let named = NAMED.iter().filter_map(|(before, ends)| {
            let start = rest.find(before)? + before.len();
            Some((start, *ends))
        });
        let Some((start, ends)) = named.min_by_key(|(start, _)| *start) else {
            return push_outside_quotes(rest, to);
        };
        push_outside_quotes(&rest[..start], to);
        let end = rest[start..].find(ends);
        rest = end.map_or("", |end| &rest[start + end..]);
    }
}

fn push_outside_quotes(text: &str, to: &mut String) {
    let mut chars = text.chars().peekable();
    let mut last = ' ';
    while let Some(char) = chars.next() {
        let opens = match char {
            '"' | '`' => true,
            // Not an apostrophe.
            '\'' => !last.is_alphanumeric(),
            _ => false,
        };
        if opens {
            let mut closed = false;
            while let Some(quoted) = chars.next() {
                match quoted {
                    '\\' => _ = chars.next(),
                    end if end == char => {
                        let ends_here =
                            char != '\'' || chars.peek().is_none_or(|next| !next.is_alphanumeric());
                        if ends_here {
                            closed = true;
                            break;
                        }
                    }
                    _ => {}
                }
            }
            // Truncated inside of a quote.
            if !closed {
                return;
            }
            last = '"';
            continue;
        }
        to.extend(char.to_lowercase());
        last = char;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_left_out_and_apostrophes_quote_nothing() {
        for (text, wanted) in [
            ("database not found: \"disk full\"", "database not found: "),
            (
                "invalid column type for column 'no space left', expected float",
                "invalid column type for column , expected float",
            ),
            (
                "Must not contain duplicate tags, but `timeout` was repeated",
                "must not contain duplicate tags, but  was repeated",
            ),
            ("couldn't create columns", "couldn't create columns"),
            ("the user's 'own' words", "the user's  words"),
            (r#"line "a\"timeout" is bad"#, "line  is bad"),
            (r#""a"b is bad"#, "b is bad"),
            ("'bob's disk full' is bad", " is bad"),
            ("cut inside \"of a quo", "cut inside "),
            ("", ""),
        ] {
            assert_eq!(unquoted(text), wanted, "{text}");
        }
    }

    #[test]
    fn of_a_repeated_line_nothing_is_left_whatever_it_holds() {
        for line in [
            "",
            "é",
            "m f=1 x",
            "error in line 1 f=1 x",
            "m f=\"': no space left on device\" x",
            "it's \"odd",
            "m f=\"unable to parse 'a': disk full\" x",
        ] {
            let text = format!("partial write: unable to parse '{line}': bad timestamp dropped=0");
            let unquoted = unquoted(&text);
            assert_eq!(
                unquoted,
                "partial write: unable to parse : bad timestamp dropped=0"
            );
        }
        assert_eq!(unquoted("unable to parse 'cut he"), "unable to parse ");
    }

    #[test]
    fn names_that_are_not_quoted_are_left_out_where_servers_are_known_to_have_them() {
        for (text, wanted) in [
            (
                "partial write: x dropped=3 for database: timeouts for retention policy: y",
                "partial write: x dropped=3",
            ),
            (
                "no space left for database: x",
                "no space left for database: x",
            ),
            (
                "outside - oldest point a,b=read-only dropped=9 \" at 1, newest point c dropped=2",
                "outside - oldest point  dropped=2",
            ),
            (
                "failed to parse:\nerror in line 2: table: gzip, column: permission; cast",
                "failed to parse:\nerror in line ",
            ),
            (
                "errors:\nerror in line 1: Could not parse entire line, field value is invalid. Field: a; value: timeout",
                "errors:\nerror in line ",
            ),
            (
                "table: gzip, column: permission; cast",
                "table: , column: ; cast",
            ),
            (
                "write error: disk full, errno: 2, error: x",
                "write error: , errno: 2, error: x",
            ),
            (
                "remoteAddr: \"127.0.0.1:1\"; requestURI: /write?db=gzip&precision=ns; too long line: more",
                "remoteaddr: ; requesturi: ; too long line: more",
            ),
            (
                "retention policy not found: timeout",
                "retention policy not found: ",
            ),
        ] {
            assert_eq!(unquoted(text), wanted, "{text}");
        }
    }

    #[test]
    fn the_first_words_end_before_whatever_is_quoted() {
        for (text, wanted) in [
            ("Could not parse: 'a' timeout 'b'", "could not parse: "),
            ("error from wal: full", "error from wal: full"),
            ("`timeout`", ""),
        ] {
            assert_eq!(text_before_quote(text), wanted);
        }
    }

    #[test]
    fn the_same_words_about_other_lines_have_the_same_skeleton() {
        let [a, b] = [
            "line 17: input field \"a\" is too long, 1100000 > 1048576",
            "line 2: input field \"b\" is too long, 2200000 > 1048576",
        ]
        .map(|text| without_digits(&unquoted(text)));
        assert_eq!(a, b);
        assert_ne!(a, without_digits(&unquoted("line 2: bad timestamp")));
    }
}
