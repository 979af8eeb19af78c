//! What a measurement must be, to the last tag and field.

use std::collections::{BTreeMap, BTreeSet};

use actix_influxdb::testing::{Point, Value};

/// A measurement that must be there. Its fields are `duration` and `remote_ip`, and what is added.
#[derive(Clone)]
pub struct Expected {
    pub measurement: &'static str,
    tags: BTreeMap<String, String>,
    fields: BTreeMap<String, Value>,
    has_head: bool,
}

/// A request that was answered with `status`, with `bytes` bytes of body.
pub fn answered(method: &str, endpoint: &str, status: u16, outcome: &str, bytes: i64) -> Expected {
    Expected {
        has_head: true,
        ..unanswered(method, endpoint, status, outcome)
    }
    .field("content_length", bytes)
}

/// A request that had no response.
pub fn unanswered(method: &str, endpoint: &str, status: u16, outcome: &str) -> Expected {
    let expected = Expected {
        measurement: "http_request",
        tags: BTreeMap::new(),
        fields: BTreeMap::new(),
        has_head: false,
    };
    expected
        .tag("method", method)
        .tag("endpoint", endpoint)
        .tag("status_code", &status.to_string())
        .tag("outcome", outcome)
        .field("remote_ip", "127.0.0.1")
}

impl Expected {
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }

    pub fn field(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(key.to_owned(), value.into());
        self
    }

    /// Was there a response?
    pub fn has_head(&self) -> bool {
        self.fields.contains_key("content_length") || self.has_head
    }

    /// Has `point` its tags and fields? (Times may be any.)
    pub fn is_met(&self, point: &Point) -> bool {
        let mut fields = self.fields.iter();
        point.tags == self.tags && fields.all(|(key, value)| point.field(key) == Some(value))
    }

    pub fn without(mut self, key: &str) -> Self {
        let removed = self.tags.remove(key).is_some() | self.fields.remove(key).is_some();
        self.has_head &= key != "time_to_first_byte";
        assert!(
            removed || key == "time_to_first_byte",
            "{key} was never there"
        );
        self
    }

    #[track_caller]
    pub fn check(&self, point: &Point) {
        assert_eq!(point.measurement, self.measurement, "{point:#?}");
        assert_eq!(point.tags, self.tags, "{point:#?}");
        let mut keys: BTreeSet<&str> = self.fields.keys().map(String::as_str).collect();
        keys.insert("duration");
        if self.has_head {
            keys.insert("time_to_first_byte");
        }
        let found: BTreeSet<&str> = point.fields.keys().map(String::as_str).collect();
        assert_eq!(found, keys, "{point:#?}");
        for (key, value) in &self.fields {
            assert_eq!(point.field(key), Some(value), "{key} of {point:#?}");
        }
        let seconds = |key| point.field(key).and_then(Value::as_float);
        let duration = seconds("duration").unwrap();
        let first_byte = seconds("time_to_first_byte").unwrap_or_default();
        assert!((0.0..=duration).contains(&first_byte), "{point:#?}");
        assert!(duration < 30.0, "{point:#?}");
    }
}

#[track_caller]
pub fn check(points: &[Point], expected: &[Expected]) {
    assert_eq!(points.len(), expected.len(), "{points:#?}");
    for (point, expected) in points.iter().zip(expected) {
        expected.check(point);
    }
}
