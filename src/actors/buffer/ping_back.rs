//! Failback to a more preferred endpoint: these are pinged, and the next batch goes to one that
//! answers.

use std::time::Duration;

use actix::{AsyncContext as _, Context};

use super::BufferActor;
use crate::{PingError, actors::messages::internal::FailBack};

/// Time between pings.
const PING_EVERY: Duration = Duration::from_secs(30);

impl BufferActor {
    /// Arms the timer of the next ping, while an endpoint other than the first is in use.
    pub(super) fn arm_ping_back(&mut self, context: &mut Context<Self>) {
        let is_first = self.dispatcher.breakers().current() == 0;
        match (is_first, self.ping_back) {
            (true, Some(timer)) => {
                context.cancel_future(timer);
                self.ping_back = None;
            }
            (false, None) => {
                let timer = context.run_later(PING_EVERY, |buffer, context| {
                    buffer.ping_back = None;
                    buffer.ping_preferred(context);
                    buffer.arm_ping_back(context);
                });
                self.ping_back = Some(timer);
            }
            _ => {}
        }
    }

    fn ping_preferred(&mut self, context: &mut Context<Self>) {
        let current = self.dispatcher.breakers().current();
        for (number, endpoint) in self.endpoints.iter().take(current).cloned().enumerate() {
            let (http, timeout) = (self.http.clone(), self.config.request_timeout);
            let buffer = context.address();
            actix::spawn(async move {
                let answers = match http.ping(&endpoint, timeout).await {
                    Ok(_) => true,
                    // A proxy may let only writes through, so a write decides.
                    Err(PingError::Status { status, .. }) => matches!(status, 404 | 405),
                    Err(_) => false,
                };
                if answers {
                    buffer.do_send(FailBack { number, endpoint });
                }
            });
        }
    }

    pub(super) fn fail_back(&mut self, failed_back: FailBack, context: &mut Context<Self>) {
        let FailBack { number, endpoint } = failed_back;
        // The URLs may have changed since.
        let same = self.endpoints.get(number);
        if same.is_some_and(|same| same.to_string() == endpoint.to_string()) {
            self.dispatcher.fail_back(number, self.now());
            self.pump(context);
        }
    }
}
