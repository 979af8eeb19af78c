use crate::{
    Database, Influx, RecordError, Timestamp,
    encode::{FieldFormat, LineBuffer},
    ingest::line::{Line, LineSeries},
};

/// Records `line` unchanged, as if [`Influx::record`] had encoded it from a
/// [`Measurement`](crate::Measurement). For tests of lines that a server rejects, which no
/// measurement produces.
///
/// ```
/// use std::time::Duration;
///
/// use actix_influxdb::{Config, Influx, testing::{self, FakeInflux}};
///
/// # #[actix::main]
/// # async fn main() {
/// let fake = FakeInflux::start();
/// let influx = Influx::start(Config::v1(fake.url())).unwrap();
/// testing::record_line(&influx, "example", "no fields").unwrap();
/// let report = influx.shutdown(Duration::from_secs(5)).await;
/// assert_eq!(report.rejected, 1);
/// # }
/// ```
///
/// # Errors
///
/// See [`Influx::record`]; the line is not checked.
pub fn record_line(
    influx: &Influx,
    database: impl Into<Database>,
    line: &str,
) -> Result<(), RecordError> {
    let database = database.into();
    influx.record_line(RawLine { database, line })
}

struct RawLine<'a> {
    database: Database,
    line: &'a str,
}

impl Line for RawLine<'_> {
    fn database(&self) -> &Database {
        &self.database
    }

    fn series(&mut self) -> LineSeries<'_> {
        LineSeries::Raw(self.line)
    }

    fn push_fields(&self, _: FieldFormat, _: &mut LineBuffer) -> Result<(), RecordError> {
        Ok(())
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp(0)
    }
}
