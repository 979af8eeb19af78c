//! Environment variables that resemble a known one and are not read.

use super::distance::distance;

/// Every variable that is read, without `INFLUXDB_`.
pub(super) const SETTINGS: [&str; 46] = [
    "URL",
    "SCHEME",
    "HOST",
    "PORT",
    "USER",
    "PASSWORD",
    "PASSWORD_FILE",
    "TOKEN",
    "TOKEN_FILE",
    "ORG",
    "API",
    "TLS_CA",
    "TLS_CERT",
    "TLS_KEY",
    "PROXY",
    "HEADERS",
    "ENABLED",
    "INTERVAL",
    "FLUSH_JITTER",
    "TRIGGER_SIZE",
    "MAX_BATCH_SIZE",
    "MAX_BATCH_BYTES",
    "MAX_BUFFER_SIZE",
    "MAX_BUFFER_BYTES",
    "WARN_THRESHOLD",
    "MAX_CLIENTS",
    "OVERFLOW",
    "MAX_TAG_VALUES",
    "SAMPLE_PROBABILITY",
    "PRECISION",
    "UNSIGNED",
    "STRING_NEWLINES",
    "REQUEST_TIMEOUT",
    "MAX_RETRY_DELAY",
    "MAX_AGE",
    "CREATE_DATABASE",
    "SELF_MEASUREMENT",
    "SELF_MEASUREMENT_INTERVAL",
    "CONSISTENCY",
    "NO_SYNC",
    "TAG_HOSTNAME",
    "GZIP",
    "SPOOL_DIR",
    "SPOOL_MAX_BYTES",
    "WRITE_AHEAD",
    "SEAL_INTERVAL",
];

/// Settings that the command `influx` and other clients read as `INFLUX_HOST` and so on.
const FOREIGN_SETTINGS: [&str; 9] = [
    "URL", "SCHEME", "HOST", "PORT", "USER", "PASSWORD", "TOKEN", "ORG", "API",
];

/// Prefixes (or names) of variables of the official images (InfluxDB 1 and 2, Bitnami's) and of the
/// server's own configuration (`INFLUXDB_DATA_DIR`), which are no settings of this library.
const FOREIGN_PREFIXES: [&str; 29] = [
    "INFLUXDB_ADMIN_",
    "INFLUXDB_BIND_ADDRESS",
    "INFLUXDB_CLUSTER_",
    "INFLUXDB_COLLECTD_",
    "INFLUXDB_CONTINUOUS_QUERIES_",
    "INFLUXDB_COORDINATOR_",
    "INFLUXDB_CREATE_USER_TOKEN",
    "INFLUXDB_DATA_",
    "INFLUXDB_DB",
    "INFLUXDB_ENV_",
    "INFLUXDB_FLUX_",
    "INFLUXDB_GRAPHITE_",
    "INFLUXDB_HTTP_",
    "INFLUXDB_INIT_",
    "INFLUXDB_LOGGING_",
    "INFLUXDB_META_",
    "INFLUXDB_MONITOR_",
    "INFLUXDB_NAME",
    "INFLUXDB_OPENTSDB_",
    "INFLUXDB_PORT_NUMBER",
    "INFLUXDB_READ_",
    "INFLUXDB_REPORTING_DISABLED",
    "INFLUXDB_RETENTION_",
    "INFLUXDB_SHARD_PRECREATION_",
    "INFLUXDB_SUBSCRIBER_",
    "INFLUXDB_UDP_",
    "INFLUXDB_USER_",
    "INFLUXDB_V2_",
    "INFLUXDB_WRITE_",
];

/// Maximum length of a name that is compared.
const MAX_NAME_LENGTH: usize = 48;

/// The variable that was probably intended; `None` for variables that are known, are read by other
/// programs, or resemble none. Names that differ only in case resemble each other, except on
/// Windows, where they are the same.
pub(super) fn resembled(variable: &str, value: &str) -> Option<String> {
    let upper = variable.to_ascii_uppercase();
    let is_known = SETTINGS.iter().any(|setting| upper == full_name(setting));
    if is_known {
        return (upper != variable && !cfg!(windows)).then_some(upper);
    }
    if variable.len() > MAX_NAME_LENGTH || !upper.starts_with("IN") || is_foreign(&upper, value) {
        return None;
    }
    if upper == "INFLUXDB_ENVIRONMENT" {
        return Some("ENVIRONMENT".to_owned());
    }
    let squeezed = upper.replace('_', "");
    // `INFLUX_TOKEN` belongs to other clients, `INFLUX_TRIGGER_SIZE` only to this library.
    let is_ours =
        |setting: &&&str| !(upper.starts_with("INFLUX_") && FOREIGN_SETTINGS.contains(setting));
    let distance_to = |setting: &&'static str| {
        let meant = full_name(setting).replace(
            "INFLUXDB_",
            match upper.starts_with("INFLUX_") {
                true => "INFLUX_",
                false => "INFLUXDB_",
            },
        );
        let edits = distance(&upper, &meant).min(distance(&squeezed, &meant.replace('_', "")));
        // In a short name, two letters are half of it.
        let max_edits = if setting.len() <= 4 { 1 } else { 2 };
        (edits <= max_edits).then_some((edits, *setting))
    };
    let near = SETTINGS.iter().filter(is_ours).filter_map(distance_to);
    near.min().map(|(_, setting)| full_name(setting))
}

fn full_name(setting: &str) -> String {
    format!("INFLUXDB_{setting}")
}

fn is_foreign(upper: &str, value: &str) -> bool {
    // Variables of the servers: `INFLUXD_HTTP_BIND_ADDRESS`, `INFLUXDB3_NODE_ID`.
    let is_servers = ["INFLUXD_", "INFLUXDB3_", "INFLUXDB_IOX_"]
        .iter()
        .any(|prefix| upper.starts_with(prefix));
    let is_images = FOREIGN_PREFIXES
        .iter()
        .any(|other| match other.ends_with('_') {
            true => upper.starts_with(other),
            false => upper == *other,
        });
    is_servers || is_images || is_service(upper, value)
}

/// Whether Kubernetes sets the variable for a Service named `influxdb` or `influxdb-…`, or Docker
/// for a link: `INFLUXDB_SERVICE_HOST`, `INFLUXDB_PORT_8086_TCP_ADDR`.
fn is_service(upper: &str, value: &str) -> bool {
    let is_numbered_port = upper
        .split_once("_PORT_")
        .is_some_and(|(_, rest)| rest.starts_with(|char: char| char.is_ascii_digit()));
    upper.ends_with("_SERVICE_HOST")
        || upper.ends_with("_SERVICE_PORT")
        || upper.contains("_SERVICE_PORT_")
        || is_numbered_port
        || is_service_address(value)
}

/// Whether the value is like `tcp://10.0.0.1:8086`, which Kubernetes and Docker set in
/// `INFLUXDB_PORT`.
pub(super) fn is_service_address(value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resembles(variable: &str) -> Option<String> {
        resembled(variable, "x")
    }

    #[test]
    fn a_slip_in_a_name_is_seen() {
        for (slip, meant) in [
            ("INFLUXDB_URI", "INFLUXDB_URL"),
            ("INFLUXDB_URLS", "INFLUXDB_URL"),
            ("INFLUXDB_ULR", "INFLUXDB_URL"),
            ("INFLUXDBURL", "INFLUXDB_URL"),
            ("INFLUXDB__URL", "INFLUXDB_URL"),
            ("INFLUXBD_URL", "INFLUXDB_URL"),
            ("INFUXDB_URL", "INFLUXDB_URL"),
            ("influxdb_url", "INFLUXDB_URL"),
            ("INFLUXDB_HOSTS", "INFLUXDB_HOST"),
            ("INFLUXDB_USERS", "INFLUXDB_USER"),
            ("INFLUXDB_TOKNE", "INFLUXDB_TOKEN"),
            ("INFLUXDB_PASWORD", "INFLUXDB_PASSWORD"),
            ("INFLUXDB_PASSWRODS", "INFLUXDB_PASSWORD"),
            ("INFLUXDB_TRIGGERSIZE", "INFLUXDB_TRIGGER_SIZE"),
            ("INFLUXDB_MAXBATCHSIZE", "INFLUXDB_MAX_BATCH_SIZE"),
            ("INFLUXDB_MAX_BATCHSIZES", "INFLUXDB_MAX_BATCH_SIZE"),
            ("INFLUXDB_MAX_BUFFER_BYTE", "INFLUXDB_MAX_BUFFER_BYTES"),
            ("INFLUXDB_INTERVALL", "INFLUXDB_INTERVAL"),
            ("INFLUXDB_ENABLE", "INFLUXDB_ENABLED"),
            ("INFLUXDB_TAG_HOST_NAME", "INFLUXDB_TAG_HOSTNAME"),
            ("INFLUX_INTERVAL", "INFLUXDB_INTERVAL"),
            ("INFLUX_MAX_CLIENT", "INFLUXDB_MAX_CLIENTS"),
            ("INFLUXDB_ENVIRONMENT", "ENVIRONMENT"),
        ] {
            assert_eq!(resembles(slip).as_deref(), Some(meant), "{slip}");
        }
    }

    #[test]
    fn what_is_known_is_no_slip_and_resembles_only_itself() {
        for setting in SETTINGS {
            assert_eq!(resembles(&full_name(setting)), None);
        }
    }

    #[test]
    fn what_other_programs_read_is_left_alone() {
        for variable in [
            // Kubernetes, for Services named influxdb, influxdb-0 and influxdb-host.
            "INFLUXDB_SERVICE_HOST",
            "INFLUXDB_SERVICE_PORT",
            "INFLUXDB_SERVICE_PORT_HTTP",
            "INFLUXDB_PORT_8086_TCP",
            "INFLUXDB_PORT_8086_TCP_ADDR",
            "INFLUXDB_PORT_8086_TCP_PORT",
            "INFLUXDB_PORT_8086_TCP_PROTO",
            "INFLUXDB_0_SERVICE_HOST",
            "INFLUXDB_HOST_SERVICE_HOST",
            "INFLUXDB_HOST_PORT_8086_TCP",
            // The images.
            "INFLUXDB_DB",
            "INFLUXDB_ADMIN_USER",
            "INFLUXDB_ADMIN_PASSWORD",
            "INFLUXDB_HTTP_AUTH_ENABLED",
            "INFLUXDB_USER_PASSWORD",
            "INFLUXDB_USER_TOKEN",
            "INFLUXDB_READ_USER",
            "INFLUXDB_WRITE_USER_PASSWORD",
            "INFLUXDB_V2_TOKEN",
            "INFLUXDB_INIT_PWD",
            "DOCKER_INFLUXDB_INIT_MODE",
            // The server's configuration.
            "INFLUXDB_DATA_DIR",
            "INFLUXDB_META_DIR",
            "INFLUXDB_HTTP_BIND_ADDRESS",
            "INFLUXDB_REPORTING_DISABLED",
            "INFLUXD_PORT",
            "INFLUXDB3_PORT",
            // Other clients.
            "INFLUX_HOST",
            "INFLUX_TOKEN",
            "INFLUX_ORG",
            "INFLUX_URL",
            "INFLUX_ORG_ID",
            "INFLUX_BUCKET_NAME",
            // Anything else.
            "INFLUXDB_BUCKET",
            "INFLUXDB_LOG",
            "INFLUXDB_VERSION",
            "INFLUXDB",
            "INFLUXDB_",
            "INVOCATION_ID",
            "ENVIRONMENT",
            "PATH",
            "",
        ] {
            assert_eq!(resembles(variable), None, "{variable}");
        }
        let link = "tcp://10.0.0.1:8086";
        assert_eq!(resembled("INFLUXDB_0_PORT", link), None);
    }
}
