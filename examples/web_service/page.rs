//! The live page: its files, its events, and its buttons.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use actix_influxdb::{Influx, PingError, Stats};
use actix_web::{
    HttpRequest, HttpResponse, Responder, get,
    http::header,
    post,
    rt::{self, time::interval},
    web::{Bytes, Data, Path, ServiceConfig},
};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{
    arrived::{Endpoint, Figures},
    ask::{Asker, Language},
    happenings::Happenings,
    promises::{BUTTONS, Promises},
    target::Target,
};

/// Pause between two updates of the page.
const TICK: Duration = Duration::from_millis(500);
/// Number of updates between two queries of a real server.
const ASK_EVERY: u32 = 4;
/// Number of updates shown in the plots.
const HISTORY: usize = 240;
/// Number of updates that are queued for a slow browser.
const BACKLOG: usize = 16;
/// Only a page of this service can send this header: others would need its permission (CORS).
const PRESSED: &str = "x-pressed";

/// An update of the page.
#[derive(Serialize)]
struct Tick<'a> {
    /// Milliseconds since 1970.
    time: u64,
    server: &'a Server,
    ledger: &'a Ledger,
    health: String,
    figures: &'a Figures,
    happenings: Vec<String>,
    running: BTreeMap<&'static str, u64>,
}

/// The server that was queried.
#[derive(Clone, Debug, Serialize)]
struct Server {
    name: String,
    /// How the server was queried, or why not.
    asked: String,
    is_fake: bool,
}

#[derive(Serialize)]
struct Ledger {
    recorded: u64,
    recovered: u64,
    written: u64,
    rejected: u64,
    dropped: u64,
    pending: u64,
    buffered: u64,
    in_flight: u64,
    spooled: u64,
    balanced: bool,
}

impl Ledger {
    fn of(stats: &Stats) -> Self {
        Self {
            recorded: stats.recorded,
            recovered: stats.recovered,
            written: stats.written,
            rejected: stats.rejected,
            dropped: stats.dropped.total(),
            pending: stats.pending,
            buffered: stats.places.buffered,
            in_flight: stats.places.in_flight,
            spooled: stats.places.spooled,
            balanced: stats.balanced(),
        }
    }
}

/// The part of an update that the plots need.
#[derive(Clone, Serialize)]
struct Past {
    time: u64,
    endpoints: BTreeMap<String, Endpoint>,
    cpu: f64,
}

#[derive(Clone)]
pub struct Live {
    ticks: Arc<Mutex<Option<broadcast::Sender<Bytes>>>>,
    past: Arc<Mutex<VecDeque<Past>>>,
}

impl Live {
    /// Updates the page until the service ends.
    pub fn start(
        influx: &Influx,
        target: &Target,
        database: &str,
        promises: Data<Promises>,
        happenings: Happenings,
    ) -> std::io::Result<Self> {
        let live = Self {
            ticks: Arc::new(Mutex::new(Some(broadcast::channel(BACKLOG).0))),
            past: Arc::default(),
        };
        let is_over = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            flag::register(signal, Arc::clone(&is_over))?;
        }
        let look = Look {
            live: live.clone(),
            influx: influx.clone(),
            target: target.clone(),
            database: database.to_owned(),
            promises,
            happenings,
            server: Server {
                name: "FakeInflux".to_owned(),
                asked: "its own data: the lines as they arrived".to_owned(),
                is_fake: true,
            },
            asker: None,
            figures: Figures::default(),
            started: Instant::now(),
        };
        rt::spawn(look.run(is_over));
        Ok(live)
    }

    fn tell(&self, tick: Bytes, past: Past) {
        let mut history = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        if history.len() == HISTORY {
            history.pop_front();
        }
        history.push_back(past);
        drop(history);
        let ticks = self.ticks.lock().unwrap_or_else(PoisonError::into_inner);
        // There may be no listener.
        ticks.as_ref().map(|ticks| ticks.send(tick));
    }

    /// Ends all streams, which would delay the end of the server.
    fn end(&self) {
        *self.ticks.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

struct Look {
    live: Live,
    influx: Influx,
    target: Target,
    database: String,
    promises: Data<Promises>,
    happenings: Happenings,
    server: Server,
    asker: Option<Asker>,
    figures: Figures,
    started: Instant,
}

impl Look {
    async fn run(mut self, is_over: Arc<AtomicBool>) {
        let mut ticks = interval(TICK);
        for number in (0..ASK_EVERY).cycle() {
            ticks.tick().await;
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            match self.target.fake() {
                Some(fake) => self.figures = fake.figures(),
                None if number == 0 => self.ask().await,
                None => {}
            }
            self.tell();
        }
        self.live.end();
    }

    async fn ask(&mut self) {
        if self.asker.is_none() {
            self.server.is_fake = false;
            match self.influx.ping().await {
                Ok(info) => {
                    let version = info.version.as_deref().unwrap_or_default();
                    self.server.name = format!("{} {version}", info.product).trim_end().to_owned();
                    match Language::of(&info) {
                        Some(language) => {
                            self.asker = Some(Asker::new(&info, &self.database, language))
                        }
                        None => {
                            self.server.asked =
                                "not asked: this page speaks InfluxQL, SQL and PromQL only"
                                    .to_owned();
                        }
                    }
                }
                Err(error @ PingError::Stopped) => self.server.asked = error.to_string(),
                Err(error) => self.server.asked = format!("not asked: {error}"),
            }
        }
        let Some(asker) = &self.asker else { return };
        // Slightly more, to include the first requests.
        match asker.figures(self.started.elapsed().as_secs() + 2).await {
            Ok(figures) => {
                self.server.asked = asker.language.name().to_owned();
                self.figures = figures;
            }
            Err(error) => self.server.asked = format!("no answer: {error}"),
        }
    }

    fn tell(&self) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let time = now.unwrap_or_default().as_millis() as u64;
        let tick = Tick {
            time,
            server: &self.server,
            ledger: &Ledger::of(&self.influx.stats()),
            health: self.influx.health().to_string(),
            figures: &self.figures,
            happenings: self.happenings.latest(),
            running: self.promises.running(),
        };
        let past = Past {
            time,
            endpoints: self.figures.endpoints.clone(),
            cpu: self.figures.machine.cpu_percent,
        };
        self.live.tell(event("tick", &tick), past);
    }
}

/// Formats an event of the stream (WHATWG HTML, 9.2 Server-sent events).
fn event(name: &str, data: &impl Serialize) -> Bytes {
    // JSON has no line breaks outside strings, and escapes them in strings.
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n").into()
}

pub fn configure(service: &mut ServiceConfig) {
    service
        .service(index)
        .service(file)
        .service(events)
        .service(press);
}

fn of_type(mime: &'static str, body: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(mime)
        // The page loads everything from this service.
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; img-src data:",
        ))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(body)
}

#[get("/")]
async fn index() -> impl Responder {
    of_type("text/html; charset=utf-8", include_str!("page/index.html"))
}

#[get("/page/{file}")]
async fn file(file: Path<String>) -> impl Responder {
    match file.as_str() {
        "page.css" => of_type("text/css; charset=utf-8", include_str!("page/page.css")),
        "page.js" => of_type(
            "text/javascript; charset=utf-8",
            include_str!("page/page.js"),
        ),
        "uPlot.css" => of_type(
            "text/css; charset=utf-8",
            include_str!("page/uPlot.min.css"),
        ),
        "uPlot.js" => of_type(
            "text/javascript; charset=utf-8",
            include_str!("page/uPlot.iife.min.js"),
        ),
        "uPlot.LICENSE" => of_type(
            "text/plain; charset=utf-8",
            include_str!("page/uPlot.LICENSE"),
        ),
        _ => HttpResponse::NotFound().finish(),
    }
}

#[derive(Serialize)]
struct Beginning {
    past: Vec<Past>,
    buttons: Vec<Button>,
}

#[derive(Serialize)]
struct Button {
    name: &'static str,
    label: &'static str,
    needs_fake: bool,
}

#[get("/live/events")]
async fn events(live: Data<Live>) -> impl Responder {
    let ticks = live.ticks.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(ticks) = ticks.as_ref().map(broadcast::Sender::subscribe) else {
        return HttpResponse::ServiceUnavailable().finish();
    };
    let past = live.past.lock().unwrap_or_else(PoisonError::into_inner);
    let past = past.iter().cloned().collect();
    let buttons = BUTTONS.map(|(name, label, needs_fake)| Button {
        name,
        label,
        needs_fake,
    });
    let buttons = buttons.into();
    let beginning = event("beginning", &Beginning { past, buttons });
    let ticks = stream::unfold(ticks, async |mut ticks| {
        loop {
            match ticks.recv().await {
                Ok(tick) => return Some((tick, ticks)),
                // A slow browser misses updates; each is complete.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    let events = stream::iter([beginning]).chain(ticks);
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(events.map(Ok::<_, Infallible>))
}

#[post("/live/press/{button}")]
async fn press(
    button: Path<String>,
    request: HttpRequest,
    promises: Data<Promises>,
) -> impl Responder {
    if !request.headers().contains_key(PRESSED) {
        return HttpResponse::Forbidden().body("only the page itself presses buttons");
    }
    match promises.press(&button) {
        Ok(text) => HttpResponse::Accepted().body(text),
        Err(reason) => HttpResponse::Conflict().body(reason),
    }
}
