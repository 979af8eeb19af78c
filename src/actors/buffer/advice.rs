//! Advice on a failure, for the log. Pure.

use crate::{
    Api, Config,
    delivery::verdict::{Retry, Scope},
    endpoint::{Endpoint, Identity},
};

/// The settings or the server's state to check, in parentheses; empty where only waiting helps.
pub(super) fn advice(
    retry: &Retry,
    endpoint: &Endpoint,
    known: Option<&Identity>,
    config: &Config,
) -> String {
    if retry.is_refused {
        let url = config.origin.address();
        return format!(" (is the server running, and is {url} right?)");
    }
    if !retry.is_misconfigured() {
        return String::new();
    }
    let is_any = matches!(retry.scope, Scope::Endpoint | Scope::Path);
    let sentence = match is_tls(retry) {
        true => {
            let url = config.origin.name("url");
            Some(format!("the port uses TLS, set {url} to an https:// URL"))
        }
        false => known
            .filter(|_| is_any)
            .and_then(|known| mismatch(known, config)),
    };
    if let Some(sentence) = sentence {
        let path = endpoint.write_path();
        return format!(" (the request was POST {path}: {sentence})");
    }
    match retry.scope {
        // Without a response, credentials are not at fault, and the reason says what to do.
        Scope::Endpoint if retry.status.is_none() => String::new(),
        Scope::Endpoint if config.api == Api::V2 && known.is_some_and(|it| it.is_influxdb(1)) => {
            format!(
                " (InfluxDB 1 accepts user:password as a token: set {} to that)",
                config.origin.name("token")
            )
        }
        Scope::Endpoint
            if !config.settings().has_token() && known.is_some_and(Identity::requires_token) =>
        {
            format!(
                " (InfluxDB 3 requires a token: set {})",
                config.origin.name("token")
            )
        }
        Scope::Endpoint => {
            let name = |setting| config.origin.name(setting);
            match (config.api, config.settings().has_token()) {
                (Api::V1, false) if config.settings().user().is_none() => format!(
                    " (the server requires credentials: set {} and {})",
                    name("user"),
                    name("password")
                ),
                (Api::V1, false) => format!(" (check {} and {})", name("user"), name("password")),
                _ => format!(" (check {})", name("token")),
            }
        }
        Scope::Path if config.api == Api::V2 && retry.normalized.contains("org") => {
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
        Scope::Database if retry.normalized.contains("dbrp mapping") => format!(
            " (map it to a bucket with `influx v1 dbrp create`, or set {} to v2, with {} and {})",
            config.origin.name("api"),
            config.origin.name("org"),
            config.origin.name("token")
        ),
        Scope::Database if retry.is_database_missing => {
            match (config.api, config.create_database) {
                (Api::V1, false) => {
                    let setting = config.origin.name("create_database");
                    format!(" (create it, or set {setting})")
                }
                _ => " (create it)".to_owned(),
            }
        }
        Scope::Database | Scope::Unclear => String::new(),
    }
}

/// Whether the port uses TLS, according to Go, nginx or the description of a response that is not HTTP.
fn is_tls(retry: &Retry) -> bool {
    let normalized = retry.normalized.as_str();
    ["https server", "https port", "in tls: use https"]
        .iter()
        .any(|said| normalized.contains(said))
}

/// What the server is and which setting to change, if it doesn't have the configured API, or needs
/// more settings for it.
pub(super) fn mismatch(known: &Identity, config: &Config) -> Option<String> {
    let name = |setting| config.origin.name(setting);
    let (api, apis) = (config.api, known.apis());
    if apis.contains(&api) {
        let is_v1_of_2 = api == Api::V1 && known.is_influxdb(2);
        return is_v1_of_2.then(|| {
            format!(
                "it is {known}: set {} to v2, with {} and {}; its API v1 requires v1 credentials \
                 (`influx v1 auth create`) or a token, and databases that are mapped to buckets",
                name("api"),
                name("org"),
                name("token")
            )
        });
    }
    let fits = apis.first()?;
    let with = match fits {
        Api::V2 if !config.settings().has_token() || config.org.is_none() => {
            format!(", with {} and {}", name("org"), name("token"))
        }
        _ => String::new(),
    };
    let set = name("api");
    Some(format!(
        "it is {known}, which has no API {api}: set {set} to {fits}{with}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Product, delivery::verdict::Cause};

    fn advised(config: Config, retry: Retry) -> String {
        let endpoint = Endpoint::all(&config).unwrap().remove(0);
        advice(&retry, &endpoint, None, &config)
    }

    fn misconfigured(scope: Scope) -> Retry {
        Retry {
            status: Some(401),
            ..Retry::new(scope, Cause::Configuration, "why")
        }
    }

    fn known(product: Product, version: &str, build: &str) -> Identity {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Identity {
            product,
            version: some(version),
            build: some(build),
        }
    }

    #[test]
    fn a_server_without_the_api_is_named_with_the_setting_to_change() {
        use Product::*;
        let v1 = || Config::v1("http://h");
        let v2 = || Config::v2("http://h", "o", "t");
        let v3 = || Config::v3("http://h", "t");
        for (server, config, wanted) in [
            (
                known(InfluxDb, "1.6.7", "OSS"),
                v2(),
                "it is InfluxDB 1.6.7 (OSS), which has no API v2: set api to v1",
            ),
            (
                known(InfluxDb, "1.8.10", "OSS"),
                v3(),
                "it is InfluxDB 1.8.10 (OSS), which has no API v3: set api to v1",
            ),
            (
                known(InfluxDb, "2.7.12", "OSS"),
                v3(),
                "it is InfluxDB 2.7.12 (OSS), which has no API v3: set api to v2, with org and token",
            ),
            (
                known(InfluxDb, "2.7.12", "OSS"),
                v1(),
                "it is InfluxDB 2.7.12 (OSS): set api to v2, with org and token; its API v1 requires",
            ),
            (
                known(Telegraf, "", "influxdb_listener"),
                v2(),
                "it is Telegraf (influxdb_listener), which has no API v2: set api to v1",
            ),
            (
                known(Telegraf, "", "influxdb_v2_listener"),
                v1(),
                "it is Telegraf (influxdb_v2_listener), which has no API v1: set api to v2, with",
            ),
            (
                known(VictoriaMetrics, "", ""),
                v3(),
                "it is VictoriaMetrics, which has no API v3: set api to v1",
            ),
        ] {
            let endpoint = Endpoint::all(&config).unwrap().remove(0);
            let retry = misconfigured(Scope::Path);
            let advice = advice(&retry, &endpoint, Some(&server), &config);
            assert!(advice.contains(wanted), "{advice}");
        }
        let endpoint = Endpoint::all(&v2()).unwrap().remove(0);
        let server = known(InfluxDb, "1.8.10", "OSS");
        let advice = advice(
            &misconfigured(Scope::Endpoint),
            &endpoint,
            Some(&server),
            &v2(),
        );
        assert!(
            advice.contains("accepts user:password as a token: set token to that"),
            "{advice}"
        );
        for server in [known(InfluxDb, "", ""), known(InfluxDb, "3.10.1", "Core")] {
            let advice = super::advice(
                &misconfigured(Scope::Endpoint),
                &endpoint,
                Some(&server),
                &v1(),
            );
            assert!(
                advice.contains("InfluxDB 3 requires a token: set token"),
                "{advice}"
            );
        }
        for (server, config) in [
            (known(InfluxDb, "1.6.7", "OSS"), v1()),
            (known(InfluxDb, "1.8.10", "OSS"), v2()),
            (known(InfluxDb, "2.7.12", "OSS"), v2()),
            (known(InfluxDb, "3.6.0", "Core"), v1()),
            (known(InfluxDb, "3.6.0", "Core"), v2()),
            (known(InfluxDb, "3.6.0", "Core"), v3()),
            (known(Unknown, "", ""), v3()),
        ] {
            assert_eq!(mismatch(&server, &config), None, "{server}");
        }
    }

    #[test]
    fn a_port_that_speaks_tls_is_said_to() {
        for said in [
            "status 400: Client sent an HTTP request to an HTTPS server.",
            "status 400: a web page, \"400 The plain HTTP request was sent to HTTPS port\"",
        ] {
            let retry = Retry {
                normalized: said.to_lowercase(),
                ..misconfigured(Scope::Path)
            };
            let advice = advised(Config::v1("http://h"), retry);
            assert!(advice.contains("set url to an https:// URL"), "{advice}");
        }
    }

    #[test]
    fn credentials_of_the_url_and_of_files_are_credentials() {
        let of_url = Config::v1("http://ada:wrong@h");
        let advice = advised(of_url, misconfigured(Scope::Endpoint));
        assert!(advice.contains("check user and password"), "{advice}");
        let of_file = Config::default().api(Api::V3).token_file("/run/token");
        let endpoint = Endpoint::all(&Config::v1("http://h")).unwrap().remove(0);
        let server = known(Product::InfluxDb, "3.10.1", "Core");
        let refused = misconfigured(Scope::Endpoint);
        let advice = super::advice(&refused, &endpoint, Some(&server), &of_file);
        assert!(advice.contains("check token"), "{advice}");
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
            is_database_missing: true,
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
                "requires credentials: set user and password",
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
