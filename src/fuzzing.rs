//! Entry points for the targets in `fuzz/`. Not part of an ordinary build.

#![allow(missing_docs)]

pub fn response_head(bytes: &[u8]) {
    crate::endpoint::check_response(bytes);
}

/// Whatever a server answers: never written without the answer to a write, never rejected without a
/// line's.
pub fn verdict(bytes: &[u8]) {
    crate::delivery::verdict::check::check_bytes(bytes);
}
