//! InfluxDB's write APIs.

use std::str::FromStr;

use super::shown;
use crate::error::ConfigError;

/// The write API of the server.
///
/// Parsed from `v1`, `v2`, `v3` (or `1`, `2`, `3`), and printed as `v1`, `v2`, `v3`.
///
/// ```
/// use actix_influxdb::{Api, Config};
///
/// assert_eq!("v2".parse(), Ok(Api::V2));
/// assert_eq!(Config::v3("http://localhost:8181", "token").settings().api(), Api::V3);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, derive_more::Display)]
#[non_exhaustive]
pub enum Api {
    /// InfluxDB 1.x and servers with its API (VictoriaMetrics, QuestDB, Telegraf, vmagent). The
    /// default.
    #[default]
    #[display("v1")]
    V1,
    /// InfluxDB 2.x: an organisation, a token, and buckets in place of databases.
    #[display("v2")]
    V2,
    /// InfluxDB 3.
    #[display("v3")]
    V3,
}

impl FromStr for Api {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text.to_ascii_lowercase().as_str() {
            "v1" | "1" => Ok(Self::V1),
            "v2" | "2" => Ok(Self::V2),
            "v3" | "3" => Ok(Self::V3),
            _ => Err(ConfigError::new(
                "api",
                shown::word(text, &["v1", "v2", "v3"]),
                "one of v1, v2, v3",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_api_is_read_back_from_what_it_prints() {
        for api in [Api::V1, Api::V2, Api::V3] {
            assert_eq!(api.to_string().parse(), Ok(api));
        }
    }

    #[test]
    fn another_api_is_an_error_that_says_which_there_are() {
        assert_eq!(
            "v4".parse::<Api>().unwrap_err().to_string(),
            r#"api is "v4": one of v1, v2, v3"#
        );
    }
}
