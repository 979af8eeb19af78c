use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::{Consistency, Overflow, StringNewlines};
use crate::point::precision::Precision;

/// All but those that the version doesn't support.
const VARIABLES: [&str; 47] = [
    "INFLUXDB_URL",
    "INFLUXDB_SCHEME",
    "INFLUXDB_HOST",
    "INFLUXDB_PORT",
    "INFLUXDB_USER",
    "INFLUXDB_PASSWORD",
    "INFLUXDB_TOKEN",
    "INFLUXDB_ORG",
    "INFLUXDB_API",
    "INFLUXDB_ENABLED",
    "INFLUXDB_INTERVAL",
    "INFLUXDB_TRIGGER_SIZE",
    "INFLUXDB_MAX_BATCH_SIZE",
    "INFLUXDB_MAX_BATCH_BYTES",
    "INFLUXDB_MAX_BUFFER_SIZE",
    "INFLUXDB_MAX_BUFFER_BYTES",
    "INFLUXDB_WARN_THRESHOLD",
    "INFLUXDB_MAX_CLIENTS",
    "INFLUXDB_OVERFLOW",
    "INFLUXDB_MAX_TAG_VALUES",
    "INFLUXDB_SAMPLE_PROBABILITY",
    "INFLUXDB_PRECISION",
    "INFLUXDB_UNSIGNED",
    "INFLUXDB_STRING_NEWLINES",
    "INFLUXDB_REQUEST_TIMEOUT",
    "INFLUXDB_MAX_RETRY_DELAY",
    "INFLUXDB_MAX_AGE",
    "INFLUXDB_CREATE_DATABASE",
    "INFLUXDB_SELF_MEASUREMENT",
    "INFLUXDB_SELF_MEASUREMENT_INTERVAL",
    "INFLUXDB_CONSISTENCY",
    "INFLUXDB_NO_SYNC",
    "INFLUXDB_TAG_HOSTNAME",
    "ENVIRONMENT",
    "INFLUXDB_GZIP",
    "INFLUXDB_PASSWORD_FILE",
    "INFLUXDB_TOKEN_FILE",
    "INFLUXDB_TLS_CA",
    "INFLUXDB_TLS_CERT",
    "INFLUXDB_TLS_KEY",
    "INFLUXDB_PROXY",
    "INFLUXDB_HEADERS",
    "INFLUXDB_FLUSH_JITTER",
    "INFLUXDB_SPOOL_DIR",
    "INFLUXDB_SPOOL_MAX_BYTES",
    "INFLUXDB_WRITE_AHEAD",
    "INFLUXDB_SEAL_INTERVAL",
];

fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_lookup(|wanted| {
        let (_, value) = variables.iter().find(|(variable, _)| *variable == wanted)?;
        Some((*value).to_owned())
    })
}

fn error(variable: &str, value: &str) -> String {
    read(&[(variable, value)]).expect_err(variable).to_string()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn absent_and_empty_variables_are_the_defaults() {
    assert_eq!(read(&[]), Ok(Config::default()));
    for variable in VARIABLES {
        assert_eq!(read(&[(variable, "")]), Ok(Config::default()), "{variable}");
    }
}

#[test]
fn every_variable_sets_what_the_builder_method_of_its_name_sets() {
    let v1 = Config::default;
    let table = [
        (
            "INFLUXDB_URL",
            "http://a,http://b/x",
            v1().url("http://a,http://b/x"),
        ),
        ("INFLUXDB_HOST", "db", v1().url("http://db:8086")),
        ("INFLUXDB_PORT", "80", v1().url("http://localhost:80")),
        ("INFLUXDB_SCHEME", "HTTP", v1()),
        ("INFLUXDB_USER", "writer", v1().user("writer")),
        ("INFLUXDB_PASSWORD", " p w ", v1().password(" p w ")),
        (
            "INFLUXDB_TOKEN",
            "t",
            Config::v3("http://localhost:8181", "t"),
        ),
        ("INFLUXDB_ORG", "acme", v1().org("acme")),
        ("INFLUXDB_API", "v1", v1()),
        ("INFLUXDB_API", "V2", v1().api(Api::V2)),
        (
            "INFLUXDB_API",
            "3",
            v1().api(Api::V3).url("http://localhost:8181"),
        ),
        ("INFLUXDB_ENABLED", "false", v1().enabled(false)),
        ("INFLUXDB_ENABLED", "No", v1().enabled(false)),
        ("INFLUXDB_ENABLED", "OFF", v1().enabled(false)),
        ("INFLUXDB_ENABLED", "0", v1().enabled(false)),
        ("INFLUXDB_INTERVAL", "60000", v1().interval(ms(60_000))),
        ("INFLUXDB_TRIGGER_SIZE", " 7 ", v1().trigger_size(7)),
        ("INFLUXDB_MAX_BATCH_SIZE", "8", v1().max_batch_size(8)),
        (
            "INFLUXDB_MAX_BATCH_BYTES",
            "1048576",
            v1().max_batch_bytes(1 << 20),
        ),
        (
            "INFLUXDB_MAX_BATCH_BYTES",
            "1 MiB",
            v1().max_batch_bytes(1 << 20),
        ),
        ("INFLUXDB_MAX_BUFFER_SIZE", "9", v1().max_buffer_size(9)),
        (
            "INFLUXDB_MAX_BUFFER_BYTES",
            "512kib",
            v1().max_buffer_bytes(512 << 10),
        ),
        ("INFLUXDB_WARN_THRESHOLD", "10", v1().warn_threshold(10)),
        ("INFLUXDB_MAX_CLIENTS", "11", v1().max_clients(11)),
        ("INFLUXDB_OVERFLOW", "drop_newest", v1()),
        (
            "INFLUXDB_OVERFLOW",
            "drop_oldest",
            v1().overflow(Overflow::DropOldest),
        ),
        ("INFLUXDB_OVERFLOW", "Spool", v1().overflow(Overflow::Spool)),
        ("INFLUXDB_SPOOL_DIR", "/spool", v1().spool_dir("/spool")),
        (
            "INFLUXDB_SPOOL_MAX_BYTES",
            "2 GiB",
            v1().spool_max_bytes(2 << 30),
        ),
        ("INFLUXDB_WRITE_AHEAD", "yes", v1().write_ahead(true)),
        ("INFLUXDB_SEAL_INTERVAL", "50", v1().seal_interval(ms(50))),
        ("INFLUXDB_MAX_TAG_VALUES", "12", v1().max_tag_values(12)),
        ("INFLUXDB_MAX_TAG_VALUES", "0", v1().max_tag_values(0)),
        (
            "INFLUXDB_SAMPLE_PROBABILITY",
            "0.25",
            v1().sample_probability(0.25),
        ),
        (
            "INFLUXDB_PRECISION",
            "ms",
            v1().precision(Precision::Milliseconds),
        ),
        ("INFLUXDB_UNSIGNED", "true", v1().unsigned(true)),
        ("INFLUXDB_STRING_NEWLINES", "Escape", v1()),
        (
            "INFLUXDB_STRING_NEWLINES",
            "raw",
            v1().string_newlines(StringNewlines::Raw),
        ),
        (
            "INFLUXDB_REQUEST_TIMEOUT",
            "12",
            v1().request_timeout(ms(12)),
        ),
        (
            "INFLUXDB_MAX_RETRY_DELAY",
            "13",
            v1().max_retry_delay(ms(13)),
        ),
        ("INFLUXDB_MAX_AGE", "14", v1().max_age(ms(14))),
        (
            "INFLUXDB_CREATE_DATABASE",
            "YES",
            v1().create_database(true),
        ),
        ("INFLUXDB_CREATE_DATABASE", "on", v1().create_database(true)),
        ("INFLUXDB_CREATE_DATABASE", "1", v1().create_database(true)),
        (
            "INFLUXDB_SELF_MEASUREMENT",
            "own",
            v1().self_measurement("own", Config::DEFAULT_SELF_MEASUREMENT_INTERVAL),
        ),
        (
            "INFLUXDB_SELF_MEASUREMENT_INTERVAL",
            "15",
            v1().self_measurement("", ms(15)),
        ),
        (
            "INFLUXDB_CONSISTENCY",
            "quorum",
            v1().consistency(Consistency::Quorum),
        ),
        ("INFLUXDB_NO_SYNC", "on", v1().no_sync(true)),
        ("INFLUXDB_TAG_HOSTNAME", "false", v1().tag_hostname(false)),
        ("ENVIRONMENT", "production", v1().environment("production")),
        ("INFLUXDB_GZIP", "false", v1()),
        #[cfg(feature = "gzip")]
        ("INFLUXDB_GZIP", "true", v1().gzip(true)),
        ("INFLUXDB_PASSWORD_FILE", "/p", v1().password_file("/p")),
        (
            "INFLUXDB_TOKEN_FILE",
            "/t",
            v1().api(Api::V3)
                .url("http://localhost:8181")
                .token_file("/t"),
        ),
        #[cfg(feature = "rustls")]
        ("INFLUXDB_TLS_CA", "/ca.pem", v1().tls_ca("/ca.pem")),
        #[cfg(feature = "rustls")]
        ("INFLUXDB_TLS_CERT", "/c.pem", v1().tls_cert("/c.pem")),
        #[cfg(feature = "rustls")]
        ("INFLUXDB_TLS_KEY", "/k.pem", v1().tls_key("/k.pem")),
        ("INFLUXDB_PROXY", "http://p:1", v1().proxy("http://p:1")),
        (
            "INFLUXDB_HEADERS",
            "X-A=1,X-B=a%2Cb",
            v1().header("X-A", "1").header("x-b", "a,b"),
        ),
        ("INFLUXDB_FLUSH_JITTER", "15", v1().flush_jitter(ms(15))),
    ];
    for (variable, value, expected) in &table {
        assert_eq!(
            read(&[(variable, value)]).as_ref(),
            Ok(expected),
            "{variable}={value}"
        );
    }
    for variable in VARIABLES {
        let is_built = cfg!(feature = "rustls") || !variable.contains("_TLS_");
        assert!(
            !is_built || table.iter().any(|row| row.0 == variable),
            "{variable} is not in the table"
        );
    }
}

#[test]
fn a_malformed_variable_is_named_with_its_value_and_what_is_allowed() {
    let switch = "true or false";
    let count = "a whole number";
    let bytes = "whole bytes, or a whole number of KiB, MiB or GiB, like 4 MiB";
    let ms = "whole milliseconds, like 10000";
    for (variable, value, allowed) in [
        ("INFLUXDB_API", "v4", "one of v1, v2, v3"),
        ("INFLUXDB_ENABLED", "ture", switch),
        ("INFLUXDB_INTERVAL", "10s", ms),
        ("INFLUXDB_INTERVAL", "1.5", ms),
        ("INFLUXDB_TRIGGER_SIZE", "10k", count),
        ("INFLUXDB_TRIGGER_SIZE", " ", count),
        ("INFLUXDB_MAX_BATCH_SIZE", "-1", count),
        ("INFLUXDB_MAX_BATCH_BYTES", "4 MB", bytes),
        ("INFLUXDB_MAX_BUFFER_SIZE", "1e6", count),
        ("INFLUXDB_MAX_BUFFER_BYTES", "1.5 MiB", bytes),
        ("INFLUXDB_WARN_THRESHOLD", "60%", count),
        ("INFLUXDB_MAX_CLIENTS", "99999999999999999999", count),
        (
            "INFLUXDB_OVERFLOW",
            "drop-newest",
            "one of drop_newest, drop_oldest, spool",
        ),
        ("INFLUXDB_SPOOL_MAX_BYTES", "1 GB", bytes),
        ("INFLUXDB_WRITE_AHEAD", "y", switch),
        ("INFLUXDB_SEAL_INTERVAL", "1s", ms),
        ("INFLUXDB_MAX_TAG_VALUES", "-1", count),
        ("INFLUXDB_MAX_TAG_VALUES", "inf", count),
        ("INFLUXDB_SAMPLE_PROBABILITY", "50%", "a number"),
        ("INFLUXDB_PRECISION", "min", "one of ns, us, ms, s"),
        ("INFLUXDB_UNSIGNED", "2", switch),
        ("INFLUXDB_STRING_NEWLINES", "yes", "one of escape, raw"),
        ("INFLUXDB_REQUEST_TIMEOUT", "-1", ms),
        ("INFLUXDB_MAX_RETRY_DELAY", "\n1 0", ms),
        ("INFLUXDB_MAX_AGE", "1h", ms),
        ("INFLUXDB_CREATE_DATABASE", "y", switch),
        (
            "INFLUXDB_CONSISTENCY",
            "quorun",
            "one of any, one, quorum, all",
        ),
        ("INFLUXDB_NO_SYNC", "nope", switch),
        ("INFLUXDB_TAG_HOSTNAME", "tru", switch),
    ] {
        let expected = format!("{variable} is {value:?}: {allowed}");
        assert_eq!(error(variable, value), expected);
    }
}

#[test]
fn a_variable_out_of_its_range_is_an_error_that_names_the_variable() {
    for (variable, value, expected) in [
        (
            "INFLUXDB_INTERVAL",
            "0",
            "INFLUXDB_INTERVAL is 0ns: from 1 ms to 1 day",
        ),
        (
            "INFLUXDB_MAX_CLIENTS",
            "0",
            "INFLUXDB_MAX_CLIENTS is 0: from 1 to 1000 requests",
        ),
        (
            "INFLUXDB_SAMPLE_PROBABILITY",
            "NaN",
            "INFLUXDB_SAMPLE_PROBABILITY is NaN: from 0 to 1",
        ),
        (
            "INFLUXDB_TOKEN",
            "hunter2\n",
            "INFLUXDB_TOKEN is [redacted]: \
             a text without control characters, and without blanks at its ends",
        ),
        (
            "INFLUXDB_URL",
            "localhost:8086",
            "INFLUXDB_URL is \"localhost:8086\": \
             base URLs like http://localhost:8086, separated by commas",
        ),
        (
            "INFLUXDB_URL",
            "http://db:8086/api/v2/write",
            "INFLUXDB_URL is \"http://db:8086/api/v2/write\": the server's base URL, \
             \"http://db:8086\": the library itself adds the path of the API, and the database is each \
             measurement's",
        ),
        (
            "INFLUXDB_ORG",
            "acme\n",
            "INFLUXDB_ORG is [redacted]: a name without control characters",
        ),
    ] {
        assert_eq!(error(variable, value), expected);
    }
}

#[test]
fn what_is_wrong_together_is_named_as_it_was_set() {
    let error = |variables: &[_], change: fn(Config) -> Config| {
        let config = change(read(variables).expect("each by itself is fine"));
        config.validate().expect_err("refused").to_string()
    };
    let unchanged = |config| config;
    let v2 = [("INFLUXDB_API", "v2"), ("INFLUXDB_TOKEN", "t")];
    assert_eq!(
        error(&v2, unchanged),
        "INFLUXDB_ORG is missing: API v2 needs INFLUXDB_ORG and INFLUXDB_TOKEN"
    );
    assert_eq!(
        error(&v2, |config| config.org("")),
        "org is missing: API v2 needs org and INFLUXDB_TOKEN"
    );
    assert_eq!(
        error(&[("INFLUXDB_PASSWORD", "p")], unchanged),
        "INFLUXDB_PASSWORD is [redacted]: only together with INFLUXDB_USER"
    );
    assert_eq!(
        error(&[("INFLUXDB_USER", "u"), ("INFLUXDB_API", "v3")], unchanged),
        "INFLUXDB_USER is [redacted]: only with API v1 and without INFLUXDB_TOKEN: \
         a request has one set of credentials"
    );
    assert_eq!(
        error(&[("INFLUXDB_WARN_THRESHOLD", "9")], |config| {
            config.max_buffer_size(8)
        }),
        "INFLUXDB_WARN_THRESHOLD is 9: at most max_buffer_size, 8"
    );
    assert_eq!(
        error(
            &[("INFLUXDB_CREATE_DATABASE", "1"), ("INFLUXDB_API", "v3")],
            unchanged
        ),
        "INFLUXDB_CREATE_DATABASE is true: only with API v1, and INFLUXDB_API is v3"
    );
    assert_eq!(
        error(&[("INFLUXDB_MAX_CLIENTS", "3")], |config| {
            config.max_clients(0)
        }),
        "max_clients is 0: from 1 to 1000 requests"
    );
    let interval = "INFLUXDB_SELF_MEASUREMENT_INTERVAL";
    let range = "an interval from 1 ms to 1 day";
    let refused = read(&[(interval, "0")]).unwrap_err().to_string();
    assert_eq!(refused, format!("{interval} is 0ns: {range}"));
    assert_eq!(
        error(&[(interval, "3")], |config| {
            config.self_measurement("own", Duration::ZERO)
        }),
        format!("self_measurement is 0ns: {range}")
    );
}

#[test]
fn every_variable_that_is_looked_at_is_known_to_the_search_for_slips() {
    let seen = std::cell::RefCell::new(std::collections::BTreeSet::new());
    let _ = Config::from_lookup(|variable| {
        seen.borrow_mut().insert(variable.to_owned());
        None
    })
    .unwrap();
    let known = super::super::lookalikes::SETTINGS;
    let mut known: Vec<_> = known.map(|name| format!("INFLUXDB_{name}")).into();
    known.push("ENVIRONMENT".to_owned());
    known.sort();
    assert_eq!(seen.into_inner().into_iter().collect::<Vec<_>>(), known);
}

#[test]
fn each_slip_in_a_name_is_one_warning_that_names_both() {
    let mut config = Config::default();
    let variables = |count: usize| {
        let names = [
            "INFLUXDB_URI",
            "INFLUXDB_DB",
            "INFLUXDB_TOKENS",
            "INFLUXDB_URLS",
        ];
        let values = ["hunter2", "x", "hunter2", ""];
        let pairs = names.into_iter().zip(values);
        pairs
            .map(|(name, value)| (OsString::from(name), OsString::from(value)))
            .take(count)
    };
    config.warn_of_lookalikes(variables(4));
    assert_eq!(
        config.origin.warnings(),
        [
            "INFLUXDB_URI is set, but not read: is it INFLUXDB_URL?",
            "INFLUXDB_TOKENS is set, but not read: is it INFLUXDB_TOKEN?",
        ]
    );
    let many = (0..12).flat_map(|_| variables(1));
    let mut config = Config::default();
    config.warn_of_lookalikes(many);
    assert_eq!(config.origin.warnings().len(), 11);
    assert_eq!(
        config.origin.warnings()[10],
        "2 more variables are set that resemble settings"
    );
}

#[test]
fn the_url_wins_over_its_parts_which_may_then_be_anything() {
    // As in a Kubernetes namespace with a Service named `influxdb`.
    let kubernetes = ("INFLUXDB_PORT", "tcp://10.0.0.1:8086");
    let config = read(&[("INFLUXDB_URL", "http://db"), kubernetes]);
    assert_eq!(config, Ok(Config::v1("http://db")));
    assert!(config.unwrap().origin.warnings().is_empty());
    // Without a URL it is passed over too, but not in silence.
    let config = read(&[kubernetes]).expect("no reason not to start");
    assert_eq!(config, Config::default());
    assert_eq!(config.origin.warnings().len(), 1);
}

#[test]
fn a_token_and_an_organisation_choose_the_api_unless_it_is_set() {
    let token = ("INFLUXDB_TOKEN", "t");
    let org = ("INFLUXDB_ORG", "acme");
    let api = |variables: &[_]| read(variables).map(|config| config.api);
    assert_eq!(api(&[]), Ok(Api::V1));
    assert_eq!(api(&[org]), Ok(Api::V1));
    assert_eq!(api(&[token]), Ok(Api::V3));
    assert_eq!(api(&[token, org]), Ok(Api::V2));
    assert_eq!(api(&[token, org, ("INFLUXDB_API", "v1")]), Ok(Api::V1));
}

#[test]
fn what_depends_on_another_setting_can_still_be_mended_by_the_program() {
    let config = read(&[
        ("INFLUXDB_PASSWORD", "p"),
        ("INFLUXDB_WARN_THRESHOLD", "600000"),
    ]);
    let config = config.expect("each by itself is fine");
    assert!(config.validate().is_err());
    let config = config.user("writer").max_buffer_size(700_000);
    assert_eq!(config.validate(), Ok(()));
}

#[test]
fn what_this_version_does_not_support_is_an_error_when_it_is_switched_on() {
    #[cfg(not(feature = "gzip"))]
    assert_eq!(
        error("INFLUXDB_GZIP", "true"),
        "INFLUXDB_GZIP is set: only with the feature `gzip` of actix-influxdb, which this program was built without"
    );
    #[cfg(not(feature = "rustls"))]
    assert_eq!(
        error("INFLUXDB_TLS_CA", "/ca.pem"),
        "INFLUXDB_TLS_CA is set: only with the feature `rustls` of actix-influxdb, which this program was built without"
    );
}

#[test]
fn the_spool_is_read_and_what_needs_a_folder_says_so() {
    let config = read(&[
        ("INFLUXDB_SPOOL_DIR", "/var/spool/shop"),
        ("INFLUXDB_SPOOL_MAX_BYTES", "5 GiB"),
        ("INFLUXDB_OVERFLOW", "spool"),
        ("INFLUXDB_WRITE_AHEAD", "yes"),
        ("INFLUXDB_SEAL_INTERVAL", "250"),
    ]);
    let expected = Config::default()
        .spool_dir("/var/spool/shop")
        .spool_max_bytes(5 << 30)
        .overflow(Overflow::Spool)
        .write_ahead(true)
        .seal_interval(Duration::from_millis(250));
    assert_eq!(config, Ok(expected));
    let why = |variables: &[(&str, &str)]| {
        let config = read(variables).expect("each by itself is fine");
        config.validate().unwrap_err().to_string()
    };
    for (variables, error) in [
        (
            &[("INFLUXDB_OVERFLOW", "spool")][..],
            r#"INFLUXDB_OVERFLOW is "spool": only with a INFLUXDB_SPOOL_DIR, the folder for the files"#,
        ),
        (
            &[("INFLUXDB_WRITE_AHEAD", "true")],
            "INFLUXDB_WRITE_AHEAD is true: only with a INFLUXDB_SPOOL_DIR, the folder for the files",
        ),
        (
            &[
                ("INFLUXDB_SPOOL_DIR", "x"),
                ("INFLUXDB_SPOOL_MAX_BYTES", "1 MiB"),
            ],
            "INFLUXDB_SPOOL_MAX_BYTES is 1048576: at least INFLUXDB_MAX_BATCH_BYTES, 4194304",
        ),
    ] {
        assert_eq!(why(variables), error);
    }
    assert_eq!(read(&[("INFLUXDB_SPOOL_DIR", "")]), Ok(Config::default()));
}

#[test]
fn a_masked_secret_is_an_error_rather_than_a_password() {
    for variable in ["INFLUXDB_PASSWORD", "INFLUXDB_TOKEN"] {
        assert_eq!(
            error(variable, "[redacted]"),
            format!(
                "{variable} is [redacted]: a value that \
                 Config::mask_env_secrets() has not overwritten yet"
            )
        );
    }
}

const SECRETS: [&str; 8] = [
    "hunter2",
    "sesame",
    "s3cr3t-T0ken==",
    "correct horse",
    "päss,wörd",
    "apiv3_Zk9-abcdefghijklmnopqrstuvwxyz0123456789",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
    "qX3v7yZ0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3aB4cD5eF6gH7iJ8kL9mN0oP1qR2sT3uV4wX5yZ6A==",
];

/// How a secret gets into a value.
const FORMS: [&str; 28] = [
    "http://h/;p=SECRET/write",
    "http://h/SECRET=/api/v2",
    "SECRET",
    " SECRET\n",
    "SECRET@h",
    "user:SECRET",
    "user:SECRET@h",
    "http://user:SECRET@h",
    "http://user:SECRET@h:8086/write",
    "http://SECRET@h",
    "http://user:SECRET",
    "http://user:SECRET/x",
    "http://user%3aSECRET%40h",
    "http://user%253ASECRET%2540h",
    "http://h:SECRET",
    "http://h?token=SECRET",
    "http://h/write?u=user&p=SECRET",
    "http://h/api/v2/write?org=o&token=SECRET#x",
    "http://h#SECRET",
    "http://a,http://user:SECRET@h",
    "http://a,SECRET",
    "http:user:SECRET",
    "http:\\\\user:SECRET@h",
    "tcp://user:SECRET@h:8086",
    "https://user:SECRET@h",
    "unix://user:SECRET@/x",
    "Token SECRET",
    "\u{202e}SECRET\0",
];

fn value() -> impl Strategy<Value = String> {
    let plausible = [
        "",
        "0",
        "1",
        "true",
        "no",
        "v2",
        "ns",
        "1 MiB",
        "0.5",
        "1000",
        "[redacted]",
        "a:b",
        "http://a",
        "http://a,",
        "http://u:p@a",
        "::1",
        "spool",
        "drop_oldest",
    ];
    prop_oneof![
        prop::sample::select(plausible.to_vec()).prop_map(str::to_owned),
        "[0-9]{1,20}( ?[KMG]iB)?",
        "\\PC{0,12}",
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn no_environment_makes_the_parser_panic_or_shows_a_secret(
        values in prop::collection::vec((prop::sample::select(VARIABLES.to_vec()), value()), 0..6),
        before in "[ -~]{0,3}|\\PC{0,3}",
        after in "[ -~\n]{0,3}",
    ) {
        let secret = format!("{before}hunter2{after}");
        let result = Config::from_lookup(|wanted| match wanted {
            "INFLUXDB_PASSWORD" | "INFLUXDB_TOKEN" => Some(secret.clone()),
            _ => values.iter().find(|(variable, _)| *variable == wanted).map(|(_, v)| v.clone()),
        });
        let shown = match &result {
            Ok(config) => format!("{config:?} {:?}", config.validate()),
            Err(error) => format!("{error} {error:?}"),
        };
        prop_assert!(!shown.contains("hunter2"), "{}", shown);
    }

    #[test]
    fn no_error_repeats_a_secret_wherever_it_was_put(
        variable in prop::sample::select(VARIABLES.to_vec()),
        secret in prop::sample::select(SECRETS.to_vec()),
        form in prop::sample::select(FORMS.to_vec()),
        others in prop::collection::vec((prop::sample::select(VARIABLES.to_vec()), value()), 0..3),
    ) {
        let text = form.replace("SECRET", secret);
        let percent: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let config = Config::from_lookup(|wanted| match wanted == variable {
            true => Some(text.clone()),
            false => others.iter().find(|(name, _)| *name == wanted).map(|(_, v)| v.clone()),
        });
        let error = match &config {
            Ok(config) => config.validate().err(),
            Err(error) => Some(error.clone()),
        };
        if let Some(error) = error {
            let start = crate::StartError::from(error.clone());
            let shown = format!("{error} {error:?} {error:#?} {start} {start:?}");
            prop_assert!(!shown.contains(secret), "{}", shown);
            prop_assert!(!shown.contains(&percent), "{}", shown);
        }
        // The host's name is no secret: it is in each line about the server.
        let is_place = ["INFLUXDB_URL", "INFLUXDB_HOST"].contains(&variable);
        if let Ok(config) = &config && !is_place && secret.len() > 24 {
            let shown = format!("{config:?} {config:#?} {:?}", config.origin);
            prop_assert!(!shown.contains(secret), "{}", shown);
        }
    }

    #[test]
    fn no_error_of_the_builder_repeats_a_secret(
        secret in prop::sample::select(SECRETS.to_vec()),
        form in prop::sample::select(FORMS.to_vec()),
    ) {
        let text = form.replace("SECRET", secret);
        for config in [
            Config::v1(text.clone()),
            Config::v1("http://h").user(text.clone()).token("t"),
            Config::v1("http://h").user(text.clone()).password("\n"),
            Config::v1("http://h").password(text.clone()),
            Config::v1("http://h").token(format!("{text}\n")),
            Config::v2("http://h", format!("{text}\n"), text.clone()),
            Config::v2("http://h", text.clone(), ""),
        ] {
            if let Err(error) = config.validate() {
                let shown = format!("{error} {error:?}");
                prop_assert!(!shown.contains(secret), "{}", shown);
            }
        }
        for error in [
            text.parse::<Api>().err(),
            text.parse::<Overflow>().err(),
            text.parse::<Precision>().err(),
        ] {
            let shown = format!("{error:?}");
            prop_assert!(!shown.contains(secret), "{}", shown);
        }
    }

    #[test]
    fn no_environment_makes_the_parser_or_the_checks_panic(
        values in prop::collection::vec((prop::sample::select(VARIABLES.to_vec()), value()), 0..8),
    ) {
        let config = Config::from_lookup(|wanted| {
            values.iter().find(|(variable, _)| *variable == wanted).map(|(_, v)| v.clone())
        });
        if let Ok(config) = config {
            let _ = config.validate();
            let _ = config.resolved_base_tags();
            prop_assert!(config.warn_at() >= 1);
            prop_assert!(config.urls().is_ok_and(|urls| !urls.is_empty()));
        }
    }
}
