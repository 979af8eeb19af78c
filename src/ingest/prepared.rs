use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use arc_swap::ArcSwapOption;

use crate::{
    RecordError,
    encode::{FieldFormat, LineBuffer},
    ingest::{
        cardinality::{Capped, Cardinality},
        settings::IngestSettings,
    },
    point::measurement::Contents,
};

/// A database, a name and tags, and the series part that they become under the settings.
#[derive(derive_more::Debug)]
pub(crate) struct PreparedSeries {
    /// As they were given: what the guard lets through may change with its budget.
    #[debug(skip)]
    definition: Box<Contents>,
    first: SeriesPart,
    /// By later settings: programs that change none never look here.
    renewed: ArcSwapOption<SeriesPart>,
    /// Of the part: asked for when a point is begun, without a load of the part.
    format: AtomicU8,
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
        let series = Self {
            definition,
            format: AtomicU8::new(part.format.to_bits()),
            first: part,
            renewed: ArcSwapOption::empty(),
        };
        Ok((series, capped.is_news))
    }

    #[inline]
    pub(crate) fn definition(&self) -> &Contents {
        &self.definition
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
        let (part, capped) = SeriesPart::new(&self.definition, settings, cardinality)?;
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
            capped = cardinality.cap(&mut guarded, budget);
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
