//! Several URLs: the first one that works is used, whatever happens to any of them.

mod support;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use actix_influxdb::{Config, Influx, testing::FakeInflux};
use support::{
    influxd::Influxd,
    measurement::record,
    pipeline::{LONG, impatient, settled, settled_within},
    require_influxd,
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

/// Batches are in flight all the time, and each time either server is killed (SIGKILL) amid them.
#[actix::test]
async fn nothing_is_lost_while_either_of_two_real_servers_is_killed_fifty_times() {
    let servers: [Influxd; 2] = [require_influxd!(), require_influxd!()];
    for server in &servers {
        server.create_database("db");
    }
    for order in [[0, 1], [1, 0]] {
        let urls = order.map(|at| servers[at].url().to_owned()).join(",");
        let config = Config::v1(urls)
            .interval(Duration::from_millis(5))
            .max_batch_size(50)
            .max_retry_delay(Duration::from_millis(100));
        let influx = Influx::start(config).unwrap();
        let mut random = fastrand::Rng::with_seed(7);
        let mut sent = 0;
        for round in 0..25 {
            let victim = &servers[random.usize(..2)];
            // A different moment of a POST each time.
            let until = Instant::now() + Duration::from_micros(random.u64(2_000..30_000));
            while Instant::now() < until {
                record(&influx, "db", 20);
                sent += 20;
                actix_rt::time::sleep(Duration::from_millis(1)).await;
            }
            victim.kill();
            for _ in 0..5 {
                record(&influx, "db", 20);
                sent += 20;
                actix_rt::time::sleep(Duration::from_millis(2)).await;
            }
            let stats = influx.stats();
            assert!(stats.balanced(), "round {round}: {stats}");
            victim.restart();
        }
        let stats = settled_within(Duration::from_secs(30), &influx).await;
        assert_eq!((stats.recorded, stats.written), (sent, sent), "{stats}");
        // What was in flight may be on both.
        let times = servers
            .iter()
            .flat_map(|server| server.query_all("db", "m"));
        let times: BTreeSet<_> = times.map(|row| row.time).collect();
        assert_eq!(times.len() as u64, sent);
        for server in &servers {
            server.drop_database("db");
            server.create_database("db");
        }
    }
}
