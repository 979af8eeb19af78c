use std::fs;

use tempfile::TempDir;

use super::*;
use crate::spool::{
    disk::FileSystem,
    faults::{FAULTS, Fault, Faulty},
    format::tests::{plain, section},
};

fn open(folder: &Path) -> (Store, Listing) {
    match Store::open(Box::new(FileSystem), folder).unwrap() {
        Opened::Open(store, listing) => (store, listing),
        Opened::Taken { by } => panic!("taken by {by:?}"),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != LOCK).collect();
    names.sort();
    names
}

fn sections(number: usize) -> Vec<Section> {
    let line = format!("m f={number}i {number}\n");
    vec![
        section("a", &[&line, "second f=1i 2\n"]),
        section("b", &["x f=\"a\nb\" 3\n"]),
    ]
}

fn time(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(millis)
}

#[test]
fn what_is_stored_is_found_and_read_by_the_next_process_in_order() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("made/for/it");
    let (mut store, listing) = open(&path);
    assert!(listing.files.is_empty());
    for number in 0..12 {
        store
            .store(&sections(number), time(number as u64), u64::MAX)
            .unwrap();
    }
    drop(store);
    let (mut store, listing) = open(&path);
    assert_eq!(listing.files.len(), 12);
    for (number, found) in listing.files.iter().enumerate() {
        assert_eq!((found.name.lines, found.name.newest), (3, number as u64));
        let read = store.load(&found.name).unwrap();
        assert_eq!(plain(&read), plain(&sections(number)));
        store.remove(&found.name).unwrap();
        store.remove(&found.name).unwrap();
        assert!(matches!(store.load(&found.name), Err(LoadError::Gone)));
    }
    let later = store.store(&sections(12), time(0), u64::MAX).unwrap();
    assert!(later.name.sequence > listing.files[11].name.sequence);
    drop(store);
    assert_eq!(open(&path).1.files.len(), 1);
}

#[test]
fn a_folder_has_one_process_at_a_time_and_is_free_when_that_has_ended() {
    let folder = TempDir::new().unwrap();
    let (store, _) = open(folder.path());
    match Store::open(Box::new(FileSystem), folder.path()).unwrap() {
        Opened::Taken { by } => assert_eq!(by, Some(std::process::id().to_string())),
        Opened::Open(..) => panic!("it was locked"),
    }
    drop(store);
    open(folder.path());
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_what_is_in_the_folder() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("spool");
    let (mut store, _) = open(&path);
    let stored = store.store(&sections(1), time(1), u64::MAX).unwrap();
    for (path, mode) in [
        (path.clone(), 0o700),
        (path.join(stored.name.to_string()), 0o600),
        (path.join(LOCK), 0o600),
    ] {
        let found = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path:?}");
    }
}

#[test]
fn foreign_files_are_moved_aside_and_temporary_ones_go_and_folders_stay() {
    let folder = TempDir::new().unwrap();
    for name in [
        "notes.txt",
        "x.lp",
        "x.lp.bad",
        "000000000007-1764157800123-1-db.lp.gz.tmp",
        "others.tmp",
        "old.lp.bad",
    ] {
        fs::write(folder.path().join(name), "x").unwrap();
    }
    fs::create_dir(folder.path().join("lost+found")).unwrap();
    let (_store, mut listing) = open(folder.path());
    listing.moved_aside.sort();
    assert_eq!(listing.moved_aside, ["notes.txt", "others.tmp", "x.lp"]);
    let left = [
        "lost+found",
        "notes.txt.bad",
        "old.lp.bad",
        "others.tmp.bad",
        "x.lp.1.bad",
        "x.lp.bad",
    ];
    assert_eq!(names(folder.path()), left);
}

#[test]
fn a_folder_that_is_full_of_something_else_is_left_alone() {
    let folder = TempDir::new().unwrap();
    for number in 0..20 {
        fs::write(folder.path().join(format!("photo-{number}.jpg")), "x").unwrap();
    }
    let before = names(folder.path());
    let error = Store::open(Box::new(FileSystem), folder.path())
        .err()
        .unwrap();
    assert!(error.to_string().contains("its own folder"), "{error}");
    assert_eq!(names(folder.path()), before);
    assert!(!folder.path().join(LOCK).exists());
}

#[test]
fn a_file_with_any_byte_flipped_or_cut_off_is_moved_aside_or_reads_as_before() {
    let folder = TempDir::new().unwrap();
    let (mut store, _) = open(folder.path());
    let stored = store.store(&sections(1), time(1), u64::MAX).unwrap();
    let path = folder.path().join(stored.name.to_string());
    let good = fs::read(&path).unwrap();
    let flipped = (0..good.len()).map(|at| {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        bytes
    });
    let cut = (0..good.len()).map(|end| good[..end].to_vec());
    let longer = [[&good[..], b"\n"].concat(), [&good[..], &good[..]].concat()];
    let (mut aside, mut same) = (0, 0);
    for bytes in flipped.chain(cut).chain(longer) {
        fs::write(&path, &bytes).unwrap();
        match store.load(&stored.name) {
            // Bytes of gzip's own header, which say nothing of the contents.
            Ok(read) => {
                assert_eq!(plain(&read), plain(&sections(1)));
                same += 1;
            }
            Err(LoadError::Damaged(_)) => {
                let aside_path = folder.path().join(format!("{}{BAD}", stored.name));
                assert_eq!(fs::read(&aside_path).unwrap(), bytes);
                assert!(!path.exists());
                aside += 1;
            }
            // A larger version: left in place.
            Err(LoadError::NotForThisBuild(_)) => assert!(path.exists()),
            Err(other) => panic!("{other}"),
        }
    }
    let most = if compression::IS_AVAILABLE { 10 } else { 0 };
    assert!(
        aside > 2 * good.len() - 20 && same <= most,
        "{aside} {same}"
    );
}

#[test]
fn the_lines_of_a_file_are_as_many_as_its_name_says() {
    let folder = TempDir::new().unwrap();
    let (mut store, _) = open(folder.path());
    let stored = store.store(&sections(1), time(1), u64::MAX).unwrap();
    let other = FileName {
        lines: 2,
        ..stored.name.clone()
    };
    let path = |name: &FileName| folder.path().join(name.to_string());
    fs::rename(path(&stored.name), path(&other)).unwrap();
    assert!(matches!(store.load(&other), Err(LoadError::Damaged(_))));
}

/// Opens, stores two files, reads and removes the first.
fn work(disk: Faulty, folder: &Path) -> (Vec<usize>, bool) {
    let mut stored = Vec::new();
    let Ok(Opened::Open(mut store, _)) = Store::open(Box::new(disk), folder) else {
        return (stored, false);
    };
    let mut first = None;
    for number in [1, 2] {
        if let Ok(file) = store.store(&sections(number), time(number as u64), u64::MAX) {
            stored.push(number);
            first.get_or_insert(file.name);
        }
    }
    let is_removed = first.is_some_and(|name| {
        _ = store.load(&name);
        store.remove(&name).is_ok()
    });
    (stored, is_removed)
}

/// The numbers of what the next process finds.
fn found(folder: &Path) -> Vec<usize> {
    let (store, listing) = open(folder);
    assert!(listing.moved_aside.is_empty(), "{:?}", listing.moved_aside);
    let number = |file: &Found| {
        let read = store.load(&file.name).expect("whole");
        let number = file.name.newest as usize;
        assert_eq!(plain(&read), plain(&sections(number)));
        number
    };
    let numbers = listing.files.iter().map(number).collect();
    let is_temporary = |name: &String| name.ends_with(TEMPORARY);
    assert!(!names(folder).iter().any(is_temporary));
    numbers
}

#[test]
fn whatever_step_fails_or_is_the_last_one_what_was_stored_is_there_whole() {
    let steps = {
        let folder = TempDir::new().unwrap();
        let disk = Faulty::new(Fault::Fail, usize::MAX);
        assert_eq!(work(disk.clone(), folder.path()), (vec![1, 2], true));
        assert_eq!(found(folder.path()), [2]);
        disk.steps()
    };
    assert!(steps >= 16, "{steps}");
    for fault in FAULTS {
        for at in 0..steps {
            let folder = TempDir::new().unwrap();
            let (stored, is_removed) = work(Faulty::new(fault, at), folder.path());
            let found = found(folder.path());
            let case = format!("{fault:?} at step {at}: stored {stored:?}, found {found:?}");
            let first = stored.first().copied();
            for number in &stored {
                let may_be_gone = Some(*number) == first;
                assert!(may_be_gone || found.contains(number), "{case}");
            }
            if !is_removed && fault != Fault::EndAfter {
                assert!(first.is_none_or(|first| found.contains(&first)), "{case}");
            }
            // What was not stored is not there, but for a process that ended in between.
            if matches!(fault, Fault::Fail | Fault::Half) {
                assert!(found.iter().all(|number| stored.contains(number)), "{case}");
            }
        }
    }
}

#[test]
fn a_file_is_synced_before_it_has_its_name_and_the_folder_after() {
    let folder = TempDir::new().unwrap();
    let disk = Faulty::new(Fault::Fail, usize::MAX);
    let Ok(Opened::Open(mut store, _)) = Store::open(Box::new(disk.clone()), folder.path()) else {
        panic!("it is free");
    };
    disk.take_names();
    store.store(&sections(1), time(1), u64::MAX).unwrap();
    let steps = ["create", "write", "sync", "rename", "sync_folder"];
    assert_eq!(disk.take_names(), steps);
}

#[test]
fn a_file_has_the_name_of_its_database_if_it_holds_one_only() {
    let folder = TempDir::new().unwrap();
    let (mut store, _) = open(folder.path());
    let of = |databases: &[&'static str]| -> Vec<_> {
        let line = "m f=1 1\n";
        databases.iter().map(|own| section(*own, &[line])).collect()
    };
    for (databases, expected) in [
        (&["a"][..], "a"),
        (&["a", "a"], "a"),
        (&["a", "b"], SEVERAL),
    ] {
        let stored = store
            .store(&of(databases), SystemTime::now(), u64::MAX)
            .unwrap();
        assert_eq!(stored.name.database, expected, "{databases:?}");
    }
}
