//! Files whose lines don't get on, and those behind them.

use std::time::SystemTime;

use tempfile::TempDir;

use super::{spooling::next_start, *};
use crate::{
    Precision,
    actors::{disk::Worker, messages::internal::DiskWork},
    batch::OpenBatch,
    spool::{
        disk::FileSystem,
        format::Section,
        store::{Opened, Store},
    },
};

/// Leaves files, each with so many measurements of some databases.
pub(super) fn leave(folder: &TempDir, files: &[&[(&'static str, usize)]]) {
    let opened = Store::open(Box::new(FileSystem), folder.path()).unwrap();
    let Opened::Open(mut store, _) = opened else {
        panic!("the folder is taken");
    };
    for sections in files {
        let section = |(database, count): &(&'static str, usize)| {
            let mut batch = OpenBatch::default();
            (0..*count).for_each(|_| batch.push(b"m f=1i 1\n"));
            let unit = Precision::Nanoseconds;
            Section::of(&(*database).into(), &batch.seal(true).lines, unit)
        };
        let sections: Vec<_> = sections.iter().map(section).collect();
        store.store(&sections, SystemTime::now(), u64::MAX).unwrap();
    }
}

fn refused_in_unknown_words() -> Verdict {
    Verdict::Refused(Refusal {
        status: 400,
        reason: "wibble".to_owned(),
        text: "wibble".to_owned(),
        json: None,
        is_about_lines: false,
        normalized: "wibble".to_owned(),
    })
}

/// Answers what is sent until all of `good` is written; others get that verdict. Returns the time it took.
async fn time_until_good_is_written(rig: &mut Rig, bad: impl Fn(&Write) -> Verdict) -> Duration {
    let began = Instant::now();
    loop {
        let write = rig.write().await;
        let took = began.elapsed();
        assert!(
            took < 60 * SECOND,
            "{} was sent, and not the good one",
            write.database
        );
        match write.database.name() {
            "good" => break answer(write, Verdict::Written),
            _ => {
                let verdict = bad(&write);
                answer(write, verdict);
            }
        }
    }
    began.elapsed()
}

#[actix::test]
async fn no_verdict_on_one_database_keeps_files_of_another_from_being_sent() {
    tokio::time::pause();
    let kept = |cause| Verdict::Retry(Retry::new(Scope::Database, cause, "on purpose"));
    let too_large = Verdict::TooLarge {
        status: 413,
        reason: "on purpose".to_owned(),
    };
    let verdicts = [
        ("refused in unknown words", refused_in_unknown_words()),
        ("too large", too_large),
        ("unavailable", kept(Cause::Unavailable)),
        ("trouble", kept(Cause::ServerFault)),
        ("unknown", kept(Cause::Unknown)),
        ("configuration", kept(Cause::Configuration)),
    ];
    for lines in [1, 5] {
        for (name, verdict) in &verdicts {
            let folder = TempDir::new().unwrap();
            let bad: &[_] = &[("bad", lines)];
            leave(&folder, &[bad, bad, bad, bad, bad, bad, &[("good", 3)]]);
            let mut rig = next_start(&folder, |config| config);
            let took = time_until_good_is_written(&mut rig, |_| verdict.clone()).await;
            assert!(took < SECOND, "{name}, {lines} lines: {took:?}");
            rig.stats();
        }
    }
}

#[actix::test]
async fn lines_that_are_looked_into_for_long_keep_files_of_others_from_being_sent_for_a_few_posts()
{
    tokio::time::pause();
    let folder = TempDir::new().unwrap();
    let [a, b, c, d] = ["bad1", "bad2", "bad3", "bad4"].map(|name| [(name, 500)]);
    leave(&folder, &[&a, &b, &c, &d, &[("good", 3)]]);
    let mut rig = next_start(&folder, |config| config.max_clients(1));
    let posts = std::cell::Cell::new(0);
    time_until_good_is_written(&mut rig, |_| {
        posts.set(posts.get() + 1);
        rejected()
    })
    .await;
    // Of thousands.
    assert!(posts.get() <= 50, "{} POSTs before", posts.get());
}

/// A process with a spool that it finds only when its database `bad` fails for an hour.
async fn knows_that_bad_fails(folder: &TempDir) -> Rig {
    let (disk, mut work) = recorder::<DiskWork>();
    let start: StartDisk = Box::new(move || disk.clone());
    let config = config().spool_dir(folder.path());
    let replay = Box::new(|| ReplayActor::default().start().recipient());
    let mut rig = Rig::with_parts(config, replay, Some(start));
    rig.record("bad", 3);
    rig.settle_next(Verdict::Retry(Retry {
        not_before: Some(3_600 * SECOND),
        ..Retry::new(Scope::Database, Cause::Unavailable, "on purpose")
    }))
    .await;
    rig.idle().await;
    let mut worker = Worker::new(|| Box::new(FileSystem));
    actix::spawn(async move {
        while let Some(work) = work.recv().await {
            worker.work(work);
        }
    });
    rig
}

#[actix::test]
async fn files_of_a_database_that_is_known_to_fail_keep_no_others_from_being_sent() {
    tokio::time::pause();
    let folder = TempDir::new().unwrap();
    let bad: &[_] = &[("bad", 2)];
    leave(&folder, &[bad, bad, bad, bad, bad, bad, &[("good", 3)]]);
    let mut rig = knows_that_bad_fails(&folder).await;
    let took =
        time_until_good_is_written(&mut rig, |write| panic!("{} was sent", write.database)).await;
    assert!(took < SECOND, "{took:?}");
}

/// Six files of two databases each, and then the good one's.
fn leave_files_of_many(folder: &TempDir) {
    let many: &[_] = &[("bad", 2), ("other", 1)];
    leave(
        folder,
        &[many, many, many, many, many, many, &[("good", 3)]],
    );
}

#[actix::test]
async fn a_database_that_is_known_to_fail_is_set_apart_when_files_of_many_are_read() {
    tokio::time::pause();
    let folder = TempDir::new().unwrap();
    leave_files_of_many(&folder);
    let mut rig = knows_that_bad_fails(&folder).await;
    let took = time_until_good_is_written(&mut rig, |write| {
        assert_eq!(write.database.name(), "other");
        Verdict::Written
    })
    .await;
    assert!(took < SECOND, "{took:?}");
    rig.idle().await;
    assert_eq!(rig.stats().written, 6 + 3);
}

#[actix::test]
async fn a_database_that_is_set_apart_costs_no_other_file_where_the_spool_is_full() {
    tokio::time::pause();
    let folder = TempDir::new().unwrap();
    leave_files_of_many(&folder);
    let mut rig = next_start(&folder, |config| config.spool_max_bytes(1 << 10));
    let failing = || Verdict::Retry(Retry::new(Scope::Database, Cause::Configuration, "missing"));
    let took = time_until_good_is_written(&mut rig, |write| match write.database.name() {
        "bad" => failing(),
        _ => Verdict::Written,
    })
    .await;
    assert!(took < SECOND, "{took:?}");
    rig.idle().await;
    assert_eq!(rig.stats().dropped.total(), 0);
}

#[actix::test]
async fn lines_that_no_server_survives_keep_no_other_file_of_their_database_from_being_sent() {
    tokio::time::pause();
    let folder = TempDir::new().unwrap();
    let three: &[_] = &[("db", 3)];
    let one: &[_] = &[("db", 1)];
    leave(&folder, &[one, one, one, one, three, three, three]);
    let mut rig = next_start(&folder, |config| config);
    let began = Instant::now();
    while rig.stats().written < 9 {
        let write = rig.write().await;
        assert!(began.elapsed() < 60 * SECOND, "{:?}", began.elapsed());
        let verdict = match lines(&write) {
            1 => Verdict::Retry(Retry::new(Scope::Unclear, Cause::Unknown, "reset")),
            _ => Verdict::Written,
        };
        answer(write, verdict);
        rig.idle().await;
    }
}
