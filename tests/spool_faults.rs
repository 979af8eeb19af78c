//! The spool where the disk or what is on it is not as it should be: the memory goes on, nothing hangs,
//! and the log says so once. The logger is the process's, so tests that look at it take turns.

// Each test has a runtime and a thread of its own, which waits for nothing else.
#![allow(clippy::await_holding_lock)]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, Once, PoisonError},
    time::Duration,
};

use actix_influxdb::{
    Config, Influx, Measurement, Overflow, SpoolState, Stats,
    testing::{Answer, FakeInflux},
};
use log::{Level, LevelFilter};
use support::{
    logger::{self, Line},
    pipeline::{LONG, impatient},
    wait::{until, wait_until},
};
use tempfile::TempDir;

/// One test at a time, with its own lines of the log.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    static LOGGER: Once = Once::new();
    LOGGER.call_once(|| logger::install(LevelFilter::Info));
    logger::take();
    turn
}

fn lines_with(words: &str) -> Vec<Line> {
    let lines = logger::take().into_iter();
    lines.filter(|line| line.text.contains(words)).collect()
}

fn record(influx: &Influx, database: &'static str, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let measurement = Measurement::new(database, "m").field("number", number);
        influx.record(measurement).unwrap();
    }
}

fn is(state: SpoolState) -> impl Fn(&Stats) -> bool {
    move |stats| {
        stats
            .spool
            .as_ref()
            .is_some_and(|spool| spool.state == state)
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_one = |path: &PathBuf| path.to_str().is_some_and(|text| text.contains(".lp"));
    let mut paths: Vec<_> = paths.filter(is_one).collect();
    paths.sort();
    paths
}

fn small(url: String, folder: &Path) -> Config {
    impatient(url)
        .tag_hostname(false)
        .spool_dir(folder)
        .overflow(Overflow::Spool)
        .trigger_size(10)
        .max_batch_size(100)
        .max_buffer_size(1_000)
}

/// Leaves some files behind, each of ten measurements.
async fn leave_files(fake: &FakeInflux, folder: &Path, databases: &[&'static str]) {
    fake.refuse();
    fake.close_idle();
    for database in databases {
        let config = impatient(fake.url()).tag_hostname(false).spool_dir(folder);
        let influx = Influx::start(config).unwrap();
        until(&influx, "the spool is open", is(SpoolState::Open));
        record(&influx, database, 0..10);
        let report = influx.shutdown(LONG).await;
        assert_eq!(report.undelivered, 0, "{report:?}");
    }
    fake.accept_again();
}

/// A folder that can't be made or written, for whoever it is: `root` may write everywhere.
#[actix::test]
async fn a_folder_that_can_not_be_used_is_one_error_and_the_memory_goes_on() {
    let _turn = turn();
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    for path in [
        file.clone(),
        file.join("below"),
        PathBuf::from("/proc/none"),
    ] {
        logger::take();
        let config = small(fake.url(), &path).write_ahead(true);
        let influx = Influx::start(config).unwrap();
        until(&influx, "the spool fails", is(SpoolState::Failing));
        record(&influx, "db", 0..100);
        assert!(influx.flush(LONG).await.is_complete());
        fake.refuse();
        fake.close_idle();
        for number in 10..150 {
            record(&influx, "db", 10 * number..10 * (number + 1));
            let has_room = |stats: &Stats| stats.pending <= 1_000;
            until(&influx, "the oldest give way", has_room);
        }
        let stats = influx.stats();
        assert!(stats.balanced() && stats.places.spooled == 0, "{stats}");
        fake.accept_again();
        influx.flush(LONG).await;
        let report = influx.shutdown(LONG).await;
        assert_eq!((report.undelivered, report.spooled), (0, 0), "{report:?}");
        let errors = lines_with("the spool");
        let errors: Vec<_> = errors
            .iter()
            .filter(|line| line.level == Level::Error)
            .collect();
        assert_eq!(errors.len(), 1, "{path:?}: {errors:#?}");
        assert!(errors[0].text.contains("can't be used"), "{errors:#?}");
    }
}

#[cfg(target_os = "linux")]
struct Mounted(PathBuf);

#[cfg(target_os = "linux")]
impl Mounted {
    /// A file system of its own, if this user may have one; else the test is left out.
    fn tmpfs(test: &str, folder: &Path, options: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(folder);
        let is_mounted = mount.output().is_ok_and(|output| output.status.success());
        if !is_mounted {
            support::leave_out(test, "it may not mount a file system");
        }
        is_mounted.then(|| Self(folder.to_owned()))
    }

    fn remount(&self, options: &str) {
        let mut mount = Command::new("mount");
        mount
            .args(["-o", &format!("remount,{options}")])
            .arg(&self.0);
        assert!(mount.status().unwrap().success());
    }
}

#[cfg(target_os = "linux")]
impl Drop for Mounted {
    fn drop(&mut self) {
        _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[cfg(target_os = "linux")]
#[actix::test]
async fn a_full_disk_is_one_error_and_the_spool_is_used_again_when_there_is_room() {
    let _turn = turn();
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    let Some(_mounted) = Mounted::tmpfs(support::test_name!(), folder.path(), "size=64k") else {
        return;
    };
    fake.refuse();
    let influx = Influx::start(small(fake.url(), &folder.path().join("spool"))).unwrap();
    until(&influx, "the spool is open", is(SpoolState::Open));
    let ballast = folder.path().join("ballast");
    fs::write(&ballast, vec![0; 50 << 10]).unwrap();
    _ = fs::write(folder.path().join("more"), vec![0; 20 << 10]);
    for number in 0..300 {
        record(&influx, "db", 10 * number..10 * (number + 1));
        // One event of the runtime each: nothing waits for the disk.
        tokio::task::yield_now().await;
        if influx.stats().spool.unwrap().state == SpoolState::Failing {
            break;
        }
        let has_room = |stats: &Stats| stats.pending - stats.places.spooled < 1_000;
        until(&influx, "there is room, or the disk fails", |stats| {
            has_room(stats) || is(SpoolState::Failing)(stats)
        });
    }
    until(&influx, "the disk is full", is(SpoolState::Failing));
    let errors = lines_with("can't be used");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].text.contains("No space left"), "{errors:#?}");
    // The memory goes on: the oldest give way.
    for number in 1_000..1_040 {
        let has_room = |stats: &Stats| stats.pending - stats.places.spooled <= 1_000;
        until(&influx, "the oldest give way", has_room);
        record(&influx, "db", 10 * number..10 * (number + 1));
    }
    until(&influx, "what does not fit is counted", |stats| {
        stats.dropped.overflow > 0
    });
    fs::remove_file(&ballast).unwrap();
    until(&influx, "the spool is used again", |stats| {
        for number in 0..20 {
            let measurement = Measurement::new("db", "m").field("number", number);
            _ = influx.record(measurement);
        }
        is(SpoolState::Open)(stats)
    });
    fake.accept_again();
    assert!(influx.flush(LONG).await.is_complete());
    let report = influx.shutdown(LONG).await;
    assert_eq!((report.undelivered, report.spooled), (0, 0), "{report:?}");
    let stats = report.stats;
    assert!(stats.balanced() && stats.pending == 0, "{stats}");
    assert_eq!(fake.count("db") as u64, stats.written);
    assert_eq!(lines_with("can be used again").len(), 1);
}

#[cfg(target_os = "linux")]
#[actix::test]
async fn what_a_full_disk_can_not_take_at_the_end_is_told_as_undelivered() {
    let _turn = turn();
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    let Some(_mounted) = Mounted::tmpfs(support::test_name!(), folder.path(), "size=64k") else {
        return;
    };
    fake.refuse();
    let influx = Influx::start(small(fake.url(), folder.path())).unwrap();
    until(&influx, "the spool is open", is(SpoolState::Open));
    record(&influx, "db", 0..100);
    let ballast = fs::write(folder.path().join("ballast"), vec![0; 100 << 10]);
    assert!(ballast.is_err(), "the disk is full");
    let report = influx.shutdown(Duration::from_secs(4)).await;
    assert!(report.elapsed < Duration::from_secs(5), "{report:?}");
    assert_eq!((report.undelivered, report.spooled), (100, 0), "{report:?}");
    assert_eq!(report.undelivered_lines().count(), 100);
    let stats = report.stats;
    assert!(
        stats.balanced() && stats.dropped.undelivered == 100,
        "{stats}"
    );
}

#[cfg(target_os = "linux")]
#[actix::test]
async fn a_folder_that_can_only_be_read_is_one_error() {
    let _turn = turn();
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    let Some(mounted) = Mounted::tmpfs(support::test_name!(), folder.path(), "size=1m") else {
        return;
    };
    mounted.remount("ro");
    let influx = Influx::start(small(fake.url(), folder.path()).write_ahead(true)).unwrap();
    until(&influx, "the spool fails", is(SpoolState::Failing));
    record(&influx, "db", 0..100);
    assert!(influx.flush(LONG).await.is_complete());
    assert_eq!(lines_with("can't be used").len(), 1);
    // Mended while it runs.
    mounted.remount("rw");
    until(&influx, "the spool is open", is(SpoolState::Open));
    assert_eq!(influx.shutdown(LONG).await.stats.written, 100);
}

#[actix::test]
async fn damaged_and_foreign_files_are_moved_aside_and_the_others_delivered() {
    let _turn = turn();
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    let spool = folder.path();
    leave_files(&fake, spool, &["a", "b", "c", "d"]).await;
    let left = files(spool);
    assert_eq!(left.len(), 4);
    // Cut, and with a byte flipped.
    let whole = fs::read(&left[1]).unwrap();
    fs::write(&left[1], &whole[..whole.len() - 5]).unwrap();
    let mut flipped = fs::read(&left[2]).unwrap();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs::write(&left[2], flipped).unwrap();
    fs::write(spool.join("notes.txt"), "x").unwrap();
    logger::take();
    let influx = Influx::start(impatient(fake.url()).spool_dir(spool)).unwrap();
    until(&influx, "the spool is open", is(SpoolState::Open));
    assert!(influx.flush(LONG).await.is_complete());
    let stats = influx.shutdown(LONG).await.stats;
    assert!(stats.balanced() && stats.pending == 0, "{stats}");
    assert_eq!((stats.recovered, stats.written), (40, 20));
    assert_eq!(stats.dropped.spool_damaged, 20);
    assert_eq!((fake.count("a"), fake.count("d")), (10, 10));
    let bad = |name: &Path| {
        spool.join(format!(
            "{}.bad",
            name.file_name().unwrap().to_str().unwrap()
        ))
    };
    for path in [&left[1], &left[2], &spool.join("notes.txt")] {
        assert!(bad(path).exists() && !path.exists(), "{path:?}");
    }
    let lines = logger::take();
    let warns = |words: &str| {
        let lines = lines.iter().filter(|line| line.text.contains(words));
        lines.map(|line| line.level).collect::<Vec<_>>()
    };
    assert_eq!(warns("notes.txt"), [Level::Warn], "{lines:#?}");
    let name = left[1].file_name().unwrap().to_str().unwrap();
    assert_eq!(warns(name), [Level::Warn], "{lines:#?}");
}

#[actix::test]
async fn a_file_that_somebody_removes_is_counted() {
    let _turn = turn();
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    leave_files(&fake, folder.path(), &["a", "b"]).await;
    fake.refuse();
    let influx = Influx::start(impatient(fake.url()).spool_dir(folder.path())).unwrap();
    until(&influx, "it has failed", |stats| {
        stats.endpoints[0].last_failure.is_some()
    });
    // The first is loaded, and the other not yet.
    fs::remove_file(&files(folder.path())[1]).unwrap();
    fake.accept_again();
    assert!(influx.flush(LONG).await.is_complete());
    let stats = influx.shutdown(LONG).await.stats;
    assert!(stats.balanced() && stats.pending == 0, "{stats}");
    assert_eq!(stats.written + stats.dropped.spool_damaged, 20, "{stats:?}");
}

#[actix::test]
async fn beyond_its_size_the_oldest_files_go_and_are_counted() {
    let _turn = turn();
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    fake.refuse();
    let limit = 64 << 10;
    let config = small(fake.url(), folder.path())
        .max_batch_bytes(8 << 10)
        .spool_max_bytes(limit);
    let influx = Influx::start(config).unwrap();
    until(&influx, "the spool is open", is(SpoolState::Open));
    for number in 0..2_000 {
        let has_room = |stats: &Stats| stats.pending - stats.places.spooled < 1_000;
        until(&influx, "there is room", has_room);
        record(&influx, "db", 10 * number..10 * (number + 1));
        let bytes: u64 = files(folder.path())
            .iter()
            .filter_map(|path| Some(fs::metadata(path).ok()?.len()))
            .sum();
        assert!(bytes <= limit as u64, "{bytes}");
    }
    let stats = influx.stats();
    assert!(
        stats.dropped.spool_full > 0 && stats.dropped.overflow == 0,
        "{stats:?}"
    );
    let errors = lines_with("is full (spool_max_bytes");
    assert!((1..5).contains(&errors.len()), "{errors:#?}");
    fake.accept_again();
    assert!(influx.flush(LONG).await.is_complete());
    let stats = influx.shutdown(LONG).await.stats;
    assert!(stats.balanced() && stats.pending == 0, "{stats}");
    assert_eq!(stats.written + stats.dropped.spool_full, 20_000);
    assert_eq!(fake.count("db") as u64, stats.written);
    // The newest are there.
    let points = fake.points("db");
    let newest = points
        .iter()
        .map(|point| point.field("number").unwrap().as_integer().unwrap());
    assert_eq!(newest.max(), Some(19_999));
}

#[actix::test]
async fn what_is_on_disk_for_too_long_expires() {
    let _turn = turn();
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    leave_files(&fake, folder.path(), &["a", "b"]).await;
    fake.refuse();
    fake.close_idle();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let config = impatient(fake.url())
        .spool_dir(folder.path())
        .max_age(Duration::from_millis(50));
    let influx = Influx::start(config).unwrap();
    let stats = until(&influx, "it expires", |stats| stats.dropped.expired == 20);
    assert_eq!((stats.recovered, stats.pending), (20, 0));
    assert!(wait_until(LONG, || files(folder.path()).is_empty()));
    influx.shutdown(LONG).await;
}

#[actix::test]
async fn bad_databases_on_disk_hold_up_no_good_one_nor_what_is_recorded() {
    let _turn = turn();
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    let bad: Vec<&'static str> = (0..12)
        .map(|number| &*format!("bad{number}").leak())
        .collect();
    let all: Vec<_> = bad.iter().copied().chain(["good"]).collect();
    leave_files(&fake, folder.path(), &all).await;
    fake.answer_with(|request| {
        match request.param("db").is_some_and(|name| name.contains("bad")) {
            true => Answer::status(404).body(r#"{"error":"database not found: \"bad\""}"#),
            false => Answer::accept(),
        }
    });
    let influx = Influx::start(impatient(fake.url()).spool_dir(folder.path())).unwrap();
    record(&influx, "live", 0..10);
    influx.flush(Duration::from_millis(1)).await;
    let stats = until(&influx, "the good ones are written", |stats| {
        stats.written == 20
    });
    assert_eq!(stats.pending, 120);
    assert_eq!((fake.count("good"), fake.count("live")), (10, 10));
    fake.answer_always(Answer::accept());
    assert!(influx.flush(LONG).await.is_complete());
    influx.shutdown(LONG).await;
}

#[actix::test]
async fn a_bad_line_on_disk_is_isolated_and_the_others_are_written() {
    let _turn = turn();
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    fake.refuse();
    let config = || {
        impatient(fake.url())
            .tag_hostname(false)
            .spool_dir(folder.path())
    };
    let influx = Influx::start(config()).unwrap();
    record(&influx, "db", 0..10);
    influx
        .record(Measurement::new("db", "m").field("number", "text"))
        .unwrap();
    record(&influx, "db", 10..20);
    assert_eq!(influx.shutdown(LONG).await.spooled, 21);
    fake.accept_again();
    let influx = Influx::start(config()).unwrap();
    assert!(influx.flush(LONG).await.is_complete());
    let stats = influx.shutdown(LONG).await.stats;
    assert_eq!(
        (stats.written, stats.rejected, stats.recovered),
        (20, 1, 21)
    );
    assert_eq!(fake.count("db"), 20);
    assert!(files(folder.path()).is_empty());
}

#[actix::test]
async fn a_file_for_another_build_is_left_in_place_and_nobody_waits_for_it() {
    let _turn = turn();
    let (fake, folder) = (FakeInflux::start(), TempDir::new().unwrap());
    // Of a later version; and, where this build can't read it, a compressed one.
    let newer = folder.path().join("000000000001-1764157800123-3-db.lp");
    fs::write(&newer, "# actix-influxdb-spool 2 of a later version\n").unwrap();
    let compressed = folder.path().join("000000000002-1764157800123-4-db.lp.gz");
    let is_read = cfg!(feature = "gzip");
    if !is_read {
        fs::write(&compressed, "gzip").unwrap();
    }
    let lines = if is_read { 3 } else { 7 };
    let influx = Influx::start(impatient(fake.url()).spool_dir(folder.path())).unwrap();
    until(&influx, "they are found", |stats| stats.recovered == lines);
    record(&influx, "db", 0..10);
    let report = influx.flush(LONG).await;
    assert!(report.is_complete(), "{report}");
    until(&influx, "they are counted where they are", |stats| {
        stats.places.spooled == lines && stats.pending == lines
    });
    let report = influx.shutdown(LONG).await;
    assert!(report.elapsed < LONG / 2, "{report:?}");
    assert_eq!((report.spooled, report.undelivered), (lines, 0));
    assert!(newer.exists() && compressed.exists() != is_read);
    let errors = lines_with("it stays in place");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!(errors[0].level, Level::Error);
}
