//! A load that is known from outside: what clients ask for, what they get and how long that takes.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use actix_influxdb::{Config, Influx, InfluxMetrics, ShutdownReport};
use actix_web::{App, HttpResponse, HttpServer, error, rt, web};
use socket2::SockRef;

use crate::support::influxd::Influxd;

const LONG: Duration = Duration::from_secs(30);

/// What a visitor asks for in each round.
const ROUND: [Ask; 8] = [
    Ask::new("GET", "/users/0", "/users/{id}", 500, 11, 0),
    Ask::new("GET", "/users/7", "/users/{id}", 200, 1_000, 0),
    Ask::new("GET", "/users/8", "/users/{id}", 200, 1_000, 0),
    Ask::new("DELETE", "/users/7", "/users/{id}", 204, 0, 0),
    Ask::new("POST", "/users", "/users", 201, 3, 0),
    Ask::new("GET", "/slow/2", "/slow/{ms}", 200, 4, 2),
    Ask::new("GET", "/slow/5", "/slow/{ms}", 200, 4, 5),
    Ask::new("GET", "/no/such/place", "unmatched", 404, 0, 0),
];
/// Visitor 0 stays for 2 rounds, visitor 1 for 4 …
const VISITORS: u64 = 4;
/// Whose clients go away before they are answered.
pub const LEFT: u64 = 3;

#[derive(Clone, Copy)]
pub struct Ask {
    pub method: &'static str,
    path: &'static str,
    pub endpoint: &'static str,
    pub status: u16,
    pub bytes: u64,
    /// That the handler takes, or more.
    pub milliseconds: u64,
}

impl Ask {
    const fn new(
        method: &'static str,
        path: &'static str,
        endpoint: &'static str,
        status: u16,
        bytes: u64,
        milliseconds: u64,
    ) -> Self {
        Self {
            method,
            path,
            endpoint,
            status,
            bytes,
            milliseconds,
        }
    }
}

/// A request as its client saw it.
pub struct Seen {
    pub id: String,
    pub ask: Ask,
    /// The client's address, as a proxy would tell it.
    pub visitor: String,
    /// What it took, all in all. Unknown to a client that left.
    pub elapsed: Option<Duration>,
}

impl Seen {
    pub fn outcome(&self) -> &'static str {
        match self.ask.status {
            499 => "aborted",
            500.. => "error",
            _ => "ok",
        }
    }
}

fn routes(app: &mut web::ServiceConfig, begun: mpsc::Sender<()>) {
    let user = async |id: web::Path<u32>| match id.into_inner() {
        0 => Err(error::ErrorInternalServerError("no such row")),
        _ => Ok("u".repeat(1_000)),
    };
    let wait = async |milliseconds: web::Path<u64>| {
        rt::time::sleep(Duration::from_millis(*milliseconds)).await;
        "late"
    };
    let never = move || {
        begun.send(()).unwrap();
        std::future::pending::<HttpResponse>()
    };
    app.service(
        web::resource("/users/{id}")
            .get(user)
            .delete(async || HttpResponse::NoContent()),
    )
    .service(web::resource("/users").post(async || HttpResponse::Created().body("new")))
    .route("/slow/{ms}", web::get().to(wait))
    .route("/never", web::get().to(never));
}

/// Serves the load, and delivers what is recorded of it.
pub fn serve(influxd: &Influxd) -> Vec<Seen> {
    influxd.create_database("db");
    let (seen, report) = deliver(Config::v1(influxd.url()));
    assert_eq!(report.written, seen.len() as u64);
    seen
}

/// Serves the load, and delivers what is recorded of it, and of the pipeline if `config` says so.
pub fn deliver(config: Config) -> (Vec<Seen>, ShutdownReport) {
    let influx = Influx::start(config).unwrap();
    let metrics = InfluxMetrics::new(&influx, "db").trust_forwarded(true);
    let (tell, told) = mpsc::channel();
    let (begin, begun) = mpsc::channel();
    let server = thread::spawn(move || {
        rt::System::new().block_on(async move {
            let app = move || {
                let begin = begin.clone();
                App::new()
                    .wrap(metrics.clone())
                    .configure(|app| routes(app, begin))
            };
            let server = HttpServer::new(app).workers(2).disable_signals();
            let server = server.bind(("127.0.0.1", 0)).unwrap();
            let address = server.addrs()[0];
            let server = server.run();
            tell.send((address, server.handle())).unwrap();
            server.await.unwrap();
        });
    });
    let (address, handle) = told.recv_timeout(Duration::from_secs(20)).unwrap();
    let mut seen = thread::scope(|scope| {
        let visitors = (0..VISITORS).map(|number| scope.spawn(move || visit(address, number)));
        let visitors: Vec<_> = visitors.collect();
        let joined = visitors.into_iter().map(|visitor| visitor.join().unwrap());
        joined.flatten().collect::<Vec<_>>()
    });
    seen.extend((0..LEFT).map(|number| leave(address, number, &begun)));
    rt::System::new().block_on(handle.stop(true));
    server.join().unwrap();
    let report = rt::System::new().block_on(influx.shutdown(LONG));
    assert!(report.is_complete(), "{report:?}");
    (seen, report)
}

fn visit(address: SocketAddr, number: u64) -> Vec<Seen> {
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(LONG))
        .http_status_as_error(false)
        .proxy(None);
    let agent = ureq::Agent::from(agent.build());
    let visitor = format!("203.0.113.{number}");
    let rounds = ROUND.iter().cycle().enumerate();
    let asks = rounds.take(ROUND.len() * 2 * (number as usize + 1));
    let seen = asks.map(|(count, ask)| {
        let id = format!("{number}-{count}");
        let request = ureq::http::Request::builder()
            .method(ask.method)
            .uri(format!("http://{address}{}", ask.path))
            .header("x-request-id", &id)
            .header("x-forwarded-for", &visitor);
        let began = Instant::now();
        let mut response = agent.run(request.body(()).unwrap()).unwrap();
        let body = response.body_mut().read_to_vec().unwrap();
        let elapsed = Some(began.elapsed());
        assert_eq!(response.status(), ask.status, "{}", ask.path);
        assert_eq!(body.len() as u64, ask.bytes, "{}", ask.path);
        let visitor = visitor.clone();
        Seen {
            id,
            ask: *ask,
            visitor,
            elapsed,
        }
    });
    seen.collect()
}

/// A client that is gone before its handler is done.
fn leave(address: SocketAddr, number: u64, begun: &mpsc::Receiver<()>) -> Seen {
    let (id, visitor) = (format!("left-{number}"), "203.0.113.99".to_owned());
    let mut socket = TcpStream::connect(address).unwrap();
    let request = format!(
        "GET /never HTTP/1.1\r\nHost: x\r\nX-Request-ID: {id}\r\nX-Forwarded-For: {visitor}\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).unwrap();
    begun.recv_timeout(LONG).unwrap();
    SockRef::from(&socket)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    Seen {
        id,
        ask: Ask::new("GET", "/never", "/never", 499, 0, 0),
        visitor,
        elapsed: None,
    }
}
