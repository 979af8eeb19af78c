use std::time::Instant;

use super::{Series, Str};
use crate::{
    Database, Delivery, FieldValue, RecordError, Timestamp,
    encode::{FieldFormat, LineBuffer, PooledFields},
    ingest::line::{Line, LineSeries},
};

/// A point of a [`Series`]: fields and a timestamp. Made by [`Series::point`].
///
/// Fields are encoded as they are set. One that is set twice keeps the last value; one that is NaN
/// or infinite is left out.
///
/// ```
/// # fn example(logins: &actix_influxdb::Series) -> Result<(), actix_influxdb::RecordError> {
/// logins.point().field("ms", 12.5).field("user", "ada").record()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a point that is dropped is not recorded"]
pub struct Point<'a> {
    series: &'a Series,
    timestamp: Timestamp,
    format: FieldFormat,
    fields: PooledFields,
}

impl<'a> Point<'a> {
    #[inline]
    pub(super) fn new(series: &'a Series, timestamp: Timestamp) -> Self {
        Self {
            series,
            timestamp,
            format: series.0.prepared.format(),
            fields: PooledFields::take(),
        }
    }

    /// Sets a field.
    #[inline(always)]
    pub fn field(mut self, key: impl Into<Str>, value: impl Into<FieldValue>) -> Self {
        self.set_field(key, value);
        self
    }

    /// Sets the timestamp, in place of the moment when the point was begun. The timestamp is left
    /// alone: two points of one series with the same timestamp overwrite each other in InfluxDB.
    #[inline]
    pub fn timestamp(mut self, timestamp: impl Into<Timestamp>) -> Self {
        self.set_timestamp(timestamp);
        self
    }

    /// Sets a field; see [`field`](Self::field).
    #[inline(always)]
    pub fn set_field(&mut self, key: impl Into<Str>, value: impl Into<FieldValue>) {
        self.fields.set(self.format, key, value);
    }

    /// Sets the timestamp; see [`timestamp`](Self::timestamp).
    #[inline]
    pub fn set_timestamp(&mut self, timestamp: impl Into<Timestamp>) {
        self.timestamp = timestamp.into();
    }

    /// Starts a timer that sets `field` to the seconds that have passed when the timer is dropped.
    /// The point is recorded afterwards, as ever.
    ///
    /// ```
    /// # fn render() {}
    /// # fn example(pages: &actix_influxdb::Series) -> Result<(), actix_influxdb::RecordError> {
    /// let mut page = pages.point();
    /// {
    ///     let _timer = page.timer("render");
    ///     render();
    /// }
    /// page.record()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn timer(&mut self, field: impl Into<Str>) -> PointTimer<'_, 'a> {
        PointTimer {
            field: field.into(),
            started: Instant::now(),
            point: self,
        }
    }

    /// Runs `work` and sets `field` to the seconds it took; also when it panics.
    ///
    /// ```
    /// # fn example(pages: &actix_influxdb::Series) -> Result<(), actix_influxdb::RecordError> {
    /// let mut page = pages.point();
    /// let rows = page.time("query", |_| 42);
    /// page.field("rows", rows).record()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn time<R>(&mut self, field: impl Into<Str>, work: impl FnOnce(&mut Self) -> R) -> R {
        let timer = self.timer(field);
        work(timer.point)
    }

    /// Records the point: it is left for delivery. Never waits.
    ///
    /// # Errors
    ///
    /// As [`Influx::record`](crate::Influx::record): the point has no field, a field's key or the
    /// timestamp is invalid, the buffer is full, or shutdown has begun. Either way the point is
    /// counted in [`stats`](crate::Influx::stats).
    #[inline]
    pub fn record(mut self) -> Result<(), RecordError> {
        let shared = &self.series.0.shared;
        shared.recorded(shared.intake.record(&mut self, None))
    }

    /// Records the point and waits for what becomes of it, as
    /// [`Influx::deliver`](crate::Influx::deliver) does.
    ///
    /// ```
    /// # async fn example(orders: &actix_influxdb::Series) {
    /// let outcome = orders.point().field("price", 9.9).deliver().await;
    /// if outcome != actix_influxdb::Delivery::Written {
    ///     eprintln!("{outcome:?}");
    /// }
    /// # }
    /// ```
    pub async fn deliver(mut self) -> Delivery {
        let shared = &self.series.0.shared;
        shared
            .deliver(|ticket| shared.intake.record(&mut self, Some(ticket)))
            .await
    }
}

impl Line for Point<'_> {
    #[inline]
    fn database(&self) -> &Database {
        self.series.database()
    }

    #[inline]
    fn series(&mut self) -> LineSeries<'_> {
        LineSeries::Prepared(&self.series.0.prepared)
    }

    #[inline]
    fn push_fields(&self, _: FieldFormat, line: &mut LineBuffer) -> Result<(), RecordError> {
        line.push_all(self.fields.text(self.series.name())?);
        Ok(())
    }

    #[inline]
    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }
}

/// Sets a field of its point to the seconds that have passed, when it is dropped. Made by
/// [`Point::timer`].
#[derive(Debug)]
#[must_use = "a timer stops when it is dropped"]
pub struct PointTimer<'p, 'a> {
    field: Str,
    started: Instant,
    point: &'p mut Point<'a>,
}

impl Drop for PointTimer<'_, '_> {
    fn drop(&mut self) {
        let field = std::mem::take(&mut self.field);
        self.point.set_field(field, self.started.elapsed());
    }
}
