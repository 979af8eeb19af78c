//! Pings an endpoint that answers writes with an unusual success: another than 204, with which all
//! known servers answer. The ping delays nothing and changes nothing; its result is logged.

use actix::{AsyncContext as _, Context};

use super::BufferActor;
use crate::{PingError, actors::messages::internal::Pinged, logging};

impl BufferActor {
    /// Pings an endpoint that answered a write with an empty 2xx other than 204, once for each endpoint.
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
                    "{error}; its responses to writes are counted as successful: check that the \
                     measurements arrive"
                );
            }
            // The writes themselves show these.
            _ => {}
        }
    }
}
