//! Whatever bytes a server answers with: the client gets one plain final response or none, and it makes no
//! difference how the bytes are cut.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| actix_influxdb::fuzzing::response_head(bytes));
