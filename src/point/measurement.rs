mod entries;
mod getters;
mod key;
mod pool;

use std::{borrow::Cow, fmt, time::Instant};

pub(crate) use self::{entries::Entries, key::Key};
use crate::{Database, FieldValue, TagValue, Timestamp};

type Str = Cow<'static, str>;

/// One point: a database, a name, tags, fields and a timestamp.
///
/// A measurement is stamped when it is created, by a [clock that never gives one value twice](Timestamp::now). A
/// tag or field that is set twice keeps the last value. Tags are indexed and make a series of
/// every combination of values: keep what is unbounded (addresses, ids, durations) in fields. A tag
/// is limited to [`max_tag_values`](crate::Config::max_tag_values) all the same.
///
/// ```
/// use actix_influxdb::Measurement;
///
/// let login = Measurement::new("example", "login")
///     .tag("method", "oauth")
///     .field("ms", 12.5)
///     .field("user", "ada");
/// # let _ = login;
/// ```
///
/// A measurement is a [`Message`](actix::Message) too: any actor can send it to
/// [`Influx::addr`](crate::Influx::addr).
///
/// Characters that the line protocol can't carry are replaced: in names, keys and tag values a newline,
/// carriage return, tab and NUL become `\n`, `\r`, `\t` and `\0` in letters, and a backslash
/// stays only before an ordinary character (before a blank, a comma, an equals sign, a quote,
/// another backslash, one of those four, or at the end, servers disagree on what it means). An
/// empty tag and a field that is NaN or infinite are left out. String fields are kept byte for
/// byte, but for a newline: that becomes `\n` in letters too, unless
/// [`Config::string_newlines`](crate::Config::string_newlines) says otherwise.
#[derive(Clone, PartialEq)]
// Boxed, because it is handed on by value from call to call.
pub struct Measurement(pub(crate) Box<Contents>);

#[derive(Clone, PartialEq)]
pub(crate) struct Contents {
    pub(crate) database: Database,
    pub(crate) name: Str,
    pub(crate) timestamp: Timestamp,
    pub(crate) tags: Entries<Str>,
    pub(crate) fields: Entries<FieldValue>,
}

impl Contents {
    #[cold]
    fn empty() -> Box<Self> {
        Box::new(Self {
            database: Database::new(""),
            name: Str::default(),
            timestamp: Timestamp(0),
            tags: Entries::default(),
            fields: Entries::default(),
        })
    }
}

impl actix::Message for Measurement {
    type Result = ();
}

impl Measurement {
    /// Creates a measurement `name` for `database`, stamped now, without tags and fields. At least one
    /// field has to be set before the measurement is recorded.
    #[inline]
    pub fn new(database: impl Into<Database>, name: impl Into<Str>) -> Self {
        Self::at(Timestamp::now(), database.into(), name.into())
    }

    #[inline]
    pub(crate) fn at(timestamp: Timestamp, database: Database, name: Str) -> Self {
        let mut contents = pool::take().unwrap_or_else(Contents::empty);
        contents.database = database;
        contents.name = name;
        contents.timestamp = timestamp;
        Self(contents)
    }

    /// Keeps the memory of a recorded measurement for the next one.
    #[inline]
    pub(crate) fn recycle(self) {
        let Self(mut contents) = self;
        contents.tags.clear();
        contents.fields.clear();
        pool::keep(contents);
    }

    /// Sets a tag. A key that is set twice keeps the last value; an empty value leaves the tag out.
    ///
    /// ```
    /// # use actix_influxdb::Measurement;
    /// let login = Measurement::new("example", "login").tag("method", "oauth").tag("status", 200);
    /// assert_eq!(login.get_tag("status"), Some("200"));
    /// ```
    #[must_use]
    #[inline(always)]
    pub fn tag(mut self, key: impl Into<Str>, value: impl Into<TagValue>) -> Self {
        self.set_tag(key, value);
        self
    }

    /// Sets several tags, each as [`tag`](Self::tag) does.
    #[must_use]
    pub fn tags<K, V>(mut self, tags: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<Str>,
        V: Into<TagValue>,
    {
        self.set_tags(tags);
        self
    }

    /// Sets a field. A key that is set twice keeps the last value.
    ///
    /// ```
    /// # use actix_influxdb::{FieldValue, Measurement};
    /// let login = Measurement::new("example", "login").field("ms", 12.5).field("user", "ada");
    /// assert_eq!(login.get_field("user"), Some(&FieldValue::from("ada")));
    /// ```
    #[must_use]
    #[inline(always)]
    pub fn field(mut self, key: impl Into<Str>, value: impl Into<FieldValue>) -> Self {
        self.set_field(key, value);
        self
    }

    /// Sets the timestamp (a [`Timestamp`] or a [`SystemTime`](std::time::SystemTime)), in place of
    /// the moment at which the measurement was created.
    ///
    /// An explicit timestamp is sent as it is: two points of one series with the same timestamp
    /// overwrite each other in InfluxDB.
    ///
    /// ```
    /// # use actix_influxdb::{Measurement, Timestamp};
    /// let reading = Measurement::new("example", "reading")
    ///     .field("celsius", 21.5)
    ///     .timestamp(Timestamp::from_secs(1_700_000_000));
    /// # let _ = reading;
    /// ```
    #[must_use]
    pub fn timestamp(mut self, timestamp: impl Into<Timestamp>) -> Self {
        self.set_timestamp(timestamp);
        self
    }

    /// Sets a tag; see [`tag`](Self::tag).
    #[inline(always)]
    pub fn set_tag(&mut self, key: impl Into<Str>, value: impl Into<TagValue>) {
        let (key, TagValue(value)) = (key.into(), value.into());
        self.0.tags.set(key, value);
    }

    /// Sets tags; see [`tags`](Self::tags).
    pub fn set_tags<K, V>(&mut self, tags: impl IntoIterator<Item = (K, V)>)
    where
        K: Into<Str>,
        V: Into<TagValue>,
    {
        for (key, value) in tags {
            self.set_tag(key, value);
        }
    }

    /// Sets a field; see [`field`](Self::field).
    #[inline(always)]
    pub fn set_field(&mut self, key: impl Into<Str>, value: impl Into<FieldValue>) {
        let (key, value) = (key.into(), value.into());
        self.0.fields.set(key, value);
    }

    /// Sets the timestamp; see [`timestamp`](Self::timestamp).
    pub fn set_timestamp(&mut self, timestamp: impl Into<Timestamp>) {
        self.0.timestamp = timestamp.into();
    }

    /// Starts a timer that sets `field` to the elapsed seconds when it is dropped.
    ///
    /// ```
    /// # use actix_influxdb::Measurement;
    /// # fn render() {}
    /// let mut page = Measurement::new("example", "page");
    /// {
    ///     let _timer = page.timer("render");
    ///     render();
    /// }
    /// ```
    pub fn timer(&mut self, field: impl Into<Str>) -> Timer<'_> {
        Timer {
            field: field.into(),
            started: Instant::now(),
            measurement: self,
        }
    }

    /// Runs `work` and sets `field` to the seconds that it took; also when it panics.
    ///
    /// ```
    /// # use actix_influxdb::Measurement;
    /// let mut page = Measurement::new("example", "page");
    /// let rows = page.time("query", |page| {
    ///     page.set_tag("table", "users");
    ///     42
    /// });
    /// page.set_field("rows", rows);
    /// ```
    pub fn time<R>(&mut self, field: impl Into<Str>, work: impl FnOnce(&mut Self) -> R) -> R {
        let timer = self.timer(field);
        work(timer.measurement)
    }
}

impl fmt::Debug for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Contents {
            database,
            name,
            timestamp,
            tags,
            fields,
        } = &*self.0;
        f.debug_struct("Measurement")
            .field("database", database)
            .field("name", name)
            .field("timestamp", timestamp)
            .field("tags", &Texts(tags.texts()))
            .field("fields", &Texts(fields.texts()))
            .finish()
    }
}

/// Values by key.
struct Texts<I>(I);

impl<'a, V: fmt::Debug, I: Iterator<Item = (&'a str, V)> + Clone> fmt::Debug for Texts<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.clone()).finish()
    }
}

/// A timer that sets a field of its measurement to the elapsed seconds when it is dropped.
///
/// Returned by [`Measurement::timer`].
///
/// ```
/// # use actix_influxdb::{Measurement, Timer};
/// let mut page = Measurement::new("example", "page");
/// let timer: Timer<'_> = page.timer("render");
/// drop(timer);
/// assert!(page.get_field("render").is_some());
/// ```
#[derive(Debug)]
#[must_use = "a timer stops when it is dropped"]
pub struct Timer<'a> {
    field: Str,
    started: Instant,
    measurement: &'a mut Measurement,
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        let field = std::mem::take(&mut self.field);
        self.measurement.set_field(field, self.started.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(measurement: &Measurement, key: &str) -> Option<FieldValue> {
        let fields = &measurement.0.fields;
        let found = fields.iter().find(|(known, _)| known.as_str() == key);
        found.map(|(_, value)| value.clone())
    }

    #[test]
    fn a_tag_or_field_that_is_set_twice_keeps_the_last_value() {
        let measurement = Measurement::new("db", "m")
            .tag("a", "1")
            .tags([("b", 2), ("a", 3)])
            .field("x", 1)
            .field("x", "two");
        let debug = format!("{measurement:?}");
        assert!(
            debug.contains(r#"tags: {"b": "2", "a": "3"}, fields: {"x": String("two")}"#),
            "{debug}"
        );
    }

    #[test]
    fn a_timer_writes_the_seconds_when_it_is_dropped() {
        let mut measurement = Measurement::new("db", "m");
        drop(measurement.timer("wait"));
        assert!(matches!(field(&measurement, "wait"), Some(FieldValue::Float(s)) if s >= 0.0));
    }

    #[test]
    fn time_writes_the_seconds_also_when_the_work_panics() {
        let mut measurement = Measurement::new("db", "m");
        assert_eq!(measurement.time("work", |_| 42), 42);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            measurement.time("panic", |_| panic!("on purpose"));
        }));
        assert!(panicked.is_err());
        assert!(field(&measurement, "work").is_some());
        assert!(field(&measurement, "panic").is_some());
    }

    #[test]
    fn two_measurements_made_in_a_row_have_different_stamps() {
        let stamp = || Measurement::new("db", "m").0.timestamp;
        assert_ne!(stamp(), stamp());
    }
}
