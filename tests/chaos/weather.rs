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
    answers::{SMALL_BODY, answer, early},
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
        let missing = Arc::new(Mutex::new(None));
        let posts = Arc::new(AtomicU64::new(0));
        fake.answer_with({
            let (missing, posts) = (Arc::clone(&missing), Arc::clone(&posts));
            let rng = Mutex::new(rng.fork());
            move |request| {
                posts.fetch_add(1, Relaxed);
                let missing = *missing.lock().unwrap();
                answer(&mut rng.lock().unwrap(), request, missing)
            }
        });
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let (fake, influx, stop) = (Arc::clone(fake), influx.clone(), Arc::clone(&stop));
            move || {
                while !stop.load(Relaxed) {
                    change(&mut rng, &fake, &influx, &missing);
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
fn change(rng: &mut Rng, fake: &FakeInflux, influx: &Influx, missing: &Mutex<Option<&str>>) {
    let last = |rng: &mut Rng| thread::sleep(Duration::from_millis(rng.u64(5..120)));
    match rng.u8(..12) {
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
            *missing.lock().unwrap() = Some(DATABASES[rng.usize(..DATABASES.len())]);
            last(rng);
            *missing.lock().unwrap() = None;
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
