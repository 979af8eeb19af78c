//! The last events of delivery, for the page.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use actix::{Actor, Context, Handler};
use actix_influxdb::Event;

const KEPT: usize = 12;
const LENGTH: usize = 300;

/// The last events as text, latest first.
#[derive(Clone, Default)]
pub struct Happenings(Arc<Mutex<VecDeque<String>>>);

impl Happenings {
    pub fn latest(&self) -> Vec<String> {
        let events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        events.iter().cloned().collect()
    }

    fn add(&self, text: String) {
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text: String = text.chars().take(LENGTH).collect();
        // Repetitions are left out.
        if events.front() != Some(&text) {
            events.push_front(text);
            events.truncate(KEPT);
        }
    }
}

impl Actor for Happenings {
    type Context = Context<Self>;
}

impl Handler<Event> for Happenings {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        let text = match event {
            Event::Rejected { line, reason, .. } => {
                format!("Rejected: {line} (the server: {reason})")
            }
            Event::Retrying {
                database, reason, ..
            } => {
                format!("Kept, to be sent again to {database}: {reason}")
            }
            Event::Dropped {
                measurements,
                reason,
                ..
            } => format!("Dropped {measurements}: {reason}"),
            Event::EndpointDown { reason, .. } => format!("The breaker opened: {reason}"),
            Event::EndpointUp { after, .. } => format!("The breaker closed after {after:.1?}"),
            Event::ConfigurationFault {
                database, reason, ..
            } => match database {
                Some(database) => format!("Database {database} can't be written: {reason}"),
                None => format!("Somebody has to act: {reason}"),
            },
            Event::ConfigurationMended { after, .. } => {
                format!("It can be written again, after {after:.1?}")
            }
            _ => return,
        };
        self.add(text);
    }
}
