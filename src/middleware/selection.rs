use std::borrow::Cow;

use actix_web::http::StatusCode;
use regex::Regex;

use super::{builder::refuse, transform::InfluxMetrics};

/// Options: which requests are recorded.
impl InfluxMetrics {
    /// Leaves out requests for `path`: exactly this path, as the client sent it, without the query.
    ///
    /// ```
    /// # fn wrap(influx: &actix_influxdb::Influx) {
    /// use actix_influxdb::InfluxMetrics;
    /// use actix_web::http::StatusCode;
    ///
    /// let metrics = InfluxMetrics::new(influx, "example")
    ///     .exclude("/health")
    ///     .exclude_status(StatusCode::NOT_FOUND);
    /// # }
    /// ```
    #[must_use]
    pub fn exclude(self, path: impl Into<Cow<'static, str>>) -> Self {
        let path = path.into();
        self.with(|options| options.excluded_paths.push(path))
    }

    /// Leaves out requests for paths that match `pattern`, a regular expression of the
    /// [`regex`](https://docs.rs/regex) crate. The pattern may match a part of the path, unless it
    /// has `^` and `$`.
    ///
    /// ```
    /// # fn wrap(influx: &actix_influxdb::Influx) {
    /// use actix_influxdb::InfluxMetrics;
    ///
    /// let metrics = InfluxMetrics::new(influx, "example").exclude_regex("^/(health|static)/");
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If the pattern is not a valid regular expression, or compiles to more than 10 MB.
    #[must_use]
    #[track_caller]
    pub fn exclude_regex(self, pattern: &str) -> Self {
        let regex = match Regex::new(pattern) {
            Ok(regex) => regex,
            Err(error) => {
                let allowed = format!("a regular expression: {error}");
                refuse("exclude_regex", format!("{pattern:?}"), allowed)
            }
        };
        self.with(|options| options.excluded_patterns.push(regex))
    }

    /// Leaves out requests that end with `status`.
    #[must_use]
    pub fn exclude_status(self, status: StatusCode) -> Self {
        self.with(|options| options.excluded_statuses.push(status))
    }

    /// Records a random sample of the requests: `0.01` for one in a hundred.
    ///
    /// Each measurement then has a field `weight`, 1 divided by `rate`: the number of requests that the
    /// measurement stands for. `sum("weight")` is the number of all requests.
    ///
    /// ```
    /// # fn wrap(influx: &actix_influxdb::Influx) {
    /// use actix_influxdb::InfluxMetrics;
    ///
    /// let metrics = InfluxMetrics::new(influx, "example").sample(0.01);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If `rate` is not above 0 and at most 1.
    #[must_use]
    #[track_caller]
    pub fn sample(self, rate: f64) -> Self {
        if !(rate > 0.0 && rate <= 1.0 && rate.recip().is_finite()) {
            let allowed = "a number above 0, and at most 1 (for all requests)";
            refuse("sample", rate.to_string(), allowed);
        }
        self.with(|options| options.sample = Some(rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Influx};

    fn metrics() -> InfluxMetrics {
        let influx = Influx::start(Config::default().enabled(false)).unwrap();
        InfluxMetrics::new(&influx, "db")
    }

    /// The option panics, at the line that sets it.
    #[track_caller]
    fn refused(set: impl FnOnce(InfluxMetrics) -> InfluxMetrics, message: &str) {
        let metrics = metrics();
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| set(metrics)));
        let panic = panic.map(drop).expect_err("it was accepted");
        let text = panic.downcast_ref::<String>().expect("a text");
        assert!(text.starts_with(message), "{text}");
    }

    #[test]
    fn a_rate_is_above_0_and_at_most_1() {
        for rate in [0.001, 0.5, 1.0] {
            _ = metrics().sample(rate);
        }
        for (rate, shown) in [(0.0, "0"), (-0.5, "-0.5"), (1.1, "1.1"), (f64::NAN, "NaN")] {
            let message = format!("InfluxMetrics::sample is {shown}: a number above 0");
            refused(|metrics| metrics.sample(rate), &message);
        }
    }

    #[test]
    fn what_is_no_regular_expression_is_refused_with_the_reason() {
        refused(
            |metrics| metrics.exclude_regex("^/(a"),
            "InfluxMetrics::exclude_regex is \"^/(a\": a regular expression: ",
        );
    }
}
