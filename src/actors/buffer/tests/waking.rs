use std::thread;

use super::*;
use crate::{
    Database, Timestamp,
    encode::{FieldFormat, LineBuffer},
    ingest::line::{Line, LineSeries},
    point::clock::tests::set_clock_ahead,
};

/// Is refused in the end; by then another thread has recorded good ones.
struct Refused<'a> {
    rig: &'a Rig,
    measurement: Measurement,
    good: u64,
    /// Else it is invalid.
    is_too_long: bool,
}

impl Line for Refused<'_> {
    fn database(&self) -> &Database {
        self.measurement.database()
    }

    fn series(&mut self) -> LineSeries<'_> {
        self.measurement.series()
    }

    fn push_fields(&self, _: FieldFormat, line: &mut LineBuffer) -> Result<(), RecordError> {
        line.push_all(&[b'x'; 2_000]);
        thread::scope(|threads| {
            threads.spawn(|| self.rig.record("good", self.good));
        });
        match self.is_too_long {
            true => Ok(()),
            false => Err(RecordError::NoFields {
                measurement: "m".to_owned(),
            }),
        }
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp(1)
    }
}

impl Rig {
    fn record_refused_beside(&self, good: u64, is_too_long: bool) {
        let mut refused = Refused {
            rig: self,
            measurement: Measurement::new("bad", "m").field("f", 1),
            good,
            is_too_long,
        };
        let recorded = self.shared.intake.record(&mut refused, None);
        assert_eq!(recorded.unwrap_err().is_invalid(), !is_too_long);
    }

    /// How many lines are sent next, and after how many seconds.
    async fn sent(&mut self) -> (usize, u64) {
        let began = Instant::now();
        let write = tokio::time::timeout(60 * SECOND, self.write()).await;
        let lines = lines(&write.expect("it is sent at all"));
        (lines, began.elapsed().as_secs())
    }
}

#[actix::test]
async fn a_measurement_beside_an_invalid_one_that_came_first_is_sent_after_the_interval() {
    let mut rig = Rig::new(config());
    rig.record_refused_beside(1, false);
    assert_eq!(rig.sent().await, (1, 10));
}

#[actix::test]
async fn measurements_of_the_trigger_size_beside_an_invalid_one_are_sent_at_once() {
    let mut rig = Rig::new(config());
    rig.record("good", 2);
    rig.nothing_is_sent().await;
    rig.record_refused_beside(1, false);
    assert_eq!(rig.sent().await, (3, 0));
}

#[actix::test]
async fn a_measurement_beside_one_without_room_is_sent_also_if_a_loss_was_told_of_before() {
    let mut rig = Rig::new(config().max_buffer_bytes(1_024));
    rig.record_refused_beside(0, true);
    rig.record_refused_beside(1, true);
    // That something was lost makes the buffer actor drain.
    assert_eq!(rig.sent().await, (1, 0));
    // It reports losses every 10 s, and asks for none before.
    rig.record_refused_beside(0, true);
    rig.idle().await;
    rig.record_refused_beside(1, true);
    assert_eq!(rig.sent().await.0, 1);
}

#[actix::test]
async fn a_step_of_the_systems_clock_changes_no_interval() {
    let mut rig = Rig::new(config());
    for seconds in [-3_600, 3_600] {
        rig.record("db", 1);
        rig.idle().await;
        set_clock_ahead(seconds);
        let began = Instant::now();
        assert_eq!(rig.settle_next(Verdict::Written).await, 1);
        assert_eq!(began.elapsed().as_secs(), 10);
        rig.idle().await;
    }
}

#[actix::test]
async fn a_jitter_spreads_what_is_sent_over_the_time_after_the_interval() {
    let mut rig = Rig::new(config().flush_jitter(20 * SECOND));
    let mut times = Vec::new();
    for _ in 0..20 {
        rig.record("db", 1);
        rig.idle().await;
        let began = Instant::now();
        assert_eq!(rig.settle_next(Verdict::Written).await, 1);
        times.push(began.elapsed().as_secs());
        rig.idle().await;
    }
    let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert!(*least >= 10 && *most <= 30, "{times:?}");
    // By chance, all within a quarter of it, once in 10^9.
    assert!(most - least > 5, "{times:?}");
    // What reaches the trigger size does not wait for it.
    rig.record("db", 3);
    assert_eq!(rig.sent().await, (3, 0));
}

#[actix::test]
async fn the_jitter_of_an_interval_that_runs_stays_the_same_when_settings_change() {
    let mut rig = Rig::new(config().flush_jitter(20 * SECOND));
    fastrand::seed(7);
    let jitter = (20 * SECOND).mul_f64(fastrand::f64());
    fastrand::seed(7);
    let began = Instant::now();
    rig.record("db", 1);
    rig.idle().await;
    for size in 1..10 {
        rig.update(move |config| config.max_batch_size(size))
            .await
            .unwrap();
    }
    assert_eq!(rig.settle_next(Verdict::Written).await, 1);
    let expected = (10 * SECOND + jitter).as_secs();
    assert!((expected..=expected + 1).contains(&began.elapsed().as_secs()));
}
