//! Read access to the settings of a [`Config`].

use std::path::Path;
use std::time::Duration;

use super::{Api, Config, Consistency, Overflow, StringNewlines};
use crate::point::database::Database;
use crate::point::precision::Precision;

/// The settings of a [`Config`], each returned by a method named like the one that sets it.
///
/// No method returns a password or token.
///
/// ```
/// use std::time::Duration;
///
/// use actix_influxdb::{Api, Config};
///
/// let config = Config::v2("http://localhost:8086", "acme", "secret").max_clients(4);
/// let settings = config.settings();
/// assert_eq!(settings.api(), Api::V2);
/// assert_eq!(settings.urls(), ["http://localhost:8086"]);
/// assert_eq!(settings.max_clients(), 4);
/// assert_eq!(settings.interval(), Duration::from_secs(10));
/// assert!(settings.has_token());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a>(&'a Config);

impl Config {
    /// Returns the settings for reading, without secrets. (Methods of the same names on `Config`
    /// set them.)
    pub fn settings(&self) -> Settings<'_> {
        Settings(self)
    }
}

macro_rules! copied {
    ($($(#[$doc:meta])+ $name:ident: $type:ty,)+) => {
        impl Settings<'_> {$(
            $(#[$doc])+
            pub fn $name(&self) -> $type {
                self.0.$name
            }
        )+}
    };
}

copied! {
    /// Write API of the servers: [`Config::api`].
    api: Api,
    /// Whether measurements are delivered at all: [`Config::enabled`].
    enabled: bool,
    /// Maximum time before buffered measurements are sent: [`Config::interval`].
    interval: Duration,
    /// Maximum random time that is added to each interval: [`Config::flush_jitter`].
    flush_jitter: Duration,
    /// Whether request bodies are compressed: [`Config::gzip`].
    gzip: bool,
    /// Whether any certificate is accepted: [`Config::danger_accept_invalid_certs`].
    danger_accept_invalid_certs: bool,
    /// Number of buffered measurements that are sent without waiting for the interval:
    /// [`Config::trigger_size`].
    trigger_size: usize,
    /// Maximum number of measurements in one request: [`Config::max_batch_size`].
    max_batch_size: usize,
    /// Maximum number of bytes in one request: [`Config::max_batch_bytes`].
    max_batch_bytes: usize,
    /// Maximum number of pending measurements: [`Config::max_buffer_size`].
    max_buffer_size: usize,
    /// Maximum number of bytes of pending measurements: [`Config::max_buffer_bytes`].
    max_buffer_bytes: usize,
    /// Maximum number of concurrent requests: [`Config::max_clients`].
    max_clients: usize,
    /// Which measurements are dropped when the buffer is full: [`Config::overflow`].
    overflow: Overflow,
    /// Maximum number of distinct values of a tag, 0 for any number: [`Config::max_tag_values`].
    max_tag_values: usize,
    /// Probability that a batch is sent: [`Config::sample_probability`].
    sample_probability: f64,
    /// Unit of the timestamps that are sent: [`Config::precision`].
    precision: Precision,
    /// Whether unsigned fields are written with the suffix `u`: [`Config::unsigned`].
    unsigned: bool,
    /// How newlines in string fields are written: [`Config::string_newlines`].
    string_newlines: StringNewlines,
    /// Maximum time for one request: [`Config::request_timeout`].
    request_timeout: Duration,
    /// Maximum delay between two attempts: [`Config::max_retry_delay`].
    max_retry_delay: Duration,
    /// Age at which pending measurements are dropped: [`Config::max_age`].
    max_age: Option<Duration>,
    /// Maximum number of bytes of the files in the spool: [`Config::spool_max_bytes`].
    spool_max_bytes: usize,
    /// Whether measurements are on disk before they are sent: [`Config::write_ahead`].
    write_ahead: bool,
    /// Maximum time before measurements are on disk: [`Config::seal_interval`].
    seal_interval: Duration,
    /// Whether a missing database is created: [`Config::create_database`].
    create_database: bool,
    /// Time between two points of the pipeline's own statistics: [`Config::self_measurement`].
    self_measurement_interval: Duration,
    /// Number of nodes that have to accept a write: [`Config::consistency`].
    consistency: Option<Consistency>,
    /// Whether InfluxDB 3 may answer before a write is in its log: [`Config::no_sync`].
    no_sync: bool,
    /// Whether measurements get the tag `hostname`: [`Config::tag_hostname`].
    tag_hostname: bool,
}

impl<'a> Settings<'a> {
    /// Base URLs of the servers, without trailing slashes: [`Config::url`]. Empty if the setting is
    /// malformed (see [`Config::validate`]).
    pub fn urls(&self) -> Vec<String> {
        self.0.urls().unwrap_or_default()
    }

    /// User of basic authentication: [`Config::user`], or the one in the URL.
    pub fn user(&self) -> Option<&'a str> {
        let of_url = self.0.url.credentials().map(|(user, _)| user);
        self.0.user.as_deref().or(of_url)
    }

    /// Whether a password is set: [`Config::password`], [`Config::password_file`], or in the URL.
    pub fn has_password(&self) -> bool {
        let config = self.0;
        config.password.is_some()
            || config.password_file.is_some()
            || config.url.credentials().is_some()
    }

    /// Whether a token is set: [`Config::token`] or [`Config::token_file`].
    pub fn has_token(&self) -> bool {
        self.0.token.is_some() || self.0.token_file.is_some()
    }

    /// File of the password: [`Config::password_file`].
    pub fn password_file(&self) -> Option<&'a Path> {
        self.0.password_file.as_deref()
    }

    /// File of the token: [`Config::token_file`].
    pub fn token_file(&self) -> Option<&'a Path> {
        self.0.token_file.as_deref()
    }

    /// File with the CA certificates that servers are verified with: [`Config::tls_ca`].
    pub fn tls_ca(&self) -> Option<&'a Path> {
        self.0.tls_ca.as_deref()
    }

    /// File of the client's certificate: [`Config::tls_cert`].
    pub fn tls_cert(&self) -> Option<&'a Path> {
        self.0.tls_cert.as_deref()
    }

    /// File of the client's private key: [`Config::tls_key`].
    pub fn tls_key(&self) -> Option<&'a Path> {
        self.0.tls_key.as_deref()
    }

    /// Host and port of the proxy: [`Config::proxy`].
    pub fn proxy(&self) -> Option<String> {
        let proxy = self.0.resolved_proxy().ok()??;
        Some(proxy.to_string())
    }

    /// Names of the extra headers, in lower case and sorted: [`Config::header`].
    pub fn header_names(&self) -> Vec<&'a str> {
        self.0.headers.names().collect()
    }

    /// Organisation of API v2: [`Config::org`].
    pub fn org(&self) -> Option<&'a str> {
        self.0.org.as_deref()
    }

    /// Number of pending measurements at which a warning is logged: [`Config::warn_threshold`], or
    /// 60 % of the buffer if that is not set.
    pub fn warn_threshold(&self) -> usize {
        self.0.warn_at()
    }

    /// Folder of the spool: [`Config::spool_dir`].
    pub fn spool_dir(&self) -> Option<&'a Path> {
        self.0.spool_dir.as_deref()
    }

    /// Database of the pipeline's own statistics, if they are written:
    /// [`Config::self_measurement`].
    pub fn self_measurement(&self) -> Option<&'a Database> {
        self.0.self_measurement.as_ref()
    }

    /// Value of the tag `environment`: [`Config::environment`].
    pub fn environment(&self) -> Option<&'a str> {
        self.0.environment.as_deref()
    }

    /// Tags that every measurement gets, as keys and values sorted by key: the program's
    /// [base tags](Config::base_tags), `hostname` and `environment`.
    pub fn base_tags(&self) -> Vec<(String, String)> {
        self.0.resolved_base_tags()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_reads_as_it_was_set_and_no_secret_can_be_seen() {
        let day = Duration::from_secs(86_400);
        let config = Config::v1("http://a:1/x/,http://b:2")
            .api(Api::V3)
            .user("writer")
            .password("hunter2")
            .token("hunter2")
            .org("acme")
            .enabled(false)
            .interval(day)
            .trigger_size(1)
            .max_batch_size(2)
            .max_batch_bytes(3)
            .max_buffer_size(10)
            .max_buffer_bytes(5)
            .warn_threshold(6)
            .max_clients(7)
            .overflow(Overflow::DropOldest)
            .max_tag_values(8)
            .sample_probability(0.5)
            .precision(Precision::Seconds)
            .unsigned(true)
            .string_newlines(StringNewlines::Raw)
            .request_timeout(day * 2)
            .max_retry_delay(day * 3)
            .max_age(day * 4)
            .spool_dir("/spool")
            .spool_max_bytes(11)
            .write_ahead(true)
            .seal_interval(day * 5)
            .create_database(true)
            .self_measurement("own", day * 6)
            .consistency(Consistency::All)
            .no_sync(true)
            .tag_hostname(false)
            .environment("production")
            .base_tag("region", "eu-1");
        let settings = config.settings();
        assert_eq!(settings.urls(), ["http://a:1/x", "http://b:2"]);
        assert_eq!((settings.api(), settings.enabled()), (Api::V3, false));
        assert_eq!(
            (settings.user(), settings.org()),
            (Some("writer"), Some("acme"))
        );
        assert!(settings.has_password() && settings.has_token());
        let sizes = [
            settings.trigger_size(),
            settings.max_batch_size(),
            settings.max_batch_bytes(),
            settings.max_buffer_size(),
            settings.max_buffer_bytes(),
            settings.warn_threshold(),
            settings.max_clients(),
            settings.max_tag_values(),
            settings.spool_max_bytes(),
        ];
        assert_eq!(sizes, [1, 2, 3, 10, 5, 6, 7, 8, 11]);
        let times = [
            settings.interval(),
            settings.request_timeout(),
            settings.max_retry_delay(),
            settings.max_age().unwrap(),
            settings.seal_interval(),
            settings.self_measurement_interval(),
        ];
        assert_eq!(times, [day, day * 2, day * 3, day * 4, day * 5, day * 6]);
        assert_eq!(settings.spool_dir(), Some(Path::new("/spool")));
        assert!(settings.write_ahead());
        assert_eq!(settings.self_measurement().unwrap().name(), "own");
        assert_eq!(settings.overflow(), Overflow::DropOldest);
        assert_eq!(settings.sample_probability(), 0.5);
        assert_eq!(settings.precision(), Precision::Seconds);
        assert_eq!(settings.string_newlines(), StringNewlines::Raw);
        assert!(settings.unsigned() && settings.create_database() && !settings.tag_hostname());
        assert_eq!(settings.consistency(), Some(Consistency::All));
        assert!(settings.no_sync());
        assert_eq!(settings.environment(), Some("production"));
        let tags = [("environment", "production"), ("region", "eu-1")];
        assert_eq!(
            settings.base_tags(),
            tags.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
        assert!(!format!("{settings:?}").contains("hunter2"));
        let none = Config::default();
        let none = none.settings();
        assert_eq!(
            (none.user(), none.max_age(), none.warn_threshold()),
            (None, None, 300_000)
        );
        assert!(!none.has_password() && !none.has_token());
    }
}
