//! Several URLs: the first one that works is used, whatever happens to any of them.

mod support;

use std::time::{Duration, Instant};

use actix_influxdb::{Influx, testing::FakeInflux};
use support::{
    measurement::record,
    pipeline::{LONG, impatient, settled},
};

#[actix::test]
async fn the_first_that_works_is_used_in_the_order_given() {
    let fakes = [
        FakeInflux::start(),
        FakeInflux::start(),
        FakeInflux::start(),
    ];
    let urls: Vec<_> = fakes.iter().map(FakeInflux::url).collect();
    let influx = Influx::start(impatient(urls.join(","))).unwrap();
    // Which are down, and which one is used.
    for (down, used) in [
        (&[][..], 0),
        (&[0], 1),
        (&[0, 1], 2),
        (&[0, 2], 1),
        (&[1, 2], 0),
    ] {
        for (number, fake) in fakes.iter().enumerate() {
            match down.contains(&number) {
                true => {
                    fake.refuse();
                    fake.close_idle();
                }
                false => fake.accept_again(),
            }
        }
        let before: Vec<_> = fakes.iter().map(|fake| fake.count("db")).collect();
        record(&influx, "db", 1);
        let report = influx.flush(LONG).await;
        assert!(report.is_complete(), "{down:?}: {report:?}");
        assert_eq!(fakes[used].count("db"), before[used] + 1, "{down:?}");
    }
    settled(&influx).await;
}

/// Takes longer than the time between two pings.
#[actix::test]
async fn the_first_is_used_again_when_it_answers_pings_and_takes_a_batch() {
    let (first, second) = (FakeInflux::start(), FakeInflux::start());
    let config = impatient(format!("{},{}", first.url(), second.url()));
    let influx = Influx::start(config).unwrap();
    first.refuse();
    first.close_idle();
    record(&influx, "db", 1);
    assert!(influx.flush(LONG).await.is_complete());
    assert_eq!(second.count("db"), 1);
    first.accept_again();
    let began = Instant::now();
    let mut sent = 1;
    while first.count("db") == 0 {
        record(&influx, "db", 1);
        sent += 1;
        assert!(influx.flush(LONG).await.is_complete());
        assert!(began.elapsed() < Duration::from_secs(40), "never went back");
        actix_rt::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(
        began.elapsed() > Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    // From then on, all goes there.
    let before = second.count("db");
    for _ in 0..5 {
        record(&influx, "db", 1);
        sent += 1;
        assert!(influx.flush(LONG).await.is_complete());
    }
    assert_eq!(second.count("db"), before);
    assert_eq!(first.count("db") + second.count("db"), sent);
    settled(&influx).await;
}
