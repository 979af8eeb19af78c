//! What was found of one client with one workload.

use super::bench::Sent;
use crate::{clients::Client, table::median};

#[derive(Debug)]
pub struct Row {
    pub client: Client,
    /// By round; none where it failed.
    pub sent: Vec<Option<Sent>>,
    /// Nanoseconds a point.
    pub encode: Vec<f64>,
    /// User instructions a point for building and encoding.
    pub encode_instructions: Option<f64>,
    /// The same, end to end.
    pub instructions: Option<f64>,
}

impl Row {
    pub fn new(client: Client) -> Self {
        Self {
            client,
            sent: Vec::new(),
            encode: Vec::new(),
            encode_instructions: None,
            instructions: None,
        }
    }

    /// Points a second, end to end.
    pub fn rate(&self) -> Option<f64> {
        self.median(|sent| sent.rate)
    }

    /// CPU seconds for a million points, end to end.
    pub fn cpu(&self) -> Option<f64> {
        self.median(|sent| sent.cpu)
    }

    fn median(&self, value: impl Fn(&Sent) -> f64) -> Option<f64> {
        let values: Vec<f64> = self.sent.iter().flatten().map(value).collect();
        median(&values)
    }

    /// How it compares with another: the median of what each round says.
    pub fn with(&self, other: &Self, compare: impl Fn(&Sent, &Sent) -> f64) -> Option<f64> {
        let rounds = self.sent.iter().zip(&other.sent);
        let values =
            rounds.filter_map(|(this, other)| Some(compare(this.as_ref()?, other.as_ref()?)));
        median(&values.collect::<Vec<f64>>())
    }
}

/// Points a second, as a part of another's.
pub fn by_rate(this: &Sent, other: &Sent) -> f64 {
    this.rate / other.rate
}

/// The same, had each had its core for itself all the time.
pub fn by_cpu(this: &Sent, other: &Sent) -> f64 {
    other.cpu / this.cpu
}
