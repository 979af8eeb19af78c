use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
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
///
/// What each point needs is close together, in few cache lines: a program that keeps thousands of series
/// waits for their memory more than for anything else.
#[derive(derive_more::Debug)]
pub(crate) struct PreparedSeries {
    pub(crate) database: Arc<Database>,
    #[debug(skip)]
    definition: Box<Definition>,
    /// By later settings: programs that change none never look here.
    renewed: ArcSwapOption<SeriesPart>,
    /// Of the part: asked for when a point is begun, without a load of the part.
    format: AtomicU8,
    first: SeriesPart,
}

/// As they were given: what the guard lets through may change with its budget.
struct Definition {
    name: Cow<'static, str>,
    tags: Box<[(Key, Cow<'static, str>)]>,
}

/// How the lines of a series begin: encoded, guarded and with the base tags of one version of the
/// settings.
#[derive(derive_more::Debug)]
pub(crate) struct SeriesPart {
    version: u64,
    /// How many of its values the guard has replaced: they count with each line.
    capped: u64,
    format: FieldFormat,
    #[debug(skip)]
    text: PartText,
}

/// Most series parts are short enough to stand where the rest of the series is.
enum PartText {
    Here(u8, [u8; HERE]),
    Elsewhere(Box<[u8]>),
}

const HERE: usize = 158;

impl PreparedSeries {
    /// Encodes the series part. Says too whether a budget was used up by that.
    pub(crate) fn new(
        definition: Box<Contents>,
        database: Arc<Database>,
        settings: &IngestSettings,
        cardinality: &Cardinality,
    ) -> Result<(Self, bool), RecordError> {
        let (part, capped) = SeriesPart::new(&definition, settings, cardinality)?;
        let definition = Definition {
            name: definition.name.clone(),
            tags: definition.tags.iter().cloned().collect(),
        };
        let series = Self {
            database,
            definition: definition.into(),
            renewed: ArcSwapOption::empty(),
            format: AtomicU8::new(part.format.to_bits()),
            first: part,
        };
        Ok((series, capped.is_news))
    }

    /// Returns what it was made of.
    pub(crate) fn definition(&self) -> Box<Contents> {
        let Definition { name, tags } = &*self.definition;
        // The timestamp is never looked at.
        let (timestamp, database) = (Timestamp(0), (*self.database).clone());
        let Measurement(mut definition) = Measurement::at(timestamp, database, name.clone());
        for (key, value) in tags.iter().cloned() {
            definition.tags.put(key, value);
        }
        definition
    }

    pub(crate) fn name(&self) -> &str {
        &self.definition.name
    }

    pub(crate) fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        let tags = self.definition.tags.iter();
        tags.map(|(key, value)| (key.as_str(), &**value))
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
        part.push(line);
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
        line.push_all(match &self.text {
            PartText::Here(len, text) => text.get(..usize::from(*len)).unwrap_or_default(),
            PartText::Elsewhere(text) => text,
        });
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
            capped: capped.values,
            format: settings.encoder.format(),
            text: PartText::new(text.line()),
        };
        Ok((part, capped))
    }
}

impl PartText {
    fn new(text: &[u8]) -> Self {
        let mut here = [0; HERE];
        match here.get_mut(..text.len()) {
            Some(place) => {
                place.copy_from_slice(text);
                Self::Here(text.len() as u8, here)
            }
            None => Self::Elsewhere(text.into()),
        }
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
        let database = Arc::new(Database::new("db"));
        let (series, _) = PreparedSeries::new(definition, database, &old, &guard).unwrap();
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

    #[test]
    fn series_parts_of_any_length_are_kept_whole() {
        let settings = IngestSettings::new(&Config::default().tag_hostname(false), Admission::Open);
        for len in [1, HERE - 5, HERE - 4, HERE - 3, 254, 255, 256, 10_000] {
            let value = "x".repeat(len);
            let definition = Measurement::new("db", "m").tag("a", value.clone()).0;
            let (database, guard) = (Arc::new("db".into()), Cardinality::default());
            let series = PreparedSeries::new(definition, database, &settings, &guard);
            let mut line = LineBuffer::default();
            series
                .unwrap()
                .0
                .push(&settings, &guard, &mut line)
                .unwrap();
            assert_eq!(line.line(), format!("m,a={value}").as_bytes());
        }
    }
}
