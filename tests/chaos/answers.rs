//! What a server that has gone mad answers. It never lies: it says 2xx only of what it has stored,
//! and that a line is bad only if one is.

use std::time::{Duration, SystemTime};

use actix_influxdb::testing::{Answer, Request};
use fastrand::Rng;

/// Splitting can always get below this.
pub const SMALL_BODY: usize = 3_000;

/// An answer to one write. `missing` is a database that is not there.
pub fn answer(rng: &mut Rng, request: &Request, missing: Option<&str>) -> Answer {
    let database = request.param("db").unwrap_or_default();
    if missing == Some(database) {
        return missing_database(database);
    }
    match rng.u8(..40) {
        0 => failure(rng),
        1 => failure(rng).store(),
        2 => overloaded(rng),
        3 => torn(rng, Answer::hang_up()),
        4 | 5 => {
            let bytes = rng.usize(..300);
            torn(rng, Answer::accept().cut_response(bytes))
        }
        6 => Answer::accept().stall_before_response(),
        7 => Answer::accept().stall_in_response(rng.usize(..200)),
        8 => strange_body(rng, Answer::accept()),
        9 => {
            let answer = failure(rng);
            strange_body(rng, answer)
        }
        10 => Answer::accept().drip(rng.usize(1..30), Duration::from_millis(rng.u64(1..20))),
        11 => refused(rng, request),
        12 if request.body.len() > SMALL_BODY => Answer::error(413, "Request Entity Too Large"),
        13 => Answer::accept().close_unannounced(),
        _ => Answer::accept(),
    }
}

/// What goes wrong before the body is read, or while it is.
pub fn early(rng: &mut Rng) -> Answer {
    match rng.u8(..4) {
        0 => torn(rng, Answer::hang_up()),
        1 => Answer::accept().stall_before_body(),
        _ => {
            let bytes = rng.usize(..8_000);
            torn(rng, Answer::cut_request(bytes))
        }
    }
}

fn missing_database(name: &str) -> Answer {
    Answer::error(404, &format!("database not found: {name:?}"))
}

fn failure(rng: &mut Rng) -> Answer {
    Answer::error(pick(rng, &[500, 501, 502, 503, 504, 507, 599]), "timeout")
}

fn overloaded(rng: &mut Rng) -> Answer {
    let answer = Answer::status(pick(rng, &[429, 503]));
    match rng.u8(..4) {
        0 => answer.retry_after(0),
        1 => answer.retry_after_date(SystemTime::UNIX_EPOCH),
        2 => answer.header("Retry-After", pick(rng, &["soon", "-1", "", "0.5"])),
        _ => answer,
    }
}

/// It is cut in order, or with a reset.
fn torn(rng: &mut Rng, answer: Answer) -> Answer {
    match rng.bool() {
        true => answer.reset(),
        false => answer,
    }
}

fn strange_body(rng: &mut Rng, answer: Answer) -> Answer {
    match rng.u8(..8) {
        0 => answer.body_of_size(rng.usize(..300_000)),
        1 => answer.body_of_size(rng.usize(..300_000)).chunked(),
        2 => answer.body(
            std::iter::repeat_with(|| rng.u8(..))
                .take(1_000)
                .collect::<Vec<_>>(),
        ),
        3 => answer.body("<html>502"),
        4 => answer.body("{\"error\":"),
        5 => answer
            .body("{\"error\":[7]}")
            .announce_length(500)
            .close_unannounced(),
        6 => answer.without_length(),
        // Of a body that has no length, it can't be seen that it was cut.
        _ => answer.without_length().cut_response(rng.usize(150..500)),
    }
}

/// What only waiting helps against; the program has done nothing wrong.
fn refused(rng: &mut Rng, request: &Request) -> Answer {
    let database = request.param("db").unwrap_or_default();
    match rng.u8(..6) {
        0 => Answer::error(401, "authorization failed"),
        1 => Answer::error(403, "not authorized"),
        2 => missing_database(database),
        3 => Answer::error(500, "retention policy not found: week"),
        4 => Answer::status(307).header("Location", "/write?db=elsewhere"),
        _ => Answer::status(pick(rng, &[100, 301, 402, 405, 408, 418, 600, 999])),
    }
}

fn pick<T: Copy>(rng: &mut Rng, all: &[T]) -> T {
    all[rng.usize(..all.len())]
}
