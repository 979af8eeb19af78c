//! Whether a request can carry the credentials, and which of them go together.

use super::secret::REDACTED;
use super::{Api, Config};
use crate::error::ConfigError;

impl Config {
    /// RFC 7617 §2 allows no control characters in either half of the credentials, and no colon
    /// in the user; a token goes into a header as it is.
    pub(super) fn validate_each_credential(&self) -> Result<(), ConfigError> {
        let user = self.user.as_deref().unwrap_or_default();
        if user.contains(':') || user.contains(char::is_control) {
            // What follows the colon may well be the password.
            return Err(ConfigError::new(
                "user",
                REDACTED,
                "a name without `:` and control characters",
            ));
        }
        let password = self.password.as_ref().map(|secret| secret.expose());
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
        if self.password.is_some() && self.user.is_none() {
            return Err(ConfigError::new(
                "password",
                REDACTED,
                format!("only together with {}", self.origin.name("user")),
            ));
        }
        if self.user.is_some() && (self.token.is_some() || self.api != Api::V1) {
            // A token that was set in the wrong place, perhaps.
            return Err(ConfigError::new(
                "user",
                REDACTED,
                format!(
                    "only with API v1 and without {}: a request has one set of credentials",
                    self.origin.name("token")
                ),
            ));
        }
        if self.api == Api::V2 {
            for (setting, missing) in [("org", self.org.is_none()), ("token", self.token.is_none())]
            {
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
