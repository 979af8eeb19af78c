use std::collections::BTreeMap;

use influxdb_line_protocol::{FieldValue as ParsedValue, ParsedLine, parse_lines, split_lines};
use proptest::prelude::*;

use super::*;
use crate::{FieldValue, Measurement, Timestamp};

fn encoder() -> Encoder {
    Encoder::new([], Precision::Nanoseconds, false)
}

fn encode_with(encoder: &Encoder, measurement: Measurement) -> Result<String, RecordError> {
    let mut line = LineBuffer::default();
    line.push_all(b"before\n");
    line.keep_line();
    let result = encoder.encode(&measurement.0, &mut line);
    let text = str::from_utf8(line.line()).unwrap().to_owned();
    assert!(line.into_bytes().starts_with(b"before\n"));
    let line = text;
    result?;
    let mut series = LineBuffer::default();
    encoder.push_series(&measurement.0, &mut series)?;
    let end = blank(&line).unwrap_or_default();
    assert_eq!(line.as_bytes()[..end], *series.line(), "{line:?}");
    Ok(line)
}

/// Where the first blank is that isn't escaped.
fn blank(line: &str) -> Option<usize> {
    let mut blanks = line.match_indices(' ').map(|(at, _)| at);
    blanks.find(|at| !line[..*at].ends_with('\\'))
}

fn encode(measurement: Measurement) -> String {
    encode_with(&encoder(), measurement).unwrap()
}

fn point() -> Measurement {
    Measurement::new("db", "m").timestamp(Timestamp::from_nanos(1))
}

#[test]
fn a_line_has_the_name_the_sorted_tags_the_fields_and_the_timestamp() {
    let measurement = Measurement::new("db", "cpu")
        .tag("host", "b")
        .tag("core", 3)
        .field("idle", 0.5)
        .field("ticks", 7)
        .timestamp(Timestamp::from_nanos(1_700_000_000_000_000_001));
    assert_eq!(
        encode(measurement),
        "cpu,core=3,host=b idle=0.5,ticks=7i 1700000000000000001\n"
    );
}

#[test]
fn any_number_of_tags_is_sorted_also_by_what_follows_the_first_eight_bytes_of_their_keys() {
    for count in [2, 7, 8, 9, 16, 17, 48] {
        let mut keys: Vec<_> = (0..count)
            .map(|number| format!("abcdefgh{number:02}"))
            .collect();
        keys.extend(["a", "z"].map(str::to_owned));
        keys.sort();
        let mut expected = String::from("m");
        for key in &keys {
            expected += &format!(",{key}=v");
        }
        expected += " f=1i 1\n";
        // Upwards, downwards, and neither.
        let middle = keys.len() / 2;
        let mut orders = [keys.clone(), keys.clone(), keys];
        orders[1].reverse();
        orders[2].rotate_left(middle);
        for keys in orders {
            let tags = keys.into_iter().map(|key| (key, "v"));
            assert_eq!(encode(point().tags(tags).field("f", 1)), expected);
        }
    }
}

#[test]
fn what_is_to_be_escaped_is_found_in_texts_of_all_lengths_wherever_it_stands() {
    for len in 1..70 {
        for at in 0..len {
            let text = |odd: &str| "x".repeat(at) + odd + &"x".repeat(len - at - 1);
            let measurement = Measurement::new("db", text(","))
                .tag("t", text("\n"))
                .field(text(" "), text("\""))
                .timestamp(Timestamp::from_nanos(1));
            assert_eq!(
                encode(measurement),
                format!(
                    "{},t={} {}=\"{}\" 1\n",
                    text("\\,"),
                    text("\\n"),
                    text("\\ "),
                    text("\\\"")
                )
            );
        }
    }
}

#[test]
fn texts_of_all_lengths_may_have_nothing_that_is_not_escaped() {
    for len in 1..200 {
        let text = |odd: &str| odd.repeat(len);
        let measurement = Measurement::new("db", text(","))
            .tag("t", text("="))
            .field("f", text("\n"))
            .field("g", text("\""))
            .timestamp(Timestamp::from_nanos(1));
        assert_eq!(
            encode(measurement),
            format!(
                "{},t={} f=\"{}\",g=\"{}\" 1\n",
                text("\\,"),
                text("\\="),
                text("\\\\n"),
                text("\\\"")
            )
        );
    }
}

#[test]
fn formats_are_told_apart_as_bits() {
    for unsigned in [false, true] {
        for string in [Part::String, Part::RawString] {
            let format = FieldFormat { unsigned, string };
            assert_eq!(FieldFormat::from_bits(format.to_bits()), format);
        }
    }
}

#[test]
fn every_type_of_field_is_written_as_the_reference_types_it() {
    let line = |value: FieldValue| encode(point().field("f", value));
    assert_eq!(line(FieldValue::Float(1.0)), "m f=1.0 1\n");
    assert_eq!(line(FieldValue::Float(-0.0)), "m f=-0.0 1\n");
    assert_eq!(line(FieldValue::Float(1e21)), "m f=1e+21 1\n");
    assert_eq!(
        line(FieldValue::Integer(i64::MIN)),
        "m f=-9223372036854775808i 1\n"
    );
    assert_eq!(line(FieldValue::Unsigned(7)), "m f=7i 1\n");
    assert_eq!(line(FieldValue::Boolean(true)), "m f=true 1\n");
    assert_eq!(line(FieldValue::Boolean(false)), "m f=false 1\n");
    assert_eq!(
        line("a \"b\" \\ c".into()),
        "m f=\"a \\\"b\\\" \\\\ c\" 1\n"
    );
    assert_eq!(line("two\nlines".into()), "m f=\"two\\\\nlines\" 1\n");
    assert_eq!(line("".into()), "m f=\"\" 1\n");
}

#[test]
fn newlines_of_a_string_field_are_escaped_or_raw_and_nothing_else_of_it_changes() {
    let text = "a\nb\\nc\n\n\"d\"\r\n\u{2028}\0\te\n";
    let measurement = point().field("f", text);
    assert_eq!(
        encode(measurement.clone()),
        "m f=\"a\\\\nb\\\\nc\\\\n\\\\n\\\"d\\\"\r\\\\n\u{2028}\0\te\\\\n\" 1\n"
    );
    let raw = encoder().string_newlines(StringNewlines::Raw);
    assert_eq!(
        encode_with(&raw, measurement).unwrap(),
        "m f=\"a\nb\\\\nc\n\n\\\"d\\\"\r\n\u{2028}\0\te\n\" 1\n"
    );
}

#[test]
fn what_a_name_or_key_cannot_carry_is_replaced() {
    let odd = "a\nb\rc\td\0e\\ f\\\\,g=\\";
    let measurement = Measurement::new("db", odd).timestamp(Timestamp::from_nanos(1));
    assert_eq!(
        encode(measurement.tag(odd, 1).field(odd, 2)),
        concat!(
            r"a\nb\rc\td\0e\ f\,g=",
            r",a\nb\rc\td\0e\ f\,g\==1",
            r" a\nb\rc\td\0e\ f\,g\==2i 1",
            "\n"
        )
    );
}

#[test]
fn an_unsigned_integer_is_clipped_or_written_with_u() {
    let measurement = point().field("f", u64::MAX);
    assert_eq!(encode(measurement.clone()), "m f=9223372036854775807i 1\n");
    let unsigned = Encoder::new([], Precision::Nanoseconds, true);
    assert_eq!(
        encode_with(&unsigned, measurement).unwrap(),
        "m f=18446744073709551615u 1\n"
    );
}

#[test]
fn nan_and_infinite_fields_are_left_out_and_a_measurement_left_with_none_is_an_error() {
    let measurement = point().field("a", f64::NAN).field("b", f64::INFINITY);
    assert_eq!(encode(measurement.clone().field("c", 1)), "m c=1i 1\n");
    let error = encode_with(&encoder(), measurement).unwrap_err();
    assert_eq!(
        error,
        RecordError::NoFields {
            measurement: "m".into()
        }
    );
    assert!(error.is_invalid());
}

#[test]
fn empty_tags_are_left_out() {
    let measurement = point()
        .tag("", "x")
        .tag("a", "")
        .tag("b", "\\")
        .tag("\\", "y");
    assert_eq!(encode(measurement.field("f", 1)), "m f=1i 1\n");
}

#[test]
fn what_a_tag_cannot_carry_is_replaced() {
    let tag = |value: &'static str| {
        let line = encode(point().tag("t", value).field("f", 1));
        line["m,t=".len()..]
            .strip_suffix(" f=1i 1\n")
            .unwrap()
            .to_owned()
    };
    assert_eq!(tag("a\nb\rc\td\0e"), r"a\nb\rc\td\0e");
    assert_eq!(tag("a, b=c"), r"a\,\ b\=c");
    assert_eq!(tag(r"C:\temp\x"), r"C:\temp\x");
    assert_eq!(tag(r"end\\"), "end");
    assert_eq!(tag(r"a\\b"), r"a\b");
    assert_eq!(tag("a\\ b\\,c\\=d\\\ne"), r"a\ b\,c\=d\ne");
    assert_eq!(tag("\"quoted\""), "\"quoted\"");
}

#[test]
fn an_injected_line_stays_inside_its_tag() {
    let line = encode(point().tag("t", "x f=1 1\nevil f=2 2\n").field("f", 1));
    assert_eq!(
        split_lines(&line).filter(|line| !line.is_empty()).count(),
        1
    );
    assert_eq!(line, "m,t=x\\ f\\=1\\ 1\\nevil\\ f\\=2\\ 2\\n f=1i 1\n");
}

#[test]
fn keys_that_become_one_by_replacement_keep_the_last_value() {
    let measurement = point()
        .tag("a", 1)
        .tag("a\\", 2)
        .tag("b\n", 3)
        .tag("b\\n", 4)
        .field("f", 1)
        .field("f\\", 2);
    assert_eq!(encode(measurement), "m,a=2,b\\n=4 f=2i 1\n");
}

#[test]
fn base_tags_are_merged_in_order_and_the_measurements_own_win() {
    let base = [("zone", "z"), ("host", "h 1"), ("env", "e"), ("empty", "")];
    let encoder = Encoder::new(base, Precision::Nanoseconds, false);
    let measurement = point().tag("g", 1).tag("env", "mine").field("f", 1);
    assert_eq!(
        encode_with(&encoder, measurement).unwrap(),
        "m,env=mine,g=1,host=h\\ 1,zone=z f=1i 1\n"
    );
}

#[test]
fn base_tags_whose_keys_become_one_stand_once() {
    let encoder = Encoder::new([("a\\", "1"), ("a", "2")], Precision::Nanoseconds, false);
    let line = encode_with(&encoder, point().field("f", 1)).unwrap();
    assert_eq!(line.matches("a=").count(), 1, "{line}");
}

#[test]
fn a_coarser_precision_divides_the_timestamp_down() {
    for (precision, written) in [
        (Precision::Nanoseconds, -1_500_000_000_i64),
        (Precision::Microseconds, -1_500_000),
        (Precision::Milliseconds, -1_500),
        (Precision::Seconds, -2),
    ] {
        let encoder = Encoder::new([], precision, false);
        let measurement = point()
            .field("f", 1)
            .timestamp(Timestamp::from_nanos(-1_500_000_000));
        assert_eq!(
            encode_with(&encoder, measurement).unwrap(),
            format!("m f=1i {written}\n")
        );
    }
}

#[test]
fn microseconds_can_be_written_as_nanoseconds_that_are_rounded_to_them() {
    let encoder = |precision| Encoder::new([], precision, false).microseconds_as_nanoseconds(true);
    for (precision, stamp, written) in [
        (
            Precision::Microseconds,
            1_700_000_000_123_456_789_i64,
            "1700000000123456000",
        ),
        (Precision::Microseconds, -1, "-1000"),
        (
            Precision::Nanoseconds,
            1_700_000_000_123_456_789,
            "1700000000123456789",
        ),
        (
            Precision::Milliseconds,
            1_700_000_000_123_456_789,
            "1700000000123",
        ),
    ] {
        let measurement = point()
            .field("f", 1)
            .timestamp(Timestamp::from_nanos(stamp));
        let line = encode_with(&encoder(precision), measurement).unwrap();
        assert_eq!(line, format!("m f=1i {written}\n"));
    }
    // What rounding takes out of the range is refused, not wrapped.
    for stamp in [i64::MIN + 2, i64::MAX - 1] {
        let measurement = point()
            .field("f", 1)
            .timestamp(Timestamp::from_nanos(stamp));
        match encode_with(&encoder(Precision::Microseconds), measurement) {
            Ok(line) => assert!(
                line.ends_with(&format!(" {}\n", stamp / 1_000 * 1_000)),
                "{line}"
            ),
            Err(error) => assert!(matches!(error, RecordError::InvalidTimestamp { .. })),
        }
    }
}

#[test]
fn names_that_a_server_refuses_or_discards_are_errors_that_say_so() {
    let error = |measurement: Measurement| {
        encode_with(&encoder(), measurement.field("f", 1))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error(Measurement::new("db", "#m")),
        "measurement \"#m\" of measurement \"#m\" is not valid: it must not be empty, nor start \
         with `#` (the server would discard the line as a comment)"
    );
    assert!(error(Measurement::new("db", "\\")).contains("must not be empty"));
    assert!(error(Measurement::new("", "m")).starts_with("database \"\" of"));
    assert!(error(point().tag("time", 1)).starts_with("tag key \"time\" of measurement \"m\""));
    assert!(error(point().field("time", 1)).starts_with("field key \"time\""));
    assert!(error(point().field("time\\", 1)).starts_with("field key \"time\""));
    assert!(error(point().field("", 1)).starts_with("field key \"\""));
}

#[test]
fn a_timestamp_out_of_range_is_an_error() {
    for timestamp in [i64::MIN, i64::MIN + 1, i64::MAX] {
        let timestamp = Timestamp::from_nanos(timestamp);
        let error = encode_with(&encoder(), point().field("f", 1).timestamp(timestamp));
        assert!(
            matches!(error, Err(RecordError::InvalidTimestamp { timestamp: t, .. }) if t == timestamp)
        );
    }
}

/// Strings as strangers send them: every special character often, alone and in runs.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(" "),
        Just(","),
        Just("="),
        Just("\""),
        Just("\\"),
        Just("\\\\"),
        Just("\n"),
        Just("\r"),
        Just("\t"),
        Just("\0"),
        Just("#"),
        Just("🦀"),
        Just("n"),
        Just("time"),
        Just(""),
    ];
    prop_oneof![
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat()),
        any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = FieldValue> {
    prop_oneof![
        any::<f64>().prop_map(FieldValue::Float),
        any::<i64>().prop_map(FieldValue::Integer),
        any::<u64>().prop_map(FieldValue::Unsigned),
        any::<bool>().prop_map(FieldValue::Boolean),
        text().prop_map(|text| FieldValue::String(text.into())),
    ]
}

/// What is to be read back of a name, key or tag value, written the slow way.
fn expected(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let ordinary = |at: usize| {
        chars
            .get(at)
            .is_some_and(|c| !" ,=\"\\\n\r\t\0".contains(*c))
    };
    let mut out = String::new();
    for (at, char) in chars.iter().enumerate() {
        match char {
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\t' => out += "\\t",
            '\0' => out += "\\0",
            '\\' if !ordinary(at + 1) => {}
            char => out.push(*char),
        }
    }
    out
}

fn read_tags(line: &ParsedLine<'_>) -> BTreeMap<String, String> {
    let tags = line.series.tag_set.iter().flatten();
    tags.map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}

fn agrees(read: &ParsedValue<'_>, given: &FieldValue) -> bool {
    match (read, given) {
        (ParsedValue::F64(read), FieldValue::Float(given)) => read.to_bits() == given.to_bits(),
        (ParsedValue::I64(read), FieldValue::Integer(given)) => read == given,
        (ParsedValue::I64(read), FieldValue::Unsigned(given)) => {
            *read == i64::try_from(*given).unwrap_or(i64::MAX)
        }
        (ParsedValue::Boolean(read), FieldValue::Boolean(given)) => read == given,
        (ParsedValue::String(read), FieldValue::String(given)) => read.as_str() == given.as_ref(),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn one_measurement_is_one_line_that_an_independent_parser_reads_back(
        name in text(),
        tags in prop::collection::vec((text(), text()), 0..5),
        fields in prop::collection::vec((text(), value()), 0..5),
        base in prop::collection::btree_map("[a-z]{1,2}", text(), 0..3),
        timestamp in any::<i64>(),
        is_raw in any::<bool>(),
    ) {
        let newlines = match is_raw {
            true => StringNewlines::Raw,
            false => StringNewlines::Escape,
        };
        let encoder = Encoder::new(
            base.iter().map(|(key, value)| (key.as_str(), value.as_str())),
            Precision::Nanoseconds,
            false,
        )
        .string_newlines(newlines);
        let mut measurement = Measurement::new("db", name.clone()).timestamp(Timestamp::from_nanos(timestamp));
        measurement.set_tags(tags.clone());
        for (key, value) in fields.clone() {
            measurement.set_field(key, value);
        }

        // What should come of it, worked out the slow way.
        let mut wanted_tags: BTreeMap<_, _> = base.into_iter().collect();
        wanted_tags.extend(tags.iter().map(|(key, value)| (expected(key), value.clone())));
        let mut wanted_tags: BTreeMap<_, _> =
            wanted_tags.into_iter().map(|(key, value)| (key, expected(&value))).collect();
        let mut wanted_fields: BTreeMap<_, _> =
            fields.into_iter().map(|(key, value)| (expected(&key), value)).collect();
        let name = expected(&name);
        let is_valid = !name.is_empty()
            && !name.starts_with('#')
            && !wanted_tags.contains_key("time")
            && !wanted_fields.contains_key("time")
            && !wanted_fields.contains_key("")
            && timestamp > i64::MIN + 1
            && timestamp < i64::MAX;
        wanted_tags.retain(|key, value| !key.is_empty() && !value.is_empty());
        wanted_fields.retain(|_, value| !matches!(value, FieldValue::Float(x) if !x.is_finite()));

        match encode_with(&encoder, measurement) {
            Err(error) => {
                prop_assert!(!is_valid || wanted_fields.is_empty(), "refused: {error}");
            }
            Ok(line) => {
                prop_assert!(is_valid && !wanted_fields.is_empty());
                // A server may split wherever there is a newline.
                let is_one_line = line.find('\n') == Some(line.len() - 1);
                prop_assert!(is_raw || is_one_line, "{line:?}");
                // In the middle of a body, so that a line that leaks is seen.
                let body = format!("before f=1i 1\n{line}after f=1i 1\n");
                let lines: Result<Vec<_>, _> = parse_lines(&body).collect();
                let lines = lines.unwrap();
                prop_assert_eq!(lines.len(), 3);
                let read = &lines[1];
                prop_assert_eq!(read.series.measurement.as_str(), name);
                // InfluxDB 3 stores a line that has a tag twice, and fails every later query of its table.
                let tags = read.series.tag_set.iter().flatten();
                prop_assert_eq!(tags.count(), wanted_tags.len(), "{}", line);
                prop_assert_eq!(read_tags(read), wanted_tags);
                prop_assert_eq!(read.timestamp, Some(timestamp));
                prop_assert_eq!(read.field_set.len(), wanted_fields.len());
                for (key, value) in &read.field_set {
                    let given = match &wanted_fields[key.as_str()] {
                        FieldValue::String(text) if !is_raw => {
                            &FieldValue::String(text.replace('\n', "\\n").into())
                        }
                        value => value,
                    };
                    prop_assert!(agrees(value, given), "{value:?} of {given:?}");
                }
                let keys: Vec<_> =
                    read.series.tag_set.iter().flatten().map(|(key, _)| key.to_string()).collect();
                prop_assert!(keys.is_sorted());
            }
        }
    }
}
