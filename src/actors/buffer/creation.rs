//! Creates missing databases, if `create_database` is set.

use actix::{AsyncContext as _, Context};

use super::{BufferActor, notifications::shown};
use crate::{
    Database,
    actors::messages::internal::Created,
    endpoint::Endpoint,
    logging,
    printable::{LIMIT, printable},
};

impl BufferActor {
    /// Asks the server to create the database. The database's breaker limits how often.
    pub(super) fn create(
        &mut self,
        endpoint: Endpoint,
        database: Database,
        is_first: bool,
        context: &mut Context<Self>,
    ) {
        let http = self.http.clone();
        let (timeout, buffer) = (self.config.request_timeout, context.address());
        actix::spawn(async move {
            let result = http.create_database(&endpoint, &database, timeout).await;
            buffer.do_send(Created {
                database,
                result,
                is_first,
            });
        });
    }

    pub(super) fn created(&mut self, created: Created, context: &mut Context<Self>) {
        let Created {
            database,
            result,
            is_first,
        } = created;
        let name = shown(&database);
        match result {
            Ok(()) => {
                logging::info!("the server reports that database {name} was created");
                // Once: a server may report success without having the database.
                if is_first {
                    self.dispatcher.retry_database_now(&database, self.now());
                    self.pump(context);
                }
            }
            // Repeated with each probe of the database; logged once.
            Err(reason) if is_first => {
                let reason = printable(&reason, LIMIT);
                logging::error!("database {name} could not be created: {reason}");
            }
            Err(_) => {}
        }
    }
}
