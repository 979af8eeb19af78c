//! Asks what is at an endpoint that takes writes in an unusual way: with a success other than the 204
//! of all servers that are known. The answer delays and changes nothing, but a person should know.

use actix::{AsyncContext as _, Context};

use super::BufferActor;
use crate::{PingError, actors::messages::internal::Pinged, logging};

impl BufferActor {
    /// A write was answered with an empty 2xx that is no 204. Asks once for each endpoint.
    pub(super) fn ask_who_is_there(&mut self, endpoint: usize, context: &mut Context<Self>) {
        if !self.asked.insert(endpoint) {
            return;
        }
        let (http, there) = (self.http.clone(), self.endpoints[endpoint].clone());
        let (timeout, buffer) = (self.config.request_timeout, context.address());
        actix::spawn(async move {
            let result = http.ping(&there, timeout).await;
            buffer.do_send(Pinged { result });
        });
    }

    pub(super) fn pinged(&mut self, pinged: Pinged) {
        let Err(error) = pinged.result else { return };
        match error {
            PingError::Foreign { .. } | PingError::Redirected { .. } | PingError::Status { .. } => {
                logging::warning!(
                    "{error}; its answers to writes count as success all the same: see whether the \
                     measurements are there"
                );
            }
            // Writes tell of that themselves.
            _ => {}
        }
    }
}
