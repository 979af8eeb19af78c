//! Validation: each setting by itself, then all of them together.

use std::fmt::{Debug, Display};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Api, Config, Overflow};
use crate::error::ConfigError;

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const KIB: usize = 1 << 10;
const GIB: usize = 1 << 30;

impl Config {
    /// Checks every setting, as [`Influx::start`](crate::Influx::start) does.
    ///
    /// ```
    /// use actix_influxdb::Config;
    ///
    /// let error = Config::v1("localhost").validate().unwrap_err();
    /// assert_eq!(error.setting, "url");
    /// ```
    ///
    /// # Errors
    ///
    /// If a setting can't be used. The error has its name as it was set (the builder's method, or
    /// the variable), the value, and what is allowed. A value that is or may be a credential is not
    /// shown.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let checked = self.validate_each().and_then(|()| self.validate_together());
        checked.map_err(|error| self.origin.named(error))
    }

    /// Checks each setting alone. Those of the environment are checked while the variable is still
    /// known.
    pub(super) fn validate_each(&self) -> Result<(), ConfigError> {
        self.urls()?;
        self.validate_each_credential()?;

        self.resolved_proxy()?;
        self.headers.values()?;
        within("interval", self.interval, MS..=DAY, "from 1 ms to 1 day")?;
        within(
            "flush_jitter",
            self.flush_jitter,
            Duration::ZERO..=DAY,
            "from 0 ms to 1 day",
        )?;
        within(
            "request_timeout",
            self.request_timeout,
            MS..=HOUR,
            "from 1 ms to 1 hour",
        )?;
        within(
            "max_retry_delay",
            self.max_retry_delay,
            MS..=DAY,
            "from 1 ms to 1 day",
        )?;
        within(
            "max_age",
            self.max_age.unwrap_or(DAY),
            MS..=YEAR,
            "from 1 ms to 365 days, or none",
        )?;

        within(
            self.origin.self_measurement_interval_name(),
            self.self_measurement_interval,
            MS..=DAY,
            "an interval from 1 ms to 1 day",
        )?;

        at_least_one("trigger_size", self.trigger_size)?;
        at_least_one("max_batch_size", self.max_batch_size)?;
        at_least_one("max_buffer_size", self.max_buffer_size)?;
        at_least_one("warn_threshold", self.warn_threshold.unwrap_or(1))?;
        within(
            "max_clients",
            self.max_clients,
            1..=1_000,
            "from 1 to 1000 requests",
        )?;

        // A batch keeps the ends of its lines as 32-bit offsets.
        within(
            "max_batch_bytes",
            self.max_batch_bytes,
            KIB..=GIB,
            "from 1 KiB to 1 GiB",
        )?;
        within(
            "max_buffer_bytes",
            self.max_buffer_bytes,
            KIB..=usize::MAX,
            "at least 1 KiB",
        )?;

        within(
            "seal_interval",
            self.seal_interval,
            MS..=DAY,
            "from 1 ms to 1 day",
        )?;

        // NaN is within no range.
        within(
            "sample_probability",
            self.sample_probability,
            0.0..=1.0,
            "from 0 to 1",
        )?;

        self.validate_features()?;
        self.base_tags.keys().try_for_each(|key| base_tag_key(key))
    }

    /// Checks that the program was built with the features of its settings.
    fn validate_features(&self) -> Result<(), ConfigError> {
        let settings = [
            ("gzip", self.gzip, "gzip", cfg!(feature = "gzip")),
            (
                "tls_ca",
                self.tls_ca.is_some(),
                "rustls",
                cfg!(feature = "rustls"),
            ),
            (
                "tls_cert",
                self.tls_cert.is_some(),
                "rustls",
                cfg!(feature = "rustls"),
            ),
            (
                "tls_key",
                self.tls_key.is_some(),
                "rustls",
                cfg!(feature = "rustls"),
            ),
            (
                "danger_accept_invalid_certs",
                self.danger_accept_invalid_certs,
                "rustls",
                cfg!(feature = "rustls"),
            ),
        ];
        for (setting, is_set, feature, is_enabled) in settings {
            if is_set && !is_enabled {
                let allowed = format!(
                    "only with the feature `{feature}` of actix-influxdb, which this program was built without"
                );
                return Err(ConfigError::new(setting, "set", allowed));
            }
        }
        Ok(())
    }

    /// Checks that a certificate has its key, and that TLS settings come with `https`: otherwise
    /// they would have no effect.
    fn validate_tls(&self) -> Result<(), ConfigError> {
        let (cert, key) = (self.tls_cert.is_some(), self.tls_key.is_some());
        if cert != key {
            let (setting, other) = match cert {
                true => ("tls_cert", "tls_key"),
                false => ("tls_key", "tls_cert"),
            };
            let allowed = format!("only together with {}", self.origin.name(other));
            return Err(ConfigError::new(setting, "set", allowed));
        }
        if self.danger_accept_invalid_certs && self.tls_ca.is_some() {
            let ca = self.origin.name("tls_ca");
            let allowed = format!("only without {ca}, which it would make useless");
            return Err(ConfigError::new(
                "danger_accept_invalid_certs",
                "true",
                allowed,
            ));
        }
        let is_https = |url: &String| url.starts_with("https:");
        if !self.urls()?.iter().any(is_https) {
            let settings = [
                ("tls_ca", self.tls_ca.is_some()),
                ("tls_cert", cert),
                (
                    "danger_accept_invalid_certs",
                    self.danger_accept_invalid_certs,
                ),
            ];
            if let Some((setting, _)) = settings.into_iter().find(|(_, is_set)| *is_set) {
                let url = self.origin.name("url");
                let allowed = format!("only with an https:// URL, and none in {url} is one");
                return Err(ConfigError::new(setting, "set", allowed));
            }
        }
        Ok(())
    }

    fn validate_together(&self) -> Result<(), ConfigError> {
        if self.warn_at() > self.max_buffer_size {
            return Err(ConfigError::new(
                "warn_threshold",
                self.warn_at().to_string(),
                format!(
                    "at most {}, {}",
                    self.origin.name("max_buffer_size"),
                    self.max_buffer_size
                ),
            ));
        }
        self.validate_credentials_together()?;
        self.validate_tls()?;
        self.validate_spool()?;
        self.only_with(
            "create_database",
            self.create_database.then_some(true),
            Api::V1,
        )?;
        self.only_with("consistency", self.consistency, Api::V1)?;
        self.only_with("no_sync", self.no_sync.then_some(true), Api::V3)
    }

    /// Checks a setting that only one API has.
    fn only_with(
        &self,
        setting: &'static str,
        value: Option<impl Display>,
        api: Api,
    ) -> Result<(), ConfigError> {
        match value {
            Some(value) if self.api != api => {
                let api_setting = self.origin.name("api");
                let allowed = format!("only with API {api}, and {api_setting} is {}", self.api);
                Err(ConfigError::new(setting, value.to_string(), allowed))
            }
            _ => Ok(()),
        }
    }
}

impl Config {
    fn validate_spool(&self) -> Result<(), ConfigError> {
        let folder = self.origin.name("spool_dir");
        if self.spool_dir.is_none() {
            let without = |setting, value: &str| {
                let allowed = format!("only with a {folder}, the folder for the files");
                Err(ConfigError::new(setting, value, allowed))
            };
            return match (self.overflow, self.write_ahead) {
                (Overflow::Spool, _) => without("overflow", "\"spool\""),
                (_, true) => without("write_ahead", "true"),
                _ => Ok(()),
            };
        }
        if self.spool_max_bytes < self.max_batch_bytes {
            return Err(ConfigError::new(
                "spool_max_bytes",
                self.spool_max_bytes.to_string(),
                format!(
                    "at least {}, {}",
                    self.origin.name("max_batch_bytes"),
                    self.max_batch_bytes
                ),
            ));
        }
        Ok(())
    }
}

fn within<T: PartialOrd + Debug>(
    setting: &'static str,
    value: T,
    range: RangeInclusive<T>,
    allowed: &'static str,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(ConfigError::new(setting, format!("{value:?}"), allowed))
}

fn at_least_one(setting: &'static str, measurements: usize) -> Result<(), ConfigError> {
    within(
        setting,
        measurements,
        1..=usize::MAX,
        "at least 1 measurement",
    )
}

/// Checks the key of a base tag. InfluxDB refuses a line with a tag named `time`, so every line
/// would be invalid. A trailing backslash is trimmed when a line is written, so `time\` is refused
/// too.
fn base_tag_key(key: &str) -> Result<(), ConfigError> {
    match key.trim_end_matches('\\') {
        "" | "time" => Err(ConfigError::new(
            "base_tag",
            format!("{key:?}"),
            "a key that is neither empty nor `time`",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
