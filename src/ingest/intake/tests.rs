use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicUsize},
    thread,
};

use super::*;
use crate::{Measurement, ingest::line::LineSeries, stats::ledger::DispositionKind};

fn intake(config: Config) -> Arc<Intake> {
    let settings = IngestSettings::new(&config.tag_hostname(false), Admission::Open);
    Arc::new(Intake::new(settings))
}

fn record(intake: &Intake, database: &'static str) -> Result<(), RecordError> {
    let recorded = intake.take(Measurement::new(database, "m").field("f", 1), None);
    recorded.map_err(|error| *error)
}

fn record_in_a_thread(intake: &Arc<Intake>, database: &'static str) {
    let intake = Arc::clone(intake);
    let recorded = thread::spawn(move || record(&intake, database)).join();
    recorded.unwrap().unwrap();
}

/// What a drain finds: lines by database.
fn drained(intake: &Intake) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for (database, batch) in intake.drain() {
        *found.entry(database.to_string()).or_default() += batch.len();
    }
    found.retain(|_, lines| *lines > 0);
    found
}

fn thread_buffer_count(intake: &Intake) -> usize {
    intake.thread_buffers.lock().all.len()
}

#[test]
fn a_drain_finds_what_all_threads_left_by_database() {
    let intake = intake(Config::default());
    record(&intake, "a").unwrap();
    let other = Arc::clone(&intake);
    thread::spawn(move || {
        record(&other, "a").unwrap();
        record(&other, "b").unwrap();
    })
    .join()
    .unwrap();
    let found = drained(&intake);
    assert_eq!(found, [("a".to_owned(), 2), ("b".to_owned(), 1)].into());
    assert!(drained(&intake).is_empty());
    let stats = intake.stats();
    assert!(stats.balanced());
    assert_eq!((stats.recorded, stats.pending), (3, 3));
}

#[test]
fn the_law_holds_at_every_instant_while_threads_record_and_the_buffer_drains() {
    const THREADS: usize = 4;
    const EACH: usize = 20_000;
    let intake = intake(Config::default().max_buffer_size(1_000));
    let running = Arc::new(AtomicUsize::new(THREADS));
    for _ in 0..THREADS {
        let (intake, running) = (Arc::clone(&intake), Arc::clone(&running));
        thread::spawn(move || {
            for _ in 0..EACH {
                _ = record(&intake, "a");
            }
            running.fetch_sub(1, Ordering::SeqCst);
        });
    }
    let settler = {
        let (intake, running) = (Arc::clone(&intake), Arc::clone(&running));
        thread::spawn(move || {
            loop {
                let is_last = running.load(Ordering::SeqCst) == 0;
                let (mut lines, mut bytes) = (0, 0);
                for (_, batch) in intake.drain() {
                    lines += batch.len();
                    bytes += batch.byte_len();
                }
                intake.ledger.settle(lines, DispositionKind::Written);
                intake.release(&"a".into(), lines, bytes);
                if is_last {
                    return;
                }
            }
        })
    };
    while !settler.is_finished() {
        let stats = intake.stats();
        assert!(stats.balanced(), "{stats}");
        assert!(stats.pending <= 1_000, "{stats}");
    }
    settler.join().unwrap();
    let stats = intake.stats();
    assert!(stats.balanced(), "{stats}");
    assert_eq!(stats.recorded, (THREADS * EACH) as u64);
    assert_eq!(stats.written + stats.dropped.buffer_full, stats.recorded);
    assert_eq!((stats.pending, intake.quota.lines()), (0, 0));
}

#[test]
fn the_thread_buffer_of_a_thread_that_has_ended_goes_and_its_counts_stay() {
    let intake = intake(Config::default());
    let thread_buffers = thread_buffer_count(&intake);
    for _ in 0..3 {
        let other = Arc::clone(&intake);
        thread::spawn(move || {
            record(&other, "a").unwrap();
            record(&other, "").unwrap_err();
        })
        .join()
        .unwrap();
    }
    assert_eq!(thread_buffer_count(&intake), thread_buffers + 3);
    assert_eq!(drained(&intake)["a"], 3);
    assert_eq!(thread_buffer_count(&intake), thread_buffers);
    let stats = intake.stats();
    assert!(stats.balanced());
    assert_eq!((stats.recorded, stats.dropped.invalid), (6, 3));
}

#[test]
fn pipelines_do_not_share_thread_buffers_and_one_that_is_gone_leaves_none_behind() {
    let one = intake(Config::default());
    let other = intake(Config::default());
    record(&one, "a").unwrap();
    assert_eq!(other.stats().recorded, 0);
    drop(one);
    // This thread's list is cleaned when it gets another thread buffer.
    record(&other, "a").unwrap();
    THREAD_BUFFERS.with_borrow(|thread_buffers| {
        assert!(
            thread_buffers
                .iter()
                .all(|(_, thread_buffer)| Arc::strong_count(thread_buffer) > 1)
        );
    });
}

#[test]
fn the_buffer_actor_is_woken_for_the_first_the_triggering_and_the_threshold_measurement() {
    let config = Config::default().trigger_size(3).warn_threshold(5);
    let intake = intake(config.max_buffer_size(6));
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&wakes);
    intake.wake_with(move || {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let woken = |intake: &Intake| {
        _ = record(intake, "a");
        wakes.swap(0, Ordering::SeqCst)
    };
    let first_to_last: Vec<_> = (0..8).map(|_| woken(&intake)).collect();
    // The seventh is the first that is lost; the eighth is reported together with it.
    assert_eq!(first_to_last, [1, 0, 1, 0, 1, 0, 1, 0]);
    drained(&intake);
    assert!(intake.quota.take_lost());
    assert_eq!(woken(&intake), 1, "lost again");
}

#[test]
fn the_buffer_actor_is_woken_to_tell_of_a_budget_that_is_used_up() {
    let intake = intake(Config::default().max_tag_values(1));
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&wakes);
    intake.wake_with(move || {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let woken = [1, 2, 3].map(|value| {
        let measurement = Measurement::new("a", "m").tag("t", value).field("f", 1);
        intake.take(measurement, None).unwrap();
        wakes.swap(0, Ordering::SeqCst)
    });
    // For the first one that waits, and the first one that was replaced.
    assert_eq!(woken, [1, 1, 0]);
}

#[test]
fn the_error_of_a_timestamp_names_its_measurement_with_and_without_a_series() {
    let intake = intake(Config::default());
    let timestamp = crate::Timestamp::from_nanos(i64::MAX);
    let point = || {
        Measurement::new("a", "m")
            .field("f", 1)
            .timestamp(timestamp)
    };
    let error = intake.take(point(), None).unwrap_err();
    let expected = RecordError::InvalidTimestamp {
        timestamp,
        measurement: "m".to_owned(),
    };
    assert_eq!(*error, expected);
    let series = intake.prepare(point().0).unwrap();
    assert_eq!(LineSeries::Prepared(&series).name(), "m");
    assert_eq!(LineSeries::New(&mut point().0).name(), "m");
}

#[test]
fn what_is_refused_leaves_no_trace_but_in_the_counts() {
    let intake = intake(Config::default().max_buffer_bytes(1_024));
    let long = "x".repeat(600);
    let record_long = || {
        let measurement = Measurement::new("a", "m").field("f", long.clone());
        intake.take(measurement, None)
    };
    record_long().unwrap();
    let error = record_long().unwrap_err();
    assert!(matches!(
        *error,
        RecordError::BufferFull {
            unit: crate::BufferUnit::Bytes,
            limit: 1_024,
            ..
        }
    ));
    record(&intake, "a").unwrap();
    assert!(record(&intake, "").unwrap_err().is_invalid());
    assert_eq!(drained(&intake), [("a".to_owned(), 2)].into());
    let stats = intake.stats();
    assert!(stats.balanced());
    assert_eq!((stats.dropped.buffer_full, stats.dropped.invalid), (1, 1));
}

#[test]
fn what_is_closed_stays_closed() {
    let intake = intake(Config::default());
    intake.reconfigure(&Config::default(), Admission::Closed);
    intake.reconfigure(&Config::default(), Admission::Open);
    assert_eq!(record(&intake, "a"), Err(RecordError::Stopping));
    let other = Arc::clone(&intake);
    let late_thread = thread::spawn(move || record(&other, "a"));
    assert_eq!(late_thread.join().unwrap(), Err(RecordError::Stopping));
}

#[test]
fn a_thread_that_is_ending_can_still_record() {
    struct AtEnd(Arc<Intake>, Arc<AtomicBool>);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            record(&self.0, "a").unwrap();
            self.1.store(true, Ordering::SeqCst);
        }
    }
    thread_local! {
        static AT_END: RefCell<Option<AtEnd>> = const { RefCell::new(None) };
    }
    let intake = intake(Config::default());
    let recorded = Arc::new(AtomicBool::new(false));
    let at_end = AtEnd(Arc::clone(&intake), Arc::clone(&recorded));
    thread::spawn(move || {
        // Registered before the thread buffers, so it is dropped after them.
        AT_END.set(Some(at_end));
        THREAD_BUFFERS.with_borrow(|_| ());
    })
    .join()
    .unwrap();
    assert!(recorded.load(Ordering::SeqCst));
    assert_eq!(drained(&intake)["a"], 1);
}

#[test]
fn thread_buffers_of_threads_that_have_ended_do_not_pile_up_where_nothing_is_drained() {
    let config = Config::default().tag_hostname(false);
    let intake = Arc::new(Intake::new(IngestSettings::new(
        &config,
        Admission::Disabled,
    )));
    let counts = (0..500).map(|_| {
        record_in_a_thread(&intake, "a");
        thread_buffer_count(&intake)
    });
    // Fewer are not looked through.
    assert_eq!(counts.max(), Some(SWEEP_AT));
    assert_eq!(intake.stats().dropped.disabled, 500);
    assert!(intake.stats().balanced());
}

#[test]
fn thread_buffers_that_are_in_use_or_hold_something_stay_and_are_looked_through_seldom() {
    let intake = intake(Config::default());
    record(&intake, "a").unwrap();
    assert_eq!(drained(&intake)["a"], 1);
    for _ in 0..2 * SWEEP_AT {
        record_in_a_thread(&intake, "b");
    }
    record(&intake, "a").unwrap();
    assert_eq!(intake.thread_buffers.lock().sweep_at, 4 * SWEEP_AT);
    let found = drained(&intake);
    assert_eq!(found["a"], 1);
    assert_eq!(found["b"], 2 * SWEEP_AT);
}

#[test]
fn a_thread_buffer_holds_batches_of_no_more_than_the_limit() {
    let intake = intake(Config::default().max_batch_size(10));
    for _ in 0..25 {
        record(&intake, "a").unwrap();
    }
    let sizes: Vec<_> = intake
        .drain()
        .iter()
        .map(|(_, batch)| batch.len())
        .collect();
    assert_eq!(sizes, [10, 10, 5]);
}

#[test]
fn a_thread_keeps_its_thread_buffer_in_each_of_several_pipelines() {
    let pipelines = [(); 3].map(|()| intake(Config::default()));
    for _ in 0..3 {
        for intake in &pipelines {
            record(intake, "a").unwrap();
        }
    }
    for intake in &pipelines {
        // The other one is for threads that are ending.
        assert_eq!(thread_buffer_count(intake), 2);
        assert_eq!(drained(intake)["a"], 3);
    }
}

#[test]
fn replaced_values_count_whether_their_threads_have_ended_or_not() {
    let intake = intake(Config::default().max_tag_values(1));
    let record = |intake: &Intake, value: u8| {
        let measurement = Measurement::new("a", "m").tag("t", value).field("f", 1);
        intake.take(measurement, None).unwrap();
    };
    record(&intake, 1);
    let other = Arc::clone(&intake);
    thread::spawn(move || record(&other, 2)).join().unwrap();
    assert_eq!(intake.stats().tags_capped, 1);
    drained(&intake);
    assert_eq!(intake.stats().tags_capped, 1);
    // Also those of a series that comes again.
    for value in [3, 3, 3, 4] {
        record(&intake, value);
    }
    assert_eq!(intake.stats().tags_capped, 5);
}

#[test]
fn a_database_whose_measurements_are_refused_leaves_nothing_in_the_thread_buffer() {
    let intake = intake(Config::default().max_buffer_size(1));
    record(&intake, "a").unwrap();
    // The one that there is a reserve for.
    record(&intake, "b").unwrap();
    for database in ["c", "d", "a", "e"] {
        record(&intake, database).unwrap_err();
    }
    assert_eq!(intake.drain().len(), 2);
    record(&intake, "c").unwrap_err();
    assert_eq!(intake.drain().len(), 0);
}

#[test]
fn a_drain_finds_the_measurements_of_any_number_of_databases_again_and_again() {
    let intake = intake(Config::default());
    for _ in 0..3 {
        for number in 0..1_000 {
            let measurement = Measurement::new(format!("db{number}"), "m").field("f", 1);
            intake.take(measurement, None).unwrap();
        }
        let found = drained(&intake);
        assert_eq!(found.len(), 1_000);
        assert!(found.values().all(|lines| *lines == 1));
        for database in found.keys() {
            intake.ledger.settle(1, DispositionKind::Written);
            let bytes = "m f=1i 1700000000000000000\n".len();
            intake.release(&database.clone().into(), 1, bytes);
        }
        assert_eq!((intake.quota.lines(), intake.quota.bytes()), (0, 0));
    }
    assert!(drained(&intake).is_empty());
}

#[test]
fn a_database_whose_measurements_are_invalid_leaves_nothing_in_the_thread_buffer() {
    let intake = intake(Config::default());
    for database in ["a", "b"] {
        let without_fields = Measurement::new(database, "m");
        intake.take(without_fields, None).unwrap_err();
    }
    assert_eq!(intake.drain().len(), 0);
}

#[test]
fn values_beyond_the_budget_are_replaced_and_counted_each_time_however_many_tags_there_are() {
    for tags in [1, 6, 63, 64, 65, 100] {
        let intake = intake(Config::default().tag_hostname(false).max_tag_values(1));
        let mut capped = 0;
        for value in [0, 0, 1, 1, 1, 0] {
            let pairs = (0..tags).map(|at| (format!("t{at:03}"), value));
            let measurement = Measurement::new("db", "m").tags(pairs).field("f", 1);
            intake.take(measurement, None).unwrap();
            capped += tags * value;
            assert_eq!(intake.stats().tags_capped, capped, "{tags} tags");
        }
        let mut expected = ["0", "0", "_other", "_other", "_other", "0"].into_iter();
        for (_, batch) in intake.drain() {
            for line in batch.seal(false).lines.iter() {
                let value = expected.next().unwrap();
                let line = str::from_utf8(line).unwrap();
                let written = line.matches(&format!("={value}")).count() as u64;
                assert_eq!(written, tags, "{line}");
            }
        }
        assert_eq!(expected.next(), None);
    }
}
