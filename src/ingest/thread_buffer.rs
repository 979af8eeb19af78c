mod partitions;

use std::sync::Arc;

use self::partitions::Partitions;
use crate::{
    Database, RecordError, Stats,
    batch::OpenBatch,
    ingest::intake::{Door, Intake, Settings},
    ingest::known_series::KnownSeries,
    ingest::source::{Source, Writing},
    ingest::{quota::Quota, reservation::Allowance, wakeup::Guarded},
    stats::ledger::Tally,
    stats::report::Ticket,
};

/// Where one calling thread leaves encoded lines, by database.
#[derive(Debug)]
pub(crate) struct ThreadBuffer(Guarded<Contents>);

#[derive(Debug)]
struct Contents {
    settings: Arc<Settings>,
    tally: Tally,
    partitions: Partitions,
    known: KnownSeries,
}

impl ThreadBuffer {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self(Guarded::new(Contents {
            settings,
            tally: Tally::default(),
            partitions: Partitions::default(),
            known: KnownSeries::default(),
        }))
    }

    /// Encodes a measurement; the ticket is taken if it is kept. Says too whether the buffer actor
    /// is to be woken.
    #[inline]
    pub(crate) fn put(
        &self,
        source: &mut impl Source,
        ticket: &mut Option<Ticket>,
        intake: &Intake,
    ) -> (Result<(), RecordError>, bool) {
        self.0.put(|contents, allowance| {
            contents.tally.recorded += 1;
            match contents.settings.door {
                Door::Open => contents.put(source, ticket, intake, allowance),
                Door::Disabled => {
                    contents.tally.dropped.disabled += 1;
                    Ok(())
                }
                Door::Closed => {
                    contents.tally.dropped.stopping += 1;
                    Err(RecordError::Stopping)
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
                    contents.partitions.hand_over(to);
                    None
                }
            });
        // The thread that records may go on meanwhile.
        if let Some(mut partitions) = many {
            partitions.hand_over(to);
        }
        to[before..].iter().map(|(_, batch)| batch.len()).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.look(|_, lines| lines == 0)
    }

    pub(crate) fn reconfigure(&self, settings: &Arc<Settings>) {
        self.0.look(|contents, _| {
            contents.settings = Arc::clone(settings);
            contents.known.forget();
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

impl Contents {
    #[inline]
    fn put(
        &mut self,
        source: &mut impl Source,
        ticket: &mut Option<Ticket>,
        intake: &Intake,
        allowance: &mut Allowance,
    ) -> Result<(), RecordError> {
        let Self {
            settings,
            tally,
            partitions,
            known,
        } = self;
        let (quota, limits) = (&intake.quota, &settings.quota.limits);
        let partition = partitions.of(source.database(), intake, known);
        let (salt, share) = (partition.salt, &partition.share);
        // Asked only where the buffer is full.
        let reserve = |waiting: usize| {
            let is_below = || share.is_below(limits.lines, waiting);
            settings.quota.opens_reserve(is_below)
        };
        let room = match allowance.reserve(quota, limits, || reserve(partition.batches.len())) {
            Ok(room) => room,
            Err(full) => {
                partitions.forget_last_if_empty();
                tally.dropped.buffer_full += 1;
                return Err(settings.quota.error(full));
            }
        };
        let open = partition.batches.open(&intake.spares);
        let by = Writing {
            encoder: &settings.encoder,
            tag_values: settings.tag_values,
            cardinality: &intake.cardinality,
            known,
            salt,
        };
        let capped = match source.write(open.next_line(), by) {
            Ok(capped) => capped,
            Err(invalid) => {
                open.next_line().take_back();
                partitions.forget_last_if_empty();
                tally.dropped.invalid += 1;
                return Err(invalid);
            }
        };
        let bytes = open.next_line().line_len();
        let kept = room.commit(bytes, limits, || reserve(open.len()));
        if capped.is_news {
            allowance.wake();
        }
        if let Err(full) = kept {
            open.next_line().take_back();
            partitions.forget_last_if_empty();
            tally.dropped.buffer_full += 1;
            return Err(settings.quota.error(full));
        }
        tally.tags_capped += capped.values;
        partition
            .batches
            .keep_line(settings.batch, &intake.spares, ticket.take());
        Ok(())
    }
}
