//! The middleware on a real server, with real sockets: a file for each behaviour. Every test looks
//! at the exact measurements that arrive, and that no others do.

mod client;
mod expect;
mod in_process;
mod logger;
mod service;

mod aborted;
mod answered;
mod correlation_id;
mod customize;
mod endpoint;
mod exclude;
mod failed;
mod half_closed;
mod hostile;
mod http2;
mod identity;
mod instances;
mod keep_alive;
mod load;
mod loss;
mod options;
mod panicked;
mod remote_ip;
mod request_measurement;
mod rewritten;
mod sample;
mod untouched;
mod users;
mod without_content;
