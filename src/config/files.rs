//! Secrets and certificates in files.

use std::{fs, io, path::Path};

use super::{Config, Secret, shown};
use crate::error::ConfigError;

/// Maximum size of a file in bytes, more than any certificates and keys have.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// The contents of the files of a [`Config`] when they were read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Files {
    pub(crate) password: Option<Secret>,
    pub(crate) token: Option<Secret>,
    pub(crate) tls_ca: Option<Secret>,
    pub(crate) tls_cert: Option<Secret>,
    pub(crate) tls_key: Option<Secret>,
}

impl Files {
    /// Reads all files that are set. Blocks.
    ///
    /// # Errors
    ///
    /// If a file can't be read or used: the setting as it was set, and the reason.
    pub(crate) fn read(config: &Config) -> Result<Self, ConfigError> {
        let named = |error| config.origin.named(error);
        let text = |setting, path: &Option<_>| {
            let path = path.as_deref();
            let text = path.map(|path| text(setting, path)).transpose();
            text.map_err(named)
        };
        let secret = |setting, path: &Option<_>| {
            let path = path.as_deref();
            let secret = path.map(|path| secret(setting, path)).transpose();
            secret.map_err(named)
        };
        Ok(Self {
            password: secret("password_file", &config.password_file)?,
            token: secret("token_file", &config.token_file)?,
            tls_ca: text("tls_ca", &config.tls_ca)?,
            tls_cert: text("tls_cert", &config.tls_cert)?,
            tls_key: text("tls_key", &config.tls_key)?,
        })
    }
}

impl Config {
    pub(crate) fn has_files(&self) -> bool {
        let secrets = [&self.password_file, &self.token_file];
        let tls = [&self.tls_ca, &self.tls_cert, &self.tls_key];
        secrets.into_iter().chain(tls).any(Option::is_some)
    }
}

fn text(setting: &'static str, path: &Path) -> Result<Secret, ConfigError> {
    let refused = |why: String| {
        ConfigError::new(
            setting,
            shown::file(path),
            format!("a file that can be used ({why})"),
        )
    };
    // Reading a pipe or a device might never end.
    let meta = fs::metadata(path).map_err(|error| refused(error.to_string()))?;
    if !meta.is_file() {
        return Err(refused("it is not a regular file".to_owned()));
    }
    if meta.len() > MAX_FILE_BYTES {
        return Err(refused(format!(
            "it is larger than {} MiB",
            MAX_FILE_BYTES >> 20
        )));
    }
    let text = fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => refused("it is not text".to_owned()),
        _ => refused(error.to_string()),
    })?;
    Ok(Secret::new(text))
}

/// The content without a trailing line break, which editors and `echo` add.
fn secret(setting: &'static str, path: &Path) -> Result<Secret, ConfigError> {
    let refused = |allowed| Err(ConfigError::new(setting, shown::file(path), allowed));
    let content = text(setting, path)?;
    let secret = content.expose().trim_end_matches(['\r', '\n']);
    if secret.trim().is_empty() {
        return refused("a file that is not empty");
    }
    if secret.contains(char::is_control) || secret.trim() != secret {
        return refused(
            "a file with one line, without control characters, and without blanks at its ends",
        );
    }
    Ok(Secret::new(secret))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn files_are_read_and_a_line_break_at_the_end_of_a_secret_is_cut_off() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("token");
        for (content, token) in [
            ("t0ken", "t0ken"),
            ("t0ken\n", "t0ken"),
            ("t0ken\r\n", "t0ken"),
        ] {
            fs::write(&path, content).unwrap();
            let files = Files::read(&Config::default().token_file(&path)).unwrap();
            assert_eq!(files.token, Some(Secret::new(token)));
            assert_eq!(files.password, None);
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_is_an_error_that_names_setting_path_and_reason() {
        let folder = TempDir::new().unwrap();
        let write = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            path
        };
        let folder = folder.path().to_owned();
        for (path, reason) in [
            (folder.join("absent"), "No such file"),
            (folder.clone(), "not a regular file"),
            (write("empty", b"\n"), "not empty"),
            (write("two", b"hunter2\nhunter2\n"), "one line"),
            (write("blank", b" hunter2"), "blanks"),
            (write("binary", b"hunter2\xff"), "not text"),
        ] {
            let error = Files::read(&Config::default().password_file(&path)).unwrap_err();
            let error = error.to_string();
            assert!(error.starts_with("password_file is \"/"), "{error}");
            assert!(error.contains(reason), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn what_is_no_path_may_be_a_secret_and_is_not_repeated() {
        let error = Files::read(&Config::default().token_file("hunter2")).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
