use std::borrow::Cow;

use actix_web::http::StatusCode;
use regex::Regex;

use super::{builder::invalid, transform::InfluxMetrics};
use crate::ConfigError;

/// Which requests are recorded.
impl InfluxMetrics {
    /// Leaves out the requests for `path`: exactly this one, as it comes, without the query.
    #[must_use]
    pub fn exclude(self, path: impl Into<Cow<'static, str>>) -> Self {
        let path = path.into();
        self.with(|options| options.excluded_paths.push(path))
    }

    /// Leaves out the requests for paths that match `pattern`, a regular expression in the syntax
    /// of the [`regex`](https://docs.rs/regex) crate. It need not match the whole path, unless it
    /// says so with `^` and `$`.
    ///
    /// ```
    /// # fn wrap(influx: &actix_influxdb::Influx) -> Result<(), actix_influxdb::ConfigError> {
    /// use actix_influxdb::InfluxMetrics;
    ///
    /// let metrics = InfluxMetrics::new(influx, "example").exclude_regex("^/(health|static)/")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// It is no regular expression, or a huge one.
    pub fn exclude_regex(self, pattern: &str) -> Result<Self, ConfigError> {
        let regex = Regex::new(pattern).map_err(|error| {
            let allowed = format!("a regular expression: {error}");
            invalid("exclude_regex", format!("{pattern:?}"), allowed)
        })?;
        Ok(self.with(|options| options.excluded_patterns.push(regex)))
    }

    /// Leaves out the requests that end with `status`.
    #[must_use]
    pub fn exclude_status(self, status: StatusCode) -> Self {
        self.with(|options| options.excluded_statuses.push(status))
    }

    /// Records only this part of the requests, drawn at random: `0.01` for one in a hundred.
    ///
    /// Each measurement then has a field `weight`, 1 divided by `rate`, that says for how many
    /// requests it stands: `sum("weight")` is their number.
    ///
    /// # Errors
    ///
    /// `rate` is not above 0 and at most 1.
    pub fn sample(self, rate: f64) -> Result<Self, ConfigError> {
        if !(rate > 0.0 && rate <= 1.0 && rate.recip().is_finite()) {
            let allowed = "a number above 0, and at most 1 (for all requests)";
            return Err(invalid("sample", rate.to_string(), allowed));
        }
        Ok(self.with(|options| options.sample = Some(rate)))
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

    #[track_caller]
    fn refused(result: Result<InfluxMetrics, ConfigError>, message: &str) {
        let error = result.expect_err("it was accepted").to_string();
        assert!(error.starts_with(message), "{error}");
    }

    #[test]
    fn a_rate_is_above_0_and_at_most_1() {
        for rate in [0.001, 0.5, 1.0] {
            metrics().sample(rate).unwrap();
        }
        for (rate, shown) in [(0.0, "0"), (-0.5, "-0.5"), (1.1, "1.1"), (f64::NAN, "NaN")] {
            let message = format!("InfluxMetrics::sample is {shown}: a number above 0");
            refused(metrics().sample(rate), &message);
        }
    }

    #[test]
    fn what_is_no_regular_expression_is_refused_with_the_reason() {
        refused(
            metrics().exclude_regex("^/(a"),
            "InfluxMetrics::exclude_regex is \"^/(a\": a regular expression: ",
        );
    }
}
