//! The workloads: what the points look like, and of how many series they are.

use clap::{ValueEnum, builder::PossibleValue};

/// One workload. Every client is given the same points of it. For each number of tags and fields
/// there is a [`crate::data::shape`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// As it is written on the command line.
    pub name: &'static str,
    /// As it is called in the tables.
    pub title: &'static str,
    pub series: usize,
    /// How many of the series' values are those of the tag `host`.
    pub hosts: usize,
    pub tags: usize,
    pub fields: usize,
    pub values: Values,
    /// Does this crate count the values of each tag, as it does by default? The peers never do.
    pub guard: bool,
}

/// What a program has its tag values as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// `&'static str`.
    Literals,
    /// A `String`, made for each point. Making it is part of what is measured.
    Strings,
}

/// What most of them have in common, and the workload of the detailed table.
const USUAL: Workload = Workload {
    name: "usual",
    title: "1,920 series",
    series: 1_920,
    hosts: 8,
    tags: 6,
    fields: 2,
    values: Values::Literals,
    guard: true,
};

pub static WORKLOADS: [Workload; 8] = [
    USUAL,
    Workload {
        name: "few-series",
        title: "560 series",
        series: 560,
        ..USUAL
    },
    Workload {
        name: "many-series",
        title: "13,440 series",
        series: 13_440,
        hosts: 56,
        ..USUAL
    },
    Workload {
        name: "strings",
        title: "13,440 series, values made as `String`",
        series: 13_440,
        hosts: 56,
        values: Values::Strings,
        ..USUAL
    },
    Workload {
        name: "million",
        title: "1,000,000 series, guard off",
        series: 1_000_000,
        hosts: 1_000_000,
        guard: false,
        ..USUAL
    },
    Workload {
        name: "million-guarded",
        title: "1,000,000 series, guard on",
        series: 1_000_000,
        hosts: 1_000_000,
        ..USUAL
    },
    Workload {
        name: "many-tags",
        title: "20 tags and 2 fields, 1,920 series",
        tags: 20,
        ..USUAL
    },
    Workload {
        name: "many-fields",
        title: "1 tag and 10 fields, 1,920 series",
        hosts: 1_920,
        tags: 1,
        fields: 10,
        ..USUAL
    },
];

impl Workload {
    /// Is it the one of the detailed table?
    pub fn is_usual(&self) -> bool {
        *self == USUAL
    }

    /// Would a program keep all its series prepared? Not a million, and not where it makes the
    /// values anew.
    pub fn is_prepared(&self) -> bool {
        self.series < 100_000 && self.values == Values::Literals
    }
}

impl Default for Workload {
    fn default() -> Self {
        USUAL
    }
}

/// The command line has them by their names.
impl ValueEnum for Workload {
    fn value_variants<'a>() -> &'a [Self] {
        &WORKLOADS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name).help(self.title))
    }
}
