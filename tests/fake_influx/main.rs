//! `testing::FakeInflux`, driven over real sockets.

mod client;

mod faults;
mod http;
mod network;
mod waiting;
mod writes;
