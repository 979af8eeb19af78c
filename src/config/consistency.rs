//! Number of cluster nodes that have to accept a write before it succeeds.

use std::str::FromStr;

use super::shown;
use crate::error::ConfigError;

/// Number of cluster nodes that have to accept a write before it succeeds: the parameter
/// `consistency` of the API of InfluxDB 1, which InfluxDB Enterprise uses and a single server
/// ignores.
///
/// Parsed from and printed as `any`, `one`, `quorum` and `all`.
///
/// ```
/// use actix_influxdb::{Config, Consistency};
///
/// let config = Config::v1("http://localhost:8086").consistency(Consistency::Quorum);
/// assert_eq!(config.settings().consistency(), Some(Consistency::Quorum));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, derive_more::Display)]
#[non_exhaustive]
pub enum Consistency {
    /// Any node, including one that only stores the write for unavailable nodes (hinted handoff).
    #[display("any")]
    Any,
    /// At least one node that owns the data.
    #[display("one")]
    One,
    /// Most of the nodes that own the data.
    #[display("quorum")]
    Quorum,
    /// All nodes that own the data.
    #[display("all")]
    All,
}

impl FromStr for Consistency {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text.to_ascii_lowercase().as_str() {
            "any" => Ok(Self::Any),
            "one" => Ok(Self::One),
            "quorum" => Ok(Self::Quorum),
            "all" => Ok(Self::All),
            _ => Err(ConfigError::new(
                "consistency",
                shown::word(text, &["any", "one", "quorum", "all"]),
                "one of any, one, quorum, all",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_read_back_from_what_it_prints() {
        for level in [
            Consistency::Any,
            Consistency::One,
            Consistency::Quorum,
            Consistency::All,
        ] {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        assert_eq!(
            "most".parse::<Consistency>().unwrap_err().to_string(),
            "consistency is [redacted]: one of any, one, quorum, all"
        );
    }
}
