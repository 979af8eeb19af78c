use std::num::NonZeroUsize;

use crate::{Config, Precision, batch::BatchLimits, encode::Encoder, ingest::QuotaLimits};

/// What recording threads need to know of the configuration.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Later ones have a higher number.
    pub(crate) version: u64,
    pub(crate) encoder: Encoder,
    pub(crate) batch: BatchLimits,
    pub(crate) quota: QuotaLimits,
    /// How many values a tag may have, if that is guarded.
    pub(crate) tag_values: Option<NonZeroUsize>,
    pub(crate) admission: Admission,
}

/// Are measurements taken?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Open,
    /// By [`Config::enabled`].
    Disabled,
    /// Shutdown has begun.
    Closed,
}

impl Settings {
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

    /// The settings that follow these. Where recording has ended, it stays so.
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
