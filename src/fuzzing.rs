//! Entry points for the targets in `fuzz/`. Only built for fuzzing.

#![allow(missing_docs)]

pub fn response_head(bytes: &[u8]) {
    crate::endpoint::check_response(bytes);
}

/// Checks the verdict on any response.
pub fn verdict(bytes: &[u8]) {
    crate::delivery::verdict::check::check_bytes(bytes);
}
