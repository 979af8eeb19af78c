//! What a server that has gone mad answers. It never lies: an empty 2xx is only of what it has stored,
//! and it says that a line is bad only if one is.

use std::time::{Duration, SystemTime};

use actix_influxdb::testing::{Answer, Request};
use fastrand::Rng;

/// Splitting can always get below this.
pub const SMALL_BODY: usize = 3_000;

/// What a server has against requests for a while.
#[derive(Clone, Copy, Debug, Default)]
pub struct Grudge {
    /// A database that is not there.
    pub missing: Option<&'static str>,
    /// One that may not be written.
    pub forbidden: Option<&'static str>,
    /// The link is slow: what is larger than this is not through in time.
    pub slow_above: Option<usize>,
}

/// An answer to one write.
pub fn answer(rng: &mut Rng, request: &Request, grudge: Grudge) -> Answer {
    let database = request.param("db").unwrap_or_default();
    if grudge.missing == Some(database) {
        return missing_database(database);
    }
    if grudge.forbidden == Some(database) {
        return forbidden(rng);
    }
    if grudge
        .slow_above
        .is_some_and(|bytes| request.body.len() > bytes)
    {
        return Answer::accept().stall_before_response();
    }
    match rng.u8(..60) {
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
        14..=16 => interim(rng, Answer::accept()),
        17 => {
            let answer = failure(rng);
            interim(rng, answer)
        }
        18 => foreign(rng),
        19 => foreign(rng).store(),
        20 => fault_of_the_request(rng),
        21 => trouble(rng),
        22 => trouble(rng).store(),
        23 if request.body.len() > SMALL_BODY => too_large(rng),
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

/// Interim responses, as a proxy that says early that it is at work.
fn interim(rng: &mut Rng, mut answer: Answer) -> Answer {
    for _ in 0..rng.usize(1..4) {
        answer = answer.interim(pick(rng, &[100, 102, 103]));
    }
    answer
}

/// A success of something else than a database.
fn foreign(rng: &mut Rng) -> Answer {
    let body = pick(
        rng,
        &[
            "<!doctype html><title>Welcome</title>",
            r#"{"links":{"self":"/api/v2"}}"#,
            r#"{"error":"not found"}"#,
            "OK",
        ],
    );
    Answer::status(pick(rng, &[200, 201, 202])).body(body)
}

/// A refusal that is about no line.
fn fault_of_the_request(rng: &mut Rng) -> Answer {
    let body = pick(
        rng,
        &[
            "Client sent an HTTP request to an HTTPS server.\n",
            r#"{"code":"invalid","message":"Please provide either orgID or org"}"#,
            r#"{"error":"invalid precision \"x\" (use n, u, ms, s, m or h)"}"#,
            r#"{"error":"Adding a new database would exceed limit of 5 databases"}"#,
            "unsupported path requested: \"/write\"",
            "<html><head><title>400 Request Header Or Cookie Too Large</title></head></html>",
        ],
    );
    Answer::status(pick(rng, &[400, 422])).body(body)
}

/// The server's own trouble, in words that speak of points.
fn trouble(rng: &mut Rng) -> Answer {
    let text = pick(
        rng,
        &[
            "partial write: write x: no space left on device dropped=1",
            "partial write",
            "engine: cache-max-memory-size exceeded: (2/1)",
            "readonly now and writing is not allowed",
        ],
    );
    let status = if text == "partial write" {
        500
    } else {
        pick(rng, &[400, 500])
    };
    Answer::error(status, text)
}

fn too_large(rng: &mut Rng) -> Answer {
    match rng.u8(..3) {
        0 => Answer::error(500, "max request size (3000 bytes) exceeded"),
        1 => Answer::status(400)
            .body("too big data size exceeding -influx.maxRequestSize=3000 bytes"),
        _ => Answer::status(413).body("<html><title>413 Request Entity Too Large</title></html>"),
    }
}

/// What a database is answered that nobody may write, or that nobody can.
pub fn forbidden(rng: &mut Rng) -> Answer {
    match rng.u8(..5) {
        0 => Answer::status(403)
            .body(r#"{"code":"forbidden","message":"insufficient permissions for write"}"#),
        1 => Answer::error(
            403,
            "\"ada\" user is not authorized to write to database \"a\"",
        ),
        2 => Answer::status(404).body(r#"{"code":"not found","message":"no dbrp mapping found"}"#),
        3 => Answer::status(414),
        _ => Answer::status(503).retry_after(0),
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
