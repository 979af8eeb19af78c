//! Whatever strings a measurement has, a real influxd stores and returns them.

mod support;

use std::{collections::BTreeMap, time::Duration};

use actix_influxdb::{Config, FieldValue, Influx, Measurement, StringNewlines};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::Value;
use support::{
    influxd::{Influxd, identifier},
    require_influxd,
};

const CASES: usize = 400;

/// Strings as strangers send them: every special character often, alone and in runs.
fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        " ", ",", "=", "\"", "'", "\\", "\\\\", "\n", "\r", "\t", "\0", "#", "🦀", "n", "time",
    ]);
    prop_oneof![
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat()),
        any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = FieldValue> {
    prop_oneof![
        // Few digits: it is the JSON of the answer that doesn't keep the last bit.
        (-1_000_000..1_000_000_i32).prop_map(|float| FieldValue::Float(f64::from(float) / 64.0)),
        any::<i64>().prop_map(FieldValue::Integer),
        any::<u64>().prop_map(FieldValue::Unsigned),
        any::<bool>().prop_map(FieldValue::Boolean),
        text().prop_map(|text| FieldValue::String(text.into())),
    ]
}

/// What the documentation of `Measurement` says of names, keys and tag values.
fn replaced(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let is_ordinary = |char: &char| !" ,=\"\\\n\r\t\0".contains(*char);
    let replace = |(at, char): (usize, &char)| match char {
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\0' => "\\0".to_owned(),
        '\\' if !chars.get(at + 1).is_some_and(is_ordinary) => String::new(),
        char => char.to_string(),
    };
    chars.iter().enumerate().map(replace).collect()
}

fn json(value: &FieldValue) -> Value {
    match value {
        FieldValue::Float(value) => (*value).into(),
        FieldValue::Integer(value) => (*value).into(),
        FieldValue::Unsigned(value) => i64::try_from(*value).unwrap_or(i64::MAX).into(),
        FieldValue::Boolean(value) => (*value).into(),
        FieldValue::String(value) => value.clone().into_owned().into(),
    }
}

/// Go writes whole floats without a point, so they read back as integers.
fn is_same(returned: &Value, given: &Value) -> bool {
    match (returned.as_f64(), given) {
        (Some(returned), Value::Number(number)) if number.is_f64() => {
            Some(returned) == number.as_f64()
        }
        _ => returned == given,
    }
}

type Tags = BTreeMap<String, String>;
type Fields = BTreeMap<String, Value>;

#[actix::test]
async fn random_strings_come_back_from_a_real_influxd_as_they_were_recorded() {
    let influxd = require_influxd!();
    let config = Config::v1(influxd.url()).string_newlines(StringNewlines::Raw);
    assert_come_back(&influxd, config, str::to_owned).await;
}

#[actix::test]
async fn escaped_newlines_come_back_from_a_real_influxd_as_a_backslash_and_an_n() {
    let influxd = require_influxd!();
    let escaped = |text: &str| text.replace('\n', "\\n");
    assert_come_back(&influxd, Config::v1(influxd.url()), escaped).await;
}

/// `expected` is what is to be read of a string field.
async fn assert_come_back(influxd: &Influxd, config: Config, expected: impl Fn(&str) -> String) {
    influxd.create_database("db");
    let influx = Influx::start(config.tag_hostname(false)).unwrap();
    let strategy = (
        text(),
        prop::collection::vec((text(), text()), 0..5),
        prop::collection::vec((text(), value()), 1..5),
    );
    let mut runner = TestRunner::deterministic();
    let mut wanted: BTreeMap<String, (Tags, Fields)> = BTreeMap::new();
    while wanted.len() < CASES {
        let (name, tags, fields) = strategy.new_tree(&mut runner).unwrap().current();
        // A name of its own for each, so that no field conflicts with another's type.
        let name = format!("{name}{}", wanted.len());
        let mut measurement = Measurement::new("db", name.clone()).tags(tags.clone());
        for (key, value) in fields.clone() {
            measurement.set_field(key, value);
        }
        let mut tags: Tags = tags
            .iter()
            .map(|(k, v)| (replaced(k), replaced(v)))
            .collect();
        tags.retain(|key, value| !key.is_empty() && !value.is_empty());
        let expected = |value: &FieldValue| match value {
            FieldValue::String(text) => expected(text).into(),
            value => json(value),
        };
        let fields = fields.iter().map(|(k, v)| (replaced(k), expected(v)));
        let fields: Fields = fields.collect();
        match influx.record(measurement) {
            Ok(()) => _ = wanted.insert(replaced(&name), (tags, fields)),
            Err(error) => assert!(
                name.starts_with('#')
                    || replaced(&name).starts_with('#')
                    || tags.contains_key("time")
                    || fields.contains_key("time")
                    || fields.contains_key(""),
                "{error}"
            ),
        }
    }
    let report = influx.shutdown(Duration::from_secs(30)).await;
    assert_eq!((report.written, report.rejected), (CASES as u64, 0));

    for (name, (tags, fields)) in wanted {
        let query = format!("SELECT * FROM {} GROUP BY *", identifier(&name));
        let answer = influxd.query("db", &query);
        let series = &answer["results"][0]["series"];
        assert_eq!(
            series.as_array().map(Vec::len),
            Some(1),
            "{name:?}: {answer}"
        );
        let series = &series[0];
        assert_eq!(series["name"], name);
        let returned: Tags = series["tags"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        assert_eq!(returned, tags, "{name:?}");
        let values = series["values"].as_array().unwrap();
        assert_eq!(values.len(), 1, "{name:?}");
        let columns = series["columns"].as_array().unwrap().iter();
        let returned: Fields = columns
            .zip(values[0].as_array().unwrap())
            .map(|(column, value)| (column.as_str().unwrap().to_owned(), value.clone()))
            .filter(|(column, value)| column != "time" && !value.is_null())
            .collect();
        assert_eq!(
            returned.len(),
            fields.len(),
            "{name:?}: {returned:?} of {fields:?}"
        );
        for (key, given) in &fields {
            assert!(
                is_same(&returned[key], given),
                "{name:?} {key:?}: {:?} of {given:?}",
                returned[key]
            );
        }
    }
}
