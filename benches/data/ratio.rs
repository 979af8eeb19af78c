//! How costs relate. Cases are run in turn, round after round, so that whatever else the machine does
//! meets them alike; a table of times, one case after the other, can't say it as well.

use std::{
    env,
    time::{Duration, Instant},
};

/// Runs once, and says how long it took per operation.
type Run<'a> = Box<dyn FnMut() -> Duration + 'a>;

#[derive(Default)]
pub struct Ratios<'a> {
    cases: Vec<(String, Run<'a>)>,
}

/// Are benchmarks run? Under `cargo test` they are only tried.
pub fn are_wanted() -> bool {
    env::args().any(|arg| arg == "--bench")
}

/// How long `work` takes for each of `inputs`, which must not be empty.
pub fn time_each<I>(inputs: Vec<I>, mut work: impl FnMut(I)) -> Duration {
    let count = inputs.len() as u32;
    let started = Instant::now();
    for input in inputs {
        work(input);
    }
    started.elapsed() / count
}

impl<'a> Ratios<'a> {
    /// The first one is what the others are compared with.
    pub fn case(mut self, name: impl Into<String>, run: impl FnMut() -> Duration + 'a) -> Self {
        self.cases.push((name.into(), Box::new(run)));
        self
    }

    /// Prints each case's median time, and the median of its ratios to the first case of its round.
    pub fn print(mut self, what: &str, rounds: usize) {
        let mut times = vec![Vec::new(); self.cases.len()];
        // A round more, to warm up.
        for round in 0..=rounds {
            for ((_, run), times) in self.cases.iter_mut().zip(&mut times) {
                let time = run().as_secs_f64();
                if round > 0 {
                    times.push(time);
                }
            }
        }
        println!("{what}:");
        for ((name, _), times_of_case) in self.cases.iter().zip(&times) {
            let ratios = times_of_case
                .iter()
                .zip(&times[0])
                .map(|(time, first)| time / first);
            let time = Duration::from_secs_f64(median(times_of_case.iter().copied()));
            println!("  {name:32} {time:>12.3?}  x {:.2}", median(ratios));
        }
        println!();
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
