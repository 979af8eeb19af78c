mod batches;
mod partitions;

use std::{num::NonZeroUsize, sync::Arc};

use self::partitions::Partitions;
use crate::{
    Database, RecordError, Stats,
    batch::OpenBatch,
    encode::{self, LineBuffer, SchemaCache},
    ingest::{
        cardinality::{Capped, Cardinality, KnownValues},
        intake::{Intake, Recorded},
        line::{Line, LineSeries},
        quota::Quota,
        reservation::Allowance,
        settings::{Admission, IngestSettings},
        wakeup::Guarded,
    },
    point::measurement::Contents,
    stats::ledger::Tally,
    stats::report::Ticket,
};

/// Where one calling thread leaves encoded lines, by database.
#[derive(Debug)]
pub(crate) struct ThreadBuffer(Guarded<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Arc<IngestSettings>,
    tally: Tally,
    partitions: Partitions,
    known_values: KnownValues,
    schemas: SchemaCache,
}

impl ThreadBuffer {
    pub(crate) fn new(settings: Arc<IngestSettings>) -> Self {
        Self(Guarded::new(Inner {
            settings,
            tally: Tally::default(),
            partitions: Partitions::default(),
            known_values: KnownValues::default(),
            schemas: SchemaCache::default(),
        }))
    }

    /// Writes a line; the ticket is taken if it is kept. Wakes the buffer actor where that is due.
    #[inline]
    pub(crate) fn put(
        &self,
        line: &mut impl Line,
        ticket: &mut Option<Ticket>,
        intake: &Intake,
    ) -> Recorded {
        let wake = || intake.wake();
        self.0.put(wake, |contents, allowance| {
            contents.tally.recorded += 1;
            match contents.settings.admission {
                Admission::Open => contents
                    .put(line, ticket, intake, allowance)
                    .map_err(Box::new),
                Admission::Disabled => {
                    contents.tally.dropped.disabled += 1;
                    Ok(())
                }
                Admission::Closed => {
                    contents.tally.dropped.stopping += 1;
                    Err(RecordError::Stopping.into())
                }
            }
        })
    }

    /// Takes everything out: the measurements' batches by database. Says how many these were.
    pub(crate) fn empty(&self, quota: &Quota, to: &mut Vec<(Database, OpenBatch)>) -> usize {
        let before = to.len();
        let many = self
            .0
            .drain(quota, |contents| match contents.partitions.are_many() {
                true => Some(std::mem::take(&mut contents.partitions)),
                false => {
                    contents.partitions.drain(to);
                    None
                }
            });
        // The thread that records may go on meanwhile.
        if let Some(mut partitions) = many {
            partitions.drain(to);
        }
        to[before..].iter().map(|(_, batch)| batch.len()).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.look(|_, lines| lines == 0)
    }

    pub(crate) fn reconfigure(&self, settings: &Arc<IngestSettings>) {
        self.0.look(|contents, _| {
            contents.settings = Arc::clone(settings);
            contents.known_values.forget();
            contents.schemas.forget();
        });
    }

    pub(crate) fn tally(&self) -> Tally {
        self.0
            .look(|contents, _| std::mem::take(&mut contents.tally))
    }

    /// Counts this thread buffer's measurements into a snapshot.
    pub(crate) fn add_to(&self, stats: &mut Stats) {
        self.0.look(|contents, lines| {
            stats.recorded += contents.tally.recorded;
            stats.dropped.add(&contents.tally.dropped);
            stats.tags_capped += contents.tally.tags_capped;
            stats.pending += lines as u64;
        });
    }
}

impl Inner {
    #[inline]
    fn put(
        &mut self,
        line: &mut impl Line,
        ticket: &mut Option<Ticket>,
        intake: &Intake,
        allowance: &mut Allowance,
    ) -> Result<(), RecordError> {
        match self.write(line, ticket, intake, allowance) {
            Ok(capped) => {
                self.tally.tags_capped += capped;
                Ok(())
            }
            Err(error) => {
                let dropped = &mut self.tally.dropped;
                match error.is_invalid() {
                    true => dropped.invalid += 1,
                    false => dropped.buffer_full += 1,
                }
                Err(error)
            }
        }
    }

    /// Writes a line if there is room for it. Says how many of its tags' values were replaced.
    /// On every other way out, the room and the line are given back.
    #[inline]
    fn write(
        &mut self,
        line: &mut impl Line,
        ticket: &mut Option<Ticket>,
        intake: &Intake,
        allowance: &mut Allowance,
    ) -> Result<u64, RecordError> {
        let settings = &*self.settings;
        let limits = &settings.quota.limits;
        let full = |full| settings.quota.error(full);
        let mut draft = (self.partitions).draft(line.database(), &intake.shares, &intake.pool);
        let may_exceed = || {
            let is_below = || draft.is_below_share(limits.lines);
            settings.quota.may_exceed(is_below)
        };
        let mut room = allowance
            .reserve(&intake.quota, limits, may_exceed)
            .map_err(full)?;
        let capped = push_line(
            line,
            draft.line(),
            settings,
            (&mut self.known_values, &mut self.schemas),
            &intake.cardinality,
        )?;
        if capped.is_news {
            room.wake();
        }
        let bytes = draft.line().line_len();
        let may_exceed = || {
            let is_below = || draft.is_below_share(limits.lines);
            settings.quota.may_exceed(is_below)
        };
        room.commit(bytes, limits, may_exceed).map_err(full)?;
        draft.keep(settings.batch, ticket.take());
        Ok(capped.values)
    }
}

/// Writes a line, by the settings and as the guard lets it through.
#[inline]
fn push_line(
    line: &mut impl Line,
    to: &mut LineBuffer,
    settings: &IngestSettings,
    (known, schemas): (&mut KnownValues, &mut SchemaCache),
    cardinality: &Cardinality,
) -> Result<Capped, RecordError> {
    let encoder = &settings.encoder;
    let capped = match line.series() {
        LineSeries::Prepared(series) => series.push(settings, cardinality, to)?,
        LineSeries::New(point) => {
            let series = schemas.push(point, encoder, to)?;
            match settings.tag_values {
                Some(budget) if !series.is_some_and(|series| known.contain_series(series)) => {
                    guard(
                        point,
                        series,
                        budget,
                        to,
                        settings,
                        (known, schemas),
                        cardinality,
                    )?
                }
                _ => Capped::default(),
            }
        }
        #[cfg(feature = "testing")]
        LineSeries::Raw(line) => {
            to.push_all(line.as_bytes());
            to.push_all(b"\n");
            return Ok(Capped::default());
        }
    };
    line.push_fields(encoder.format(), to)?;
    let timestamp = line.timestamp();
    match encoder.push_end(timestamp, to) {
        true => Ok(capped),
        false => Err(encode::invalid_timestamp(timestamp, line.series().name())),
    }
}

/// Writes the series part of a measurement anew where there is no budget for one of its values.
/// `series` is the hash of what it says, if that is known.
#[inline(never)]
fn guard(
    point: &mut Contents,
    series: Option<u64>,
    budget: NonZeroUsize,
    line: &mut LineBuffer,
    settings: &IngestSettings,
    (known, schemas): (&mut KnownValues, &mut SchemaCache),
    cardinality: &Cardinality,
) -> Result<Capped, RecordError> {
    let mut capped = Capped::default();
    let unknown = known.unknown(point);
    if !unknown.is_empty() {
        capped = match cardinality.cap_again(point, unknown, budget) {
            Some(capped) => capped,
            None => {
                // What is invalid uses no budget.
                let len = line.line_len();
                settings.encoder.push_rest(point, line)?;
                line.truncate(len);
                cardinality.cap(point, unknown, budget)
            }
        };
        // If none was admitted there is nothing to be learnt.
        if capped.values < unknown.len() as u64 {
            known.learn(point, unknown);
        }
    }
    if capped.values > 0 {
        line.take_back();
        schemas.push(point, &settings.encoder, line)?;
    } else if let Some(series) = series {
        known.learn_series(series);
    }
    Ok(capped)
}
