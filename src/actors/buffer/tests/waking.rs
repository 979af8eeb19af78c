use std::thread;

use super::*;
use crate::{
    Database,
    cardinality::Capped,
    line_protocol::LineBuffer,
    source::{Source, Writing},
};

/// Turns out to be invalid; by then another thread has recorded a good one.
struct Invalid<'a> {
    rig: &'a Rig,
    database: Database,
    good: u64,
}

impl Source for Invalid<'_> {
    fn database(&self) -> &Database {
        &self.database
    }

    fn write(&mut self, line: &mut LineBuffer, _: Writing<'_>) -> Result<Capped, RecordError> {
        line.push_all(b"part of a line");
        thread::scope(|threads| {
            threads.spawn(|| self.rig.record("good", self.good));
        });
        Err(RecordError::NoFields {
            measurement: "m".to_owned(),
        })
    }
}

impl Rig {
    fn record_invalid_beside(&self, good: u64) {
        let mut invalid = Invalid {
            rig: self,
            database: "bad".into(),
            good,
        };
        let recorded = self.shared.intake.record(&mut invalid, None);
        assert!(recorded.unwrap_err().is_invalid());
    }
}

#[actix::test]
async fn a_measurement_beside_an_invalid_one_that_came_first_is_sent_after_the_interval() {
    let mut rig = Rig::new(config());
    let began = Instant::now();
    rig.record_invalid_beside(1);
    let write = tokio::time::timeout(60 * SECOND, rig.write()).await;
    assert_eq!(lines(&write.expect("it is sent at all")), 1);
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[actix::test]
async fn measurements_of_the_trigger_size_beside_an_invalid_one_are_sent_at_once() {
    let mut rig = Rig::new(config());
    let began = Instant::now();
    rig.record_invalid_beside(3);
    let write = tokio::time::timeout(60 * SECOND, rig.write()).await;
    assert_eq!(lines(&write.expect("it is sent at all")), 3);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[actix::test]
async fn a_measurement_beside_one_without_room_is_sent_also_if_a_loss_was_told_of_before() {
    let mut rig = Rig::new(config().max_buffer_bytes(1_024));
    let too_long = || {
        let text = "x".repeat(2_000);
        let measurement = Measurement::new("bad", "m").field("f", text);
        rig.shared.intake.take(measurement, None).unwrap_err()
    };
    too_long();
    rig.record("good", 1);
    too_long();
    let write = tokio::time::timeout(60 * SECOND, rig.write()).await;
    assert_eq!(lines(&write.expect("it is sent at all")), 1);
}
