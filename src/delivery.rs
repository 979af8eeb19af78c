//! Decisions about delivery: what is sent when, what a response means, how each line ends. Pure: no
//! actix, no clock, no I/O; time and random numbers are arguments.

pub(crate) mod backlog;
pub(crate) mod breaker;
pub(crate) mod breakers;
pub(crate) mod contacts;
pub(crate) mod database_records;
pub(crate) mod dispatcher;
pub(crate) mod isolation;
pub(crate) mod jitter;
pub(crate) mod pacing;
pub(crate) mod retry_history;
pub(crate) mod round_robin;
pub(crate) mod verdict;
