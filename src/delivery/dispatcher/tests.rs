//! A server is played to the dispatcher, with time made up: who is served when, at what cost.

use super::*;
use crate::delivery::verdict::{Cause, Refusal, Retry};

mod kept;
mod pending;
mod turns;

const LIMITS: BatchLimits = BatchLimits {
    lines: 10_000,
    bytes: 4 << 20,
};
const TIMEOUT: Duration = Duration::from_secs(10);
const WRITERS: usize = 10;

/// How a server answers a POST for a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Written,
    /// With a bare 500.
    Fails,
    Unavailable,
    Missing,
    /// Not within the timeout.
    Silent,
    NotConnected,
    /// A 400 in unknown words.
    RefusesAll,
    TooLarge,
}

struct World {
    dispatcher: Dispatcher,
    now: Instant,
    /// Out, in the order of their answers' arrival.
    out: Vec<(Instant, LeaseId, Database, Answer)>,
    posts: usize,
    /// When each was written, and how many lines.
    written: Vec<(Instant, Database, usize)>,
    rejected: usize,
    random: u64,
}

fn lines(texts: &[&str]) -> OpenBatch {
    let mut batch = OpenBatch::default();
    for text in texts {
        batch.push(format!("{text}\n").as_bytes());
    }
    batch
}

impl World {
    fn new() -> Self {
        Self {
            dispatcher: Dispatcher::new(1, LIMITS, None),
            now: Instant::now(),
            out: Vec::new(),
            posts: 0,
            written: Vec::new(),
            rejected: 0,
            random: 7,
        }
    }

    fn add(&mut self, database: &str, count: usize) {
        let database = Database::new(database.to_owned());
        self.dispatcher
            .add(database, lines(&vec!["m f=1 1"; count]), self.now);
    }

    fn timing(&mut self) -> RetryTiming {
        // xorshift64*.
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let random = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d);
        RetryTiming {
            now: self.now,
            random: (random >> 11) as f64 / (1_u64 << 53) as f64,
            max_delay: Duration::from_secs(60),
        }
    }

    /// Sends the next batch; its lease and database, if there is one that may be sent.
    fn send(&mut self) -> Option<(LeaseId, Database)> {
        match self.dispatcher.next(WRITERS, self.now, || true)? {
            NextUp::Send(dispatch) => Some((dispatch.lease, dispatch.database)),
            NextUp::Sampled(_) => None,
        }
    }

    /// Sends what may be sent; each answer takes as long as `answer` says.
    fn pump(&mut self, answer: &impl Fn(&Database, &Lines) -> (Answer, Duration)) {
        while self.out.len() < WRITERS {
            let Some(NextUp::Send(dispatch)) = self.dispatcher.next(WRITERS, self.now, || true)
            else {
                break;
            };
            self.posts += 1;
            let (what, after) = answer(&dispatch.database, &dispatch.lines);
            let entry = (self.now + after, dispatch.lease, dispatch.database, what);
            self.out.push(entry);
            self.out.sort_by_key(|(at, ..)| *at);
        }
    }

    /// Lets time pass up to `until`, or as long as something happens.
    fn run(&mut self, until: Instant, answer: impl Fn(&Database, &Lines) -> (Answer, Duration)) {
        loop {
            self.pump(&answer);
            let next = self.out.first().map(|(at, ..)| *at);
            let opens = match self.out.len() < WRITERS {
                true => self.dispatcher.next_send_at(self.now),
                false => None,
            };
            let Some(at) = [next, opens]
                .into_iter()
                .flatten()
                .min()
                .filter(|at| *at <= until)
            else {
                break;
            };
            self.now = self.now.max(at);
            if next == Some(at) {
                let (_, lease, database, what) = self.out.remove(0);
                self.answer(lease, database, what);
            }
        }
        self.now = until;
    }

    fn answer(&mut self, lease: LeaseId, database: Database, answer: Answer) {
        use crate::delivery::verdict::Scope::{Database as Own, Endpoint, Unclear};
        use Cause::{Configuration, Unavailable, Unknown};
        let timing = self.timing();
        let dispatcher = &mut self.dispatcher;
        let endpoint = dispatcher.endpoint(lease);
        let failed = |scope, cause| Retry::new(scope, cause, "why");
        let outcome = match answer {
            Answer::Written => dispatcher.written(lease, self.now, TIMEOUT),
            Answer::Fails => dispatcher.failed(lease, &failed(Unclear, Unknown), timing),
            Answer::Unavailable => dispatcher.failed(lease, &failed(Unclear, Unavailable), timing),
            Answer::Missing => {
                let retry = Retry::new(Own, Configuration, format!("no {database}"));
                dispatcher.failed(lease, &retry, timing)
            }
            Answer::Silent => {
                let retry = Retry {
                    is_timeout: true,
                    ..failed(Unclear, Unknown)
                };
                dispatcher.failed(lease, &retry, timing)
            }
            Answer::NotConnected => {
                dispatcher.failed(lease, &failed(Endpoint, Unavailable), timing)
            }
            Answer::RefusesAll => dispatcher.refused(lease, &refusal(), timing),
            Answer::TooLarge => dispatcher.too_large(lease, "413", timing),
        };
        assert_eq!(outcome.endpoint, endpoint);
        let is_rejected = |run: &Settled| matches!(run.disposition, Disposition::Rejected { .. });
        match answer {
            Answer::Written | Answer::TooLarge => assert_eq!(outcome.kept_lines, None),
            // Kept is what is not rejected.
            _ => assert_eq!(
                outcome.kept_lines.is_none(),
                outcome.settled.iter().any(is_rejected)
            ),
        }
        for run in outcome.settled {
            let count = run.batch.lines.len();
            match run.disposition {
                Disposition::Written => self.written.push((self.now, run.database, count)),
                Disposition::Rejected { .. } => self.rejected += count,
                Disposition::Dropped(_) => unreachable!("nothing is dropped"),
            }
        }
    }

    fn written_of(&self, name: &str) -> usize {
        let own = self
            .written
            .iter()
            .filter(|(_, database, _)| database.name() == name);
        own.map(|(.., count)| count).sum()
    }

    fn pending(&self) -> usize {
        self.dispatcher.backlog().unsettled_below(u64::MAX)
    }
}

fn refusal() -> Refusal {
    Refusal {
        status: 400,
        reason: "status 400: why".to_owned(),
        text: "why".to_owned(),
        json: None,
        is_about_lines: false,
        normalized: "why".to_owned(),
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn is_bad(database: &Database) -> bool {
    database.name().starts_with("bad")
}

#[test]
fn a_thousand_bad_databases_delay_a_good_one_by_no_more_than_an_answer() {
    for bad in [
        Answer::Fails,
        Answer::Unavailable,
        Answer::Missing,
        Answer::Silent,
    ] {
        let mut world = World::new();
        world.add("good", 1);
        world.run(world.now + SECOND, |_, _| (Answer::Written, MILLISECOND));
        for number in 0..1_000 {
            world.add(&format!("bad{number}"), 5);
        }
        let takes = match bad {
            Answer::Silent => TIMEOUT,
            _ => MILLISECOND,
        };
        // Every half second a good point comes, for five minutes.
        let answer = |database: &Database, _: &Lines| match is_bad(database) {
            true => (bad, takes),
            false => (Answer::Written, MILLISECOND),
        };
        for second in 0..600 {
            let came = world.now;
            let before = world.written_of("good");
            world.add("good", 1);
            world.run(came + SECOND / 2, answer);
            let in_time = world.written_of("good") > before;
            // When all is new, the writers may all wait for answers of bad ones, once.
            let is_cold = bad == Answer::Silent && second < 2 * 10;
            assert!(in_time || is_cold, "{bad:?}: half second {second}");
        }
        assert_eq!(world.pending() - 5_000, 0, "{bad:?}");
        assert_eq!(world.rejected, 0, "{bad:?}");
    }
}

#[test]
fn a_good_database_among_bad_ones_is_found_from_a_cold_start() {
    for bad in [Answer::Fails, Answer::Unavailable, Answer::Missing] {
        let mut world = World::new();
        for number in 0..1_000 {
            world.add(&format!("bad{number}"), 1);
        }
        world.add("good", 1);
        let start = world.now;
        world.run(start + SECOND, |database, _| match is_bad(database) {
            true => (bad, MILLISECOND),
            false => (Answer::Written, MILLISECOND),
        });
        assert_eq!(world.written_of("good"), 1, "{bad:?}");
    }
}

#[test]
fn a_thousand_databases_that_are_missing_cost_little_once_that_is_known() {
    let mut world = World::new();
    for number in 0..1_000 {
        world.add(&format!("bad{number}"), 1);
    }
    let start = world.now;
    world.run(start + 60 * SECOND, |_, _| (Answer::Missing, MILLISECOND));
    let posts = world.posts;
    world.run(start + 360 * SECOND, |_, _| (Answer::Missing, MILLISECOND));
    let per_second = (world.posts - posts) as f64 / 300.0;
    assert!(per_second < 50.0, "{per_second} POSTs a second");
}

#[test]
fn one_line_that_fails_again_and_again_is_found_and_all_others_are_written() {
    for count in [1, 2, 10, 1_000] {
        let mut world = World::new();
        let mut texts = vec!["m f=1 1"; count];
        texts[count / 3] = "poison f=1 1";
        world.dispatcher.add("db".into(), lines(&texts), world.now);
        world.add("db", 10);
        let start = world.now;
        let answer = |_: &Database, lines: &Lines| {
            let has_poison = lines.iter().any(|line| line.starts_with(b"poison"));
            (
                if has_poison {
                    Answer::Fails
                } else {
                    Answer::Written
                },
                MILLISECOND,
            )
        };
        // A point now and then shows that the database works.
        for second in 1..=180 {
            world.add("db", 1);
            world.run(start + second * SECOND, answer);
            if second == 30 {
                assert!(world.written_of("db") >= count + 9, "{count}: others wait");
            }
        }
        assert_eq!((world.rejected, world.pending()), (1, 0), "{count}");
    }
}

#[test]
fn a_single_line_that_fails_is_kept_if_nothing_else_passes() {
    let mut world = World::new();
    world.add("db", 1);
    let until = world.now + 3_600 * SECOND;
    world.run(until, |_, _| (Answer::Fails, MILLISECOND));
    assert_eq!((world.rejected, world.pending()), (0, 1));
    assert!(world.posts < 200, "{} POSTs", world.posts);
}

#[test]
fn a_slow_link_gets_less_at_once_until_that_passes_in_time() {
    let mut world = World::new();
    for _ in 0..10 {
        world.add("db", 10_000);
    }
    let start = world.now;
    // 8 KB/s: all of it takes 100 s, a batch of 80 KB takes just as long as is too long.
    let answer = |_: &Database, lines: &Lines| {
        let takes = Duration::from_secs_f64(lines.byte_len() as f64 / 8_000.0);
        match takes < TIMEOUT {
            true => (Answer::Written, takes),
            false => (Answer::Silent, TIMEOUT),
        }
    };
    world.run(start + 300 * SECOND, answer);
    assert_eq!(world.pending(), 0);
    assert_eq!(world.written_of("db"), 100_000);
}

#[test]
fn a_server_that_refuses_everything_in_the_same_words_costs_a_few_posts() {
    let mut world = World::new();
    for _ in 0..20 {
        world.add("db", 1_000);
    }
    let start = world.now;
    world.run(start + SECOND / 4, |_, _| (Answer::RefusesAll, MILLISECOND));
    assert!(world.posts <= 12, "{} POSTs", world.posts);
    world.run(start + 600 * SECOND, |_, _| {
        (Answer::RefusesAll, MILLISECOND)
    });
    assert!(world.posts <= 60, "{} POSTs", world.posts);
    assert_eq!((world.rejected, world.pending()), (0, 20_000));
    // And when it takes them, all of them are written.
    world.run(start + 900 * SECOND, |_, _| (Answer::Written, MILLISECOND));
    assert_eq!(world.written_of("db"), 20_000);
}

#[test]
fn a_database_that_worked_and_refuses_everything_from_then_on_is_soon_left_alone() {
    let mut world = World::new();
    world.add("db", 10);
    let start = world.now;
    world.run(start + SECOND, |_, _| (Answer::Written, MILLISECOND));
    world.add("db", 10_000);
    world.run(start + 600 * SECOND, |_, _| {
        (Answer::RefusesAll, MILLISECOND)
    });
    assert!(world.posts < 150, "{} POSTs", world.posts);
    assert_eq!((world.rejected, world.pending()), (0, 10_000));
    world.run(start + 1_200 * SECOND, |_, _| {
        (Answer::Written, MILLISECOND)
    });
    assert_eq!(world.written_of("db"), 10_010);
}

#[test]
fn lines_refused_in_unknown_words_are_found_where_others_pass() {
    let mut world = World::new();
    let texts: Vec<_> = (0..1_000)
        .map(|number| {
            if number % 100 == 5 {
                "bad f=1 1"
            } else {
                "m f=1 1"
            }
        })
        .collect();
    world.dispatcher.add("db".into(), lines(&texts), world.now);
    let start = world.now;
    let answer = |_: &Database, lines: &Lines| {
        let is_bad = lines.iter().any(|line| line.starts_with(b"bad"));
        (
            if is_bad {
                Answer::RefusesAll
            } else {
                Answer::Written
            },
            MILLISECOND,
        )
    };
    for second in 1..=60 {
        world.add("db", 1);
        world.run(start + second * SECOND, answer);
    }
    assert_eq!(world.written_of("db"), 990 + 60);
    assert_eq!((world.rejected, world.pending()), (10, 0));
}

#[test]
fn what_is_too_large_is_split_and_smaller_batches_follow() {
    let mut world = World::new();
    for _ in 0..8 {
        world.add("db", 10_000);
    }
    let answer = |_: &Database, lines: &Lines| {
        (
            if lines.byte_len() > 10_000 {
                Answer::TooLarge
            } else {
                Answer::Written
            },
            MILLISECOND,
        )
    };
    world.run(world.now + 60 * SECOND, answer);
    assert_eq!((world.written_of("db"), world.rejected), (80_000, 0));
}

#[test]
fn while_nobody_listens_one_probe_at_a_time_is_sent_and_then_all_at_once() {
    let mut world = World::new();
    for number in 0..100 {
        world.add(&format!("db{number}"), 1);
    }
    let start = world.now;
    world.run(start + 600 * SECOND, |_, _| {
        (Answer::NotConnected, MILLISECOND)
    });
    assert!(world.posts < 60, "{} POSTs", world.posts);
    world.run(start + 661 * SECOND, |_, _| (Answer::Written, MILLISECOND));
    assert_eq!(world.pending(), 0);
    let first = world.written[0].0;
    let last = world.written.last().unwrap().0;
    assert!(last - first < SECOND, "{:?}", last - first);
}

#[test]
fn a_good_database_is_found_among_bad_ones_when_a_server_that_was_down_comes_up() {
    for bad in [Answer::Fails, Answer::Unavailable, Answer::Missing] {
        let mut world = World::new();
        for number in 0..39 {
            world.add(&format!("bad{number}"), 1);
        }
        world.add("good", 1);
        let start = world.now;
        world.run(start + 5 * SECOND, |_, _| {
            (Answer::NotConnected, MILLISECOND)
        });
        // The first probe may be up to this late.
        world.run(start + 20 * SECOND, |database, _| match is_bad(database) {
            true => (bad, MILLISECOND),
            false => (Answer::Written, MILLISECOND),
        });
        assert_eq!(world.written_of("good"), 1, "{bad:?}");
    }
}

#[test]
fn many_lines_that_always_fail_are_all_found_where_others_pass() {
    let mut world = World::new();
    let texts: Vec<_> = (0..200)
        .map(|number| {
            if number % 20 == 3 {
                "poison f=1 1"
            } else {
                "m f=1 1"
            }
        })
        .collect();
    world.dispatcher.add("db".into(), lines(&texts), world.now);
    let start = world.now;
    let answer = |_: &Database, lines: &Lines| {
        let has_poison = lines.iter().any(|line| line.starts_with(b"poison"));
        (
            if has_poison {
                Answer::Fails
            } else {
                Answer::Written
            },
            MILLISECOND,
        )
    };
    for second in 1..=3_600 {
        world.add("db", 1);
        world.run(start + second * SECOND, answer);
    }
    assert_eq!((world.rejected, world.pending()), (10, 0));
}
