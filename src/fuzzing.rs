//! Entry points for the targets in `fuzz/`. Not part of an ordinary build.

#![allow(missing_docs)]

pub fn response_head(bytes: &[u8]) {
    crate::endpoint::check_response(bytes);
}
