//! Creates a database that is missing, where that is wished for.

use actix::{AsyncContext as _, Context};

use super::{BufferActor, messages::Created};
use crate::{Database, endpoint::Endpoint, logging};

impl BufferActor {
    /// Asks the server to create the database. The breaker of the database, which has just opened
    /// once more, is what keeps this from being asked too often.
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
        match result {
            Ok(()) => {
                logging::info!("the server says that it has created database {database}");
                // Not each time: a server may say so, and still have no such database.
                if is_first {
                    self.dispatcher.retry_database_now(&database, self.now());
                    self.pump(context);
                }
            }
            Err(reason) => {
                logging::error!("database {database} could not be created: {reason}");
            }
        }
    }
}
