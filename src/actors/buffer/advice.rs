//! Advice on a failure, for the log. Pure.

use crate::{
    Api, Config,
    delivery::verdict::{Retry, Scope},
    endpoint::Endpoint,
};

/// Returns the settings or the server's state to check, as the end of a sentence; empty where only
/// waiting helps.
pub(super) fn advice(retry: &Retry, endpoint: &Endpoint, config: &Config) -> String {
    if retry.is_refused {
        let url = config.origin.address();
        return format!(" (nothing listens there: is the server running, and is {url} right?)");
    }
    if !retry.is_misconfigured() {
        return String::new();
    }
    match retry.scope {
        // Without a response it is no fault of credentials, and the reason says what to do.
        Scope::Endpoint if retry.status.is_none() => String::new(),
        Scope::Endpoint => {
            let name = |setting| config.origin.name(setting);
            match (config.api, &config.token) {
                (Api::V1, None) if config.user.is_none() => format!(
                    " (the server wants credentials, and none are set: set {} and {})",
                    name("user"),
                    name("password")
                ),
                (Api::V1, None) => format!(" (check {} and {})", name("user"), name("password")),
                _ => format!(" (check {})", name("token")),
            }
        }
        Scope::Path if config.api == Api::V2 && retry.words.contains("org") => {
            format!(" (check {})", config.origin.name("org"))
        }
        Scope::Path => {
            let api = match config.api {
                Api::V1 => "the API of InfluxDB 1",
                Api::V2 => "the API of InfluxDB 2",
                Api::V3 => "the API of InfluxDB 3",
            };
            let path = endpoint.write_path();
            format!(
                " (the request was POST {path}: does the server speak {api}, and is {} right?)",
                config.origin.address()
            )
        }
        Scope::Database if retry.misses_database => match (config.api, config.create_database) {
            (Api::V1, false) => {
                let setting = config.origin.name("create_database");
                format!(" (create it, or set {setting})")
            }
            _ => " (create it)".to_owned(),
        },
        Scope::Database | Scope::Unclear => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::verdict::Cause;

    fn advised(config: Config, retry: Retry) -> String {
        let endpoint = Endpoint::all(&config).unwrap().remove(0);
        advice(&retry, &endpoint, &config)
    }

    fn misconfigured(scope: Scope) -> Retry {
        Retry {
            status: Some(401),
            ..Retry::new(scope, Cause::Configuration, "why")
        }
    }

    #[test]
    fn each_fault_says_what_to_look_at() {
        let v1 = || Config::v1("http://h:1/base");
        let v2 = || Config::v2("http://h", "o", "t");
        let refused = Retry {
            is_refused: true,
            ..Retry::new(Scope::Endpoint, Cause::Unavailable, "refused")
        };
        let missing = || Retry {
            misses_database: true,
            ..misconfigured(Scope::Database)
        };
        for (config, retry, wanted) in [
            (v1(), refused, "is the server running"),
            (
                v1().user("u").password("p"),
                misconfigured(Scope::Endpoint),
                "check user and password",
            ),
            (
                v1(),
                misconfigured(Scope::Endpoint),
                "wants credentials, and none are set: set user and password",
            ),
            (v2(), misconfigured(Scope::Endpoint), "check token"),
            (
                v2(),
                Retry::new(
                    Scope::Path,
                    Cause::Configuration,
                    "Please provide either orgID or org",
                ),
                "check org",
            ),
            (
                v1(),
                misconfigured(Scope::Path),
                "POST http://h:1/base/write: does the server speak the API of InfluxDB 1",
            ),
            (
                v2(),
                misconfigured(Scope::Path),
                "POST http://h/api/v2/write: does",
            ),
            (v1(), missing(), "create it, or set create_database"),
            (v1().create_database(true), missing(), "(create it)"),
            (v2(), missing(), "(create it)"),
        ] {
            let advice = advised(config, retry);
            assert!(advice.contains(wanted), "{advice}");
        }
        let certificate = Retry::new(Scope::Endpoint, Cause::Configuration, "a bad certificate");
        assert_eq!(advised(v1(), certificate), "");
        let unavailable = Retry::new(Scope::Unclear, Cause::Unavailable, "busy");
        assert_eq!(advised(v1(), unavailable), "");
    }
}
