//! The spool, with a disk that does its work on this thread, at once, or not at all.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::SystemTime,
};

use tempfile::TempDir;

use super::{loading::leave, *};
use crate::{
    Overflow, SpoolState,
    actors::{
        disk::Worker,
        messages::internal::{DiskDone, DiskResult, DiskWork, Task},
    },
    batch::Lines,
    spool::{
        disk::{Disk, FileSystem},
        faults::{Fault, Faulty},
        folder::SpoolFile,
    },
};

/// A disk actor on the test's thread.
struct Inline(Worker);

impl Actor for Inline {
    type Context = Context<Self>;
}

impl Handler<DiskWork> for Inline {
    type Result = ();

    fn handle(&mut self, work: DiskWork, _: &mut Self::Context) {
        self.0.work(work);
    }
}

fn inline(disk: impl Fn() -> Box<dyn Disk> + Clone + Send + 'static) -> StartDisk {
    Box::new(move || Inline(Worker::new(disk.clone())).start().recipient())
}

fn file_system() -> StartDisk {
    inline(|| Box::new(FileSystem))
}

struct Spooling {
    rig: Rig,
    folder: TempDir,
}

fn spool_config(folder: &TempDir) -> Config {
    config()
        .spool_dir(folder.path())
        .overflow(Overflow::Spool)
        .max_buffer_size(40)
        .max_batch_size(10)
}

impl Spooling {
    fn new(disk: StartDisk, change: impl FnOnce(Config) -> Config) -> Self {
        let folder = TempDir::new().unwrap();
        let config = change(spool_config(&folder));
        let replay = Box::new(|| ReplayActor::default().start().recipient());
        let rig = Rig::with_parts(config, replay, Some(disk));
        Self { rig, folder }
    }

    fn files(&self) -> Vec<PathBuf> {
        let files = SpoolFile::list(self.folder.path()).unwrap();
        files.iter().map(|file| file.path().to_owned()).collect()
    }

    fn state(&self) -> SpoolState {
        self.rig.stats().spool.unwrap().state
    }
}

fn down() -> Verdict {
    Verdict::Retry(Retry {
        not_before: Some(3_600 * SECOND),
        ..Retry::new(Scope::Endpoint, Cause::Unavailable, "down")
    })
}

/// The next process with the same folder.
pub(super) fn next_start(folder: &TempDir, change: impl FnOnce(Config) -> Config) -> Rig {
    let config = change(config().spool_dir(folder.path()));
    let replay = Box::new(|| ReplayActor::default().start().recipient());
    Rig::with_parts(config, replay, Some(file_system()))
}

#[actix::test]
async fn the_oldest_batches_go_to_disk_and_the_newest_stay_in_memory() {
    tokio::time::pause();
    let mut spooling = Spooling::new(file_system(), |config| config);
    let rig = &mut spooling.rig;
    rig.record("db", 3);
    rig.settle_next(down()).await;
    for _ in 0..10 {
        rig.record("db", 10);
        rig.idle().await;
    }
    let stats = rig.stats();
    assert_eq!((stats.pending, stats.dropped.total()), (103, 0));
    assert!((25..=35).contains(&stats.places.buffered), "{stats:?}");
    assert!(rig.shared.intake.quota.lines() <= 35);
    let on_disk = SpoolFile::list(spooling.folder.path()).unwrap();
    let lines: u64 = on_disk.iter().map(SpoolFile::measurements).sum();
    assert_eq!(lines, stats.places.spooled);
}

#[actix::test]
async fn what_is_on_disk_only_is_told_to_be_pending_since_it_came() {
    tokio::time::pause();
    let mut before = Spooling::new(file_system(), |config| config);
    before.rig.record("db", 3);
    before.rig.settle_next(down()).await;
    assert_eq!(before.rig.shut_down(10 * SECOND).await.spooled, 3);
    let (disk, mut work) = recorder::<DiskWork>();
    let replay = Box::new(|| ReplayActor::default().start().recipient());
    let config = config().spool_dir(before.folder.path());
    let rig = Rig::with_parts(config, replay, Some(Box::new(move || disk.clone())));
    // It opens the folder, and then reads no file.
    Worker::new(|| Box::new(FileSystem)).work(work.recv().await.unwrap());
    rig.idle().await;
    let stats = rig.shared.stats();
    assert_eq!(stats.places.spooled, 3);
    assert!(stats.health.pending_since.is_some(), "{stats:?}");
}

#[actix::test]
async fn what_a_shutdown_stores_is_as_old_as_it_was() {
    tokio::time::pause();
    let mut spooling = Spooling::new(file_system(), |config| config.max_age(100 * SECOND));
    let rig = &mut spooling.rig;
    rig.record("a", 3);
    rig.settle_next(down()).await;
    tokio::time::sleep(60 * SECOND).await;
    rig.record("b", 2);
    rig.idle().await;
    let before = SystemTime::now();
    assert_eq!(rig.shut_down(10 * SECOND).await.spooled, 5);
    let files = SpoolFile::list(spooling.folder.path()).unwrap();
    let age = |file: &SpoolFile| before.duration_since(file.newest()).unwrap_or_default();
    let ages: Vec<_> = files
        .iter()
        .map(|file| (file.database(), age(file).as_secs() / 10))
        .collect();
    assert_eq!(ages, [(Some("a"), 6), (Some("b"), 0)]);
}

#[actix::test]
async fn a_file_that_is_found_lost_while_a_shutdown_saves_is_not_told_to_be_on_disk() {
    tokio::time::pause();
    for damages in [true, false] {
        let (disk, mut work) = recorder::<DiskWork>();
        let start: StartDisk = Box::new(move || disk.clone());
        let spooling = Spooling::new(start, |config| config);
        leave(&spooling.folder, &[&[("db", 3)]]);
        let mut worker = Worker::new(|| Box::new(FileSystem));
        worker.work(work.recv().await.unwrap());
        // The next thing is to read the file, and that takes until the end.
        let load = work.recv().await.unwrap();
        assert!(matches!(load.task, Task::Load(_)));
        let report = spooling.rig.shutting_down(10 * SECOND);
        let close = work.recv().await.unwrap();
        assert!(matches!(close.task, Task::Close));
        for file in spooling.files() {
            match damages {
                true => std::fs::write(file, "no spool").unwrap(),
                false => std::fs::remove_file(file).unwrap(),
            }
        }
        worker.work(load);
        worker.work(close);
        let report = report.await.unwrap();
        assert_eq!((report.spooled, report.undelivered), (0, 0), "{report:?}");
        let stats = spooling.rig.stats();
        assert_eq!((stats.pending, stats.dropped.spool_damaged), (0, 3));
    }
}

#[actix::test]
async fn a_disk_that_hangs_holds_up_neither_delivery_nor_the_end() {
    tokio::time::pause();
    let (disk, mut work) = recorder::<DiskWork>();
    let start: StartDisk = Box::new(move || disk.clone());
    let mut spooling = Spooling::new(start, |config| config.write_ahead(false));
    let rig = &mut spooling.rig;
    rig.record("db", 3);
    rig.settle_next(Verdict::Written).await;
    rig.record("db", 3);
    rig.settle_next(down()).await;
    let began = Instant::now();
    let report = rig.shut_down(10 * SECOND).await;
    assert!(began.elapsed() < 10 * SECOND + SECOND / 4, "{report:?}");
    assert_eq!((report.undelivered, report.spooled), (3, 0), "{report:?}");
    assert_eq!(report.undelivered_lines().count(), 3);
    rig.stats();
    work.close();
}

#[actix::test]
async fn a_disk_that_hangs_while_it_is_written_ahead_does_not_stop_delivery_for_long() {
    tokio::time::pause();
    let (disk, mut work) = recorder::<DiskWork>();
    let start: StartDisk = Box::new(move || disk.clone());
    let mut spooling = Spooling::new(start, |config| {
        config.write_ahead(true).max_buffer_size(1_000)
    });
    let rig = &mut spooling.rig;
    let mut worker = Worker::new(|| Box::new(FileSystem));
    worker.work(work.recv().await.unwrap());
    rig.idle().await;
    // From here on it hangs.
    rig.record("db", 3);
    let began = Instant::now();
    assert_eq!(rig.settle_next(Verdict::Written).await, 3);
    assert!(began.elapsed() < 20 * SECOND, "{:?}", began.elapsed());
    assert_eq!(spooling.state(), SpoolState::Failing);
    let rig = &mut spooling.rig;
    for _ in 0..5 {
        rig.record("db", 3);
        let began = Instant::now();
        assert_eq!(rig.settle_next(Verdict::Written).await, 3);
        assert!(began.elapsed() < SECOND, "nothing waits for it any more");
    }
    // It goes on: what it has written meanwhile is of no use.
    while let Ok(abandoned) = work.try_recv() {
        worker.work(abandoned);
    }
    rig.idle().await;
    while let Ok(removal) = work.try_recv() {
        worker.work(removal);
    }
    assert!(spooling.files().is_empty());
    assert_eq!(spooling.rig.stats().pending, 0);
    tokio::time::sleep(6 * SECOND).await;
    spooling.rig.record("db", 3);
    spooling.rig.idle().await;
    worker.work(work.recv().await.unwrap());
    assert_eq!(spooling.rig.settle_next(Verdict::Written).await, 3);
    assert_eq!(spooling.state(), SpoolState::Open);
}

#[actix::test]
async fn a_flush_waits_for_all_that_is_written_ahead_also_if_a_later_file_fails_before() {
    tokio::time::pause();
    let (disk, mut work) = recorder::<DiskWork>();
    let start: StartDisk = Box::new(move || disk.clone());
    let mut spooling = Spooling::new(start, |config| {
        let config = config
            .write_ahead(true)
            .trigger_size(100)
            .max_buffer_size(1_000);
        config.max_batch_bytes(1 << 10).spool_max_bytes(1 << 10)
    });
    let rig = &mut spooling.rig;
    let mut worker = Worker::new(|| Box::new(FileSystem));
    worker.work(work.recv().await.unwrap());
    rig.record("db", 3);
    let report = actix::spawn(rig.flush(5 * SECOND));
    rig.idle().await;
    // There is no room for this one.
    rig.record("db", 99);
    let second = actix::spawn(rig.flush(5 * SECOND));
    rig.idle().await;
    while let Ok(write) = rig.writes.try_recv() {
        answer(write, Verdict::Written);
        rig.idle().await;
    }
    assert!(!report.is_finished() && !second.is_finished());
    for _ in 0..10 {
        while let Ok(work) = work.try_recv() {
            worker.work(work);
        }
        rig.idle().await;
        while let Ok(write) = rig.writes.try_recv() {
            answer(write, Verdict::Written);
        }
        rig.idle().await;
    }
    assert_eq!(report.await.unwrap().undelivered, 0);
    assert_eq!(second.await.unwrap().undelivered, 0);
    assert_eq!(rig.stats().written, 102);
}

#[actix::test]
async fn whatever_is_drawn_before_it_goes_to_disk_is_not_drawn_again() {
    tokio::time::pause();
    let spooling = Spooling::new(file_system(), |config| config.sample_probability(0.0));
    spooling.rig.record("db", 2);
    let report = spooling.rig.shut_down(SECOND).await;
    assert_eq!((report.spooled, report.stats.dropped.sampled), (0, 2));
    assert!(spooling.files().is_empty());

    for write_ahead in [false, true] {
        let mut spooling = Spooling::new(file_system(), |config| {
            config.write_ahead(write_ahead).trigger_size(100)
        });
        spooling.rig.record("db", 2);
        let report = spooling.rig.shutting_down(SECOND);
        answer(spooling.rig.write().await, down());
        assert_eq!(report.await.unwrap().spooled, 2);
        let mut next = next_start(&spooling.folder, |config| config.sample_probability(0.0));
        assert_eq!(next.settle_next(Verdict::Written).await, 2);
        next.idle().await;
        let stats = next.stats();
        assert_eq!((stats.recovered, stats.written), (2, 2));
        assert!(spooling.files().is_empty());
    }
}

#[actix::test]
async fn a_file_that_finds_no_room_in_any_case_costs_no_other() {
    tokio::time::pause();
    let mut spooling = Spooling::new(file_system(), |config| config.spool_max_bytes(64));
    assert!(spooling.rig.shut_down(SECOND).await.is_complete());
    let old: &[_] = &[("old", 3)];
    leave(&spooling.folder, &[old; 8]);
    spooling.rig = next_start(&spooling.folder, |_| {
        spool_config(&spooling.folder).spool_max_bytes(64)
    });
    let rig = &mut spooling.rig;
    rig.settle_next(down()).await;
    for _ in 0..100 {
        let measurement = Measurement::new("db", "m").field("f", 1);
        // The buffer may be full for a moment.
        _ = rig.shared.intake.take(measurement, None);
        rig.idle().await;
        while let Ok(write) = rig.writes.try_recv() {
            answer(write, down());
        }
    }
    let dropped = rig.stats().dropped;
    assert!(dropped.overflow > 0, "{dropped:?}");
    assert_eq!(dropped.spool_full, 0);
    assert_eq!(spooling.files().len(), 8);
}

/// Ten times what the spool holds, before it is compressed.
#[cfg(feature = "gzip")]
#[actix::test]
async fn room_is_made_for_what_files_take_and_not_for_what_their_lines_are() {
    tokio::time::pause();
    let mut spooling = Spooling::new(file_system(), |config| config);
    assert!(spooling.rig.shut_down(SECOND).await.is_complete());
    let old: &[_] = &[("old", 3)];
    leave(&spooling.folder, &[old; 8]);
    spooling.rig = next_start(&spooling.folder, |config| {
        config.spool_max_bytes(1 << 20).max_batch_bytes(1 << 20)
    });
    let rig = &mut spooling.rig;
    rig.settle_next(down()).await;
    let long = "x".repeat(100 << 10);
    for _ in 0..100 {
        let measurement = Measurement::new("db", "m").field("f", long.clone());
        rig.shared.intake.take(measurement, None).unwrap();
    }
    let report = rig.shutting_down(10 * SECOND);
    rig.idle().await;
    while let Ok(write) = rig.writes.try_recv() {
        answer(write, down());
    }
    let report = report.await.unwrap();
    assert_eq!((report.undelivered, report.spooled), (0, 124), "{report:?}");
    assert_eq!(report.stats.dropped.total(), 0);
    assert!(spooling.files().len() > 8 + 1);
}

#[actix::test]
async fn what_is_written_ahead_in_part_is_recovered_once() {
    tokio::time::pause();
    /// Does not store the second file.
    struct NotSecond(Worker, usize);
    impl Actor for NotSecond {
        type Context = Context<Self>;
    }
    impl Handler<DiskWork> for NotSecond {
        type Result = ();
        fn handle(&mut self, work: DiskWork, _: &mut Self::Context) {
            self.1 += usize::from(matches!(work.task, Task::Store { .. }));
            if matches!(work.task, Task::Store { .. }) && self.1 == 2 {
                let result = DiskResult::Failed(std::io::Error::other("on purpose"));
                return work.reply.send(|lost| DiskDone { result, ..lost });
            }
            self.0.work(work);
        }
    }
    let disk: StartDisk = Box::new(|| {
        let worker = Worker::new(|| Box::new(FileSystem));
        NotSecond(worker, 0).start().recipient()
    });
    let mut spooling = Spooling::new(disk, |config| {
        let config = config.write_ahead(true).trigger_size(1_000);
        config.max_batch_size(1_000).max_buffer_size(10_000)
    });
    let rig = &mut spooling.rig;
    for count in [2, 3] {
        rig.record("db", count);
        tokio::time::sleep(SECOND).await;
        rig.idle().await;
    }
    // What could not be written ahead is sent at once, and with it what could.
    let mut sent = 0;
    while sent < 5 {
        sent += rig.settle_next(down()).await;
    }
    let report = rig.shut_down(SECOND).await;
    assert_eq!(
        (report.undelivered + report.spooled, report.stats.pending),
        (5, report.spooled)
    );
    let next = next_start(&spooling.folder, |config| config);
    next.idle().await;
    assert_eq!(next.stats().recovered, 5);
}

#[actix::test]
async fn a_file_stays_until_the_last_of_its_lines_is_settled() {
    tokio::time::pause();
    let mut spooling = Spooling::new(file_system(), |config| config);
    spooling.rig.record("a", 2);
    spooling.rig.record("b", 1);
    let report = spooling.rig.shutting_down(SECOND);
    answer(spooling.rig.write().await, down());
    assert_eq!(report.await.unwrap().spooled, 3);
    assert_eq!(spooling.files().len(), 1);

    let mut next = next_start(&spooling.folder, |config| config);
    let (one, other) = (next.write().await, next.write().await);
    let stats = next.stats();
    assert_eq!((stats.recovered, stats.places.spooled), (3, 0));
    answer(one, Verdict::Written);
    next.idle().await;
    assert_eq!(spooling.files().len(), 1);
    answer(other, rejected());
    while next.stats().pending > 0 {
        if let Ok(write) = next.writes.try_recv() {
            answer(write, rejected());
        }
        next.idle().await;
    }
    next.idle().await;
    assert!(spooling.files().is_empty());
}

#[actix::test]
async fn a_database_that_can_not_be_written_gets_a_file_of_its_own_out_of_one_of_many() {
    tokio::time::pause();
    let mut spooling = Spooling::new(file_system(), |config| config);
    for _ in 0..2 {
        spooling.rig.record("bad", 1);
        spooling.rig.record("good", 1);
    }
    let report = spooling.rig.shutting_down(SECOND);
    answer(spooling.rig.write().await, down());
    assert_eq!(report.await.unwrap().spooled, 4);
    let mut next = next_start(&spooling.folder, |config| config);
    for _ in 0..2 {
        let write = next.write().await;
        let verdict = match write.database.name() {
            "good" => Verdict::Written,
            _ => Verdict::Retry(Retry::new(Scope::Database, Cause::Configuration, "missing")),
        };
        answer(write, verdict);
    }
    next.idle().await;
    let files = SpoolFile::list(spooling.folder.path()).unwrap();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(
        (files[0].database(), files[0].measurements()),
        (Some("bad"), 2)
    );
    let stats = next.stats();
    assert_eq!((stats.written, stats.pending), (2, 2));
    assert_eq!(next.settle_next(Verdict::Written).await, 2);
    next.idle().await;
    assert!(spooling.files().is_empty());
}

#[actix::test]
async fn a_disk_actor_that_dies_is_started_again_and_nothing_is_lost_or_counted_twice() {
    tokio::time::pause();
    struct Dying {
        worker: Worker,
        dies: std::sync::Arc<AtomicBool>,
    }
    impl Actor for Dying {
        type Context = Context<Self>;
    }
    impl Handler<DiskWork> for Dying {
        type Result = ();
        fn handle(&mut self, work: DiskWork, context: &mut Self::Context) {
            if self.dies.swap(false, Relaxed) {
                use actix::ActorContext as _;
                return context.terminate();
            }
            self.worker.work(work);
        }
    }
    let dies = std::sync::Arc::new(AtomicBool::new(false));
    let start: StartDisk = Box::new({
        let dies = dies.clone();
        move || {
            let worker = Worker::new(|| Box::new(FileSystem));
            let dies = dies.clone();
            Dying { worker, dies }.start().recipient()
        }
    });
    let mut spooling = Spooling::new(start, |config| config);
    let rig = &mut spooling.rig;
    rig.record("db", 3);
    rig.settle_next(down()).await;
    for _ in 0..3 {
        rig.record("db", 10);
        rig.idle().await;
    }
    dies.store(true, Relaxed);
    rig.record("db", 10);
    rig.idle().await;
    assert_eq!(spooling.state(), SpoolState::Failing);
    let rig = &mut spooling.rig;
    let stats = rig.stats();
    assert_eq!(stats.pending + stats.dropped.overflow, 43, "{stats:?}");
    tokio::time::sleep(6 * SECOND).await;
    rig.idle().await;
    let again = rig.stats();
    assert_eq!(again.spool.unwrap().state, SpoolState::Open);
    assert_eq!((again.pending, again.recovered), (stats.pending, 0));
}

#[actix::test]
async fn a_disk_whose_thread_can_not_be_started_or_dies_is_started_again() {
    let opened = async |rig: &Rig, state| {
        while rig.stats().spool.unwrap().state != state {
            // Time runs, and the thread has its own.
            tokio::time::sleep(SECOND / 100).await;
            std::thread::yield_now();
        }
    };
    let is_dying = std::sync::Arc::new(AtomicBool::new(true));
    let start: StartDisk = Box::new(move || {
        let is_dying = is_dying.clone();
        crate::actors::disk::DiskActor::start(move || match is_dying.swap(false, Relaxed) {
            true => panic!("on purpose"),
            false => Box::new(FileSystem),
        })
    });
    tokio::time::pause();
    crate::threads::refusal::set(true);
    let mut spooling = Spooling::new(start, |config| config);
    within(
        "a disk without a thread",
        opened(&spooling.rig, SpoolState::Failing),
    )
    .await;
    crate::threads::refusal::set(false);
    within("the disk", opened(&spooling.rig, SpoolState::Open)).await;
    spooling.rig.record("db", 3);
    spooling.rig.settle_next(down()).await;
    // The thread of the disk has its own time, which is not that of this test.
    tokio::time::resume();
    assert_eq!(spooling.rig.shut_down(10 * SECOND).await.spooled, 3);
}

/// Records, overflows, ends and starts again, on a disk where one step goes wrong.
async fn with_a_fault(fault: Fault, at: usize) -> usize {
    let faulty = Faulty::new(fault, at);
    let disk = {
        let faulty = faulty.clone();
        inline(move || Box::new(faulty.clone()))
    };
    let mut spooling = Spooling::new(disk, |config| config.write_ahead(at.is_multiple_of(2)));
    let rig = &mut spooling.rig;
    for _ in 0..20 {
        rig.record("db", 4);
        rig.idle().await;
        while let Ok(write) = rig.writes.try_recv() {
            answer(write, down());
        }
        rig.stats();
    }
    let report = rig.shutting_down(20 * SECOND);
    rig.idle().await;
    while let Ok(write) = rig.writes.try_recv() {
        answer(write, down());
    }
    let report = report.await.unwrap();
    let stats = rig.stats();
    let case = format!("{fault:?} at step {at}: {report:?}");
    assert_eq!(stats.pending, stats.places.spooled, "{case}");
    assert_eq!(report.spooled + stats.dropped.total(), 80, "{case}");
    assert_eq!(
        stats.dropped.total(),
        stats.dropped.overflow + report.undelivered,
        "{case}"
    );

    // Whatever the fault, the next process finds what was told to be on disk.
    let mut next = next_start(&spooling.folder, |config| config.max_batch_size(1_000));
    next.idle().await;
    let recovered = next.stats().recovered;
    assert!(recovered >= report.spooled, "{case}: {recovered} recovered");
    let mut written = 0;
    while next.stats().pending > 0 {
        written += next.settle_next(Verdict::Written).await as u64;
        next.idle().await;
    }
    assert_eq!(written, recovered, "{case}");
    assert!(spooling.files().is_empty(), "{case}");
    faulty.steps()
}

#[actix::test]
async fn whatever_step_on_the_disk_fails_the_law_holds_and_what_is_told_to_be_on_disk_is_there() {
    tokio::time::pause();
    let steps = with_a_fault(Fault::Fail, usize::MAX - 1).await;
    assert!(steps > 20, "{steps}");
    for fault in [
        Fault::Fail,
        Fault::Half,
        Fault::EndBefore,
        Fault::EndHalfway,
    ] {
        // The first steps, which open the folder, and of the others as many as a test has time for.
        let others = (6..steps + 10).step_by(13);
        for at in (0..6).chain(others) {
            with_a_fault(fault, at).await;
        }
    }
}

#[test]
fn lines_in_microseconds_become_lines_in_nanoseconds() {
    let body = bytes::Bytes::from_static(b"m f=1i 12\nm f=\"a\nb\" -7\n");
    let lines = Lines::of(body, vec![10, 23], crate::Precision::Microseconds);
    let nanoseconds = lines.in_nanoseconds();
    assert_eq!(nanoseconds.body(), "m f=1i 12000\nm f=\"a\nb\" -7000\n");
    assert_eq!(
        (nanoseconds.len(), nanoseconds.unit()),
        (2, Some(crate::Precision::Nanoseconds))
    );
}
