//! Masking of secrets in the environment, so that child processes don't inherit them: the only
//! unsafe code of the crate.

use std::ffi::OsString;

use super::Config;
use super::secret::REDACTED;

/// Variables that [`Config::mask_env_secrets`] overwrites.
const SECRETS: [&str; 3] = ["INFLUXDB_PASSWORD", "INFLUXDB_TOKEN", "INFLUXDB_HEADERS"];

/// Variables that are overwritten if they contain credentials, before an `@`.
const URLS: [&str; 2] = ["INFLUXDB_URL", "INFLUXDB_PROXY"];

impl Config {
    /// Overwrites `INFLUXDB_PASSWORD`, `INFLUXDB_TOKEN` and `INFLUXDB_HEADERS`, where they are set, and
    /// `INFLUXDB_URL` and `INFLUXDB_PROXY`, where they hold credentials, in the process's
    /// environment with `[redacted]`, so that processes started from now on don't inherit them.
    ///
    /// Call this after [`from_env`](Self::from_env), which refuses a masked value rather than send
    /// it as a password.
    ///
    /// The secrets don't become unreadable: code that read them before still has them, they stay in
    /// this process's memory, and on Linux `/proc/<pid>/environ` still shows the environment that
    /// the process was started with, to its own user and to root. A service manager or a container
    /// runtime that configured the process may show them as well.
    ///
    /// ```no_run
    /// use actix_influxdb::{Config, ConfigError};
    ///
    /// fn main() -> Result<(), ConfigError> {
    ///     let config = Config::from_env()?;
    ///     // SAFETY: no other thread has been started yet.
    ///     unsafe { Config::mask_env_secrets() };
    ///     // Only now: start actix, and whatever else starts threads.
    ///     # drop(config);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Safety
    ///
    /// No other thread may read or write the environment meanwhile, not even in C code, such as a
    /// look-up of a host name: see [`std::env::set_var`]. Call the function at the top of a plain `main`,
    /// before anything starts a thread; `#[tokio::main]` has started some before its body runs.
    #[allow(
        unsafe_code,
        reason = "the function changes the environment, which is unsafe"
    )]
    pub unsafe fn mask_env_secrets() {
        for variable in SECRETS.into_iter().chain(URLS) {
            let is_secret = |value: &OsString| match URLS.contains(&variable) {
                true => value.to_string_lossy().contains('@'),
                false => !value.is_empty(),
            };
            if std::env::var_os(variable).is_some_and(|value| is_secret(&value)) {
                // SAFETY: the caller guarantees that nobody else uses the environment meanwhile.
                unsafe { std::env::set_var(variable, REDACTED) };
            }
        }
    }
}
