//! An endless sequence of points, kept small, so that reading them costs a client next to nothing.

use anyhow::Result;

use super::{
    BATCH,
    point::{Host, Numbers, Point},
};
use crate::workload::Workload;

/// How many points there are before they come again, with other stamps: whole batches. A workload
/// of more series has one of each before they come again.
const DIFFERENT: usize = 20 * BATCH;

#[derive(Debug)]
pub struct Points {
    numbers: Vec<Numbers>,
    hosts: &'static [Host],
    count: usize,
    different: usize,
    series: usize,
}

impl Points {
    /// The first `count` of a sequence that is always the same. To make them takes as long for few
    /// as for many.
    pub fn new(workload: &Workload, count: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(8086);
        let different = DIFFERENT.max(workload.series);
        // A point has the numbers of those after it too.
        let numbers = (0..different + 4).map(|place| {
            let series = match workload.series > DIFFERENT {
                true => place % workload.series,
                false => random.usize(..workload.series),
            };
            let digits = random.u32(4..20);
            let count = random.u32(..1 << digits);
            // Whole nanoseconds, as a clock gives them.
            let seconds = f64::from(random.u32(100_000..200_000_000)) / 1e9;
            Numbers::new(seconds, count, series, workload.hosts)
        });
        Self {
            numbers: numbers.collect(),
            hosts: hosts(workload),
            count,
            different,
            series: workload.series,
        }
    }

    pub fn len(&self) -> usize {
        self.count
    }

    /// All of them, by what is sent at a time.
    pub fn batches(&self) -> impl Iterator<Item = impl Iterator<Item = Point<'_>>> {
        (0..self.count).step_by(BATCH).map(|start| {
            let len = BATCH.min(self.count - start);
            let numbers = &self.numbers[start % self.different..][..len + 4];
            let windows = numbers.array_windows();
            windows.map(|numbers| Point::new(numbers, self.hosts))
        })
    }

    /// Shows a point of each series, in the order of [`Point::series`], without numbers.
    pub fn try_for_each_series(&self, mut see: impl FnMut(&Point<'_>) -> Result<()>) -> Result<()> {
        (0..self.series).try_for_each(|series| {
            let numbers = Numbers::new(0.0, 0, series, self.hosts.len());
            see(&Point::new(&[numbers; 5], self.hosts))
        })
    }
}

/// As a program's own are.
fn hosts(workload: &Workload) -> &'static [Host] {
    let hosts: Vec<Host> = (0..workload.hosts).map(Host::new).collect();
    Vec::leak(hosts)
}
