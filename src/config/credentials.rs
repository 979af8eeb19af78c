//! Which credentials requests carry, and which may be combined.

use super::secret::REDACTED;
use super::{Api, Config, Files, Secret};
use crate::error::ConfigError;

/// The credentials of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Credentials {
    None,
    Token(Secret),
    Basic {
        user: String,
        password: Option<Secret>,
    },
}

impl Config {
    /// Returns the credentials in force: as set, from the URL, or from files.
    pub(crate) fn credentials(&self, files: &Files) -> Credentials {
        if let Some(token) = self.token.as_ref().or(files.token.as_ref()) {
            return Credentials::Token(token.clone());
        }
        if let Some((user, password)) = self.url.credentials() {
            return Credentials::Basic {
                user: user.to_owned(),
                password: Some(password.clone()),
            };
        }
        match &self.user {
            Some(user) => Credentials::Basic {
                user: user.clone(),
                password: self.password.as_ref().or(files.password.as_ref()).cloned(),
            },
            None => Credentials::None,
        }
    }

    /// RFC 7617 §2 allows no control characters in user and password, and no colon in the user; a
    /// token is sent in a header as it is.
    pub(super) fn validate_each_credential(&self) -> Result<(), ConfigError> {
        let of_url = self.url.credentials();
        let users = [self.user.as_deref(), of_url.map(|(user, _)| user)];
        let is_bad = |user: &&str| user.contains(':') || user.contains(char::is_control);
        if users.into_iter().flatten().any(|user| is_bad(&user)) {
            // The part after the colon may be the password.
            return Err(ConfigError::new(
                "user",
                REDACTED,
                "a name without `:` and control characters",
            ));
        }
        let password = self
            .password
            .as_ref()
            .or(of_url.map(|(_, password)| password));
        let password = password.map(|secret| secret.expose());
        if password.is_some_and(|text| text.contains(char::is_control)) {
            return Err(ConfigError::new(
                "password",
                REDACTED,
                "a text without control characters, such as a newline at its end",
            ));
        }
        let token = self.token.as_ref().map(|secret| secret.expose());
        if token.is_some_and(|text| text.contains(char::is_control) || text.trim() != text) {
            return Err(ConfigError::new(
                "token",
                REDACTED,
                "a text without control characters, and without blanks at its ends",
            ));
        }
        let org = self.org.as_deref().unwrap_or_default();
        if org.contains(char::is_control) {
            return Err(ConfigError::new(
                "org",
                REDACTED,
                "a name without control characters",
            ));
        }
        Ok(())
    }

    pub(super) fn validate_credentials_together(&self) -> Result<(), ConfigError> {
        let secrets = [
            ("password", self.password.is_some()),
            ("password_file", self.password_file.is_some()),
        ];
        for (setting, is_set) in secrets {
            if is_set && self.user.is_none() && self.url.credentials().is_none() {
                return Err(ConfigError::new(
                    setting,
                    REDACTED,
                    format!("only together with {}", self.origin.name("user")),
                ));
            }
        }
        let pairs = [
            (
                "password_file",
                "password",
                self.password_file.is_some() && self.password.is_some(),
            ),
            (
                "token_file",
                "token",
                self.token_file.is_some() && self.token.is_some(),
            ),
        ];
        for (file, text, are_both) in pairs {
            if are_both {
                let text = self.origin.name(text);
                return Err(ConfigError::new(
                    file,
                    "set",
                    format!("only without {text}"),
                ));
            }
        }
        let user = [self.user.is_some(), secrets[0].1, secrets[1].1];
        if self.url.credentials().is_some() && user.contains(&true) {
            let setting = match self.user {
                Some(_) => "user",
                None if self.password.is_some() => "password",
                None => "password_file",
            };
            let url = self.origin.name("url");
            let allowed = format!("only without a user and password in {url}");
            return Err(ConfigError::new(setting, REDACTED, allowed));
        }
        let has_token = self.token.is_some() || self.token_file.is_some();
        let has_user = self.user.is_some() || self.url.credentials().is_some();
        if has_user && (has_token || self.api != Api::V1) {
            let setting = if self.user.is_some() { "user" } else { "url" };
            let token = match self.token_file {
                Some(_) => "token_file",
                None => "token",
            };
            // The value may be a token that was set in the wrong place.
            return Err(ConfigError::new(
                setting,
                REDACTED,
                format!(
                    "{}only with API v1 and without {}: a request has one set of credentials",
                    if setting == "url" {
                        "a user and password "
                    } else {
                        ""
                    },
                    self.origin.name(token)
                ),
            ));
        }
        if self.headers.has("authorization") && (has_user || has_token) {
            let other = if has_token { "token" } else { "user" };
            let allowed = format!(
                "without Authorization, as there is {}",
                self.origin.name(other)
            );
            return Err(ConfigError::new("headers", REDACTED, allowed));
        }
        if self.api == Api::V2 {
            for (setting, missing) in [("org", self.org.is_none()), ("token", !has_token)] {
                if missing {
                    let (org, token) = (self.origin.name("org"), self.origin.name("token"));
                    let needs = format!("API v2 needs {org} and {token}");
                    return Err(ConfigError::new(setting, "missing", needs));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_that_contradict_each_other_are_an_error_that_names_both() {
        let v1 = Config::v1;
        for (config, expected) in [
            (
                v1("http://a").user("u").password("p").password_file("/p"),
                "password_file is set: only without password",
            ),
            (
                Config::v3("http://a", "t").token_file("/t"),
                "token_file is set: only without token",
            ),
            (
                v1("http://u:p@a").user("u"),
                "user is [redacted]: only without a user and password in url",
            ),
            (
                v1("http://u:p@a").password_file("/p"),
                "password_file is [redacted]: only without a user and password in url",
            ),
            (
                v1("http://a").password_file("/p"),
                "password_file is [redacted]: only together with user",
            ),
            (
                v1("http://u:p@a").api(Api::V3),
                "url is [redacted]: a user and password only with API v1 and without token: a request \
                 has one set of credentials",
            ),
            (
                v1("http://a").user("u").token_file("/t"),
                "user is [redacted]: only with API v1 and without token_file: a request has one set of \
                 credentials",
            ),
            (
                v1("http://a").token("t").header("Authorization", "x"),
                "headers is [redacted]: without Authorization, as there is token",
            ),
        ] {
            assert_eq!(config.validate().unwrap_err().to_string(), expected);
        }
    }

    fn v1() -> Config {
        Config::default()
    }

    fn error(config: Config) -> String {
        config.validate().expect_err("refused").to_string()
    }

    #[test]
    fn credentials_that_no_header_can_carry_are_refused_and_not_repeated() {
        for (config, setting) in [
            (v1().user("admin:hunter2"), "user"),
            (v1().user("admin\nhunter2"), "user"),
            (v1().user("admin").password("hunter2\n"), "password"),
            (v1().token("hunter2\r\nX-Evil: 1"), "token"),
            (v1().token("hunter2 "), "token"),
            (v1().token(" "), "token"),
            (v1().token("hunter2\0"), "token"),
        ] {
            let error = error(config);
            let start = format!("{setting} is [redacted]: a ");
            assert!(error.starts_with(&start), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert_eq!(
            error(Config::v2("http://h", "acme\n", "t")),
            "org is [redacted]: a name without control characters"
        );
    }

    #[test]
    fn credentials_in_any_script_are_allowed() {
        let config = v1().user("Zoë").password("päss wörd:🔑 ");
        assert_eq!(config.validate(), Ok(()));
        let config = Config::v2("http://h", "Ærø & co", "t==");
        assert_eq!(config.validate(), Ok(()));
    }

    #[test]
    fn a_user_needs_no_password_but_a_password_needs_a_user() {
        assert_eq!(v1().user("writer").validate(), Ok(()));
        assert_eq!(
            error(v1().password("hunter2")),
            "password is [redacted]: only together with user"
        );
    }

    #[test]
    fn a_request_has_one_set_of_credentials() {
        let only = "only with API v1 and without token: a request has one set of credentials";
        for config in [
            v1().user("writer").token("t"),
            Config::v2("http://h", "acme", "t").user("writer"),
            v1().api(Api::V3).user("writer"),
        ] {
            assert_eq!(error(config), format!("user is [redacted]: {only}"));
        }
        assert_eq!(v1().token("t").validate(), Ok(()));
        assert_eq!(v1().api(Api::V3).validate(), Ok(()));
    }

    #[test]
    fn api_v2_needs_org_and_token() {
        let needs = "API v2 needs org and token";
        assert_eq!(
            error(Config::v2("http://h", "", "t")),
            format!("org is missing: {needs}")
        );
        assert_eq!(
            error(Config::v2("http://h", "acme", "")),
            format!("token is missing: {needs}")
        );
    }
}
