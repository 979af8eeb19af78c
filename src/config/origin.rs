//! Where settings were set, so that errors name each accordingly.

use std::borrow::Cow;

use crate::error::ConfigError;

/// Where the settings of a [`Config`](super::Config) were set. Origins are always equal, so that
/// configurations with the same settings are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    /// The variable of the URL, if the settings were read from the environment.
    url_variable: Option<&'static str>,
    /// Settings that the program has set afterwards.
    by_program: Vec<&'static str>,
    /// Warnings about the environment, to be logged once there is a logger.
    warnings: Vec<String>,
}

impl PartialEq for Origin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Origin {
    pub(super) fn environment(url_variable: &'static str) -> Self {
        Self {
            url_variable: Some(url_variable),
            ..Self::default()
        }
    }

    pub(super) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// Returns the warnings to log when delivery starts.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Records the call of a builder method.
    pub(super) fn set_by_program(&mut self, setting: &'static str) {
        if self.url_variable.is_some() && !self.by_program.contains(&setting) {
            self.by_program.push(setting);
        }
    }

    /// Name of the setting for the interval of the pipeline's own statistics: the builder has one
    /// method for database and interval, the environment two variables.
    pub(super) fn self_measurement_interval_name(&self) -> &'static str {
        const INTERVAL: &str = "self_measurement_interval";
        match self.url_variable.is_none() || self.by_program.contains(&INTERVAL) {
            true => "self_measurement",
            false => INTERVAL,
        }
    }

    /// Returns the setting's name as it was set: the builder's method or the variable. For a
    /// setting that was not set, the name depends on where the settings come from.
    pub(crate) fn name(&self, setting: &'static str) -> Cow<'static, str> {
        self.rename(setting.into())
    }

    /// Returns the names of the settings that determine the servers.
    pub(crate) fn address(&self) -> Cow<'static, str> {
        match self.name("url") {
            name if name == "INFLUXDB_SCHEME" => {
                "the URL from INFLUXDB_SCHEME, INFLUXDB_HOST and INFLUXDB_PORT".into()
            }
            name => name,
        }
    }

    /// Gives the error the setting's name as it was set.
    pub(crate) fn named(&self, error: ConfigError) -> ConfigError {
        ConfigError {
            setting: self.rename(error.setting),
            ..error
        }
    }

    fn rename(&self, setting: Cow<'static, str>) -> Cow<'static, str> {
        let is_methods = self.by_program.iter().any(|method| *method == setting);
        match (self.url_variable, &*setting) {
            (None, _) | (_, "base_tag") => setting,
            (Some(_), _) if is_methods => setting,
            (Some(variable), "url") => variable.into(),
            (Some(_), "environment") => "ENVIRONMENT".into(),
            (Some(_), _) => format!("INFLUXDB_{}", setting.to_ascii_uppercase()).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_named_as_it_was_set() {
        let mut program = Origin::default();
        program.set_by_program("org");
        assert_eq!(program.name("org"), "org");
        assert_eq!(program.name("token"), "token");

        let parts = Origin::environment("INFLUXDB_SCHEME");
        assert!(parts.address().contains("INFLUXDB_HOST and INFLUXDB_PORT"));
        assert_eq!(program.address(), "url");

        let mut both = Origin::environment("INFLUXDB_URL");
        both.set_by_program("org");
        for (setting, name) in [
            ("org", "org"),
            ("token", "INFLUXDB_TOKEN"),
            ("url", "INFLUXDB_URL"),
            ("environment", "ENVIRONMENT"),
            ("base_tag", "base_tag"),
        ] {
            assert_eq!(both.name(setting), name);
        }
        assert_eq!(both.address(), "INFLUXDB_URL");
    }
}
