use std::{
    borrow::Cow,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

use arc_swap::ArcSwapOption;

use crate::{
    Database, Measurement, RecordError, Timestamp,
    encode::{FieldFormat, LineBuffer},
    ingest::{
        cardinality::{Capped, Cardinality, TagSet},
        settings::IngestSettings,
    },
    point::measurement::{Contents, Key},
};

/// A database, a name and tags, and the series part that they become under the settings.
#[derive(derive_more::Debug)]
pub(crate) struct PreparedSeries {
    /// Of the part: asked for when a point is begun, without a load of the part.
    format: AtomicU8,
    first: SeriesPart,
    /// By later settings: programs that change none never look here.
    renewed: ArcSwapOption<SeriesPart>,
    pub(crate) database: Database,
    /// As they were given: what the guard lets through may change with its budget. (Not as a measurement,
    /// which is larger than all the rest: a program that keeps thousands of series would wait for its memory.)
    pub(crate) name: Cow<'static, str>,
    #[debug(skip)]
    pub(crate) tags: Box<[(Key, Cow<'static, str>)]>,
}

/// How the lines of a series begin: encoded, guarded and with the base tags of one version of the
/// settings.
#[derive(derive_more::Debug)]
pub(crate) struct SeriesPart {
    version: u64,
    #[debug(skip)]
    text: Box<[u8]>,
    /// How many of its values the guard has replaced: they count with each line.
    capped: u64,
    format: FieldFormat,
}

impl PreparedSeries {
    /// Encodes the series part. Says too whether a budget was used up by that.
    pub(crate) fn new(
        definition: Box<Contents>,
        settings: &IngestSettings,
        cardinality: &Cardinality,
    ) -> Result<(Self, bool), RecordError> {
        let (part, capped) = SeriesPart::new(&definition, settings, cardinality)?;
        let Contents {
            database,
            name,
            tags,
            ..
        } = *definition;
        let series = Self {
            database,
            name,
            tags: tags.iter().cloned().collect(),
            format: AtomicU8::new(part.format.to_bits()),
            first: part,
            renewed: ArcSwapOption::empty(),
        };
        Ok((series, capped.is_news))
    }

    /// Returns what it was made of.
    pub(crate) fn definition(&self) -> Box<Contents> {
        let (database, name) = (self.database.clone(), self.name.clone());
        // The timestamp is never looked at.
        let Measurement(mut definition) = Measurement::at(Timestamp(0), database, name);
        for (key, value) in self.tags.iter().cloned() {
            definition.tags.put(key, value);
        }
        definition
    }

    /// How values of fields are written, by the settings that the part was made under.
    #[inline]
    pub(crate) fn format(&self) -> FieldFormat {
        FieldFormat::from_bits(self.format.load(Relaxed))
    }

    /// Appends the series part by these settings.
    #[inline]
    pub(crate) fn push(
        &self,
        settings: &IngestSettings,
        cardinality: &Cardinality,
        line: &mut LineBuffer,
    ) -> Result<Capped, RecordError> {
        if self.first.version == settings.version {
            return Ok(self.first.push(line));
        }
        match &*self.renewed.load() {
            Some(part) if part.version == settings.version => Ok(part.push(line)),
            known => self.push_anew(known.as_deref(), settings, cardinality, line),
        }
    }

    /// The settings have changed since the part was made.
    #[cold]
    fn push_anew(
        &self,
        known: Option<&SeriesPart>,
        settings: &IngestSettings,
        cardinality: &Cardinality,
        line: &mut LineBuffer,
    ) -> Result<Capped, RecordError> {
        let (part, capped) = SeriesPart::new(&self.definition(), settings, cardinality)?;
        line.push_all(&part.text);
        let known = known.unwrap_or(&self.first);
        // While settings change, a thread buffer may still have the old ones.
        if known.version < part.version {
            self.format.store(part.format.to_bits(), Relaxed);
            self.renewed.store(Some(part.into()));
        }
        Ok(capped)
    }
}

impl SeriesPart {
    #[inline]
    fn push(&self, line: &mut LineBuffer) -> Capped {
        line.push_all(&self.text);
        Capped {
            values: self.capped,
            is_news: false,
        }
    }

    fn new(
        definition: &Contents,
        settings: &IngestSettings,
        cardinality: &Cardinality,
    ) -> Result<(Self, Capped), RecordError> {
        let mut text = LineBuffer::default();
        // What is invalid uses no budget.
        settings.encoder.push_series(definition, &mut text)?;
        let mut capped = Capped::default();
        if let Some(budget) = settings.tag_values {
            let mut guarded = definition.clone();
            capped = cardinality.cap(&mut guarded, TagSet::ALL, budget);
            if capped.values > 0 {
                text.take_back();
                settings.encoder.push_series(&guarded, &mut text)?;
            }
        }
        let part = Self {
            version: settings.version,
            text: text.into_bytes().into(),
            capped: capped.values,
            format: settings.encoder.format(),
        };
        Ok((part, capped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Measurement, StringNewlines, ingest::settings::Admission};

    #[test]
    fn a_series_follows_the_settings_and_a_thread_that_has_old_ones_does_not_turn_it_back() {
        let config = |zone: &str| {
            let config = Config::default().tag_hostname(false).base_tag("zone", zone);
            config.max_tag_values(0)
        };
        let old = IngestSettings::new(&config("old"), Admission::Open);
        let raw = config("new").string_newlines(StringNewlines::Raw);
        let new = old.followed_by(&raw, Admission::Open);
        let guard = Cardinality::default();
        let definition = Measurement::new("db", "m").tag("a", 1).0;
        let (series, _) = PreparedSeries::new(definition, &old, &guard).unwrap();
        let line_under = |settings: &IngestSettings| {
            let mut line = LineBuffer::default();
            series.push(settings, &guard, &mut line).unwrap();
            String::from_utf8(line.into_bytes()).unwrap()
        };
        let is_raw = || series.format() == new.encoder.format();
        for (settings, line, version) in [
            (&old, "m,a=1,zone=old", None),
            (&new, "m,a=1,zone=new", Some(1)),
            (&old, "m,a=1,zone=old", Some(1)),
            (&new, "m,a=1,zone=new", Some(1)),
        ] {
            assert_eq!(line_under(settings), line);
            let renewed = series.renewed.load().as_ref().map(|part| part.version);
            assert_eq!(renewed, version);
            assert_eq!(is_raw(), version.is_some());
        }
    }
}
