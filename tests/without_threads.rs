//! A process that gets no thread more from the system. One test only, which runs itself again in a process of its
//! own, as the limit is that of a process.

#![cfg(target_os = "linux")]
#![allow(unsafe_code)] // The limit, and the user that it holds for.

mod support;

use std::{env, io, process::Command, thread, time::Duration};

use actix_influxdb::{Config, Influx, testing::FakeInflux};
use support::{
    measurement::record,
    pipeline::{LONG, impatient},
    test_name,
};

/// Has the URL of the server, in the process of its own.
const URL: &str = "WITHOUT_THREADS_URL";

/// Longer than anything in that process takes, in seconds.
const LIMIT: u32 = 60;

/// Sets the number of threads that this process's user may have; `None` for as many as possible.
fn limit_threads(to: Option<u64>) {
    // SAFETY: calls of the system that get pointers to what lives long enough.
    unsafe {
        // For root there is no limit.
        if libc::geteuid() == 0 {
            assert_eq!(libc::setuid(65_534), 0, "{}", io::Error::last_os_error());
        }
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NPROC, &mut limit), 0);
        limit.rlim_cur = to.unwrap_or(limit.rlim_max);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NPROC, &limit), 0);
    }
}

fn config(url: &str) -> Config {
    let config = impatient(url);
    #[cfg(feature = "gzip")]
    let config = config.gzip(true);
    config
}

async fn in_a_process_of_its_own(url: &str) {
    // SAFETY: what hangs ends by a signal.
    unsafe { libc::alarm(LIMIT) };
    let influx = Influx::start(config(url)).unwrap();
    let named = Influx::start(config(&url.replace("127.0.0.1", "localhost"))).unwrap();
    limit_threads(Some(1));
    if thread::Builder::new().spawn(|| ()).is_ok() {
        return println!("THREADS");
    }
    // Bodies that would be compressed on another thread.
    record(&influx, "db", 10_000);
    assert!(influx.flush(LONG).await.is_complete());
    // A name that would be looked up on another thread.
    record(&named, "named", 10);
    let report = named.flush(Duration::from_millis(300)).await;
    assert_eq!(report.undelivered, 10, "{report:?}");
    limit_threads(None);
    assert!(named.flush(LONG).await.is_complete());
    for influx in [influx, named] {
        let stats = influx.shutdown(LONG).await.stats;
        assert!(stats.balanced() && stats.pending == 0, "{stats}");
    }
}

#[actix::test]
async fn where_the_system_gives_no_thread_delivery_goes_on_or_waits_until_it_does() {
    if let Ok(url) = env::var(URL) {
        return in_a_process_of_its_own(&url).await;
    }
    let fake = FakeInflux::start();
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--nocapture", "--exact"]);
    let name = "where_the_system_gives_no_thread_delivery_goes_on_or_waits_until_it_does";
    child.arg(name).env(URL, fake.url());
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if text.contains("THREADS") {
        return support::leave_out(test_name!(), "the system has no limit of threads here");
    }
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    assert_eq!((fake.count("db"), fake.count("named")), (10_000, 10));
}
