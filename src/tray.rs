mod shelves;

use std::sync::Arc;

use parking_lot::Mutex;

use self::shelves::Shelves;
use crate::{
    Database, RecordError, Stats,
    batch::OpenBatch,
    gauge::{Credit, Gauge},
    intake::{Door, Intake, Settings},
    known_series::KnownSeries,
    ledger::Tally,
    report::Ticket,
    source::{Source, Writing},
};

/// Where one calling thread leaves encoded lines, by database.
#[derive(Debug)]
pub(crate) struct Tray(Mutex<Contents>);

#[derive(Debug)]
struct Contents {
    settings: Arc<Settings>,
    tally: Tally,
    shelves: Shelves,
    /// Room in the buffer that has been made for what comes here.
    credit: Credit,
    known: KnownSeries,
}

impl Tray {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self(Mutex::new(Contents {
            settings,
            tally: Tally::default(),
            shelves: Shelves::default(),
            credit: Credit::default(),
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
        let mut contents = self.0.lock();
        contents.tally.recorded += 1;
        match contents.settings.door {
            Door::Open => contents.put(source, ticket, intake),
            Door::Disabled => {
                contents.tally.dropped.disabled += 1;
                (Ok(()), false)
            }
            Door::Closed => {
                contents.tally.dropped.stopping += 1;
                (Err(RecordError::Stopping), false)
            }
        }
    }

    /// Takes everything out: the measurements' batches by database. Says how many these were.
    pub(crate) fn empty(&self, gauge: &Gauge, to: &mut Vec<(Database, OpenBatch)>) -> usize {
        let mut contents = self.0.lock();
        contents.credit.give_back(gauge);
        let before = to.len();
        contents.shelves.hand_over(to);
        drop(contents);
        to[before..].iter().map(|(_, batch)| batch.len()).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().shelves.is_empty()
    }

    pub(crate) fn reconfigure(&self, settings: &Arc<Settings>) {
        let mut contents = self.0.lock();
        contents.settings = Arc::clone(settings);
        contents.known.forget();
    }

    pub(crate) fn tally(&self) -> Tally {
        std::mem::take(&mut self.0.lock().tally)
    }

    /// Counts this tray's measurements into a snapshot.
    pub(crate) fn add_to(&self, stats: &mut Stats) {
        let contents = self.0.lock();
        stats.recorded += contents.tally.recorded;
        stats.dropped.add(&contents.tally.dropped);
        stats.tags_capped += contents.tally.tags_capped;
        stats.pending += contents.shelves.len() as u64;
    }
}

impl Contents {
    #[inline]
    fn put(
        &mut self,
        source: &mut impl Source,
        ticket: &mut Option<Ticket>,
        intake: &Intake,
    ) -> (Result<(), RecordError>, bool) {
        let Self {
            settings,
            tally,
            shelves,
            credit,
            known,
        } = self;
        let (gauge, limits) = (&intake.gauge, &settings.gauge);
        let shelf = shelves.of(source.database(), intake, known);
        let reserve = limits.opens_reserve(shelf.share.is_below());
        if let Err(full) = credit.take_line(gauge, limits, reserve) {
            shelves.forget_last_if_empty();
            tally.dropped.buffer_full += 1;
            return (Err(full), gauge.lost());
        }
        let (salt, open) = (shelf.salt, shelf.open(&intake.spares));
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
                shelves.forget_last_if_empty();
                credit.put_back_line(gauge);
                tally.dropped.invalid += 1;
                return (Err(invalid), false);
            }
        };
        let bytes = open.next_line().line_len();
        if let Err(full) = credit.take_bytes(bytes, gauge, limits, reserve) {
            open.next_line().take_back();
            shelves.forget_last_if_empty();
            credit.put_back_line(gauge);
            tally.dropped.buffer_full += 1;
            return (Err(full), gauge.lost() || capped.is_news);
        }
        tally.tags_capped += capped.values;
        if !open.has_room(1, bytes, settings.batch) {
            shelf.turn(&intake.spares);
        }
        shelf.open.keep_line();
        if let Some(ticket) = ticket.take() {
            shelf.open.attach(ticket);
        }
        (Ok(()), credit.take_alarm() || capped.is_news)
    }
}
