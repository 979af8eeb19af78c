//! What can go wrong, said so that it can be mended: what, where, which value, what is allowed.

use std::borrow::Cow;

/// A setting that can't be used.
///
/// It names the setting (or the environment variable it came from), the value that was found and
/// what is allowed. Secrets are never part of it.
#[derive(Clone, Debug, PartialEq, Eq, derive_more::Display, derive_more::Error)]
#[display("{setting} is {value}: {allowed}")]
#[non_exhaustive]
pub struct ConfigError {
    /// The builder method or environment variable, for example `INFLUXDB_INTERVAL`.
    pub setting: Cow<'static, str>,
    /// What was found, quoted; `[redacted]` for a secret.
    pub value: String,
    /// What would have been accepted.
    pub allowed: Cow<'static, str>,
}

impl ConfigError {
    pub(crate) fn new(
        setting: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
        allowed: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            setting: setting.into(),
            value: value.into(),
            allowed: allowed.into(),
        }
    }
}
