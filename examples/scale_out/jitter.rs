//! Simulates many services that send in intervals: the number of requests in the worst tenth of a
//! second.

use std::fmt::Write as _;

/// Interval of all services, in seconds.
const INTERVAL: f64 = 10.0;

/// Simulated time from the start on, in seconds.
const WATCHED: usize = 600;

/// Window in which requests are counted, in seconds.
const WINDOW: f64 = 0.1;

/// Requests in the worst tenth of a second, from one minute on, as a multiple of the average.
fn peak(services: usize, spread: f64, jitter: f64, random: &mut fastrand::Rng) -> (f64, f64) {
    let windows = (WATCHED as f64 / WINDOW) as usize;
    let mut counts = vec![0_usize; windows];
    let mut total = 0_u32;
    for _ in 0..services {
        // Services start within `spread`: a roll-out, or the end of an outage of the relay.
        let mut at = spread * random.f64() + INTERVAL + jitter * random.f64();
        while at < WATCHED as f64 {
            counts[(at / WINDOW) as usize] += 1;
            total += 1;
            at += INTERVAL + jitter * random.f64();
        }
    }
    let settled = &counts[(60.0 / WINDOW) as usize..];
    let worst = settled.iter().max().copied().unwrap_or_default() as f64 / WINDOW;
    let average = f64::from(total) / (WATCHED as f64 - INTERVAL);
    (worst, average)
}

/// Prints a table in Markdown.
pub fn table(services: usize) -> String {
    let mut random = fastrand::Rng::with_seed(7);
    let mut table = format!(
        "{services} services, interval {INTERVAL} s, ten minutes; requests/s in the worst tenth of a second after the first minute\n\n\
         | flush_jitter | started within 1 s | | started within 10 s | | average |\n|---|---|---|---|---|---|\n"
    );
    for jitter in [0.0, 0.5, 1.0, 2.0, 5.0, 10.0] {
        let row = [1.0, 10.0].map(|spread| peak(services, spread, jitter, &mut random));
        let [(together, average), (apart, _)] = row;
        _ = writeln!(
            table,
            "| {jitter} s | {together:.0} | {:.1} times | {apart:.0} | {:.1} times | {average:.0} |",
            together / average,
            apart / average
        );
    }
    table
}
