//! What a measurement holds, for code that is handed one.

use super::Measurement;
use crate::{Database, FieldValue, Timestamp};

/// What the measurement holds. (`tag`, `tags`, `field` and `timestamp` set; these read.)
impl Measurement {
    /// Returns the database.
    ///
    /// ```
    /// # use actix_influxdb::{FieldValue, Measurement};
    /// let login = Measurement::new("example", "login").tag("method", "oauth").field("ms", 12.5);
    /// assert_eq!(login.database().name(), "example");
    /// assert_eq!(login.name(), "login");
    /// assert_eq!(login.get_tag("method"), Some("oauth"));
    /// assert_eq!(login.get_field("ms"), Some(&FieldValue::Float(12.5)));
    /// ```
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    /// Returns the measurement's name, as it was given.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the value of a tag, if the tag is set. Base tags are added later, when the
    /// measurement is recorded.
    pub fn get_tag(&self, key: &str) -> Option<&str> {
        let mut tags = self.get_tags();
        tags.find_map(|(known, value)| (known == key).then_some(value))
    }

    /// Returns the tags as keys and values, in no particular order.
    pub fn get_tags(&self) -> impl Iterator<Item = (&str, &str)> {
        let tags = self.0.tags.iter();
        tags.map(|(key, value)| (key.as_str(), &**value))
    }

    /// Returns the value of a field, if the field is set.
    pub fn get_field(&self, key: &str) -> Option<&FieldValue> {
        let mut fields = self.get_fields();
        fields.find_map(|(known, value)| (known == key).then_some(value))
    }

    /// Returns the fields as keys and values, in no particular order.
    pub fn get_fields(&self) -> impl Iterator<Item = (&str, &FieldValue)> {
        self.0.fields.texts()
    }

    /// Returns the timestamp.
    pub fn get_timestamp(&self) -> Timestamp {
        self.0.timestamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_can_be_read_back() {
        let database = Database::new("db").retention_policy("week");
        let mut measurement = Measurement::new(database.clone(), "m")
            .tags([("a", 1), ("b", 2), ("a", 3)])
            .field("x", 1)
            .timestamp(Timestamp::from_secs(7));
        for number in 0..20 {
            measurement.set_tag(format!("more {number}"), number);
        }
        assert_eq!(
            (measurement.database(), measurement.name()),
            (&database, "m")
        );
        assert_eq!(measurement.get_tag("a"), Some("3"));
        assert_eq!(measurement.get_tag("more 19"), Some("19"));
        assert_eq!(measurement.get_tag("none"), None);
        assert_eq!(measurement.get_tags().count(), 22);
        assert_eq!(measurement.get_field("x"), Some(&FieldValue::Integer(1)));
        assert_eq!(measurement.get_field("a"), None);
        assert_eq!(measurement.get_fields().count(), 1);
        assert_eq!(measurement.get_timestamp().as_nanos(), 7_000_000_000);
    }
}
