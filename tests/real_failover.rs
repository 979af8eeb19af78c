//! Two real servers that are killed in turn.

mod support;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use actix_influxdb::{Config, Influx};
use support::{influxd::Influxd, measurement::record, pipeline::settled_within, require_influxd};

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
