//! What went wrong in an exchange, on its way through awc: inside of an `io::Error`.

use std::io;

use actix_http::error::ParseError;
use awc::error::{ConnectError, SendRequestError};

use crate::delivery::verdict::Outcome;

/// An exchange without a response.
#[derive(Clone, Debug, derive_more::Display, derive_more::Error)]
#[display("{outcome}")]
pub(super) struct Fault {
    #[error(not(source))]
    pub(super) outcome: Outcome,
    /// A connection was used again that was not good any more, and nothing of an answer came: on a new
    /// one, it may be sent once more.
    pub(super) is_stale: bool,
}

impl Fault {
    pub(super) fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            is_stale: false,
        }
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        Self::other(fault)
    }
}

impl From<SendRequestError> for Fault {
    fn from(error: SendRequestError) -> Self {
        let reason = error.to_string();
        match error {
            SendRequestError::Send(error)
            | SendRequestError::Response(ParseError::Io(error))
            | SendRequestError::Connect(ConnectError::Io(error)) => match error.downcast() {
                Ok(fault) => fault,
                Err(_) => Self::new(Outcome::NotAnswered { reason }),
            },
            // Its messages are about internals of awc; this is its limit for connecting.
            SendRequestError::Connect(_) | SendRequestError::Url(_) => {
                Self::new(Outcome::NotConnected {
                    reason,
                    is_refused: false,
                })
            }
            SendRequestError::Response(_) => Self::new(Outcome::NotReadable { reason }),
            _ => Self::new(Outcome::NotAnswered { reason }),
        }
    }
}
