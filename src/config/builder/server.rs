use std::path::PathBuf;

use super::{non_empty, non_empty_path};
use crate::{
    Api, Config,
    config::{BaseUrls, Secret},
};

/// How the servers are reached.
impl Config {
    /// Base URLs of the servers, separated by commas: `http://`, `https://` (feature `rustls`), or
    /// `unix://` and the absolute path of a socket. The path of an HTTP URL is kept, for servers
    /// behind a reverse proxy.
    ///
    /// A user and password in a URL (`http://user:password@host`, the same in all URLs, special
    /// characters escaped: `%40` for `@`, `%2C` for a comma) have the effect of
    /// [`user`](Self::user) and [`password`](Self::password).
    ///
    /// Measurements go to one server at a time, the first in this order that works: after a
    /// failure, to another, and back when the first answers a ping, which is sent every 30 s. They
    /// are not copied to all.
    ///
    /// ```
    /// use actix_influxdb::Config;
    ///
    /// let config = Config::default().url("http://influx-1:8086,http://influx-2:8086");
    /// assert_eq!(config.settings().urls().len(), 2);
    /// ```
    ///
    /// `INFLUXDB_URL`, else built from `INFLUXDB_SCHEME`, `INFLUXDB_HOST` and `INFLUXDB_PORT`;
    /// default `http://localhost:8086`.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.origin.set_by_program("url");
        self.url = BaseUrls::new(url);
        self
    }

    /// User of API v1's basic authentication, without `:`. Empty: none.
    ///
    /// `INFLUXDB_USER`; default none.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.origin.set_by_program("user");
        self.user = non_empty(user);
        self
    }

    /// Password of [`user`](Self::user). Empty: none.
    ///
    /// `INFLUXDB_PASSWORD`; default none.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.origin.set_by_program("password");
        self.password = non_empty(password).map(Secret::new);
        self
    }

    /// File that holds the password of [`user`](Self::user), instead of
    /// [`password`](Self::password). A trailing line break is removed. The file is read at the
    /// start and every 5 s: changes take effect without a restart.
    ///
    /// `INFLUXDB_PASSWORD_FILE`; default none.
    pub fn password_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.origin.set_by_program("password_file");
        self.password_file = non_empty_path(path);
        self
    }

    /// Token with the right to write, instead of a user and password. Empty: none.
    ///
    /// `INFLUXDB_TOKEN`; default none.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.origin.set_by_program("token");
        self.token = non_empty(token).map(Secret::new);
        self
    }

    /// File that holds the token, instead of [`token`](Self::token), as for Docker and Kubernetes
    /// secrets. A trailing line break is removed. The file is read at the start and every 5 s:
    /// changes take effect without a restart.
    ///
    /// `INFLUXDB_TOKEN_FILE`; default none.
    pub fn token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.origin.set_by_program("token_file");
        self.token_file = non_empty_path(path);
        self
    }

    /// Organisation: required by API v2, unused by the others. Empty: none.
    ///
    /// `INFLUXDB_ORG`; default none.
    pub fn org(mut self, org: impl Into<String>) -> Self {
        self.origin.set_by_program("org");
        self.org = non_empty(org);
        self
    }

    /// Write API of the servers.
    ///
    /// `INFLUXDB_API`: `v1`, `v2` or `v3`; for settings from the environment the default is `v2` if
    /// a token and an organisation are set, `v3` if only a token is, else `v1`.
    pub fn api(mut self, api: Api) -> Self {
        self.origin.set_by_program("api");
        self.api = api;
        self
    }

    /// PEM file with the CA certificates that `https` servers are verified with, instead of the
    /// system's. Feature `rustls`. The file is read at the start and every 5 s: changes take effect
    /// without a restart.
    ///
    /// `INFLUXDB_TLS_CA`; default the system's CA certificates.
    pub fn tls_ca(mut self, path: impl Into<PathBuf>) -> Self {
        self.origin.set_by_program("tls_ca");
        self.tls_ca = non_empty_path(path);
        self
    }

    /// PEM file with the client's certificate and its intermediate certificates, for `https`
    /// servers that request one. Needs [`tls_key`](Self::tls_key). Feature `rustls`. Changes take
    /// effect as for [`tls_ca`](Self::tls_ca).
    ///
    /// `INFLUXDB_TLS_CERT`; default none.
    pub fn tls_cert(mut self, path: impl Into<PathBuf>) -> Self {
        self.origin.set_by_program("tls_cert");
        self.tls_cert = non_empty_path(path);
        self
    }

    /// PEM file with the private key of [`tls_cert`](Self::tls_cert), not encrypted. It may be the
    /// same file. Feature `rustls`. Changes take effect as for [`tls_ca`](Self::tls_ca).
    ///
    /// `INFLUXDB_TLS_KEY`; default none.
    pub fn tls_key(mut self, path: impl Into<PathBuf>) -> Self {
        self.origin.set_by_program("tls_key");
        self.tls_key = non_empty_path(path);
        self
    }

    /// Whether *any* certificate of an `https` server is accepted: expired, for another host, from
    /// an unknown issuer. Anyone between the program and the server can then read the credentials
    /// and measurements; an ERROR is logged at each start. Feature `rustls`.
    ///
    /// No variable; default `false`.
    pub fn danger_accept_invalid_certs(mut self, accept: bool) -> Self {
        self.origin.set_by_program("danger_accept_invalid_certs");
        self.danger_accept_invalid_certs = accept;
        self
    }

    /// HTTP proxy for all connections except those to unix sockets, with `CONNECT`:
    /// `http://proxy:3128`, with `user:password@` before the host if it requires them. Empty: none.
    /// `HTTP_PROXY` and similar variables are not read.
    ///
    /// `INFLUXDB_PROXY`; default none.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.origin.set_by_program("proxy");
        self.proxy = non_empty(url).map(Secret::new);
        self
    }

    /// Adds a header to every request, for example the tenant that a gateway requires. The last
    /// value of a name wins. Values are treated as secrets: they are never shown.
    ///
    /// Headers that the library sets itself (`Host`, `Content-Length` and so on) are refused;
    /// `Authorization` is allowed if there are no other credentials.
    ///
    /// ```
    /// use actix_influxdb::Config;
    ///
    /// let config = Config::default().header("X-Scope-OrgID", "team-1");
    /// assert_eq!(config.settings().header_names(), ["x-scope-orgid"]);
    /// ```
    ///
    /// `INFLUXDB_HEADERS`: `Name=value`, separated by commas, values percent-encoded (`%2C` for a
    /// comma, `%25` for a percent sign); default none.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.origin.set_by_program("headers");
        self.headers.set(name, value);
        self
    }

    /// Whether request bodies above 1 KiB are compressed. Feature `gzip`.
    ///
    /// Compression reduces request bodies to about a fifth, but costs more processor time than
    /// everything else the library does (`docs/performance.md` has figures): worthwhile where
    /// traffic is expensive or slow. A server that refuses compressed bodies gets plain ones.
    ///
    /// `INFLUXDB_GZIP`; default `false`.
    pub fn gzip(mut self, gzip: bool) -> Self {
        self.origin.set_by_program("gzip");
        self.gzip = gzip;
        self
    }
}
