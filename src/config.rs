//! Every setting of the library, with its default.

mod api;
mod api_path;
mod builder;
mod consistency;
mod credentials;
mod distance;
mod env;
mod files;
mod headers;
mod lookalikes;
mod mask;
mod origin;
mod overflow;
mod parts;
mod proxy;
mod secret;
mod settings;
pub(crate) mod shown;
mod string_newlines;
mod summary;
mod urls;
mod validate;
mod variables;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

pub use self::api::Api;
pub use self::consistency::Consistency;
pub(crate) use self::credentials::Credentials;
pub(crate) use self::files::Files;
use self::headers::Headers;
use self::origin::Origin;
pub use self::overflow::Overflow;
pub(crate) use self::proxy::Proxy;
pub(crate) use self::secret::Secret;
pub use self::settings::Settings;
pub use self::string_newlines::StringNewlines;
pub(crate) use self::urls::BaseUrls;
use crate::error::ConfigError;
use crate::point::database::Database;
use crate::point::precision::Precision;

/// The configuration of a pipeline: servers, limits, and how measurements are sent.
///
/// Start with a constructor for the server's API, or with [`from_env`](Self::from_env), and set what
/// should differ:
///
/// ```
/// use std::time::Duration;
/// use actix_influxdb::Config;
///
/// let config = Config::v1("http://localhost:8086")
///     .user("writer")
///     .password("correct horse")
///     .interval(Duration::from_secs(5))
///     .base_tag("region", "eu-1");
/// config.validate()?;
/// # Ok::<(), actix_influxdb::ConfigError>(())
/// ```
///
/// A configuration is checked by [`validate`](Self::validate), which [`Influx::start`](crate::Influx::start)
/// and [`Influx::update`](crate::Influx::update) call. [`settings`](Self::settings) reads it. `Debug` shows no password and no token, also where one was set as the user, the
/// organisation, the environment or a base tag by mistake.
#[derive(Clone, derive_more::Debug, PartialEq)]
#[must_use = "each method returns the changed configuration"]
pub struct Config {
    pub(crate) url: BaseUrls,
    #[debug("{:?}", user.as_deref().map(shown::name))]
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    #[debug("{:?}", password_file.as_deref().map(shown::file))]
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) token: Option<Secret>,
    #[debug("{:?}", token_file.as_deref().map(shown::file))]
    pub(crate) token_file: Option<PathBuf>,
    #[debug("{:?}", org.as_deref().map(shown::name))]
    pub(crate) org: Option<String>,
    pub(crate) api: Api,
    #[debug("{:?}", tls_ca.as_deref().map(shown::file))]
    pub(crate) tls_ca: Option<PathBuf>,
    #[debug("{:?}", tls_cert.as_deref().map(shown::file))]
    pub(crate) tls_cert: Option<PathBuf>,
    #[debug("{:?}", tls_key.as_deref().map(shown::file))]
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) danger_accept_invalid_certs: bool,
    /// The URL as given; [`Config::resolved_proxy`] parses it.
    pub(crate) proxy: Option<Secret>,
    pub(crate) headers: Headers,
    pub(crate) gzip: bool,
    pub(crate) enabled: bool,
    pub(crate) interval: Duration,
    pub(crate) flush_jitter: Duration,
    pub(crate) trigger_size: usize,
    pub(crate) max_batch_size: usize,
    pub(crate) max_batch_bytes: usize,
    pub(crate) max_buffer_size: usize,
    pub(crate) max_buffer_bytes: usize,
    /// `None`: 60 % of `max_buffer_size`, see [`Config::warn_at`].
    pub(crate) warn_threshold: Option<usize>,
    pub(crate) max_clients: usize,
    pub(crate) overflow: Overflow,
    /// 0: unlimited.
    pub(crate) max_tag_values: usize,
    pub(crate) sample_probability: f64,
    pub(crate) precision: Precision,
    pub(crate) unsigned: bool,
    pub(crate) string_newlines: StringNewlines,
    pub(crate) request_timeout: Duration,
    pub(crate) max_retry_delay: Duration,
    /// Pending measurements that are older are dropped as expired.
    pub(crate) max_age: Option<Duration>,
    #[debug("{:?}", spool_dir.as_deref().map(shown::folder))]
    pub(crate) spool_dir: Option<PathBuf>,
    pub(crate) spool_max_bytes: usize,
    pub(crate) write_ahead: bool,
    pub(crate) seal_interval: Duration,
    pub(crate) create_database: bool,
    /// Database of the pipeline's own statistics.
    #[debug("{:?}", self_measurement.as_ref().map(|it| shown::name(&it.to_string()).to_owned()))]
    pub(crate) self_measurement: Option<Database>,
    pub(crate) self_measurement_interval: Duration,
    /// API v1 only.
    pub(crate) consistency: Option<Consistency>,
    /// API v3 only.
    pub(crate) no_sync: bool,
    pub(crate) tag_hostname: bool,
    #[debug("{:?}", environment.as_deref().map(shown::name))]
    pub(crate) environment: Option<String>,
    /// The program's own; [`Config::resolved_base_tags`] returns all of them.
    #[debug("{:?}", base_tags.iter().map(|(key, tag)| (key, shown::name(tag))).collect::<Vec<_>>())]
    pub(crate) base_tags: BTreeMap<String, String>,
    /// Where each setting was set.
    #[debug(skip)]
    pub(crate) origin: Origin,
}

impl Config {
    /// Default of [`url`](Self::url).
    pub const DEFAULT_URL: &str = "http://localhost:8086";
    /// Default of [`interval`](Self::interval): 10 s.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
    /// Default of [`trigger_size`](Self::trigger_size), in measurements.
    pub const DEFAULT_TRIGGER_SIZE: usize = 5_000;
    /// Default of [`max_batch_size`](Self::max_batch_size), in measurements.
    pub const DEFAULT_MAX_BATCH_SIZE: usize = 10_000;
    /// Default of [`max_batch_bytes`](Self::max_batch_bytes): 4 MiB.
    pub const DEFAULT_MAX_BATCH_BYTES: usize = 4 << 20;
    /// Default of [`max_buffer_size`](Self::max_buffer_size), in measurements.
    pub const DEFAULT_MAX_BUFFER_SIZE: usize = 500_000;
    /// Default of [`max_buffer_bytes`](Self::max_buffer_bytes): 128 MiB.
    pub const DEFAULT_MAX_BUFFER_BYTES: usize = 128 << 20;
    /// Default of [`max_clients`](Self::max_clients), in concurrent requests.
    pub const DEFAULT_MAX_CLIENTS: usize = 10;
    /// Default of [`max_tag_values`](Self::max_tag_values), in distinct values of a tag.
    pub const DEFAULT_MAX_TAG_VALUES: usize = 10_000;
    /// Default of [`sample_probability`](Self::sample_probability): every batch is sent.
    pub const DEFAULT_SAMPLE_PROBABILITY: f64 = 1.0;
    /// Default of [`request_timeout`](Self::request_timeout): 10 s.
    pub const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
    /// Default of [`max_retry_delay`](Self::max_retry_delay): 60 s.
    pub const DEFAULT_MAX_RETRY_DELAY: Duration = Duration::from_secs(60);
    /// Default of [`spool_max_bytes`](Self::spool_max_bytes): 1 GiB.
    pub const DEFAULT_SPOOL_MAX_BYTES: usize = 1 << 30;
    /// Default of [`seal_interval`](Self::seal_interval): 1 s.
    pub const DEFAULT_SEAL_INTERVAL: Duration = Duration::from_secs(1);
    /// Default of `INFLUXDB_SELF_MEASUREMENT_INTERVAL` (see [`self_measurement`](Self::self_measurement)):
    /// 10 s.
    pub const DEFAULT_SELF_MEASUREMENT_INTERVAL: Duration = Duration::from_secs(10);

    /// Creates a configuration for InfluxDB 1.x, or a server with its API, at one or more base URLs
    /// (see [`url`](Self::url)).
    pub fn v1(url: impl Into<String>) -> Self {
        Self::default().url(url)
    }

    /// Creates a configuration for InfluxDB 2.x at one or more base URLs (see [`url`](Self::url)),
    /// with a token that may write to the organisation's buckets.
    pub fn v2(url: impl Into<String>, org: impl Into<String>, token: impl Into<String>) -> Self {
        Self::default().api(Api::V2).url(url).org(org).token(token)
    }

    /// Creates a configuration for InfluxDB 3 at one or more base URLs (see [`url`](Self::url)),
    /// with a token that may write.
    pub fn v3(url: impl Into<String>, token: impl Into<String>) -> Self {
        Self::default().api(Api::V3).url(url).token(token)
    }

    /// The base URLs, at least one, each without a trailing slash.
    pub(crate) fn urls(&self) -> Result<Vec<String>, ConfigError> {
        self.url.parse()
    }

    /// The unit that timestamps are written in.
    ///
    /// With API v1, microseconds are written as nanoseconds: InfluxDB 2 reads the precision `u` as
    /// nanoseconds, 1.6 reads `us` so, and 1.8 refuses `us`.
    pub(crate) fn unit(&self) -> Precision {
        match (self.api, self.precision) {
            (Api::V1, Precision::Microseconds) => Precision::Nanoseconds,
            (_, precision) => precision,
        }
    }

    /// Number of pending measurements that causes a warning: the threshold that was set, or 60 % of
    /// the buffer.
    pub(crate) fn warn_at(&self) -> usize {
        self.warn_threshold.unwrap_or_else(|| {
            let size = self.max_buffer_size;
            // Two terms, so that the product can't overflow.
            (size / 5 * 3 + size % 5 * 3 / 5).max(1)
        })
    }

    /// The tags of every measurement, sorted by key: the host name, the environment, and the
    /// program's own, which take precedence. None has an empty value.
    pub(crate) fn resolved_base_tags(&self) -> Vec<(String, String)> {
        let mut tags = BTreeMap::new();
        if self.tag_hostname {
            let hostname = gethostname::gethostname().to_string_lossy().into_owned();
            tags.insert("hostname".to_owned(), hostname);
        }
        if let Some(environment) = &self.environment {
            tags.insert("environment".to_owned(), environment.clone());
        }
        tags.extend(self.base_tags.clone());
        tags.retain(|_, value| !value.is_empty());
        tags.into_iter().collect()
    }
}

/// InfluxDB 1.x at `http://localhost:8086`, without credentials.
impl Default for Config {
    fn default() -> Self {
        Self {
            url: BaseUrls::new(Self::DEFAULT_URL),
            user: None,
            password: None,
            password_file: None,
            token: None,
            token_file: None,
            org: None,
            api: Api::V1,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            danger_accept_invalid_certs: false,
            proxy: None,
            headers: Headers::default(),
            gzip: false,
            enabled: true,
            interval: Self::DEFAULT_INTERVAL,
            flush_jitter: Duration::ZERO,
            trigger_size: Self::DEFAULT_TRIGGER_SIZE,
            max_batch_size: Self::DEFAULT_MAX_BATCH_SIZE,
            max_batch_bytes: Self::DEFAULT_MAX_BATCH_BYTES,
            max_buffer_size: Self::DEFAULT_MAX_BUFFER_SIZE,
            max_buffer_bytes: Self::DEFAULT_MAX_BUFFER_BYTES,
            warn_threshold: None,
            max_clients: Self::DEFAULT_MAX_CLIENTS,
            overflow: Overflow::DropNewest,
            max_tag_values: Self::DEFAULT_MAX_TAG_VALUES,
            sample_probability: Self::DEFAULT_SAMPLE_PROBABILITY,
            precision: Precision::Nanoseconds,
            unsigned: false,
            string_newlines: StringNewlines::Escape,
            request_timeout: Self::DEFAULT_REQUEST_TIMEOUT,
            max_retry_delay: Self::DEFAULT_MAX_RETRY_DELAY,
            max_age: None,
            spool_dir: None,
            spool_max_bytes: Self::DEFAULT_SPOOL_MAX_BYTES,
            write_ahead: false,
            seal_interval: Self::DEFAULT_SEAL_INTERVAL,
            create_database: false,
            self_measurement: None,
            self_measurement_interval: Self::DEFAULT_SELF_MEASUREMENT_INTERVAL,
            consistency: None,
            no_sync: false,
            tag_hostname: true,
            environment: None,
            base_tags: BTreeMap::new(),
            origin: Origin::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(config: &Config) -> Vec<(String, String)> {
        config.resolved_base_tags()
    }

    fn pairs(tags: &[(&str, &str)]) -> Vec<(String, String)> {
        tags.iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn the_constructors_choose_the_api_and_keep_their_arguments() {
        assert_eq!(Config::v1(Config::DEFAULT_URL), Config::default());
        assert_eq!(Config::default().api, Api::V1);

        let v2 = Config::v2("http://two", "acme", "t2");
        assert_eq!((v2.api, v2.org.as_deref()), (Api::V2, Some("acme")));
        assert_eq!(v2.token, Some(Secret::new("t2")));
        assert_eq!(v2.urls(), Ok(vec!["http://two".to_owned()]));

        let v3 = Config::v3("http://three", "t3");
        assert_eq!((v3.api, v3.org), (Api::V3, None));
        assert_eq!(v3.token, Some(Secret::new("t3")));

        for config in [
            Config::default(),
            v2,
            Config::v3("http://h", "t"),
            Config::v1("http://a,http://b").token("t"),
        ] {
            assert_eq!(config.validate(), Ok(()));
        }
    }

    #[test]
    fn debug_shows_every_setting_but_no_secret() {
        let config = Config::v2("http://admin:hunter2@h", "acme", "hunter2")
            .user("admin")
            .password("hunter2");
        for debug in [format!("{config:?}"), format!("{config:#?}")] {
            assert!(!debug.contains("hunter2"), "{debug}");
            assert!(debug.contains("[redacted]"), "{debug}");
            assert!(debug.contains("acme"), "{debug}");
        }
        let token = "apiv3_hunter2hunter2hunter2hunter2";
        let misplaced = Config::v2("http://h", token, token)
            .user(token)
            .environment(token)
            .base_tag("token", token);
        let debug = format!("{misplaced:?}");
        assert!(!debug.contains("hunter2"), "{debug}");
    }

    #[test]
    fn the_warning_comes_at_60_percent_unless_a_threshold_is_set() {
        let at = |size| Config::default().max_buffer_size(size).warn_at();
        assert_eq!(Config::default().warn_at(), 300_000);
        assert_eq!(at(1), 1);
        assert_eq!(at(9), 5);
        assert!(at(usize::MAX) > usize::MAX / 2);
        assert_eq!(Config::default().warn_threshold(7).warn_at(), 7);
    }

    #[test]
    fn base_tags_are_the_hostname_the_environment_and_the_programs_sorted_by_key() {
        let hostname = gethostname::gethostname().to_string_lossy().into_owned();
        let config = Config::default()
            .environment("production")
            .base_tag("region", "eu-1")
            .base_tags([("az", "b")]);
        assert_eq!(
            tags(&config),
            pairs(&[
                ("az", "b"),
                ("environment", "production"),
                ("hostname", &hostname),
                ("region", "eu-1"),
            ])
        );
        assert_eq!(tags(&Config::default().tag_hostname(false)), []);
    }

    #[test]
    fn the_programs_base_tags_win_and_an_empty_value_leaves_a_tag_out() {
        let config = Config::default()
            .environment("production")
            .base_tag("hostname", "web-1")
            .base_tag("environment", "")
            .base_tag("region", "eu-1")
            .base_tag("region", "eu-2");
        assert_eq!(
            tags(&config),
            pairs(&[("hostname", "web-1"), ("region", "eu-2")])
        );
    }
}
