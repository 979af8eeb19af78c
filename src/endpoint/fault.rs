//! Failures of a request, passed through awc inside an `io::Error`.

use std::io;

use actix_http::error::ParseError;
use awc::error::{ConnectError, SendRequestError};

use crate::delivery::verdict::Outcome;

/// A request without a response.
#[derive(Clone, Debug, derive_more::Display, derive_more::Error)]
#[display("{reason}")]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    pub(super) reason: String,
    /// A reused connection turned out to be closed before any response: the request may be sent
    /// again on a new one.
    pub(super) is_stale: bool,
}

/// Like the [`Outcome`]s of the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    NotConnected { is_refused: bool },
    TimedOut,
    NotAnswered,
    CutOff,
    NotReadable,
    Misconfigured,
}

impl Fault {
    pub(super) fn new(kind: FaultKind, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
            is_stale: false,
        }
    }
}

impl From<Fault> for Outcome {
    fn from(fault: Fault) -> Self {
        let reason = fault.reason;
        match fault.kind {
            FaultKind::NotConnected { is_refused } => Self::NotConnected { reason, is_refused },
            FaultKind::TimedOut => Self::TimedOut { reason },
            FaultKind::NotAnswered => Self::NotAnswered { reason },
            FaultKind::CutOff => Self::CutOff { reason },
            FaultKind::NotReadable => Self::NotReadable { reason },
            FaultKind::Misconfigured => Self::Misconfigured { reason },
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
        let kind = match error {
            SendRequestError::Send(error)
            | SendRequestError::Response(ParseError::Io(error))
            | SendRequestError::Connect(ConnectError::Io(error)) => match error.downcast() {
                Ok(fault) => return fault,
                Err(_) => FaultKind::NotAnswered,
            },
            SendRequestError::Connect(_) | SendRequestError::Url(_) => {
                FaultKind::NotConnected { is_refused: false }
            }
            SendRequestError::Response(_) => FaultKind::NotReadable,
            _ => FaultKind::NotAnswered,
        };
        Self::new(kind, reason)
    }
}
