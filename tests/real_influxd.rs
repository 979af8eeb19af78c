//! The whole way, from `record` to a query, on a real influxd.

mod support;

use std::{thread, time::Duration};

use actix_influxdb::{Config, Influx, Measurement, Stats};
use support::require_influxd;

const LONG: Duration = Duration::from_secs(30);

fn settled(influx: &Influx) -> Stats {
    let stats = influx.stats();
    assert!(stats.balanced(), "{stats}");
    assert_eq!(stats.pending, 0, "{stats}");
    stats
}

#[actix::test]
async fn one_hundred_thousand_measurements_of_4_threads_in_3_databases_all_arrive() {
    const EACH: u64 = 25_000;
    let influxd = require_influxd!();
    let databases = ["one", "two", "three"];
    for database in databases {
        influxd.create_database(database);
    }
    let influx = Influx::start(Config::v1(influxd.url())).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let influx = influx.clone();
            // The same tags for all, as fast as possible: only the stamps tell them apart.
            thread::spawn(move || {
                for count in 0..EACH {
                    let database = databases[count as usize % 3];
                    let measurement = Measurement::new(database, "m").tag("same", "tag");
                    influx.record(measurement.field("count", count)).unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let report = influx.shutdown(LONG).await;
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(settled(&influx).written, 4 * EACH);
    let counts = databases.map(|database| influxd.count(database, "m", "count"));
    assert_eq!(counts.iter().sum::<u64>(), 4 * EACH, "{counts:?}");
}
