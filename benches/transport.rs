//! Processor time of a million points, recorded and delivered: plain, in TLS, compressed, and both. The server is a process
//! of its own, so that only the client's time is counted (Linux).
//!
//! `cargo bench --features rustls,gzip --bench transport`

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use actix_influxdb::{Config, Influx};
use rcgen::{CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

const POINTS: usize = 1_000_000;

/// The folder with the certificates, for the child that is the server; empty for one without TLS.
const ROLE: &str = "TRANSPORT_BENCH_SERVER";

fn main() {
    if let Some(folder) = env::var_os(ROLE) {
        return serve(PathBuf::from(folder));
    }
    let folder = tempfile::TempDir::new().expect("a folder");
    make_certificates(folder.path().to_owned());
    println!("| | CPU seconds per million points |");
    println!("|---|--:|");
    for (name, tls, gzip) in [
        ("plain", false, false),
        ("TLS", true, false),
        ("gzip", false, true),
        ("TLS and gzip", true, true),
    ] {
        let mut runs: Vec<_> = (0..5)
            .map(|_| run(folder.path().to_owned(), tls, gzip))
            .collect();
        runs.sort_by(f64::total_cmp);
        println!("| {name} | {:.2} |", runs[2]);
    }
}

fn run(folder: PathBuf, tls: bool, gzip: bool) -> f64 {
    let (mut server, address) = start_server(if tls { folder.clone() } else { PathBuf::new() });
    let config = match tls {
        true => Config::v1(format!("https://{address}")).tls_ca(folder.join("ca.pem")),
        false => Config::v1(format!("http://{address}")),
    };
    let influx = Influx::start(
        config
            .gzip(gzip)
            .max_buffer_size(2 * POINTS)
            .max_buffer_bytes(1 << 30),
    )
    .expect("these settings are allowed");
    let series: Vec<_> = (0..100)
        .map(|number| {
            let series = influx.series("db", "requests").tag("method", "GET");
            let series = series.tag("endpoint", format!("/users/{{id}}/{number}"));
            series
                .tag("status_code", "200")
                .tag("outcome", "ok")
                .build()
                .expect("good names")
        })
        .collect();
    let mut random = fastrand::Rng::with_seed(7);
    let before = cpu_seconds();
    for number in 0..POINTS {
        let point = series[number % series.len()].point();
        let point = point.field("duration", f64::from(random.u32(100..900_000)) / 1e6);
        let point = point.field("content_length", random.u32(100..50_000));
        point
            .field("remote_ip", "10.1.2.3")
            .record()
            .expect("there is room");
    }
    let report = influx.guard(Duration::from_secs(60));
    drop(report);
    let spent = cpu_seconds() - before;
    let stats = influx.stats();
    assert_eq!(stats.written, POINTS as u64, "{stats}");
    _ = server.kill();
    _ = server.wait();
    spent
}

/// Of all threads of this process, those that have ended included.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<_> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    // User and system time, in hundredths of a second.
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / 100.0
}

fn start_server(folder: PathBuf) -> (Child, SocketAddr) {
    let program = env::current_exe().expect("its path");
    let mut server = Command::new(program)
        .env(ROLE, folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server");
    let mut line = String::new();
    let output = server.stdout.take().expect("a pipe");
    BufReader::new(output)
        .read_line(&mut line)
        .expect("its address");
    (server, line.trim().parse().expect("an address"))
}

fn make_certificates(folder: PathBuf) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let ca = params.self_signed(&key).expect("an authority").pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    let server = server
        .signed_by(&key, &issuer)
        .expect("a certificate")
        .pem();
    for (name, pem) in [
        ("ca.pem", ca),
        ("cert.pem", server),
        ("key.pem", key.serialize_pem()),
    ] {
        fs::write(folder.join(name), pem).expect("a file");
    }
}

fn serve(folder: PathBuf) {
    let tls = (!folder.as_os_str().is_empty()).then(|| {
        let read = |name: &str| fs::read(folder.join(name)).expect("a file");
        let certificate = CertificateDer::from_pem_slice(&read("cert.pem")).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(&read("key.pem")).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key);
        Arc::new(config.expect("a pair"))
    });
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    println!("{}", listener.local_addr().expect("it is bound"));
    for connection in listener.incoming().flatten() {
        let tls = tls.clone();
        thread::spawn(move || {
            _ = connection.set_nodelay(true);
            match tls {
                None => answer(connection),
                Some(config) => {
                    let session = ServerConnection::new(config).ok()?;
                    answer(StreamOwned::new(session, connection))
                }
            }
        });
    }
}

/// Takes every write.
fn answer(mut stream: impl Read + Write) -> Option<()> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1)?.lines().next()?;
        let mut left = length.parse::<usize>().ok()? + end + 4 - bytes.len();
        while left > 0 {
            let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
            left = left.checked_sub(count)?;
        }
        bytes.clear();
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").ok()?;
        stream.flush().ok()?;
    }
}
