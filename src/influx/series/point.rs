use std::time::Instant;

use super::{Series, Str};
use crate::{
    Database, Delivery, FieldValue, RecordError, Timestamp,
    encode::{FieldFormat, LineBuffer, PooledFields},
    ingest::line::{Line, LineSeries},
};

/// A point of a [`Series`]: fields and a timestamp. Created by [`Series::point`].
///
/// Fields are encoded as they are set. A field that is set twice keeps the last value; NaN and
/// infinite values are left out.
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

    /// Sets the timestamp; the default is the time at which the point was begun. Two points of one
    /// series with the same explicit timestamp overwrite each other in InfluxDB.
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

    /// Starts a timer that sets `field` to the elapsed seconds when it is dropped. The point must
    /// still be recorded.
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

    /// Runs `work` and sets `field` to the elapsed seconds, also if it panics.
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

    /// Records the point. Never waits.
    ///
    /// # Errors
    ///
    /// The errors of [`Influx::record`](crate::Influx::record): the point has no field, a key or
    /// the timestamp is invalid, the buffer is full, or shutdown has begun. The point is counted in
    /// [`stats`](crate::Influx::stats) anyway.
    #[inline]
    pub fn record(mut self) -> Result<(), RecordError> {
        let shared = &self.series.0.shared;
        shared.recorded(shared.intake.record(&mut self, None))
    }

    /// Records the point and waits for its end, like [`Influx::deliver`](crate::Influx::deliver).
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

/// Sets a field of its point to the elapsed seconds when it is dropped. Created by
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
