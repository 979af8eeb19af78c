//! Whatever a server answers: never written without the answer to a write, never rejected without a line's.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| actix_influxdb::fuzzing::verdict(bytes));
