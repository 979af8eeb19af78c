use super::*;
use crate::Consistency;

fn v1() -> Config {
    Config::default()
}

fn error(config: Config) -> String {
    config.validate().expect_err("refused").to_string()
}

#[test]
fn the_ends_of_every_range_are_allowed() {
    for config in [
        v1().interval(MS),
        v1().interval(DAY),
        v1().request_timeout(MS),
        v1().request_timeout(HOUR),
        v1().max_retry_delay(MS),
        v1().max_retry_delay(DAY),
        v1().max_age(None),
        v1().max_age(MS),
        v1().max_age(YEAR),
        v1().self_measurement("own", MS),
        v1().self_measurement("own", DAY),
        v1().trigger_size(1),
        v1().trigger_size(usize::MAX),
        v1().max_batch_size(1),
        v1().max_batch_bytes(KIB),
        v1().max_batch_bytes(GIB),
        v1().max_buffer_size(1),
        v1().max_buffer_size(usize::MAX),
        v1().max_buffer_bytes(KIB),
        v1().max_buffer_size(5).warn_threshold(5),
        v1().warn_threshold(1),
        v1().max_clients(1),
        v1().max_clients(1_000),
        v1().sample_probability(0.0),
        v1().sample_probability(1.0),
        v1().seal_interval(MS),
        v1().seal_interval(DAY),
        v1().spool_dir("x")
            .overflow(Overflow::Spool)
            .write_ahead(true),
        v1().spool_dir("x")
            .max_batch_bytes(KIB)
            .spool_max_bytes(KIB),
        v1().spool_max_bytes(0),
    ] {
        assert_eq!(config.validate(), Ok(()), "{config:?}");
    }
}

#[test]
fn what_is_out_of_range_is_named_with_its_value_and_the_range() {
    let day = "from 1 ms to 1 day";
    let hour = "from 1 ms to 1 hour";
    let year = "from 1 ms to 365 days, or none";
    let one = "at least 1 measurement";
    let requests = "from 1 to 1000 requests";
    let bytes = "from 1 KiB to 1 GiB";
    let share = "from 0 to 1";
    for (config, expected) in [
        (
            v1().interval(Duration::ZERO),
            format!("interval is 0ns: {day}"),
        ),
        (
            v1().interval(DAY + MS),
            format!("interval is 86400.001s: {day}"),
        ),
        (
            v1().interval(Duration::MAX),
            format!("interval is {:?}: {day}", Duration::MAX),
        ),
        (
            v1().request_timeout(MS / 2),
            format!("request_timeout is 500µs: {hour}"),
        ),
        (
            v1().request_timeout(DAY),
            format!("request_timeout is 86400s: {hour}"),
        ),
        (
            v1().max_retry_delay(DAY * 2),
            format!("max_retry_delay is 172800s: {day}"),
        ),
        (
            v1().max_age(Duration::ZERO),
            format!("max_age is 0ns: {year}"),
        ),
        (
            v1().max_age(YEAR + MS),
            format!("max_age is 31536000.001s: {year}"),
        ),
        (
            v1().self_measurement("own", Duration::ZERO),
            "self_measurement is 0ns: an interval from 1 ms to 1 day".into(),
        ),
        (v1().trigger_size(0), format!("trigger_size is 0: {one}")),
        (
            v1().max_batch_size(0),
            format!("max_batch_size is 0: {one}"),
        ),
        (
            v1().max_buffer_size(0),
            format!("max_buffer_size is 0: {one}"),
        ),
        (
            v1().warn_threshold(0),
            format!("warn_threshold is 0: {one}"),
        ),
        (v1().max_clients(0), format!("max_clients is 0: {requests}")),
        (
            v1().max_clients(1_001),
            format!("max_clients is 1001: {requests}"),
        ),
        (
            v1().max_batch_bytes(1_023),
            format!("max_batch_bytes is 1023: {bytes}"),
        ),
        (
            v1().max_batch_bytes(GIB + 1),
            format!("max_batch_bytes is 1073741825: {bytes}"),
        ),
        (
            v1().max_buffer_bytes(0),
            "max_buffer_bytes is 0: at least 1 KiB".into(),
        ),
        (
            v1().sample_probability(1.5),
            format!("sample_probability is 1.5: {share}"),
        ),
        (
            v1().sample_probability(-0.1),
            format!("sample_probability is -0.1: {share}"),
        ),
        (
            v1().sample_probability(f64::NAN),
            format!("sample_probability is NaN: {share}"),
        ),
        (
            v1().max_buffer_size(4).warn_threshold(5),
            "warn_threshold is 5: at most max_buffer_size, 4".into(),
        ),
    ] {
        assert_eq!(error(config), expected);
    }
}

#[test]
fn what_only_one_api_has_is_refused_with_the_others() {
    assert_eq!(v1().consistency(Consistency::Any).validate(), Ok(()));
    let v3 = || Config::v3("http://h", "t");
    assert_eq!(v3().no_sync(true).validate(), Ok(()));
    for (config, expected) in [
        (
            Config::v2("http://h", "o", "t").consistency(Consistency::Any),
            "consistency is any: only with API v1, and api is v2",
        ),
        (
            v1().no_sync(true),
            "no_sync is true: only with API v3, and api is v1",
        ),
    ] {
        assert_eq!(error(config), expected);
    }
}

#[test]
fn only_api_v1_creates_databases() {
    assert_eq!(v1().create_database(true).validate(), Ok(()));
    assert_eq!(
        error(Config::v3("http://h", "t").create_database(true)),
        "create_database is true: only with API v1, and api is v3"
    );
}

#[test]
fn a_base_tag_key_that_would_spoil_every_line_is_refused() {
    for key in ["", "time", r"\", r"time\\"] {
        assert_eq!(
            error(v1().base_tag(key, "x")),
            format!("base_tag is {key:?}: a key that is neither empty nor `time`")
        );
    }
    for key in ["Time", "times", "time ", "a\\b", "#", "\n"] {
        assert_eq!(v1().base_tag(key, "x").validate(), Ok(()), "{key:?}");
    }
}

#[test]
fn a_url_that_cannot_be_used_is_found_by_validate() {
    assert!(error(Config::v1("localhost:8086")).starts_with(r#"url is "localhost:8086": "#));
}
