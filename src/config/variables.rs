//! Environment variables as typed values: absent is `None`, malformed is an error that names the
//! variable.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::secret::REDACTED;
use super::{Secret, shown};
use crate::error::ConfigError;

/// Format of a value: its parser, which gets trimmed text, and a description.
pub(super) struct Format<T> {
    pub(super) read: fn(&str) -> Option<T>,
    /// The part of an invalid value that an error may show.
    pub(super) show: fn(&str) -> String,
    pub(super) allowed: &'static str,
}

const SWITCHES: [&str; 8] = ["true", "yes", "on", "1", "false", "no", "off", "0"];

pub(super) const SWITCH: Format<bool> = Format {
    read: |text| match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    },
    show: |text| shown::word(text, &SWITCHES),
    allowed: "true or false",
};

pub(super) const COUNT: Format<usize> = Format {
    read: |text| text.parse().ok(),
    show: shown::number,
    allowed: "a whole number",
};

pub(super) const NUMBER: Format<f64> = Format {
    read: |text| text.parse().ok(),
    show: shown::number,
    allowed: "a number",
};

pub(super) const MILLISECONDS: Format<Duration> = Format {
    read: |text| text.parse().ok().map(Duration::from_millis),
    show: shown::number,
    allowed: "whole milliseconds, like 10000",
};

pub(super) const BYTES: Format<usize> = Format {
    read: |text| {
        let unit = text
            .find(|c: char| c.is_ascii_alphabetic())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(unit);
        let unit: usize = match unit.to_ascii_lowercase().as_str() {
            "" => 1,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            _ => return None,
        };
        number.trim_end().parse::<usize>().ok()?.checked_mul(unit)
    },
    show: shown::number,
    allowed: "whole bytes, or a whole number of KiB, MiB or GiB, like 4 MiB",
};

/// Reads variables through a look-up function. An empty variable counts as absent.
pub(super) struct Variables<L>(L);

impl<L: Fn(&str) -> Option<OsString>> Variables<L> {
    pub(super) fn new(lookup: L) -> Self {
        Self(lookup)
    }

    pub(super) fn text(&self, variable: &'static str) -> Result<Option<String>, ConfigError> {
        self.unicode(variable).map_err(|_| not_unicode(variable))
    }

    pub(super) fn path(&self, variable: &'static str) -> Result<Option<PathBuf>, ConfigError> {
        let path = (self.0)(variable).filter(|value| !value.is_empty());
        Ok(path.map(PathBuf::from))
    }

    pub(super) fn secret(&self, variable: &'static str) -> Result<Option<Secret>, ConfigError> {
        let text = self.text(variable)?;
        if text.as_deref() == Some(REDACTED) {
            return Err(ConfigError::new(
                variable,
                REDACTED,
                "a value that Config::mask_env_secrets() has not overwritten yet",
            ));
        }
        Ok(text.map(Secret::new))
    }

    pub(super) fn read<T>(
        &self,
        variable: &'static str,
        format: Format<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.text(variable)? else {
            return Ok(None);
        };
        match (format.read)(text.trim()) {
            Some(value) => Ok(Some(value)),
            None => Err(ConfigError::new(
                variable,
                (format.show)(&text),
                format.allowed,
            )),
        }
    }

    /// Replaces the default if the variable is set.
    pub(super) fn set<T>(
        &self,
        variable: &'static str,
        format: Format<T>,
        setting: &mut T,
    ) -> Result<(), ConfigError> {
        if let Some(value) = self.read(variable, format)? {
            *setting = value;
        }
        Ok(())
    }

    /// Replaces the default by a word that the setting's type parses.
    pub(super) fn choose<T: FromStr<Err = ConfigError>>(
        &self,
        variable: &'static str,
        setting: &mut T,
    ) -> Result<(), ConfigError> {
        if let Some(chosen) = self.chosen(variable)? {
            *setting = chosen;
        }
        Ok(())
    }

    pub(super) fn chosen<T: FromStr<Err = ConfigError>>(
        &self,
        variable: &'static str,
    ) -> Result<Option<T>, ConfigError> {
        let text = self.text(variable)?;
        let read = text.map(|text| text.trim().parse());
        read.transpose().map_err(|error| ConfigError {
            setting: variable.into(),
            ..error
        })
    }

    fn unicode(&self, variable: &str) -> Result<Option<String>, OsString> {
        let value = (self.0)(variable).filter(|value| !value.is_empty());
        value.map(OsString::into_string).transpose()
    }
}

fn not_unicode(variable: &'static str) -> ConfigError {
    ConfigError::new(variable, REDACTED, "Unicode text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes_or_have_a_binary_unit() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("1024", Some(1024)),
            ("1KiB", Some(1 << 10)),
            ("4 MiB", Some(4 << 20)),
            ("1  gib", Some(1 << 30)),
            ("2GIB", Some(2 << 30)),
            ("", None),
            ("MiB", None),
            ("-1", None),
            ("1.5 MiB", None),
            ("1_000", None),
            ("1 KB", None),
            ("1 MiB/s", None),
            ("1 MiB 2", None),
            ("1 é", None),
            ("1\u{a0}MiB", Some(1 << 20)),
            ("99999999999999999999", None),
            ("99999999999999 GiB", None),
        ] {
            assert_eq!((BYTES.read)(text), bytes, "{text:?}");
        }
    }

    #[test]
    fn a_blank_around_a_value_does_no_harm_and_an_empty_one_is_absent() {
        let env = Variables::new(|variable| match variable {
            "BLANKS" => Some(" 7\n".into()),
            "EMPTY" => Some(OsString::new()),
            _ => None,
        });
        assert_eq!(env.read("BLANKS", COUNT), Ok(Some(7)));
        assert_eq!(env.read("EMPTY", COUNT), Ok(None));
        assert_eq!(env.read("ABSENT", COUNT), Ok(None));
        assert_eq!(env.secret("EMPTY"), Ok(None));
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_unicode_is_an_error_that_names_the_variable() {
        use std::os::unix::ffi::OsStringExt as _;

        let env = Variables::new(|_| Some(OsString::from_vec(b"hunter2\xff".to_vec())));
        assert_eq!(
            env.read("COUNT", COUNT).unwrap_err().to_string(),
            "COUNT is [redacted]: Unicode text"
        );
        assert_eq!(
            env.secret("TOKEN").unwrap_err().to_string(),
            "TOKEN is [redacted]: Unicode text"
        );
    }
}
