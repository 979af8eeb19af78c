//! HTTP proxies and extra headers.

mod support;

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use actix_influxdb::{Config, FailureKind, Influx, testing::FakeInflux};
use support::{
    measurement::record,
    pipeline::{impatient, settled},
};

/// A proxy that knows `CONNECT` alone. Its threads end with the process.
struct Proxy {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
    /// What it answers; a tunnel if it is 200.
    status: Arc<Mutex<u16>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://ada:s%40me@{}", listener.local_addr().unwrap());
        let (heads, status) = (
            Arc::<Mutex<Vec<String>>>::default(),
            Arc::new(Mutex::new(200)),
        );
        let (seen, answer) = (Arc::clone(&heads), Arc::clone(&status));
        thread::spawn(move || {
            for client in listener.incoming() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || tunnel(client.unwrap(), &seen, *answer.lock().unwrap()));
            }
        });
        Self { url, heads, status }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn tunnel(mut client: TcpStream, heads: &Mutex<Vec<String>>, status: u16) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if client.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let to = head.split(' ').nth(1).unwrap().to_owned();
    heads.lock().unwrap().push(head);
    client
        .write_all(format!("HTTP/1.1 {status} x\r\nVia: x\r\n\r\n").as_bytes())
        .unwrap();
    if status != 200 {
        return;
    }
    let server = TcpStream::connect(to).unwrap();
    let (mut from, mut back) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (mut server, mut client) = (server, client);
    thread::spawn(move || std::io::copy(&mut from, &mut server));
    _ = std::io::copy(&mut back, &mut client);
}

#[actix::test]
async fn connections_go_through_the_proxy_and_its_refusals_keep_everything() {
    let (proxy, fake) = (Proxy::start(), FakeInflux::start());
    *proxy.status.lock().unwrap() = 407;
    let influx = Influx::start(impatient(fake.url()).proxy(proxy.url.clone())).unwrap();
    record(&influx, "db", 1);
    for (status, kind, reason) in [
        (
            407,
            FailureKind::Misconfigured,
            "requires a user and password: status 407",
        ),
        (
            403,
            FailureKind::Misconfigured,
            "refuses a connection to 127.0.0.1:",
        ),
        (
            503,
            FailureKind::Unreachable,
            "has no connection to 127.0.0.1:",
        ),
    ] {
        *proxy.status.lock().unwrap() = status;
        let told = || {
            let stats = influx.stats();
            let failure = stats.endpoints[0].last_failure.clone();
            failure.is_some_and(|last| {
                last.reason.kind == kind && last.reason.message.contains(reason)
            })
        };
        let began = std::time::Instant::now();
        while !told() {
            let report = influx.flush(Duration::from_millis(50)).await;
            assert_eq!((report.undelivered, report.rejected), (1, 0));
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "{:?}",
                influx.stats()
            );
        }
        assert!(!format!("{:?} {:?}", influx.stats(), influx.config()).contains("s@me"));
    }
    *proxy.status.lock().unwrap() = 200;
    assert_eq!(settled(&influx).await.written, 1);
    assert_eq!(fake.count("db"), 1);
    let head = proxy.heads().pop().unwrap();
    assert!(
        head.starts_with(&format!("CONNECT {} HTTP/1.1\r\n", fake.addr())),
        "{head}"
    );
    // `ada:s@me`.
    assert!(
        head.contains("Proxy-Authorization: Basic YWRhOnNAbWU=\r\n"),
        "{head}"
    );
    let write = fake.requests().pop().unwrap();
    assert_eq!(write.header("proxy-authorization"), None);
}

#[actix::test]
async fn a_proxy_that_is_not_there_is_told_from_a_server_that_is_not_there() {
    let fake = FakeInflux::start();
    let influx = Influx::start(impatient(fake.url()).proxy("http://127.0.0.1:1")).unwrap();
    record(&influx, "db", 1);
    influx.flush(Duration::from_millis(300)).await;
    let stats = influx.stats();
    let failure = &stats.endpoints[0].last_failure.as_ref().unwrap().reason;
    assert!(
        failure
            .message
            .starts_with("the proxy at 127.0.0.1:1 can't be reached"),
        "{failure:?}"
    );
    assert_eq!((stats.pending, fake.connection_count()), (1, 0));
    // Without it, the server is reached at once.
    influx.update(|config| config.proxy("")).unwrap();
    assert_eq!(settled(&influx).await.written, 1);
}

#[cfg(feature = "rustls")]
#[actix::test]
async fn tls_goes_through_the_proxy_to_the_server() {
    use support::{
        certificates::{Authority, write},
        tls_front::TlsFront,
    };

    let (proxy, fake) = (Proxy::start(), FakeInflux::start());
    let authority = Authority::new("the authority");
    let front = TlsFront::start(fake.addr(), &authority.sign("127.0.0.1"), None);
    let folder = tempfile::TempDir::new().unwrap();
    let config = impatient(front.url()).proxy(proxy.url.clone());
    let config = config.tls_ca(write(folder.path(), "ca.pem", &authority.pem));
    let influx = Influx::start(config).unwrap();
    record(&influx, "db", 1);
    assert_eq!(settled(&influx).await.written, 1);
    let to = front.url().replace("https://", "CONNECT ");
    assert!(proxy.heads()[0].starts_with(&to), "{:?}", proxy.heads());
}

#[actix::test]
async fn extra_headers_go_with_every_request_and_are_shown_by_name_alone() {
    let fake = FakeInflux::start();
    let config = impatient(fake.url())
        .header("X-Scope-OrgID", "hunter2")
        .header("Authorization", "Bearer hunter2");
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(format!("{config:?}").contains("x-scope-orgid"));
    let influx = Influx::start(config).unwrap();
    influx.ping().await.unwrap();
    record(&influx, "db", 1);
    settled(&influx).await;
    for request in fake.requests() {
        assert_eq!(request.header("x-scope-orgid"), Some("hunter2"));
        assert_eq!(request.header("authorization"), Some("Bearer hunter2"));
    }
}

#[actix::test]
async fn credentials_in_a_url_are_sent_and_not_shown() {
    let fake = FakeInflux::start();
    fake.require_auth("ada", "s@me");
    let url = format!("http://ada:s%40me@{}/", fake.addr());
    let config = Config::v1(url).max_retry_delay(Duration::from_millis(100));
    let influx = Influx::start(config).unwrap();
    record(&influx, "db", 1);
    assert_eq!(settled(&influx).await.written, 1);
    assert_eq!(influx.stats().endpoints[0].url, fake.url());
    assert_eq!(influx.config().settings().user(), Some("ada"));
}
