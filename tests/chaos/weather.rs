//! What goes wrong for a while, whoever asks: the network, the credentials, the settings.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use actix_influxdb::{
    Influx,
    testing::{Answer, FakeInflux},
};
use fastrand::Rng;

use super::{
    DATABASES,
    answers::{Grudge, SMALL_BODY, answer, early},
};

pub const USER: &str = "ada";
pub const PASSWORD: &str = "right";

/// That of InfluxDB.
const MAX_BODY_SIZE: usize = 25_000_000;

/// Lasts until it is cleared.
pub struct Weather {
    fake: Arc<FakeInflux>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    posts: Arc<AtomicU64>,
}

impl Weather {
    pub fn start(fake: &Arc<FakeInflux>, influx: &Influx, mut rng: Rng) -> Self {
        let grudge = Arc::new(Mutex::new(Grudge::default()));
        let posts = Arc::new(AtomicU64::new(0));
        fake.answer_with({
            let (grudge, posts) = (Arc::clone(&grudge), Arc::clone(&posts));
            let rng = Mutex::new(rng.fork());
            move |request| {
                posts.fetch_add(1, Relaxed);
                let grudge = *grudge.lock().unwrap();
                answer(&mut rng.lock().unwrap(), request, grudge)
            }
        });
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let (fake, influx, stop) = (Arc::clone(fake), influx.clone(), Arc::clone(&stop));
            move || {
                while !stop.load(Relaxed) {
                    change(&mut rng, &fake, &influx, &grudge);
                    // A stall lasts until here: often too long for the client, and sometimes not.
                    fake.release();
                }
            }
        });
        Self {
            fake: Arc::clone(fake),
            stop,
            thread,
            posts,
        }
    }

    /// From now on nothing goes wrong, but for what was begun. How many POSTs it has met.
    pub fn clear(self) -> u64 {
        self.stop.store(true, Relaxed);
        self.thread.join().expect("the weather changes");
        self.fake.answer_always(Answer::accept());
        self.fake.release();
        self.posts.load(Relaxed)
    }
}

/// Something goes wrong, for a while, and is well again.
fn change(rng: &mut Rng, fake: &FakeInflux, influx: &Influx, grudge: &Mutex<Grudge>) {
    let last = |rng: &mut Rng| thread::sleep(Duration::from_millis(rng.u64(5..120)));
    let bear = |rng: &mut Rng, new: Grudge| {
        *grudge.lock().unwrap() = new;
        last(rng);
        *grudge.lock().unwrap() = Grudge::default();
    };
    let database = DATABASES[rng.usize(..DATABASES.len())];
    match rng.u8(..16) {
        0 => {
            fake.refuse();
            last(rng);
            fake.accept_again();
        }
        1 => {
            fake.require_auth(USER, "another");
            last(rng);
            fake.require_auth(USER, PASSWORD);
        }
        2 => {
            let missing = Some(database);
            bear(
                rng,
                Grudge {
                    missing,
                    ..Grudge::default()
                },
            );
        }
        8 | 9 => {
            let forbidden = Some(database);
            bear(
                rng,
                Grudge {
                    forbidden,
                    ..Grudge::default()
                },
            );
        }
        10 => {
            let slow_above = Some(SMALL_BODY);
            bear(
                rng,
                Grudge {
                    slow_above,
                    ..Grudge::default()
                },
            );
        }
        3 => {
            fake.set_max_body_size(SMALL_BODY);
            last(rng);
            fake.set_max_body_size(MAX_BODY_SIZE);
        }
        4 => {
            let (clients, size) = (rng.usize(1..8), rng.usize(20..200));
            let change = influx.update(|config| config.max_clients(clients).max_batch_size(size));
            change.unwrap();
        }
        11 => {
            // For so long that a spool is used.
            fake.refuse();
            thread::sleep(Duration::from_millis(rng.u64(300..800)));
            fake.accept_again();
        }
        5 => {
            fake.close_idle();
            last(rng);
        }
        6 | 7 => {
            fake.answer_next(early(rng));
            last(rng);
        }
        // The faults of the answers alone.
        _ => last(rng),
    }
}
