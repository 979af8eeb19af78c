use std::{borrow::Cow, fmt, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
};
use regex::Regex;

use super::{request_measurement::RequestMeasurement, text};
use crate::Database;

type Str = Cow<'static, str>;

/// Where a value that may differ in each request is written.
///
/// ```
/// # fn wrap(influx: &actix_influxdb::Influx) {
/// use actix_influxdb::{InfluxMetrics, Placement};
///
/// let metrics = InfluxMetrics::new(influx, "example").remote_ip(Placement::Omit);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Placement {
    /// A field: the value can be read but not grouped by, and makes no series.
    Field,
    /// A tag: each value makes a series. Choose it only where few values can occur.
    Tag,
    /// Not written at all.
    Omit,
}

/// Options of the middleware.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) database: Database,
    pub(super) measurement: Str,
    pub(super) tags: Vec<(Str, Str)>,
    pub(super) remote_ip: Placement,
    pub(super) trust_forwarded: bool,
    pub(super) correlation_id: Placement,
    pub(super) correlation_header: HeaderName,
    pub(super) time_to_first_byte: bool,
    pub(super) content_length: bool,
    pub(super) excluded_paths: Vec<Str>,
    pub(super) excluded_patterns: Vec<Regex>,
    pub(super) excluded_statuses: Vec<StatusCode>,
    /// Fraction of requests that are recorded; `None` for all.
    pub(super) sample: Option<f64>,
    pub(super) customize: Option<Customize>,
}

/// A closure that adds tags and fields for each response.
#[derive(Clone)]
pub(super) struct Customize(pub(super) Arc<CustomizeFn>);

pub(super) type CustomizeFn =
    dyn Fn(&HttpRequest, &HttpResponse<()>, &RequestMeasurement) + Send + Sync;

impl fmt::Debug for Customize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Customize(..)")
    }
}

impl Options {
    pub(super) fn new(database: Database, measurement: Str) -> Self {
        Self {
            database,
            measurement,
            tags: Vec::new(),
            remote_ip: Placement::Field,
            trust_forwarded: false,
            correlation_id: Placement::Field,
            correlation_header: HeaderName::from_static("x-request-id"),
            time_to_first_byte: true,
            content_length: true,
            excluded_paths: Vec::new(),
            excluded_patterns: Vec::new(),
            excluded_statuses: Vec::new(),
            sample: None,
            customize: None,
        }
    }

    /// Whether a request for `path` is recorded; `drawn` returns a random number in `0.0..1.0`.
    pub(super) fn includes(&self, path: &str, drawn: impl FnOnce() -> f64) -> bool {
        !self.excluded_paths.iter().any(|excluded| excluded == path)
            && !self.excluded_patterns.iter().any(|it| it.is_match(path))
            && self.sample.is_none_or(|rate| drawn() < rate)
    }

    pub(super) fn includes_status(&self, status: u16) -> bool {
        !self.excluded_statuses.iter().any(|it| *it == status)
    }

    /// The correlation id, unless it is omitted; `get` looks the header up.
    pub(super) fn correlation_id<'a>(
        &self,
        get: impl FnOnce(&HeaderName) -> Option<&'a HeaderValue>,
    ) -> Option<CorrelationId> {
        match self.correlation_id {
            Placement::Omit => None,
            Placement::Field | Placement::Tag => {
                let value = get(&self.correlation_header)?;
                (!value.is_empty()).then(|| CorrelationId(value.clone()))
            }
        }
    }
}

/// The correlation id of a request; converted to text when needed.
#[derive(Clone, Debug)]
pub(super) struct CorrelationId(HeaderValue);

impl CorrelationId {
    /// The text for a field or a tag.
    pub(super) fn text(&self) -> Cow<'_, str> {
        text::clean(self.0.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options::new("db".into(), "m".into())
    }

    #[test]
    fn paths_are_excluded_whole_and_by_pattern_and_the_rest_is_sampled() {
        let options = Options {
            excluded_paths: vec!["/health".into()],
            excluded_patterns: vec![Regex::new(r"^/static/\w+").unwrap()],
            sample: Some(0.25),
            ..options()
        };
        let included = |path| options.includes(path, || 0.2);
        assert!(!included("/health"));
        assert!(included("/health/deep"));
        assert!(!included("/static/x.css"));
        assert!(included("/a/static/x.css"));
        assert!(!options.includes("/", || 0.25));
        assert!(self::options().includes("/", || unreachable!()));
    }

    #[test]
    fn a_correlation_id_is_cleaned_and_an_empty_one_is_none() {
        let id = |value: &[u8]| {
            let value = HeaderValue::from_bytes(value).unwrap();
            let id = options().correlation_id(|name| (name == "x-request-id").then_some(&value));
            id.map(|id| id.text().into_owned())
        };
        assert_eq!(id(b"a\xffb"), Some("a\u{fffd}b".to_owned()));
        assert_eq!(id(b""), None);
    }
}
