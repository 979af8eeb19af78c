//! The buttons of the page: each causes a fault, to show how it is handled.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix_influxdb::{
    Influx, Measurement,
    testing::{Answer, record_line},
};
use actix_web::rt::{self, time::sleep};

use crate::{demo, target::Target};

const OUTAGE: Duration = Duration::from_secs(10);
const BURST: u32 = 100_000;
/// Seconds.
const RETRY_AFTER: u64 = 3;
const FORBIDDEN: usize = 20;
const VISITORS: usize = 4;
const VISIT: Duration = Duration::from_secs(30);

/// A button: its name, its text, and whether it needs a server that can be made to fail.
pub const BUTTONS: [(&str, &str, bool); 7] = [
    ("visitors", "Send visitors for 30 s", false),
    ("stop", "Stop the database for 10 s", true),
    ("bad", "Send a bad measurement", false),
    ("conflict", "Send a type conflict", false),
    ("burst", "Burst of 100,000", false),
    ("busy", "Answer 429", true),
    ("forbid", "Forbid one database for 10 s", true),
];

pub struct Promises {
    influx: Influx,
    target: Target,
    database: String,
    url: String,
    /// When a button's effect ends, until which it is disabled.
    running: Mutex<BTreeMap<&'static str, Instant>>,
}

impl Promises {
    pub fn new(influx: &Influx, target: &Target, database: &str, url: &str) -> Self {
        Self {
            influx: influx.clone(),
            target: target.clone(),
            database: database.to_owned(),
            url: url.to_owned(),
            running: Mutex::default(),
        }
    }

    /// Remaining seconds of each button's effect.
    pub fn running(&self) -> BTreeMap<&'static str, u64> {
        let now = Instant::now();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|_, until| *until > now);
        let left = |until: Instant| until.duration_since(now).as_secs() + 1;
        running
            .iter()
            .map(|(name, until)| (*name, left(*until)))
            .collect()
    }

    fn begin(&self, name: &'static str, time: Duration) -> bool {
        let is_free = !self.running().contains_key(name);
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if is_free {
            running.insert(name, Instant::now() + time);
        }
        is_free
    }

    /// Presses a button, and returns a description of its effect, or the reason why it has none.
    pub fn press(&self, name: &str) -> Result<&'static str, &'static str> {
        let known = BUTTONS.into_iter().find(|(known, ..)| *known == name);
        let (name, _, needs_fake) = known.ok_or("there is no such button")?;
        let fake = self.target.fake().cloned();
        if needs_fake && fake.is_none() {
            return Err("this is a real server: it can't be told to fail");
        }
        let influx = self.influx.clone();
        let database = self.database.clone();
        let time = match name {
            "visitors" => VISIT,
            "stop" | "forbid" => OUTAGE,
            _ => Duration::from_millis(500),
        };
        if !self.begin(name, time) {
            return Err("it is still at work");
        }
        match (name, fake) {
            ("visitors", _) => {
                let url = self.url.clone();
                rt::spawn(async move { demo::visitors(&url, VISIT, VISITORS, demo::PAUSE).await });
                Ok("4 visitors ask for all pages, for 30 s")
            }
            ("bad", _) => {
                let good =
                    Measurement::new(database.clone(), "good").field("beside_a_bad_one", true);
                influx.record(good).ok();
                record_line(&influx, database, "bad measurement without fields").ok();
                Ok(
                    "a line that no server takes, and a good one beside it: only the bad one is rejected",
                )
            }
            ("conflict", _) => {
                let point = || Measurement::new(database.clone(), "conflict");
                influx.record(point().field("value", 1.5)).ok();
                influx.record(point().field("value", "text")).ok();
                Ok(
                    "a field that is a number once, and then a text: servers with types reject one of them",
                )
            }
            ("burst", _) => {
                let burst = move || {
                    for number in 0..BURST {
                        let point = Measurement::new(database.clone(), "burst");
                        influx.record(point.field("number", number)).ok();
                    }
                };
                rt::task::spawn_blocking(burst);
                Ok("100,000 measurements are recorded at once")
            }
            ("stop", Some(fake)) => {
                fake.server.refuse();
                fake.server.close_idle();
                rt::spawn(async move {
                    sleep(OUTAGE).await;
                    fake.server.accept_again();
                });
                Ok("nobody listens there now: measurements wait, and drain when it is back")
            }
            ("busy", Some(fake)) => {
                let busy = Answer::status(429).retry_after(RETRY_AFTER);
                fake.server.answer_next(busy);
                Ok("the next POST is answered 429, with Retry-After: 3: it is sent again 3 s later")
            }
            ("forbid", Some(fake)) => {
                let forbidden = format!("{database}_forbidden");
                let name = forbidden.clone();
                fake.server
                    .answer_with(move |request| match request.param("db") {
                        Some(database) if database == name => Answer::error(
                            403,
                            "\"demo\" user is not authorized to write to this database",
                        ),
                        _ => Answer::accept(),
                    });
                for number in 0..FORBIDDEN {
                    let point = Measurement::new(forbidden.clone(), "forbidden");
                    influx.record(point.field("number", number as u64)).ok();
                }
                rt::spawn(async move {
                    sleep(OUTAGE).await;
                    fake.server.answer_always(Answer::accept());
                });
                Ok("20 measurements for another database wait, while this one is written as before")
            }
            _ => Err("there is no such button"),
        }
    }
}
