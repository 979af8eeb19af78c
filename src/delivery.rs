//! What is sent when, what an answer means, and what becomes of the lines: decisions only. Nothing
//! in here knows actix, a clock or a socket: the time and the random number are arguments.

pub(crate) mod backlog;
pub(crate) mod breaker;
pub(crate) mod breakers;
pub(crate) mod contacts;
pub(crate) mod dispatcher;
pub(crate) mod isolation;
pub(crate) mod jitter;
pub(crate) mod pacing;
pub(crate) mod records;
pub(crate) mod retry_history;
pub(crate) mod round_robin;
pub(crate) mod verdict;
