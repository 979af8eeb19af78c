//! Why a measurement was rejected or dropped, and why a POST failed, as types.

use crate::RecordError;

/// The server's refusal to store a measurement.
///
/// [`Display`](std::fmt::Display) prints [`message`](Self::message).
///
/// ```
/// use actix_influxdb::{Delivery, Rejection};
///
/// fn is_type_conflict(delivery: &Delivery) -> bool {
///     match delivery {
///         Delivery::Rejected { reason } => reason.message.contains("field type conflict"),
///         _ => false,
///     }
/// }
/// # assert!(!is_type_conflict(&Delivery::Written));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, derive_more::Display)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[display("{message}")]
#[non_exhaustive]
pub struct Rejection {
    /// HTTP status of the response; `None` if the last attempt got no response.
    pub status: Option<u16>,
    /// The server's message, on one line of at most 500 characters.
    pub message: String,
}

impl Rejection {
    pub(crate) fn new(status: Option<u16>, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, message }
    }
}

/// Why a measurement was dropped: before it was recorded, or while it was pending.
///
/// Every reason except [`Forked`](Self::Forked) has its own counter in
/// [`Stats::dropped`](crate::Stats::dropped).
///
/// ```
/// use actix_influxdb::{Delivery, DropReason};
///
/// fn is_worth_retrying(delivery: &Delivery) -> bool {
///     matches!(delivery, Delivery::Dropped { reason: DropReason::BufferFull(_) })
/// }
/// # assert!(!is_worth_retrying(&Delivery::Written));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, derive_more::Display)]
#[non_exhaustive]
pub enum DropReason {
    /// [`Config::enabled`](crate::Config::enabled) is off.
    #[display("delivery is disabled (enabled)")]
    Disabled,
    /// The measurement is invalid; the error says why.
    #[display("{_0}")]
    Invalid(RecordError),
    /// The buffer was full when the measurement was recorded; the error
    /// ([`RecordError::BufferFull`]) names the limit.
    #[display("{_0}")]
    BufferFull(RecordError),
    /// The measurement was recorded after shutdown had begun.
    #[display("the measurement was not recorded: delivery is stopping or has stopped")]
    Stopping,
    /// [`Influx::deliver`](crate::Influx::deliver) was called in a fork of the process that started
    /// delivery. A fork delivers nothing.
    #[display("called in a fork of the process that has started delivery")]
    Forked,
    /// The measurement's batch was not selected by
    /// [`Config::sample_probability`](crate::Config::sample_probability).
    #[display("the batch was not selected for sending (sample_probability)")]
    Sampled,
    /// The buffer was full and the measurement was evicted to make room for others: see
    /// [`Config::overflow`](crate::Config::overflow).
    #[display("the buffer was full and the measurement was evicted (overflow)")]
    Overflow,
    /// The measurement was pending for longer than [`Config::max_age`](crate::Config::max_age).
    #[display("the measurement was pending for longer than max_age")]
    Expired,
    /// The measurement was still pending at the end of the shutdown's timeout, or when delivery
    /// ended unexpectedly.
    #[display("the measurement was not delivered before the shutdown's timeout")]
    Undelivered,
    /// The measurement was in the oldest file of a full spool: see
    /// [`Config::spool_max_bytes`](crate::Config::spool_max_bytes).
    #[display("the spool was full and the file with the measurement was removed (spool_max_bytes)")]
    SpoolFull,
    /// The measurement was in a spool file that was damaged, or removed by someone else.
    #[display("the file with the measurement was damaged or removed")]
    SpoolDamaged,
}

impl DropReason {
    /// The reason why a measurement was not recorded.
    pub(crate) fn of(error: RecordError) -> Self {
        match error {
            RecordError::Stopping | RecordError::NotInstalled => Self::Stopping,
            RecordError::BufferFull { .. } => Self::BufferFull(error),
            RecordError::NoFields { .. }
            | RecordError::InvalidName { .. }
            | RecordError::InvalidTimestamp { .. } => Self::Invalid(error),
        }
    }
}

/// Why a pending measurement was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LossReason {
    Sampled,
    Overflow,
    Expired,
    Undelivered,
    SpoolFull,
    SpoolDamaged,
}

impl From<LossReason> for DropReason {
    fn from(reason: LossReason) -> Self {
        match reason {
            LossReason::Sampled => Self::Sampled,
            LossReason::Overflow => Self::Overflow,
            LossReason::Expired => Self::Expired,
            LossReason::Undelivered => Self::Undelivered,
            LossReason::SpoolFull => Self::SpoolFull,
            LossReason::SpoolDamaged => Self::SpoolDamaged,
        }
    }
}

/// Why a POST failed.
///
/// [`Display`](std::fmt::Display) prints [`message`](Self::message).
///
/// ```
/// use actix_influxdb::{Event, FailureKind};
///
/// fn needs_action(event: &Event) -> bool {
///     match event {
///         Event::EndpointDown { reason, .. } => reason.kind == FailureKind::Unauthorized,
///         _ => false,
///     }
/// }
/// # let _ = needs_action;
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, derive_more::Display)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[display("{message}")]
#[non_exhaustive]
pub struct Failure {
    /// The kind of failure.
    pub kind: FailureKind,
    /// HTTP status of the response; `None` if there was no response.
    pub status: Option<u16>,
    /// The server's or the network's message, on one line of at most 500 characters.
    pub message: String,
}

/// The kind of a [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, derive_more::Display)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum FailureKind {
    /// No connection: refused, host not found, no route, or TLS failed.
    #[display("unreachable")]
    Unreachable,
    /// No complete response within [`Config::request_timeout`](crate::Config::request_timeout).
    #[display("timed out")]
    TimedOut,
    /// The connection was closed before the response was complete, or the response is not HTTP/1.1.
    #[display("interrupted")]
    Interrupted,
    /// The server can't store anything at the moment: status 429 or 5xx, or an internal error.
    #[display("unavailable")]
    Unavailable,
    /// The server refuses the credentials (status 401).
    #[display("unauthorized")]
    Unauthorized,
    /// The database doesn't exist.
    #[display("missing database")]
    MissingDatabase,
    /// Another fault that lasts until a setting is changed, here or on the server: a wrong URL, a
    /// missing permission, a limit.
    #[display("misconfigured")]
    Misconfigured,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_that_was_not_recorded_is_dropped_for_the_reason_of_the_error() {
        let invalid = RecordError::NoFields {
            measurement: "m".to_owned(),
        };
        let full = RecordError::BufferFull {
            pending: 7,
            limit: 7,
            unit: crate::BufferUnit::Bytes,
        };
        assert_eq!(DropReason::of(RecordError::Stopping), DropReason::Stopping);
        assert_eq!(DropReason::of(full.clone()).to_string(), full.to_string());
        assert_eq!(DropReason::of(full.clone()), DropReason::BufferFull(full));
        assert_eq!(
            DropReason::of(invalid.clone()).to_string(),
            invalid.to_string()
        );
        assert_eq!(
            DropReason::of(invalid.clone()),
            DropReason::Invalid(invalid)
        );
    }
}
