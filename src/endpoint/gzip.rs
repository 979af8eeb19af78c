//! Compression of request bodies, and whether an endpoint accepts it.

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

use super::payload::Payload;
use crate::{delivery::verdict::Outcome, threads};

/// In bytes: below this, compression saves no packet.
const MIN_SIZE: usize = 1 << 10;

/// In bytes: up to this, compression takes about 0.1 ms (by the figures of `docs/performance.md`): not worth a thread.
const MAX_INLINE: usize = 16 << 10;

/// Compression level, of 9: `docs/performance.md` has sizes and times of each.
const LEVEL: u32 = 2;

/// Whether an endpoint accepts gzip.
#[derive(Clone, Debug, Default)]
pub(super) struct Gzip(Arc<AtomicU8>);

const UNKNOWN: u8 = 0;
const ACCEPTED: u8 = 1;
const REFUSED: u8 = 2;

impl Gzip {
    /// Compresses a body, unless it is small or the endpoint refuses gzip. Runs on another thread,
    /// so that no timer of the pipeline is late.
    pub(super) async fn compress(&self, payload: &Payload) -> Option<Bytes> {
        if payload.body.len() < MIN_SIZE || self.0.load(Ordering::Relaxed) == REFUSED {
            return None;
        }
        if let Some(kept) = payload.compressed.get() {
            return Some(kept);
        }
        let body = payload.body.clone();
        let compressed = match body.len() <= MAX_INLINE {
            true => compress(&body, LEVEL),
            // Without a thread, the body is sent uncompressed.
            false => threads::elsewhere(move || compress(&body, LEVEL))
                .await
                .ok()?,
        };
        let compressed = Bytes::from(compressed);
        payload.compressed.keep(&compressed);
        Some(compressed)
    }

    /// Whether the body must be sent again uncompressed before the response is judged. Then an error about
    /// gzip counts against no line.
    pub(super) fn needs_plain_retry(&self, outcome: &Outcome) -> bool {
        let Outcome::Answered(answer) = outcome else {
            return false;
        };
        if (200..=299).contains(&answer.status) {
            // A late response changes nothing, and a web page doesn't prove that the body was read.
            if answer.body.trim().is_empty() {
                _ = self.change(UNKNOWN, ACCEPTED);
            }
            return false;
        }
        // A 415 is always about gzip: the server may have been replaced.
        let is_known = self.0.load(Ordering::Relaxed) == ACCEPTED;
        answer.status == 415 || (matches!(answer.status, 400 | 500) && !is_known)
    }

    /// Compares the responses to the compressed and the plain body. Returns whether the endpoint is
    /// now known to refuse gzip.
    pub(super) fn learn(&self, compressed: &Outcome, plain: &Outcome) -> bool {
        let status = |outcome: &Outcome| match outcome {
            Outcome::Answered(answer) => Some(answer.status),
            _ => None,
        };
        let (Some(compressed), Some(plain)) = (status(compressed), status(plain)) else {
            return false;
        };
        if compressed == 415 {
            return self.0.swap(REFUSED, Ordering::Relaxed) != REFUSED;
        }
        // Only an accepted plain body is proof: two refusals may differ in an id.
        (200..=299).contains(&plain) && self.change(UNKNOWN, REFUSED)
    }

    fn change(&self, from: u8, to: u8) -> bool {
        let changed = self
            .0
            .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
        changed.is_ok()
    }
}

fn compress(body: &[u8], level: u32) -> Vec<u8> {
    let memory = Vec::with_capacity(body.len() / 8);
    let mut encoder = GzEncoder::new(memory, Compression::new(level));
    let written = encoder.write_all(body);
    let finished = written.and_then(|()| encoder.finish());
    finished.expect("a Vec takes whatever is written")
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, time::Instant};

    use super::*;
    use crate::delivery::verdict::Answer;

    fn answered(status: u16, body: &str) -> Outcome {
        Outcome::Answered(Box::new(Answer {
            status,
            retry_after: None,
            body: body.to_owned(),
            error: None,
            location: None,
            content_type: None,
            is_whole: true,
        }))
    }

    #[test]
    fn an_answer_is_doubted_until_one_compressed_body_was_taken() {
        let gzip = Gzip::default();
        for status in [400, 415, 500] {
            assert!(gzip.needs_plain_retry(&answered(status, "")));
        }
        for status in [401, 404, 413, 429, 503] {
            assert!(!gzip.needs_plain_retry(&answered(status, "")));
        }
        assert!(!gzip.needs_plain_retry(&answered(200, "<html>sign in</html>")));
        assert!(
            gzip.needs_plain_retry(&answered(400, "")),
            "a page has read nothing"
        );
        assert!(!gzip.needs_plain_retry(&answered(204, "")));
        assert!(!gzip.needs_plain_retry(&answered(400, "")));
        assert!(!gzip.learn(&answered(400, "gzip: invalid header"), &answered(204, "")));
    }

    #[test]
    fn an_endpoint_that_took_compressed_bodies_may_take_none_any_more() {
        let gzip = Gzip::default();
        gzip.needs_plain_retry(&answered(204, ""));
        let refused = answered(415, "gzip encoding is not supported");
        assert!(gzip.needs_plain_retry(&refused));
        assert!(gzip.learn(&refused, &answered(204, "")));
        assert!(!gzip.learn(&refused, &answered(204, "")), "told once");
        assert_eq!(gzip.0.load(Ordering::Relaxed), REFUSED);
    }

    #[test]
    fn an_endpoint_takes_none_if_plain_bodies_are_answered_otherwise() {
        for (compressed, plain, refuses) in [
            ((415, ""), (204, ""), true),
            ((400, "gzip: invalid header"), (204, ""), true),
            ((500, "x"), (204, ""), true),
            (
                (400, "unable to parse '\u{1f}'"),
                (400, "unable to parse 'bad'"),
                false,
            ),
            // The refusal of a bad line.
            (
                (400, "unable to parse 'bad'"),
                (400, "unable to parse 'bad'"),
                false,
            ),
            ((500, "disk full"), (500, "disk full"), false),
        ] {
            let gzip = Gzip::default();
            let (compressed, plain) = (
                answered(compressed.0, compressed.1),
                answered(plain.0, plain.1),
            );
            assert_eq!(gzip.learn(&compressed, &plain), refuses);
        }
    }

    #[actix::test]
    async fn only_larger_bodies_are_compressed_and_once() {
        let gzip = Gzip::default();
        assert_eq!(
            gzip.compress(&Bytes::from(vec![b'x'; MIN_SIZE - 1]).into())
                .await,
            None
        );
        let body = Bytes::from("m,tag=value field=1 1\n".repeat(1_000));
        let payload = Payload::from(body.clone());
        let first = gzip.compress(&payload).await.unwrap();
        let second = gzip.compress(&payload).await.unwrap();
        assert_eq!(first.as_ptr(), second.as_ptr(), "compressed again");
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&*first)
            .read_to_end(&mut plain)
            .unwrap();
        assert_eq!(plain, body);
        assert!(first.len() < body.len() / 10);
    }

    #[actix::test]
    async fn where_no_thread_can_be_had_a_body_goes_plain() {
        let gzip = Gzip::default();
        let body = || Payload::from(Bytes::from("m,tag=value field=1 1\n".repeat(1_000)));
        threads::refusal::set(true);
        let plain = gzip.compress(&body()).await;
        threads::refusal::set(false);
        assert_eq!(plain, None);
        assert!(gzip.compress(&body()).await.is_some());
    }

    /// `cargo test --release --features gzip --lib gzip -- --ignored --nocapture`
    #[test]
    #[ignore = "prints the figures of docs/performance.md"]
    fn size_and_time_per_million_request_lines_at_each_level() {
        let lines = 10_000;
        let mut random = fastrand::Rng::with_seed(7);
        let line = |number: usize| {
            format!(
                "requests,endpoint=/users/{{id}}/{part},environment=production,handler=show_user,hostname=web-{host},\
                 method={method},outcome=ok,status_code={status} content_length={length}i,correlation_id=\"{id:032x}\",\
                 duration={duration},remote_ip=\"10.{a}.{b}.{c}\",time_to_first_byte={first} {stamp}\n",
                part = ["posts", "likes", "friends", "settings"][random.usize(..4)],
                host = random.u8(1..=8),
                method = ["GET", "GET", "GET", "POST", "PUT"][random.usize(..5)],
                status = [200, 200, 200, 200, 404, 304, 500][random.usize(..7)],
                length = random.u32(100..50_000),
                id = random.u128(..),
                duration = f64::from(random.u32(100..900_000)) / 1e6,
                a = random.u8(..),
                b = random.u8(..),
                c = random.u8(..),
                first = f64::from(random.u32(100..90_000)) / 1e6,
                stamp = 1_700_000_000_000_000_000 + number * 1_234_567 + random.usize(..1_000_000),
            )
        };
        let body: String = (0..lines).map(line).collect();
        let million = 1e6 / lines as f64;
        let megabytes = |bytes: usize| bytes as f64 * million / 1e6;
        println!("| level | MB per million lines | part | CPU seconds per million lines |");
        println!("|---|---|---|---|");
        println!("| none | {:.0} | 100 % | |", megabytes(body.len()));
        for level in 1..=9 {
            let times = (0..20).map(|_| {
                let began = Instant::now();
                let size = compress(body.as_bytes(), level).len();
                (began.elapsed(), size)
            });
            let (time, size) = times.min().unwrap();
            let part = 100.0 * size as f64 / body.len() as f64;
            let seconds = time.as_secs_f64() * million;
            println!(
                "| {level} | {:.0} | {part:.1} % | {seconds:.2} |",
                megabytes(size)
            );
        }
    }
}
