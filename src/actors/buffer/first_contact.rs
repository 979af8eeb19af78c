//! Identifies endpoints by their response headers, or else by a ping. Delays and changes nothing;
//! the result is logged.

use actix::{AsyncContext as _, Context};

use super::{BufferActor, advice::mismatch};
use crate::{
    PingError, Product, ServerInfo,
    actors::messages::internal::Pinged,
    delivery::verdict::{Scope, Verdict},
    endpoint::{Identification, Identity},
    logging,
};

impl BufferActor {
    /// Handles a response to a write, to identify its endpoint.
    pub(super) fn identify(
        &mut self,
        endpoint: usize,
        identification: Option<Identification>,
        is_unusual: bool,
        verdict: &Verdict,
        context: &mut Context<Self>,
    ) {
        let is_written = *verdict == Verdict::Written;
        // All known servers respond to a write with 204.
        let was_unusual = is_written && is_unusual;
        let is_open = match identification {
            Some(Identification::Server(server)) => {
                // InfluxDB 3 sends its version only with a ping.
                let is_half = server.product == Product::InfluxDb && server.version.is_none();
                self.identified(endpoint, server);
                is_half && is_written
            }
            // Identified if writes succeed, or to explain why they don't.
            Some(Identification::Nothing) => is_written || is_faulty(verdict),
            Some(Identification::Mock) | None => false,
        };
        if was_unusual || is_open {
            self.ping_once(endpoint, was_unusual, context);
        }
    }

    /// Pings an endpoint, at most once.
    fn ping_once(&mut self, endpoint: usize, was_unusual: bool, context: &mut Context<Self>) {
        if !self.pinged.insert(endpoint) {
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
        // The endpoints may have changed since.
        let there = self.endpoints.get(endpoint);
        if there.is_none_or(|there| there.to_string() != url) {
            return;
        }
        match result {
            Ok(info) => {
                let Some(identity) = info.identity() else {
                    return;
                };
                let is_new = !self.identities.contains_key(&endpoint);
                self.identified(endpoint, identity);
                // The failure was logged before the server was identified.
                let sentence = self.identities.get(&endpoint).and_then(|known| {
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
            // Writes report these themselves.
            Err(_) => {}
        }
    }

    fn identified(&mut self, endpoint: usize, server: Identity) {
        let url = &self.endpoints[endpoint];
        match self.identities.get(&endpoint) {
            Some(known) if *known == server => return,
            // A ping may tell more than a write: the version of InfluxDB 3.
            Some(known) if known.product == server.product && server.version.is_none() => return,
            // Without a successful write, vmagent responds like VictoriaMetrics.
            Some(known)
                if known.product == Product::Vmagent
                    && server.product == Product::VictoriaMetrics =>
            {
                return;
            }
            // Another server behind the same URL is logged like the first.
            _ => logging::debug!("{url} is {server}"),
        }
        let info = ServerInfo::new(url.to_string(), &server);
        self.shared.health.is_server(endpoint, info);
        if server.product == Product::QuestDb {
            logging::warning!(
                "{url} is QuestDB, which stores measurements twice that are sent twice (for example after a \
                 timeout), unless their table has DEDUP UPSERT KEYS"
            );
        }
        self.identities.insert(endpoint, server);
    }
}

/// Whether a person has to change a setting, maybe because it is not the expected server.
fn is_faulty(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Retry(retry) => {
            retry.is_misconfigured() && matches!(retry.scope, Scope::Endpoint | Scope::Path)
        }
        _ => false,
    }
}
