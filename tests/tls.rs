//! `https`: whom it trusts, what it says of whom it doesn't, and that nothing is lost meanwhile.

mod support;

use std::{path::PathBuf, time::Duration};

use actix_influxdb::{
    BreakerState, Config, FailureKind, Influx, Measurement, PingError, StartError,
    testing::FakeInflux,
};
use support::{
    certificates::{Authority, Identity, write},
    influxd::Influxd,
    measurement::record,
    pipeline::{LONG, impatient, settled},
    require_influxd, require_nginx,
    tls_front::TlsFront,
};
use tempfile::TempDir;

struct Rig {
    folder: TempDir,
    authority: Authority,
    fake: FakeInflux,
}

impl Rig {
    fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            authority: Authority::new("the authority"),
            fake: FakeInflux::start(),
        }
    }

    fn front(&self, own: &Identity, clients: Option<&Authority>) -> TlsFront {
        TlsFront::start(self.fake.addr(), own, clients)
    }

    fn write(&self, name: &str, pem: &str) -> PathBuf {
        write(self.folder.path(), name, pem)
    }

    fn config(&self, url: String) -> Config {
        impatient(url).tls_ca(self.write("ca.pem", &self.authority.pem))
    }
}

/// The text of the failure of the first server, which has to be one that somebody must mend, with all kept.
async fn misconfigured(influx: &Influx, lines: u64) -> String {
    let report = influx.flush(Duration::from_millis(500)).await;
    assert_eq!(
        (report.undelivered, report.rejected, report.dropped),
        (lines, 0, 0)
    );
    let stats = influx.stats();
    assert!(stats.balanced() && stats.pending == lines, "{stats}");
    let endpoint = &stats.endpoints[0];
    assert_eq!(endpoint.state, BreakerState::Open);
    let failure = &endpoint.last_failure.as_ref().unwrap().reason;
    assert_eq!(failure.kind, FailureKind::Misconfigured, "{failure:?}");
    failure.message.clone()
}

#[actix::test]
async fn a_certificate_of_a_known_authority_is_trusted_and_connections_are_used_again() {
    let rig = Rig::new();
    let front = rig.front(&rig.authority.sign("127.0.0.1"), None);
    let influx = Influx::start(rig.config(front.url())).unwrap();
    assert!(influx.ping().await.is_ok());
    for _ in 0..5 {
        record(&influx, "db", 1);
        assert!(influx.flush(LONG).await.is_complete());
    }
    // Much more than a record of TLS holds.
    for number in 0..20_000 {
        let measurement = Measurement::new("db", "m").field("f", number);
        influx.record(measurement).unwrap();
    }
    assert_eq!(settled(&influx).await.written, 20_005);
    assert_eq!(rig.fake.count("db"), 20_005);
    let write = rig.fake.requests().pop().unwrap();
    let host = front.url();
    assert_eq!(write.header("host"), host.strip_prefix("https://"));
    assert!(
        front.handshakes() <= 3,
        "{} connections",
        front.handshakes()
    );
}

#[actix::test]
async fn who_cannot_be_trusted_gets_nothing_and_the_reason_is_told() {
    let rig = Rig::new();
    let stranger = Authority::new("a stranger");
    for (identity, reason) in [
        (rig.authority.sign_expired("127.0.0.1"), "has expired"),
        (rig.authority.sign("elsewhere.test"), "is for another host"),
        (stranger.sign("127.0.0.1"), "an unknown CA (set tls_ca"),
    ] {
        let front = rig.front(&identity, None);
        let influx = Influx::start(rig.config(front.url())).unwrap();
        record(&influx, "db", 1);
        let text = misconfigured(&influx, 1).await;
        assert!(text.contains(reason), "{text}");
        let Err(PingError::Unreachable { reason: told, .. }) = influx.ping().await else {
            panic!("an answer");
        };
        assert!(told.contains(reason), "{told}");
        assert_eq!(rig.fake.request_count(), 0);
        // The server gets a good one: that is found by itself.
        front.use_identity(&rig.authority.sign("127.0.0.1"), None);
        assert_eq!(settled(&influx).await.written, 1);
        assert_eq!(rig.fake.count("db"), 1);
        rig.fake.clear();
    }
}

#[actix::test]
async fn a_server_that_asks_for_a_certificate_gets_it_or_its_refusal_is_told() {
    let rig = Rig::new();
    let clients = Authority::new("the clients'");
    let front = rig.front(&rig.authority.sign("127.0.0.1"), Some(&clients));
    let influx = Influx::start(rig.config(front.url())).unwrap();
    record(&influx, "db", 1);
    let text = misconfigured(&influx, 1).await;
    assert!(
        text.contains("requires a client certificate (set tls_cert and tls_key)"),
        "{text}"
    );
    let stranger = Authority::new("a stranger").sign("client");
    let with = |name: &str, identity: &Identity| {
        let certificate = rig.write(&format!("{name}.pem"), &identity.certificate);
        let key = rig.write(&format!("{name}.key"), &identity.key);
        move |config: Config| config.tls_cert(certificate).tls_key(key)
    };
    influx.update(with("stranger", &stranger)).unwrap();
    let text = misconfigured(&influx, 1).await;
    assert!(
        text.contains("refuses the client certificate (tls_cert)"),
        "{text}"
    );
    influx
        .update(with("client", &clients.sign("client")))
        .unwrap();
    assert_eq!(settled(&influx).await.written, 1);
    assert_eq!(rig.fake.count("db"), 1);
}

#[actix::test]
async fn any_certificate_is_taken_if_the_program_says_so() {
    let rig = Rig::new();
    let front = rig.front(
        &Authority::new("a stranger").sign_expired("elsewhere.test"),
        None,
    );
    let influx = Influx::start(impatient(front.url()).danger_accept_invalid_certs(true)).unwrap();
    record(&influx, "db", 1);
    assert_eq!(settled(&influx).await.written, 1);
}

#[actix::test]
async fn a_server_without_tls_is_told_from_one_with_it() {
    let rig = Rig::new();
    let url = format!("https://{}", rig.fake.addr());
    let influx = Influx::start(rig.config(url)).unwrap();
    record(&influx, "db", 1);
    let text = misconfigured(&influx, 1).await;
    assert!(
        text.contains("does not use TLS: should its URL begin with http://"),
        "{text}"
    );
    influx.shutdown(Duration::ZERO).await;
}

#[actix::test]
async fn a_handshake_that_is_never_answered_is_told_as_such_and_passes() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let rig = Rig::new();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let config = rig.config(url).request_timeout(Duration::from_millis(400));
    let influx = Influx::start(config).unwrap();
    record(&influx, "db", 1);
    influx.flush(Duration::from_millis(800)).await;
    let stats = influx.stats();
    let failure = &stats.endpoints[0].last_failure.as_ref().unwrap().reason;
    assert!(
        failure.message.contains("no TLS handshake with 127.0.0.1:"),
        "{failure:?}"
    );
    assert_eq!(stats.pending, 1);
    influx.shutdown(Duration::ZERO).await;
}

#[actix::test]
async fn files_that_cannot_be_used_are_an_error_at_the_start_that_names_setting_and_reason() {
    let rig = Rig::new();
    let client = rig.authority.sign("client");
    let other = rig.authority.sign("other");
    let file = |name: &str, pem: &str| rig.write(name, pem);
    let cert = file("cert.pem", &client.certificate);
    let key = file("key.pem", &client.key);
    let https = || Config::v1("https://127.0.0.1:1");
    for (config, setting, reason) in [
        (https().tls_ca(rig.folder.path().join("absent")), "tls_ca", "No such file"),
        (https().tls_ca(&key), "tls_ca", "no `BEGIN CERTIFICATE`"),
        (https().tls_ca(file("x", "hunter2")), "tls_ca", "no `BEGIN CERTIFICATE`"),
        (
            https().tls_ca(file("broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")),
            "tls_ca",
            "CA certificates",
        ),
        (https().tls_cert(&cert), "tls_cert", "only together with tls_key"),
        (https().tls_key(&key), "tls_key", "only together with tls_cert"),
        (https().tls_cert(&cert).tls_key(&cert), "tls_key", "no `BEGIN PRIVATE KEY`"),
        (
            // As secrets from variables are: and what is in the file is not repeated.
            https().tls_cert(&cert).tls_key(file("flat.key", &other.key.replace('\n', "\\n"))),
            "tls_key",
            "are line breaks missing?)",
        ),
        (
            https().tls_cert(&cert).tls_key(file(
                "encrypted",
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            )),
            "tls_key",
            "it is encrypted",
        ),
        (
            https().tls_cert(&cert).tls_key(file("other.key", &other.key)),
            "tls_key",
            "the key of tls_cert",
        ),
        (Config::v1("http://127.0.0.1:1").tls_ca(&cert), "tls_ca", "only with an https:// URL"),
        (
            Config::v1("http://127.0.0.1:1").danger_accept_invalid_certs(true),
            "danger_accept_invalid_certs",
            "only with an https:// URL",
        ),
    ] {
        let Err(StartError::Config(error)) = Influx::start(config) else {
            panic!("{setting}: {reason}");
        };
        assert_eq!(error.setting, setting, "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    // An update is refused the same way, and changes nothing.
    let front = rig.front(&rig.authority.sign("127.0.0.1"), None);
    let influx = Influx::start(rig.config(front.url())).unwrap();
    let error = influx.update(|config| config.tls_ca(&key)).unwrap_err();
    assert_eq!(error.setting, "tls_ca");
    record(&influx, "db", 1);
    assert_eq!(settled(&influx).await.written, 1);
}

#[actix::test]
async fn a_real_influxd_takes_measurements_over_https() {
    let authority = Authority::new("the authority");
    let identity = authority.sign("localhost");
    let influxd = require_influxd!(Influxd::builder().https(&identity.certificate, &identity.key));
    let folder = TempDir::new().unwrap();
    let url = influxd
        .url()
        .replace("http://127.0.0.1", "https://localhost");
    let config = impatient(url).tls_ca(write(folder.path(), "ca.pem", &authority.pem));
    let influx = Influx::start(config.create_database(true)).unwrap();
    assert_eq!(
        influx
            .ping()
            .await
            .unwrap()
            .version
            .as_deref()
            .map(|v| &v[..2]),
        Some("1.")
    );
    record(&influx, "db", 2_000);
    assert_eq!(settled(&influx).await.written, 2_000);
    let reply = influxd
        .ask("/query?db=db&q=SELECT%20COUNT(*)%20FROM%20m")
        .unwrap();
    assert!(reply.contains(",2000]"), "{reply}");
}

#[actix::test]
async fn a_real_nginx_before_influxd_says_what_it_wants() {
    let influxd = require_influxd!();
    influxd.create_database("db");
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let folder = TempDir::new().unwrap();
    let path = |name: &str, pem: &str| write(folder.path(), name, pem).display().to_string();
    let identity = servers.sign("localhost");
    let port = support::server::free_port();
    let _nginx = require_nginx!(&format!(
        "listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {};
         ssl_client_certificate {}; ssl_verify_client on; location / {{ proxy_pass {}; }}",
        path("cert.pem", &identity.certificate),
        path("key.pem", &identity.key),
        path("clients.pem", &clients.pem),
        influxd.url()
    ));
    let ca = write(folder.path(), "ca.pem", &servers.pem);
    let config = impatient(format!("https://localhost:{port}")).tls_ca(ca);
    let influx = Influx::start(config).unwrap();
    record(&influx, "db", 100);
    let text = misconfigured(&influx, 100).await;
    assert!(
        text.contains("No required SSL certificate was sent"),
        "{text}"
    );
    let client = clients.sign("client");
    let certificate = write(folder.path(), "client.pem", &client.certificate);
    let key = write(folder.path(), "client.key", &client.key);
    influx
        .update(|config| config.tls_cert(certificate).tls_key(key))
        .unwrap();
    assert_eq!(settled(&influx).await.written, 100);
    assert_eq!(influxd.count("db", "m", "f"), 100);
}
