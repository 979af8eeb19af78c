//! Where the settings come from, so that an error names each as it was set.

use std::borrow::Cow;

use crate::error::ConfigError;

/// Where the settings of a [`Config`](super::Config) come from. Not a part of its value: two
/// configurations with the same settings are equal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    /// The variable that gave the URL, if the settings were read from the environment.
    url_variable: Option<&'static str>,
    /// Settings that the program has set since.
    by_program: Vec<&'static str>,
    /// Warnings of the environment, for the log, once there is a logger.
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

    /// Notes that a builder method was called.
    pub(super) fn set_by_program(&mut self, setting: &'static str) {
        if self.url_variable.is_some() && !self.by_program.contains(&setting) {
            self.by_program.push(setting);
        }
    }

    /// The setting that the interval of the pipeline's own figures is a part of, or the one that it is by itself
    /// in the environment.
    pub(super) fn own_interval(&self) -> &'static str {
        const INTERVAL: &str = "self_measurement_interval";
        match self.url_variable.is_none() || self.by_program.contains(&INTERVAL) {
            true => "self_measurement",
            false => INTERVAL,
        }
    }

    /// Returns the setting's name as it was set: the builder's method or the variable. A setting that was
    /// not set is named as the others are.
    pub(crate) fn name(&self, setting: &'static str) -> Cow<'static, str> {
        self.rename(setting.into())
    }

    /// Returns the names of the settings that say where the server is.
    pub(crate) fn address(&self) -> Cow<'static, str> {
        match self.name("url") {
            name if name == "INFLUXDB_SCHEME" => {
                "what INFLUXDB_SCHEME, INFLUXDB_HOST and INFLUXDB_PORT say".into()
            }
            name => name,
        }
    }

    /// Names the setting in the error as it was set.
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
