//! Settings from environment variables. The parser takes a look-up function, so that tests don't
//! touch the process's environment.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;

use super::headers::Headers;
use super::lookalikes::resembled;
use super::origin::Origin;
use super::parts::url_from_parts;
use super::secret::REDACTED;
use super::variables::{BYTES, COUNT, Format, MILLISECONDS, NUMBER, SWITCH, Variables};
use super::{Api, BaseUrls, Config};
use crate::error::ConfigError;
use crate::point::database::Database;

impl Config {
    /// Reads the settings from the process's environment; absent ones have their defaults.
    ///
    /// Each builder method documents its variable. In addition there are
    ///
    /// | variable | default | |
    /// |---|---|---|
    /// | `INFLUXDB_SCHEME` | `http` | of the URL if `INFLUXDB_URL` is not set |
    /// | `INFLUXDB_HOST` | `localhost` | one host name or IP address, IPv6 with or without brackets |
    /// | `INFLUXDB_PORT` | `8086`, with API v3 `8181` | 1 to 65535 |
    ///
    /// which are ignored if `INFLUXDB_URL` is set. An `INFLUXDB_PORT` like `tcp://10.0.0.1:8086`,
    /// as set by Kubernetes or a Docker link, is ignored too.
    ///
    /// - An *empty* variable is treated as if it were absent.
    /// - Switches are `true`, `yes`, `on`, `1` and `false`, `no`, `off`, `0`, in any case.
    /// - Durations are whole milliseconds.
    /// - Sizes in bytes may have a unit: `4 MiB`, `512KiB`, `1gib`.
    ///
    /// For each variable that resembles one of these, like `INFLUXDB_URI`, there is a warning.
    /// Warnings are kept in the [`Config`] and logged when delivery starts, as there may be no
    /// logger before.
    ///
    /// # Errors
    ///
    /// If a variable is malformed, out of its range, not Unicode, or for something that this
    /// version doesn't support. The error has the variable's name, the value (unless it might be a
    /// misplaced credential) and what is allowed. Rules for several settings, such as a token for
    /// API v2, are left to [`validate`](Self::validate), so that the program can still set the
    /// others.
    pub fn from_env() -> Result<Self, ConfigError> {
        let mut config = Self::from_variables(|variable| std::env::var_os(variable))?;
        config.warn_of_lookalikes(std::env::vars_os());
        Ok(config)
    }

    /// Reads the settings as [`from_env`](Self::from_env) does, from a function that returns a
    /// variable by its name: from a file, with another prefix, or from a test's table. There are no
    /// warnings about resembling variables.
    ///
    /// ```
    /// use actix_influxdb::Config;
    ///
    /// let config = Config::from_lookup(|variable| match variable {
    ///     "INFLUXDB_MAX_BUFFER_BYTES" => Some("64 MiB".into()),
    ///     _ => None,
    /// })?;
    /// assert_eq!(config, Config::default().max_buffer_bytes(64 * 1024 * 1024));
    /// # Ok::<(), actix_influxdb::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`from_env`](Self::from_env).
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Self::from_variables(|variable| lookup(variable).map(OsString::from))
    }

    fn from_variables(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let env = Variables::new(lookup);
        let token_file = env.path("INFLUXDB_TOKEN_FILE")?;
        let mut config = Self::default();

        config.user = env.text("INFLUXDB_USER")?;
        config.password = env.secret("INFLUXDB_PASSWORD")?;
        config.token = env.secret("INFLUXDB_TOKEN")?;
        config.org = env.text("INFLUXDB_ORG")?;
        config.api = match (&config.token, &token_file, &config.org) {
            (None, None, _) => Api::V1,
            (_, _, Some(_)) => Api::V2,
            (_, _, None) => Api::V3,
        };
        config.token_file = token_file;
        config.password_file = env.path("INFLUXDB_PASSWORD_FILE")?;
        env.choose("INFLUXDB_API", &mut config.api)?;
        let url = env.text("INFLUXDB_URL")?;
        let mut has_parts = false;
        for part in ["INFLUXDB_SCHEME", "INFLUXDB_HOST", "INFLUXDB_PORT"] {
            has_parts |= env.text(part)?.is_some();
        }
        config.origin = Origin::environment(match url.is_none() && has_parts {
            true => "INFLUXDB_SCHEME",
            false => "INFLUXDB_URL",
        });
        config.url = BaseUrls::new(match url {
            Some(url) => url,
            None => {
                let (url, warning) = url_from_parts(&env, config.api)?;
                warning
                    .into_iter()
                    .for_each(|text| config.origin.warn(text));
                url
            }
        });
        config.tls_ca = env.path("INFLUXDB_TLS_CA")?;
        config.tls_cert = env.path("INFLUXDB_TLS_CERT")?;
        config.tls_key = env.path("INFLUXDB_TLS_KEY")?;
        config.proxy = env.secret("INFLUXDB_PROXY")?;
        env.set("INFLUXDB_HEADERS", HEADERS, &mut config.headers)?;
        config.environment = env.text("ENVIRONMENT")?;
        config.warn_threshold = env.read("INFLUXDB_WARN_THRESHOLD", COUNT)?;
        config.spool_dir = env.text("INFLUXDB_SPOOL_DIR")?.map(PathBuf::from);
        let own = env.text("INFLUXDB_SELF_MEASUREMENT")?;
        config.self_measurement = own.map(Database::new);
        config.max_age = env.read("INFLUXDB_MAX_AGE", MILLISECONDS)?;
        config.consistency = env.chosen("INFLUXDB_CONSISTENCY")?;

        let c = &mut config;
        env.choose("INFLUXDB_OVERFLOW", &mut c.overflow)?;
        env.choose("INFLUXDB_PRECISION", &mut c.precision)?;
        env.choose("INFLUXDB_STRING_NEWLINES", &mut c.string_newlines)?;
        env.set("INFLUXDB_ENABLED", SWITCH, &mut c.enabled)?;
        env.set("INFLUXDB_INTERVAL", MILLISECONDS, &mut c.interval)?;
        env.set("INFLUXDB_FLUSH_JITTER", MILLISECONDS, &mut c.flush_jitter)?;
        env.set("INFLUXDB_GZIP", SWITCH, &mut c.gzip)?;
        env.set("INFLUXDB_TRIGGER_SIZE", COUNT, &mut c.trigger_size)?;
        env.set("INFLUXDB_MAX_BATCH_SIZE", COUNT, &mut c.max_batch_size)?;
        env.set("INFLUXDB_MAX_BATCH_BYTES", BYTES, &mut c.max_batch_bytes)?;
        env.set("INFLUXDB_MAX_BUFFER_SIZE", COUNT, &mut c.max_buffer_size)?;
        env.set("INFLUXDB_MAX_BUFFER_BYTES", BYTES, &mut c.max_buffer_bytes)?;
        env.set("INFLUXDB_MAX_CLIENTS", COUNT, &mut c.max_clients)?;
        env.set("INFLUXDB_MAX_TAG_VALUES", COUNT, &mut c.max_tag_values)?;
        env.set(
            "INFLUXDB_SAMPLE_PROBABILITY",
            NUMBER,
            &mut c.sample_probability,
        )?;
        env.set("INFLUXDB_UNSIGNED", SWITCH, &mut c.unsigned)?;
        env.set(
            "INFLUXDB_REQUEST_TIMEOUT",
            MILLISECONDS,
            &mut c.request_timeout,
        )?;
        env.set(
            "INFLUXDB_MAX_RETRY_DELAY",
            MILLISECONDS,
            &mut c.max_retry_delay,
        )?;
        env.set("INFLUXDB_SPOOL_MAX_BYTES", BYTES, &mut c.spool_max_bytes)?;
        env.set("INFLUXDB_WRITE_AHEAD", SWITCH, &mut c.write_ahead)?;
        env.set("INFLUXDB_SEAL_INTERVAL", MILLISECONDS, &mut c.seal_interval)?;
        env.set("INFLUXDB_CREATE_DATABASE", SWITCH, &mut c.create_database)?;
        env.set(
            "INFLUXDB_SELF_MEASUREMENT_INTERVAL",
            MILLISECONDS,
            &mut c.self_measurement_interval,
        )?;
        env.set("INFLUXDB_NO_SYNC", SWITCH, &mut c.no_sync)?;
        env.set("INFLUXDB_TAG_HOSTNAME", SWITCH, &mut c.tag_hostname)?;

        let checked = config.validate_each();
        checked.map_err(|error| config.origin.named(error))?;
        Ok(config)
    }

    fn warn_of_lookalikes(&mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) {
        const MAX_WARNINGS: usize = 10;
        let mut count = 0_usize;
        for (variable, value) in variables {
            let (variable, value) = (variable.to_string_lossy(), value.to_string_lossy());
            if value.is_empty() {
                continue;
            }
            if let Some(meant) = resembled(&variable, &value) {
                count += 1;
                if count <= MAX_WARNINGS {
                    let warning = format!("{variable} is set, but not read: is it {meant}?");
                    self.origin.warn(warning);
                }
            }
        }
        if count > MAX_WARNINGS {
            let more = count - MAX_WARNINGS;
            self.origin.warn(format!(
                "{more} more variables are set that resemble settings"
            ));
        }
    }
}

const HEADERS: Format<Headers> = Format {
    read: Headers::parse,
    show: |_| REDACTED.to_owned(),
    allowed: "headers like X-Scope-OrgID=team-1, separated by commas, values percent-encoded",
};
