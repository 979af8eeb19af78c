//! Secrets and certificates in files: read at the start, and again when they change.

mod support;

use std::{fs, path::Path, time::Duration};

use actix_influxdb::{Config, Influx, StartError, testing::FakeInflux};
use support::{
    measurement::record,
    pipeline::{LONG, impatient, quiet, settled},
};
use tempfile::TempDir;

/// As Kubernetes does it: by a link that is put in place of the old one.
#[cfg(unix)]
fn swap(folder: &Path, number: usize, secret: &str) {
    let target = folder.join(format!("..{number}"));
    fs::create_dir(&target).unwrap();
    fs::write(target.join("secret"), secret).unwrap();
    let link = folder.join("link");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    fs::rename(link, folder.join("current")).unwrap();
}

#[cfg(unix)]
#[actix::test]
async fn a_changed_token_is_in_use_without_a_restart_and_what_was_refused_is_sent() {
    let (folder, fake) = (TempDir::new().unwrap(), FakeInflux::start());
    fake.require_token("new");
    swap(folder.path(), 1, "0ld-t0ken\n");
    let config = Config::v3(fake.url(), "").token_file(folder.path().join("current/secret"));
    // No probe comes by itself: only the new token makes one.
    let influx = Influx::start(config.max_retry_delay(Duration::from_secs(3_600))).unwrap();
    record(&influx, "db", 5);
    let report = influx.flush(Duration::from_millis(500)).await;
    assert_eq!((report.undelivered, report.rejected), (5, 0));
    assert!(!format!("{:?} {:?}", influx.config(), influx.stats()).contains("0ld-t0ken"));
    swap(folder.path(), 2, "new\n");
    assert_eq!(settled(&influx).await.written, 5);
    assert_eq!(fake.count("db"), 5);
}

#[actix::test]
async fn a_file_that_cannot_be_read_any_more_leaves_the_old_secret_in_use() {
    let (folder, fake) = (TempDir::new().unwrap(), FakeInflux::start());
    fake.require_auth("ada", "s@me");
    let file = folder.path().join("password");
    fs::write(&file, "s@me").unwrap();
    let config = quiet(fake.url()).user("ada").password_file(&file);
    let influx = Influx::start(config).unwrap();
    for content in [None, Some(""), Some("two\nlines")] {
        match content {
            None => fs::remove_file(&file).unwrap(),
            Some(content) => fs::write(&file, content).unwrap(),
        }
        // Longer than the time between two readings.
        actix_rt::time::sleep(Duration::from_millis(5_300)).await;
        record(&influx, "db", 1);
        assert!(influx.flush(LONG).await.is_complete());
    }
    assert_eq!(settled(&influx).await.written, 3);
}

#[actix::test]
async fn a_file_that_is_not_there_is_an_error_at_the_start_and_of_an_update() {
    let fake = FakeInflux::start();
    let config = quiet(fake.url())
        .user("ada")
        .password_file("/nonexistent/password");
    let Err(StartError::Config(error)) = Influx::start(config) else {
        panic!("started");
    };
    let text = error.to_string();
    assert!(
        text.starts_with(
            "password_file is \"/nonexistent/password\": a file that can be used (No such"
        ),
        "{text}"
    );
    let influx = Influx::start(quiet(fake.url())).unwrap();
    let updated = influx.update(|config| config.token_file("/nonexistent/token"));
    assert_eq!(updated.unwrap_err().setting, "token_file");
    record(&influx, "db", 1);
    assert_eq!(settled(&influx).await.written, 1);
}

#[cfg(feature = "rustls")]
#[actix::test]
async fn a_changed_authority_is_in_use_without_a_restart() {
    use support::{
        certificates::{Authority, write},
        tls_front::TlsFront,
    };

    let (folder, fake) = (TempDir::new().unwrap(), FakeInflux::start());
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let front = TlsFront::start(fake.addr(), &old.sign("127.0.0.1"), None);
    let ca = write(folder.path(), "ca.pem", &old.pem);
    let influx = Influx::start(impatient(front.url()).tls_ca(ca)).unwrap();
    record(&influx, "db", 1);
    assert!(influx.flush(LONG).await.is_complete());
    front.use_identity(&new.sign("127.0.0.1"), None);
    write(folder.path(), "ca.pem", &new.pem);
    let began = std::time::Instant::now();
    // The connection from before is not used again.
    while front.handshakes() < 2 {
        record(&influx, "db", 1);
        influx.flush(Duration::from_secs(1)).await;
        assert!(began.elapsed() < LONG);
    }
    let stats = settled(&influx).await;
    assert_eq!(fake.count("db") as u64, stats.written);
}
