mod builder;
mod point;

use std::{borrow::Cow, fmt, sync::Arc};

pub use self::{
    builder::SeriesBuilder,
    point::{Point, PointTimer},
};
use super::{Influx, with_installed};
use crate::{
    Database, Measurement, RecordError, TagValue, Timestamp, influx::shared::Shared,
    ingest::prepared::PreparedSeries, point::measurement::Contents,
};

type Str = Cow<'static, str>;

/// A database, measurement name and tags, checked and encoded once, for many points.
///
/// Use it for series that a program records repeatedly: keep a `Series` in a struct, a map or an
/// actor, and a [point](Self::point) costs little more than its fields. Clones are cheap, and any
/// thread can use them. For single points, use a [`Measurement`].
///
/// ```no_run
/// use std::time::Duration;
///
/// use actix_influxdb::{Config, Influx};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let influx = Influx::start(Config::from_env()?)?;
/// let _guard = influx.guard(Duration::from_secs(10));
/// let logins = influx.series("example", "login").tag("method", "oauth").build()?;
/// for ms in [12.5, 9.0] {
///     logins.point().field("ms", ms).record()?;
/// }
/// # Ok(())
/// # }
/// ```
///
/// Base tags are part of the series and follow [`Influx::update`]. The cardinality guard
/// ([`Config::max_tag_values`](crate::Config::max_tag_values)) checks a series when it is built,
/// and after an update: a value beyond the limit is `_other` in the series, and each point counts
/// in [`Stats::tags_capped`](crate::Stats::tags_capped).
///
/// A series doesn't keep its pipeline alive. After shutdown, recording returns
/// [`RecordError::Stopping`].
#[derive(Clone)]
pub struct Series(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    prepared: PreparedSeries,
}

impl Influx {
    /// Begins a [`Series`]: the common part of many points, checked and encoded once.
    ///
    /// ```
    /// # fn example(influx: &actix_influxdb::Influx) -> Result<(), actix_influxdb::RecordError> {
    /// let logins = influx.series("example", "login").tag("method", "oauth").build()?;
    /// logins.point().field("ms", 12.5).record()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn series(&self, database: impl Into<Database>, name: impl Into<Str>) -> SeriesBuilder {
        SeriesBuilder::new(Some(&self.0.shared), database.into(), name.into())
    }
}

#[cfg(any(feature = "middleware", feature = "testing"))]
impl Influx {
    #[inline]
    pub(crate) fn record_line(
        &self,
        mut line: impl crate::ingest::line::Line,
    ) -> Result<(), RecordError> {
        let shared = &self.0.shared;
        shared.recorded(shared.intake.record(&mut line, None))
    }
}

/// Begins a [`Series`] of the [installed](Influx::install) pipeline. Without one,
/// [`build`](SeriesBuilder::build) returns [`RecordError::NotInstalled`].
///
/// ```
/// # fn example() -> Result<(), actix_influxdb::RecordError> {
/// let logins = actix_influxdb::series("example", "login").tag("method", "oauth").build()?;
/// logins.point().field("ms", 12.5).record()?;
/// # Ok(())
/// # }
/// ```
pub fn series(database: impl Into<Database>, name: impl Into<Str>) -> SeriesBuilder {
    let shared = with_installed(|influx| Arc::clone(&influx.0.shared));
    SeriesBuilder::new(shared.as_ref(), database.into(), name.into())
}

impl Series {
    /// The series of a measurement; its fields and timestamp are ignored.
    #[cfg(feature = "middleware")]
    pub(crate) fn of(influx: &Influx, measurement: Measurement) -> Result<Self, RecordError> {
        Self::new(&influx.0.shared, measurement.0)
    }

    fn new(shared: &Arc<Shared>, definition: Box<Contents>) -> Result<Self, RecordError> {
        let prepared = shared.intake.prepare(definition)?;
        let shared = Arc::clone(shared);
        Ok(Self(Arc::new(Inner { shared, prepared })))
    }

    /// Begins a point of this series, stamped now, without fields. At least one field is required
    /// to [record](Point::record) it.
    #[inline]
    pub fn point(&self) -> Point<'_> {
        Point::new(self, Timestamp::now())
    }

    /// Builds a series with one more tag, or with another value of an existing tag.
    ///
    /// ```
    /// # fn example(influx: &actix_influxdb::Influx) -> Result<(), actix_influxdb::RecordError> {
    /// let jobs = influx.series("example", "job").tag("queue", "mail").build()?;
    /// let failed = jobs.with_tag("outcome", "failed")?;
    /// failed.point().field("count", 1).record()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the key is not valid, as for [`SeriesBuilder::build`].
    pub fn with_tag(
        &self,
        key: impl Into<Str>,
        value: impl Into<TagValue>,
    ) -> Result<Self, RecordError> {
        let (key, TagValue(value)) = (key.into(), value.into());
        let mut definition = self.0.prepared.definition();
        definition.tags.set(key, value);
        Self::new(&self.0.shared, definition)
    }

    /// Returns the database of the points.
    pub fn database(&self) -> &Database {
        &self.0.prepared.database
    }

    /// Returns the measurement's name, as it was given.
    pub fn name(&self) -> &str {
        self.0.prepared.name()
    }

    /// Returns the tags, in the order in which they were set. Without base tags, and as given:
    /// values replaced by the cardinality guard are not shown.
    pub fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.prepared.tags()
    }

    #[cfg(feature = "middleware")]
    pub(crate) fn prepared(&self) -> &PreparedSeries {
        &self.0.prepared
    }
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Tags<'a>(&'a Series);

        impl fmt::Debug for Tags<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_map().entries(self.0.tags()).finish()
            }
        }

        f.debug_struct("Series")
            .field("database", self.database())
            .field("name", &self.name())
            .field("tags", &Tags(self))
            .finish()
    }
}

/// The series of a measurement, without fields.
fn definition(database: Database, name: Str) -> Box<Contents> {
    // The timestamp is not used.
    Measurement::at(Timestamp(0), database, name).0
}
