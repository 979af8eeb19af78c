//! What goes into a thread buffer.

use crate::{
    Database, Measurement, RecordError, Timestamp,
    encode::{FieldFormat, LineBuffer},
    ingest::prepared::PreparedSeries,
    point::measurement::Contents,
};

/// One line: a series part, fields, and a timestamp.
pub(crate) trait Line {
    fn database(&self) -> &Database;

    fn series(&mut self) -> LineSeries<'_>;

    /// Appends the fields, and the blank before them.
    fn push_fields(&self, format: FieldFormat, line: &mut LineBuffer) -> Result<(), RecordError>;

    fn timestamp(&self) -> Timestamp;
}

/// Where the series part of a line comes from.
pub(crate) enum LineSeries<'a> {
    /// It is there: encoded and guarded before.
    Prepared(&'a PreparedSeries),
    /// It is guarded and encoded with the line. The guard may replace values of tags.
    New(&'a mut Contents),
    /// It is the whole line, for tests.
    #[cfg(feature = "testing")]
    Raw(&'a str),
}

impl LineSeries<'_> {
    /// The measurement's name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Prepared(series) => series.name(),
            Self::New(point) => &point.name,
            #[cfg(feature = "testing")]
            Self::Raw(line) => line,
        }
    }
}

impl Line for Measurement {
    #[inline]
    fn database(&self) -> &Database {
        &self.0.database
    }

    #[inline]
    fn series(&mut self) -> LineSeries<'_> {
        LineSeries::New(&mut self.0)
    }

    #[inline]
    fn push_fields(&self, format: FieldFormat, line: &mut LineBuffer) -> Result<(), RecordError> {
        format.push_fields(&self.0, line)
    }

    #[inline]
    fn timestamp(&self) -> Timestamp {
        self.0.timestamp
    }
}
