//! `FakeInflux::imitating` and the servers that it imitates: asked the same, they answer the same.

mod support;

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use actix_influxdb::{
    Influx, ServerInfo,
    testing::{FakeInflux, Server},
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use flate2::{Compression, write::GzEncoder};
use support::{
    influxd::{Influxd, PASSWORD, USER},
    measurement::record,
    pipeline::{quiet, settled},
    require_influxd, require_victoria_metrics, require_vmagent,
    wait::wait_until,
};

/// Longer than an answer takes: only a failing test waits for so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request, as it is put on the wire.
#[derive(Clone, Debug)]
struct Ask {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Ask {
    fn new(method: &'static str, target: &str) -> Self {
        Self {
            method,
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..Self::new("POST", target)
        }
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What matters of an answer.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// Headers that a client looks at, or could.
const THAT_MATTER: [&str; 9] = [
    "allow",
    "content-type",
    "retry-after",
    "www-authenticate",
    "x-content-type-options",
    "x-influxdb-build",
    "x-influxdb-error",
    "x-influxdb-version",
    "x-server-hostname",
];

fn ask(url: &str, ask: &Ask) -> Answer {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = stream.local_addr().unwrap().port().to_string();
    let mut request = format!("{} {} HTTP/1.1\r\n", ask.method, ask.target);
    request += "Host: influx\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n";
    for (name, value) in &ask.headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!("Content-Length: {}\r\n\r\n", ask.body.len());
    stream.write_all(request.as_bytes()).unwrap();
    // A server may have answered before all of it has come.
    _ = stream.write_all(&ask.body);
    let mut bytes = Vec::new();
    _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let (head, rest) = text.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let mut headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let is_chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    headers.retain(|(name, _)| THAT_MATTER.contains(&name.as_str()));
    headers.sort();
    for (name, value) in &mut headers {
        // Debian's says `1.6.7~rc0`; the other is the machine's name.
        *value = match name.as_str() {
            "x-influxdb-version" => value.replace("~rc0", ""),
            "x-server-hostname" => "some name".to_owned(),
            _ => std::mem::take(value),
        };
    }
    let body = match is_chunked {
        true => unchunked(rest),
        false => rest.to_owned(),
    };
    let body = body.replace(&format!(":{port}\""), ":PORT\"");
    // `cannot read a block of data in 0.012s`
    let body = match body.split_once("block of data in ") {
        Some((before, after)) => {
            let after = after.split_once("s: ").expect("the seconds").1;
            format!("{before}block of data in SECONDS: {after}")
        }
        None => body,
    };
    Answer {
        status: status.parse().unwrap(),
        headers,
        body,
    }
}

fn unchunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a size");
        body += &after[..size];
        rest = after[size..].strip_prefix("\r\n").unwrap_or_default();
    }
    body
}

#[track_caller]
fn compare(real: &str, fake: &str, asks: &[Ask]) {
    for request in asks {
        let (there, here) = (ask(real, request), ask(fake, request));
        let shown = &request.body[..request.body.len().min(200)];
        let shown = String::from_utf8_lossy(shown);
        assert_eq!(
            here, there,
            "the double (left) and the server (right), asked {} {} {:?} {shown:?}",
            request.method, request.target, request.headers
        );
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

const GOOD: &str = "m,t=a f=1 1700000000000000000";

/// Paths and methods, good and bad.
fn paths() -> Vec<Ask> {
    let mut asks = vec![
        Ask::new("GET", "/ping"),
        Ask::new("HEAD", "/ping"),
        Ask::new("GET", "/ping?verbose=true"),
        Ask::new("GET", "/health"),
        Ask::new("GET", "/nope"),
        Ask::new("GET", "/query?q=SHOW+DATABASES"),
        Ask::new("POST", "/query?q=CREATE+DATABASE+d"),
    ];
    for path in [
        "/write",
        "/api/v2/write",
        "/api/v3/write_lp",
        "/influx/write",
        "/nope/write",
    ] {
        asks.push(Ask::post(&format!("{path}?db=d&org=o&bucket=d"), GOOD));
    }
    asks
}

/// Writes of all kinds.
fn writes() -> Vec<Ask> {
    let write = |body: &str| Ask::post("/write?db=d", body);
    let mut asks: Vec<_> = [
        GOOD,
        "",
        "# nothing\n\n",
        "bad",
        "m f=1 1700000000000000000\nbad\nm f=2 1700000000000000001",
        "bad 1\nbad 2",
        "m f=\"a < b & c\" x",
        "c f=1 1700000000000000000",
        "c f=\"text\" 1700000000000000000",
        "c f=1i 1700000000000000001\nc f=2 1700000000000000002\nbad",
        "m,time=1 f=1 1700000000000000000",
        "m time=1 1700000000000000000",
        "m f=7u 1700000000000000000",
        "m f=NaN",
        "m f=1 99999999999999999999",
        "m,a=1,a=2 f=1 1700000000000000000",
        "m f=1,f=2 1700000000000000000",
        "n f=\"one\ntwo\" 1700000000000000000",
        "n,t=ü f=\"🦀\" 1700000000000000000",
        "m f=1 1700000000000000000\r\n",
    ]
    .into_iter()
    .map(write)
    .collect();
    for target in [
        "/write",
        "/write?db=",
        "/write?db=nope",
        "/write?db=no%20such%22one",
        "/write?db=d&rp=nope",
        "/write?db=d&precision=nope",
        "/write?db=d&precision=us",
        "/write?db=d&consistency=nope",
        "/write?db=d&consistency=quorum",
    ] {
        asks.push(Ask::post(target, GOOD));
    }
    for (encoding, body) in [
        ("gzip", gzip(GOOD.as_bytes())),
        ("gzip", Vec::new()),
        ("gzip", b"abc".to_vec()),
        ("gzip", b"no gzip, but longer".to_vec()),
        ("gzip", gzip(GOOD.as_bytes())[..30].to_vec()),
        ("zstd", GOOD.into()),
    ] {
        asks.push(Ask::post("/write?db=d", body).header("Content-Encoding", encoding));
    }
    let quoted = "very bad line, which is repeated\n".repeat(200);
    asks.push(write(&quoted));
    asks
}

fn credentials(user: &str, password: &str) -> Vec<Ask> {
    let basic = |password: &str| {
        let text = BASE64_STANDARD.encode(format!("{user}:{password}"));
        Ask::post("/write?db=d", GOOD).header("Authorization", format!("Basic {text}"))
    };
    let query = |password: &str| {
        Ask::post(
            &format!("/write?db=d&u={user}&p={}", password.replace(' ', "+")),
            GOOD,
        )
    };
    let token = format!("Token {user}:{password}");
    vec![
        Ask::post("/write?db=d", GOOD),
        basic(password),
        basic("wrong"),
        query(password),
        query("wrong"),
        Ask::post("/write?db=d", GOOD).header("Authorization", token),
        Ask::post("/write?db=d", GOOD).header("Authorization", "Basic !"),
        Ask::post("/write?db=d", GOOD).header("Authorization", "Nonsense"),
        Ask::new("GET", "/ping"),
    ]
}

#[test]
fn influxdb_1_6_and_its_double_answer_the_same() {
    let influxd = require_influxd!();
    influxd.create_database("d");
    let fake = FakeInflux::imitating(Server::InfluxDb1_6);
    for database in ["nope", "no such\"one"] {
        fake.without_database(database);
    }
    fake.without_retention_policy("nope");
    let mut asks = paths();
    // The double has every database that isn't taken away, and shows those that were written.
    asks.retain(|ask| !ask.target.contains("SHOW"));
    asks.extend(writes());
    asks.push(Ask::post("/write?db=d", vec![b'x'; 25_000_001]));
    compare(influxd.url(), &fake.url(), &asks);
    for measurement in ["m", "c", "n"] {
        let stored = influxd.query_all("d", measurement);
        let there: BTreeSet<_> = stored
            .iter()
            .map(|row| {
                (
                    row.time,
                    row.tags.clone(),
                    row.fields.keys().cloned().collect(),
                )
            })
            .collect();
        let points = fake.points("d").into_iter();
        let here: BTreeSet<(_, _, Vec<_>)> = points
            .filter(|point| point.measurement == measurement)
            .map(|point| {
                (
                    point.timestamp.unwrap(),
                    point.tags,
                    point.fields.into_keys().collect(),
                )
            })
            .collect();
        assert_eq!(here, there, "{measurement}");
        assert!(!here.is_empty(), "{measurement}");
    }
}

/// Name and time of each sample, as VictoriaMetrics names them.
fn samples(fake: &FakeInflux, database: &str) -> BTreeSet<(String, i64)> {
    let points = fake.points(database).into_iter();
    let samples = points.flat_map(|point| {
        let at = point.timestamp.unwrap() / 1_000_000;
        let name = point.measurement;
        let fields = point.fields.into_keys();
        fields
            .map(|field| (format!("{name}_{field}"), at))
            .collect::<Vec<_>>()
    });
    samples.collect()
}

#[test]
fn influxdb_1_6_with_credentials_and_its_double_answer_the_same() {
    let influxd = require_influxd!(Influxd::builder().auth(true));
    influxd.create_database("d");
    let fake = FakeInflux::imitating(Server::InfluxDb1_6);
    fake.require_auth(USER, PASSWORD);
    compare(influxd.url(), &fake.url(), &credentials(USER, PASSWORD));
}

/// What a pipeline finds out that writes to it.
async fn recognised(url: &str) -> (String, String) {
    let influx = Influx::start(quiet(url)).unwrap();
    let pinged = influx.ping().await.unwrap();
    record(&influx, "d", 1);
    let stats = settled(&influx).await;
    let met = stats.endpoints[0].server.clone().expect("it has answered");
    let name = |server: ServerInfo| match server.version {
        Some(version) => format!("{} {version}", server.product),
        None => server.product.to_string(),
    };
    (name(pinged), name(met))
}

#[actix::test]
async fn the_real_servers_are_recognised_by_a_ping_and_by_a_write() {
    let influxd = require_influxd!();
    influxd.create_database("d");
    let victoria = require_victoria_metrics!();
    let agent = require_vmagent!(&[victoria.url().to_owned()], &[]);
    let (pinged, met) = recognised(influxd.url()).await;
    assert!(
        pinged.starts_with("InfluxDB 1.") && met == pinged,
        "{pinged}, {met}"
    );
    let victoria = recognised(victoria.url()).await;
    assert_eq!(
        victoria,
        ("VictoriaMetrics".to_owned(), "VictoriaMetrics".to_owned())
    );
    let agent = recognised(agent.url()).await;
    assert_eq!(agent, ("VictoriaMetrics".to_owned(), "vmagent".to_owned()));
}

fn long_line(bytes: usize) -> Ask {
    let line = format!("long f=\"{}\" 1700000000000000000", "x".repeat(bytes));
    Ask::post("/write?db=d", line)
}

#[test]
fn victoria_metrics_1_79_and_its_double_answer_the_same() {
    let victoria = require_victoria_metrics!();
    let fake = FakeInflux::imitating(Server::VictoriaMetrics1_79);
    let mut asks = paths();
    asks.extend(writes());
    asks.extend([long_line(100_000), long_line(2_000_000)]);
    // Stored as nothing here, as nothing there.
    asks.retain(|ask| !ask.body.ends_with(b"NaN"));
    compare(victoria.url(), &fake.url(), &asks);
    let stored = || -> BTreeSet<_> {
        let series = victoria.export(r#"{__name__=~".+",db="d"}"#).into_iter();
        let samples = series.flat_map(|series| {
            let name = series.name;
            let samples = series.samples.into_iter();
            samples.map(move |(at, _)| (name.clone(), at))
        });
        samples.collect()
    };
    // On a busy machine a new series takes a while to be found.
    let here = samples(&fake, "d");
    _ = wait_until(PATIENCE, || stored().len() >= here.len());
    let there = stored();
    assert_eq!(here, there);
    assert!(there.len() >= 5, "{there:?}");
}

#[test]
fn victoria_metrics_1_79_with_credentials_and_its_double_answer_the_same() {
    let arguments = ["-httpAuth.username=ada", "-httpAuth.password=open"];
    let victoria = require_victoria_metrics!(&arguments);
    let fake = FakeInflux::imitating(Server::VictoriaMetrics1_79);
    fake.require_auth("ada", "open");
    compare(victoria.url(), &fake.url(), &credentials("ada", "open"));
}

#[test]
fn vmagent_1_79_and_its_double_answer_the_same() {
    let victoria = require_victoria_metrics!();
    let agent = require_vmagent!(&[victoria.url().to_owned()], &[]);
    let fake = FakeInflux::imitating(Server::Vmagent1_79);
    let mut asks = paths();
    asks.extend(writes());
    asks.extend([long_line(100_000), long_line(2_000_000)]);
    compare(agent.url(), &fake.url(), &asks);
}
