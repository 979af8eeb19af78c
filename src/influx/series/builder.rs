use std::sync::Arc;

use super::{Series, Str, definition};
use crate::{
    Database, RecordError, TagValue, influx::shared::Shared, point::measurement::Contents,
};

/// Collects the tags of a [`Series`]. Created by [`Influx::series`](crate::Influx::series) and
/// [`series`](crate::series).
#[derive(derive_more::Debug)]
#[must_use = "a series is built by `build`"]
pub struct SeriesBuilder {
    /// `None` if no pipeline is installed.
    #[debug(skip)]
    shared: Option<Arc<Shared>>,
    #[debug("{:?}", definition.name)]
    definition: Box<Contents>,
}

impl SeriesBuilder {
    pub(super) fn new(shared: Option<&Arc<Shared>>, database: Database, name: Str) -> Self {
        Self {
            shared: shared.cloned(),
            definition: definition(database, name),
        }
    }

    /// Sets a tag. A tag that is set twice keeps the last value.
    pub fn tag(mut self, key: impl Into<Str>, value: impl Into<TagValue>) -> Self {
        let (key, TagValue(value)) = (key.into(), value.into());
        self.definition.tags.set(key, value);
        self
    }

    /// Sets several tags.
    ///
    /// ```
    /// # fn example(influx: &actix_influxdb::Influx) -> Result<(), actix_influxdb::RecordError> {
    /// let jobs = influx.series("example", "job").tags([("queue", "mail"), ("tier", "gold")]);
    /// let jobs = jobs.build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn tags<K, V>(self, tags: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<Str>,
        V: Into<TagValue>,
    {
        let set = |builder: Self, (key, value)| builder.tag(key, value);
        tags.into_iter().fold(self, set)
    }

    /// Checks the names and the cardinality guard, and encodes the common part of all points.
    ///
    /// # Errors
    ///
    /// If a name or key is not valid: [`RecordError::InvalidName`]; or if no pipeline is installed,
    /// for [`actix_influxdb::series`](crate::series): [`RecordError::NotInstalled`]. After shutdown
    /// a series can still be built, but its points are refused. An error here loses no measurement,
    /// and none is counted.
    pub fn build(self) -> Result<Series, RecordError> {
        let shared = self.shared.ok_or(RecordError::NotInstalled)?;
        Series::new(&shared, self.definition)
    }
}
