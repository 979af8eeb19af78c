use std::num::NonZeroUsize;

use crate::{Config, Precision, batch::BatchLimits, encode::Encoder, ingest::QuotaLimits};

/// The part of the configuration that recording threads use.
#[derive(Debug)]
pub(crate) struct IngestSettings {
    /// Increases with each update.
    pub(crate) version: u64,
    pub(crate) encoder: Encoder,
    pub(crate) batch: BatchLimits,
    pub(crate) quota: QuotaLimits,
    /// Maximum number of values of a tag, if limited.
    pub(crate) tag_values: Option<NonZeroUsize>,
    pub(crate) admission: Admission,
}

/// Whether measurements are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Open,
    /// [`Config::enabled`] is false.
    Disabled,
    /// Shutdown has begun.
    Closed,
}

impl IngestSettings {
    pub(crate) fn new(config: &Config, admission: Admission) -> Self {
        let base_tags = config.resolved_base_tags();
        let pairs = base_tags.iter().map(|(key, value)| (&**key, &**value));
        Self {
            version: 0,
            encoder: Encoder::new(pairs, config.precision, config.unsigned)
                .string_newlines(config.string_newlines)
                .microseconds_as_nanoseconds(config.unit() == Precision::Nanoseconds),
            batch: BatchLimits::new(config),
            quota: QuotaLimits::new(config),
            tag_values: NonZeroUsize::new(config.max_tag_values),
            admission,
        }
    }

    /// The settings after an update. Recording that has ended stays so.
    pub(crate) fn followed_by(&self, config: &Config, admission: Admission) -> Self {
        let admission = match self.admission {
            Admission::Closed => Admission::Closed,
            Admission::Open | Admission::Disabled => admission,
        };
        Self {
            version: self.version + 1,
            ..Self::new(config, admission)
        }
    }
}
