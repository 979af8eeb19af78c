use std::{borrow::Cow, cell::RefCell, rc::Rc, time::Instant};

use actix_web::http::Uri;

use super::target::Target;
use crate::{FieldValue, Measurement, TagValue, point::measurement::Entries};

type Str = Cow<'static, str>;

/// The measurement of the current request, for adding tags and fields.
///
/// Handlers take a `RequestMeasurement` as an extractor; other middlewares and guards get one from
/// [`MeasuredRequest::measurement`](crate::MeasuredRequest::measurement). Clones add to the same
/// measurement, also from a stream or a task on the same thread. Tags and fields added after the
/// end of the response's body are ignored.
///
/// ```
/// use actix_influxdb::RequestMeasurement;
/// use actix_web::Responder;
///
/// async fn show(measurement: RequestMeasurement) -> impl Responder {
///     measurement.set_tag("tier", "gold");
///     let rows = {
///         let _timer = measurement.timer("query");
///         query().await
///     };
///     measurement.set_field("rows", rows);
///     format!("{rows} rows")
/// }
/// # async fn query() -> u32 { 3 }
/// ```
///
/// An added tag or field replaces one that the middleware sets, such as `endpoint`. If several
/// [`InfluxMetrics`](crate::InfluxMetrics) wrap a handler, the measurement is that of the
/// innermost.
///
/// The [`default`](Self::default) belongs to no request, for tests of a handler.
#[derive(Clone, Debug, Default)]
pub struct RequestMeasurement(Rc<RefCell<Additions>>);

#[derive(Debug, Default)]
struct Additions {
    tags: Entries<Str>,
    fields: Entries<FieldValue>,
    skip: bool,
    seen: Option<LastSeen>,
}

/// State of a request when its measurement was last requested.
#[derive(Debug)]
pub(super) struct LastSeen {
    pub(super) target: Target,
    /// Pattern of the resource, once one matched.
    pub(super) pattern: Option<String>,
}

impl RequestMeasurement {
    /// Sets a tag. Every combination of tag values is a series: keep unbounded values in fields.
    pub fn set_tag(&self, key: impl Into<Str>, value: impl Into<TagValue>) {
        let (key, TagValue(value)) = (key.into(), value.into());
        self.0.borrow_mut().tags.set(key, value);
    }

    /// Sets several tags, each as [`set_tag`](Self::set_tag) does.
    pub fn set_tags<K, V>(&self, tags: impl IntoIterator<Item = (K, V)>)
    where
        K: Into<Str>,
        V: Into<TagValue>,
    {
        for (key, value) in tags {
            self.set_tag(key, value);
        }
    }

    /// Sets a field. A key that is set twice keeps the last value.
    pub fn set_field(&self, key: impl Into<Str>, value: impl Into<FieldValue>) {
        let (key, value) = (key.into(), value.into());
        self.0.borrow_mut().fields.set(key, value);
    }

    /// Starts a timer that sets `field` to the elapsed seconds when it is dropped. The timer may be held
    /// across an `await`.
    pub fn timer(&self, field: impl Into<Str>) -> RequestTimer {
        RequestTimer {
            field: field.into(),
            started: Instant::now(),
            measurement: self.clone(),
        }
    }

    /// Runs `work` and sets `field` to the elapsed seconds, also if it panics. For futures use a
    /// [`timer`](Self::timer).
    ///
    /// ```
    /// # use actix_influxdb::RequestMeasurement;
    /// async fn report(measurement: RequestMeasurement) -> String {
    ///     measurement.time("render", |_| "a long text".repeat(100))
    /// }
    /// # let _ = report;
    /// ```
    pub fn time<R>(&self, field: impl Into<Str>, work: impl FnOnce(&Self) -> R) -> R {
        let timer = self.timer(field);
        work(&timer.measurement)
    }

    /// Excludes this request: it is neither recorded nor counted.
    ///
    /// ```
    /// # use actix_influxdb::RequestMeasurement;
    /// async fn health(measurement: RequestMeasurement) -> &'static str {
    ///     measurement.skip();
    ///     "ok"
    /// }
    /// # let _ = health;
    /// ```
    pub fn skip(&self) {
        self.0.borrow_mut().skip = true;
    }

    pub(super) fn is_skipped(&self) -> bool {
        self.0.borrow().skip
    }

    pub(super) fn note_target(&self, uri: &Uri) {
        let seen = &mut self.0.borrow_mut().seen;
        if !seen.as_ref().is_some_and(|seen| seen.target.is_of(uri)) {
            *seen = Some(LastSeen {
                target: Target::of(uri),
                pattern: None,
            });
        }
    }

    pub(super) fn matched(&self, pattern: Option<String>) {
        if let Some(seen) = &mut self.0.borrow_mut().seen {
            seen.pattern = pattern.or(seen.pattern.take());
        }
    }

    pub(super) fn take_last_seen(&self) -> Option<LastSeen> {
        self.0.borrow_mut().seen.take()
    }

    pub(super) fn add_to(&self, measurement: &mut Measurement) {
        let additions = self.0.borrow();
        for (key, value) in additions.tags.iter() {
            measurement.0.tags.put(key.clone(), value.clone());
        }
        for (key, value) in additions.fields.iter() {
            measurement.0.fields.put(key.clone(), value.clone());
        }
    }
}

/// A timer that sets a field of a request's measurement to the elapsed seconds when it is dropped.
///
/// Returned by [`RequestMeasurement::timer`].
///
/// ```
/// # use actix_influxdb::RequestMeasurement;
/// async fn show(measurement: RequestMeasurement) {
///     let timer = measurement.timer("query");
///     // …
///     drop(timer);
/// }
/// # let _ = show;
/// ```
#[derive(Debug)]
#[must_use = "a timer stops when it is dropped"]
pub struct RequestTimer {
    field: Str,
    started: Instant,
    measurement: RequestMeasurement,
}

impl Drop for RequestTimer {
    fn drop(&mut self) {
        let field = std::mem::take(&mut self.field);
        self.measurement.set_field(field, self.started.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(measurement: &RequestMeasurement) -> Measurement {
        let mut point = Measurement::new("db", "m").tag("a", "0").field("x", 0);
        measurement.add_to(&mut point);
        point
    }

    #[test]
    fn what_is_added_replaces_what_was_there_and_the_last_value_stays() {
        let measurement = RequestMeasurement::default();
        measurement.set_tags([("a", 1), ("b", 2)]);
        measurement.clone().set_tag("a", "3");
        measurement.set_field("x", 1.5);
        measurement.set_field("x", "two");
        let point = added(&measurement);
        let expected = Measurement::new("db", "m")
            .tags([("b", 2), ("a", 3)])
            .field("x", "two")
            .timestamp(point.0.timestamp);
        assert_eq!(point, expected);
        assert!(!measurement.is_skipped());
    }

    #[test]
    fn timers_write_seconds_when_they_are_dropped() {
        let measurement = RequestMeasurement::default();
        let timer = measurement.timer("wait");
        assert_eq!(measurement.time("work", |_| 42), 42);
        drop(timer);
        let point = added(&measurement);
        for key in ["wait", "work"] {
            let mut fields = point.0.fields.iter();
            let field = fields.find(|(known, _)| known.as_str() == key);
            assert!(matches!(field, Some((_, FieldValue::Float(s))) if *s >= 0.0));
        }
    }
}
