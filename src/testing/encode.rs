use std::{cell::RefCell, sync::LazyLock};

use crate::{
    Measurement, Precision, RecordError,
    encode::{Encoder, LineBuffer, SchemaCache},
};

/// The default encoding, without base tags.
static ENCODER: LazyLock<Encoder> =
    LazyLock::new(|| Encoder::new([], Precision::Nanoseconds, false));

thread_local! {
    /// Cached schemas, as on a recording thread.
    static SCHEMAS: RefCell<SchemaCache> = RefCell::default();
}

/// Appends a measurement's line to `out`, in nanoseconds and without base tags. Shows what a
/// program records, without a pipeline and a server.
///
/// ```
/// use actix_influxdb::{Measurement, Timestamp, testing};
///
/// let mut lines = Vec::new();
/// let login = Measurement::new("example", "login").tag("method", "o auth").field("ms", 12.5);
/// testing::encode(login.timestamp(Timestamp::from_nanos(1_700_000_000_000_000_000)), &mut lines)?;
/// assert_eq!(lines, b"login,method=o\\ auth ms=12.5 1700000000000000000\n");
/// # Ok::<(), actix_influxdb::RecordError>(())
/// ```
///
/// # Errors
///
/// If the measurement is invalid; then `out` is unchanged.
pub fn encode(measurement: Measurement, out: &mut Vec<u8>) -> Result<(), RecordError> {
    let mut line = LineBuffer::default();
    let push_series = |schemas: &mut SchemaCache| schemas.push(&measurement.0, &ENCODER, &mut line);
    SCHEMAS.with_borrow_mut(push_series)?;
    ENCODER.push_rest(&measurement.0, &mut line)?;
    out.extend_from_slice(line.line());
    measurement.recycle();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_appended_and_an_invalid_measurement_leaves_them_as_they_were() {
        let mut lines = b"before ok=true\n".to_vec();
        let invalid = Measurement::new("db", "empty").tag("a", "b");
        assert!(matches!(
            encode(invalid, &mut lines),
            Err(RecordError::NoFields { .. })
        ));
        let valid = Measurement::new("db", "m")
            .field("x", 1)
            .timestamp(crate::Timestamp::from_nanos(7));
        encode(valid, &mut lines).unwrap();
        assert_eq!(lines, b"before ok=true\nm x=1i 7\n");
    }
}
