use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use crate::{
    Database, RecordError, Stats,
    batch::OpenBatch,
    gauge::{Credit, Gauge},
    intake::{Door, Intake, Settings},
    known_series::KnownSeries,
    ledger::Tally,
    report::Ticket,
    shares::Share,
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
    /// Outlives the shelves.
    known: KnownSeries,
}

/// Batches by database.
#[derive(Debug, Default)]
struct Shelves {
    all: Vec<Shelf>,
    /// Where in `all` a database is.
    places: HashMap<Database, usize>,
    /// The place of the measurement before: most threads write to one database.
    last: usize,
}

#[derive(Debug)]
struct Shelf {
    database: Database,
    share: Arc<Share>,
    /// Of the series in this database: see [`KnownSeries::salt`].
    salt: u64,
    full: Vec<OpenBatch>,
    open: OpenBatch,
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

    /// Takes everything out: how many measurements, and their batches by database.
    pub(crate) fn empty(
        &self,
        gauge: &Gauge,
    ) -> (usize, impl Iterator<Item = (Database, OpenBatch)> + use<>) {
        let mut contents = self.0.lock();
        let shelves = std::mem::take(&mut contents.shelves);
        contents.credit.give_back(gauge);
        let lines = shelves.len();
        let batches = shelves.all.into_iter().flat_map(|shelf| {
            let batches = shelf.full.into_iter().chain([shelf.open]);
            batches.map(move |batch| (shelf.database.clone(), batch))
        });
        (lines, batches)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().shelves.len() == 0
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
        let by = Writing {
            encoder: &settings.encoder,
            tag_values: settings.tag_values,
            cardinality: &intake.cardinality,
            known,
            salt: shelf.salt,
        };
        let capped = match source.write(shelf.open.next_line(), by) {
            Ok(capped) => capped,
            Err(invalid) => {
                shelf.open.next_line().take_back();
                shelves.forget_last_if_empty();
                credit.put_back_line(gauge);
                tally.dropped.invalid += 1;
                return (Err(invalid), false);
            }
        };
        let bytes = shelf.open.next_line().line_len();
        if let Err(full) = credit.take_bytes(bytes, gauge, limits, reserve) {
            shelf.open.next_line().take_back();
            shelves.forget_last_if_empty();
            credit.put_back_line(gauge);
            tally.dropped.buffer_full += 1;
            return (Err(full), gauge.lost() || capped.is_news);
        }
        tally.tags_capped += capped.values;
        if !shelf.open.has_room(1, bytes, settings.batch) {
            let mut next = intake.spares.take();
            shelf.open.move_line(&mut next);
            shelf.full.push(std::mem::replace(&mut shelf.open, next));
        }
        shelf.open.keep_line();
        if let Some(ticket) = ticket.take() {
            shelf.open.attach(ticket);
        }
        (Ok(()), credit.take_alarm() || capped.is_news)
    }
}

impl Shelf {
    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.full.is_empty()
    }
}

impl Shelves {
    /// How many lines.
    fn len(&self) -> usize {
        let of = |shelf: &Shelf| -> usize {
            shelf.open.len() + shelf.full.iter().map(OpenBatch::len).sum::<usize>()
        };
        self.all.iter().map(of).sum()
    }

    /// A measurement was refused: its database may have nothing here.
    fn forget_last_if_empty(&mut self) {
        let is_newest = self.last + 1 == self.all.len();
        if is_newest && self.all[self.last].is_empty() {
            if let Some(shelf) = self.all.pop() {
                self.places.remove(&shelf.database);
            }
            self.last = 0;
        }
    }

    #[inline]
    fn of(&mut self, database: &Database, intake: &Intake, known: &KnownSeries) -> &mut Shelf {
        if self.all.get(self.last).map(|shelf| &shelf.database) != Some(database) {
            self.last = match self.places.get(database) {
                Some(place) => *place,
                None => {
                    self.all.push(Shelf {
                        database: database.clone(),
                        share: intake.shares.of(database),
                        salt: known.salt(database),
                        full: Vec::new(),
                        open: intake.spares.take(),
                    });
                    self.places.insert(database.clone(), self.all.len() - 1);
                    self.all.len() - 1
                }
            };
        }
        &mut self.all[self.last]
    }
}
