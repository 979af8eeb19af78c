//! Authentication.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::request::Request;

/// Accepted credentials; anyone is accepted if both are `None`.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    pub(super) user: Option<(String, String)>,
    pub(super) token: Option<String>,
}

/// Credentials in a request.
enum Shown {
    User(String, String),
    Token(String),
}

impl Credentials {
    /// Whether everyone is accepted.
    pub(super) fn are_none(&self) -> bool {
        self.user.is_none() && self.token.is_none()
    }

    pub(super) fn is_token(&self, token: &str) -> bool {
        self.token.as_deref() == Some(token)
    }

    /// The password of basic authentication, for servers that accept a token there.
    pub(super) fn basic_password(&self, request: &Request) -> Option<String> {
        match shown(request)? {
            Shown::User(_, password) => Some(password),
            Shown::Token(_) => None,
        }
    }

    /// The error is the text of the 401.
    pub(super) fn check(&self, request: &Request) -> Result<(), &'static str> {
        if self.user.is_none() && self.token.is_none() {
            return Ok(());
        }
        let allowed = match shown(request).ok_or("unable to parse authentication credentials")? {
            Shown::User(name, password) => self.user == Some((name, password)),
            // InfluxDB 1.8 accepts `Token user:password`.
            Shown::Token(token) => {
                let user = token.split_once(':');
                let user = user.map(|(name, word)| (name.to_owned(), word.to_owned()));
                (user.is_some() && self.user == user) || self.token == Some(token)
            }
        };
        if allowed {
            Ok(())
        } else {
            Err("authorization failed")
        }
    }
}

fn shown(request: &Request) -> Option<Shown> {
    let Some(header) = request.header("authorization") else {
        // 1.x also accepts them in the query.
        let (user, password) = (request.param("u")?, request.param("p")?);
        return Some(Shown::User(user.to_owned(), password.to_owned()));
    };
    let (scheme, value) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some(Shown::User(user.to_owned(), password.to_owned()))
    } else if scheme.eq_ignore_ascii_case("token") || scheme.eq_ignore_ascii_case("bearer") {
        Some(Shown::Token(value.to_owned()))
    } else {
        None
    }
}
