use std::num::NonZeroUsize;

use crate::{
    Database, Measurement, RecordError,
    encode::{Encoder, LineBuffer},
    ingest::cardinality::{Capped, Cardinality},
    ingest::known_series::{KnownSeries, Place},
};

/// What can be put into a thread buffer: a measurement, a request, or in tests a line as it is.
pub(crate) trait Source {
    fn database(&self) -> &Database;

    /// Writes the line, after the lines that are there. What is left of one that fails is to be
    /// taken back.
    fn write(&mut self, line: &mut LineBuffer, by: Writing<'_>) -> Result<Capped, RecordError>;
}

/// What a line is written with.
pub(crate) struct Writing<'a> {
    pub(crate) encoder: &'a Encoder,
    /// How many values a tag may have, if that is guarded.
    pub(crate) tag_values: Option<NonZeroUsize>,
    pub(crate) cardinality: &'a Cardinality,
    pub(crate) known: &'a mut KnownSeries,
    /// Of the series in the source's database: see [`KnownSeries::salt`].
    pub(crate) salt: u64,
}

impl Source for Measurement {
    #[inline]
    fn database(&self) -> &Database {
        &self.0.database
    }

    #[inline]
    fn write(&mut self, line: &mut LineBuffer, by: Writing<'_>) -> Result<Capped, RecordError> {
        let point = &*self.0;
        let place = by.known.place(point);
        match place.and_then(|place| by.known.head(by.salt, place)) {
            Some(head) => {
                line.push_all(head);
                by.encoder.finish(line, point)?;
                Ok(Capped::default())
            }
            None => write_new(self, place, line, by),
        }
    }
}

/// Writes the line of a series whose head is not known, or that is new in its database.
#[inline(never)]
fn write_new(
    measurement: &mut Measurement,
    place: Option<Place>,
    line: &mut LineBuffer,
    by: Writing<'_>,
) -> Result<Capped, RecordError> {
    let head = by.encoder.encode(measurement, line)?;
    let id = by.known.id(by.salt, place, &measurement.0);
    if by.known.was_seen(id) {
        if let Some(place) = place {
            by.known.learn(by.salt, place, &line.line()[..head]);
        }
        return Ok(Capped::default());
    }
    let cap = |budget| by.cardinality.cap(measurement, budget);
    let capped = by.tag_values.map(cap).unwrap_or_default();
    match capped.values {
        0 => by.known.see(id),
        _ => _ = by.encoder.encode(measurement, line)?,
    }
    Ok(capped)
}
