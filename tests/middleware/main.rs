//! The middleware on a real server, with real sockets: a file for each behaviour. Every test looks
//! at the exact measurements that arrive, and that no others do.

mod client;
mod expect;
mod service;

mod aborted;
mod answered;
mod endpoint;
mod failed;
mod hostile;
mod keep_alive;
mod panicked;
mod without_content;
