//! The wake-up protocol between recording threads and the buffer actor, under the model checker
//! [loom]: it runs each scenario in all orders that threads and relaxed memory can make of it.
//!
//! ```text
//! cargo test --manifest-path tests/loom/Cargo.toml
//! ```
//!
//! What is checked are the crate's own files. Only what they take from a library is replaced, in
//! `sync`, and what they serve stands in `model`: lines are numbers, and the actor's mailbox and
//! timer are a counter and a flag.
//!
//! [loom]: https://docs.rs/loom

pub mod model;
#[path = "../../../src/ingest/quota.rs"]
mod quota;
#[path = "../../../src/ingest/reservation.rs"]
mod reservation;
mod sync;
#[path = "../../../src/ingest/wakeup.rs"]
mod wakeup;
