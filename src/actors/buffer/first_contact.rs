//! Finds out what an endpoint is: by the headers of its answers, and where those don't tell by a ping. Neither
//! delays or changes anything; what is found is logged.

use actix::{AsyncContext as _, Context};

use super::{BufferActor, advice::mismatch};
use crate::{
    PingError, Product, ServerInfo,
    actors::messages::internal::Pinged,
    delivery::verdict::{Scope, Verdict},
    endpoint::{Identity, Told},
    logging,
};

impl BufferActor {
    /// An endpoint has answered a write.
    pub(super) fn met(
        &mut self,
        endpoint: usize,
        told: Option<Told>,
        is_unusual: bool,
        verdict: &Verdict,
        context: &mut Context<Self>,
    ) {
        let is_written = *verdict == Verdict::Written;
        // All known servers answer a write with 204.
        let was_unusual = is_written && is_unusual;
        let is_open = match told {
            Some(Told::Server(server)) => {
                // InfluxDB 3 says its version to a ping only.
                let is_half = server.product == Product::InfluxDb && server.version.is_none();
                self.recognise(endpoint, server);
                is_half && is_written
            }
            // Where it works, to know what it is; where it doesn't, to say so.
            Some(Told::Nothing) => is_written || is_faulty(verdict),
            Some(Told::StandIn) | None => false,
        };
        if was_unusual || is_open {
            self.ask_who_is_there(endpoint, was_unusual, context);
        }
    }

    /// Pings an endpoint, once.
    fn ask_who_is_there(
        &mut self,
        endpoint: usize,
        was_unusual: bool,
        context: &mut Context<Self>,
    ) {
        if !self.asked.insert(endpoint) {
            return;
        }
        let (http, there) = (self.http.clone(), self.endpoints[endpoint].clone());
        let (timeout, buffer) = (self.config.request_timeout, context.address());
        actix::spawn(async move {
            let result = http.ping(&there, timeout).await;
            buffer.do_send(Pinged {
                endpoint,
                url: there.to_string(),
                was_unusual,
                result,
            });
        });
    }

    pub(super) fn pinged(&mut self, pinged: Pinged) {
        let Pinged {
            endpoint,
            url,
            was_unusual,
            result,
        } = pinged;
        // The endpoints may have been changed since.
        let there = self.endpoints.get(endpoint);
        if there.is_none_or(|there| there.to_string() != url) {
            return;
        }
        match result {
            Ok(info) => {
                let Some(identity) = info.identity() else {
                    return;
                };
                let is_new = !self.known.contains_key(&endpoint);
                self.recognise(endpoint, identity);
                // The failure itself was logged before it was known what the server is.
                let sentence = self.known.get(&endpoint).and_then(|known| {
                    let breakers = self.dispatcher.breakers();
                    breakers.endpoint_outage(endpoint)?;
                    mismatch(known, &self.config)
                });
                if let Some(sentence) = sentence.filter(|_| is_new) {
                    logging::error!("{url}: {sentence}");
                }
            }
            Err(
                error @ (PingError::Foreign { .. }
                | PingError::Redirected { .. }
                | PingError::Status { .. }),
            ) if was_unusual => {
                logging::warning!(
                    "{error}; its responses to writes are counted as successful: check that the \
                     measurements arrive"
                );
            }
            Err(error @ PingError::Foreign { .. }) => {
                logging::warning!("{error}");
            }
            // The writes themselves show these.
            Err(_) => {}
        }
    }

    fn recognise(&mut self, endpoint: usize, server: Identity) {
        let url = &self.endpoints[endpoint];
        match self.known.get(&endpoint) {
            Some(known) if *known == server => return,
            // A ping may tell more than a write: the version of InfluxDB 3.
            Some(known) if known.product == server.product && server.version.is_none() => return,
            // Whatever is no write that succeeded vmagent answers as VictoriaMetrics does.
            Some(known)
                if known.product == Product::Vmagent
                    && server.product == Product::VictoriaMetrics =>
            {
                return;
            }
            // Another server behind the same URL, or more of the same, is told as the first.
            _ => logging::debug!("{url} is {server}"),
        }
        let info = ServerInfo::new(url.to_string(), &server);
        self.shared.health.is_server(endpoint, info);
        if server.product == Product::QuestDb {
            logging::warning!(
                "{url} is QuestDB, which stores a measurement twice that is sent twice (after a timeout, for \
                 example), unless its table has DEDUP UPSERT KEYS"
            );
        }
        self.known.insert(endpoint, server);
    }
}

/// Has somebody to change a setting, perhaps because it is another server than expected?
fn is_faulty(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Retry(retry) => {
            retry.is_misconfigured() && matches!(retry.scope, Scope::Endpoint | Scope::Path)
        }
        _ => false,
    }
}
