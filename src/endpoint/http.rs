use std::{rc::Rc, time::Duration};

use actix_rt::time::Instant;
use awc::{
    Client, ClientRequest, Connector,
    http::header::{
        AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, LOCATION, RETRY_AFTER, USER_AGENT,
    },
};
use bytes::Bytes;

use super::{
    Endpoint, Payload, PingError, ServerInfo, connector,
    exchange::{Response, exchange},
    fault::Fault,
    host::{Host, Hosts},
    ping,
    product::{Identification, ServerHeaders},
};
#[cfg(feature = "gzip")]
use crate::logging;
use crate::{
    Database,
    delivery::verdict::{Answer, Outcome},
    printable::{LIMIT, html_title, printable},
};

/// For example `actix-influxdb/0.1.0`.
const AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// Longer than the connector's own limit.
const NO_TIMEOUT: Duration = Duration::from_secs(3_600);

/// The HTTP client; bound to its thread, like [`Client`].
#[derive(Clone)]
pub(crate) struct Http {
    client: Client,
    hosts: Hosts,
}

impl Http {
    pub(crate) fn new() -> Self {
        let hosts = Hosts::default();
        let connector = connector::Connector::new(hosts.clone());
        Self::with_connector(connector, hosts)
    }

    fn with_connector(connector: connector::Connector, hosts: Hosts) -> Self {
        // Each request is bounded as a whole; the writers bound the number of connections.
        // Redirects are not followed, so that credentials only go to their server.
        let connector = Connector::new()
            .connector(connector)
            .timeout(NO_TIMEOUT)
            .limit(0);
        let client = Client::builder()
            .connector(connector)
            .disable_timeout()
            .disable_redirects()
            .add_default_header((USER_AGENT, AGENT))
            .finish();
        Self { client, hosts }
    }

    /// POSTs lines, within `limit`. Sends them again on a new connection if a kept-alive one turned
    /// out to be closed before any response: that is no failure of the server. Also returns what
    /// the response says of the server.
    pub(crate) async fn post(
        &self,
        endpoint: &Endpoint,
        database: &Database,
        payload: impl Into<Payload>,
        limit: Duration,
    ) -> (Outcome, Option<Identification>) {
        let payload = payload.into();
        #[cfg(feature = "gzip")]
        if let Some(gzip) = &endpoint.gzip
            && let Some(compressed) = gzip.compress(&payload).await
        {
            let coding = Some("gzip");
            let answered = self
                .post_body(endpoint, database, compressed, coding, limit)
                .await;
            if !gzip.needs_plain_retry(&answered.0) {
                return answered;
            }
            let plain = self
                .post_body(endpoint, database, payload.body, None, limit)
                .await;
            if gzip.learn(&answered.0, &plain.0) {
                logging::warning!(
                    "{endpoint} refuses bodies compressed with gzip ({}): plain ones are sent",
                    answered.0
                );
            }
            return plain;
        }
        self.post_body(endpoint, database, payload.body, None, limit)
            .await
    }

    async fn post_body(
        &self,
        endpoint: &Endpoint,
        database: &Database,
        body: Bytes,
        coding: Option<&'static str>,
        limit: Duration,
    ) -> (Outcome, Option<Identification>) {
        let request = || {
            let mut request = self.client.post(endpoint.write_url(database));
            if let Some(coding) = coding {
                request = request.insert_header((CONTENT_ENCODING, coding));
            }
            request
                .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
                .insert_header(("accept", "application/json"))
        };
        match self.exchange(endpoint, request, body, limit).await {
            Err(fault) => (fault.into(), None),
            Ok(response) => {
                let identification = ServerHeaders::new(&response, true).identification();
                let answer = Box::new(Answer {
                    status: response.status,
                    retry_after: response.text(RETRY_AFTER.as_str()),
                    body: response.body(),
                    error: response.text("x-influxdb-error"),
                    location: response.text(LOCATION.as_str()),
                    content_type: response.text(CONTENT_TYPE.as_str()),
                    is_whole: response.is_whole,
                });
                (Outcome::Answered(answer), Some(identification))
            }
        }
    }

    #[cfg(test)]
    async fn write(
        &self,
        endpoint: &Endpoint,
        database: &Database,
        body: Bytes,
        limit: Duration,
    ) -> Outcome {
        self.post(endpoint, database, body, limit).await.0
    }

    /// Creates a database. Returns the reason if that fails.
    pub(crate) async fn create_database(
        &self,
        endpoint: &Endpoint,
        database: &Database,
        limit: Duration,
    ) -> Result<(), String> {
        let request = || self.client.post(endpoint.create_database_url(database));
        let response = self.exchange(endpoint, request, Bytes::new(), limit).await;
        let response = response.map_err(|fault| Outcome::from(fault).to_string())?;
        let body = response.body();
        // A refusal may have status 200 (seen on 1.6.7), and so may another server's page.
        let json = serde_json::from_str::<serde_json::Value>(&body);
        let is_result = json.is_ok_and(|json| json.get("results").is_some());
        let is_done = (is_result || body.trim().is_empty()) && !body.contains("\"error\"");
        match response.is_success() && is_done {
            true => Ok(()),
            false => Err(format!("status {}: {}", response.status, shown(&body))),
        }
    }

    pub(crate) async fn ping(
        &self,
        endpoint: &Endpoint,
        limit: Duration,
    ) -> Result<ServerInfo, PingError> {
        let request = || self.client.get(endpoint.ping_url());
        let response = self.exchange(endpoint, request, Bytes::new(), limit).await;
        ping::judge(endpoint.to_string(), response)
    }

    async fn exchange(
        &self,
        endpoint: &Endpoint,
        request: impl Fn() -> ClientRequest,
        body: Bytes,
        limit: Duration,
    ) -> Result<Response, Fault> {
        let request = || {
            let mut request = request();
            for (name, value) in endpoint.headers() {
                request = request.insert_header((name.clone(), value.clone()));
            }
            match endpoint.authorization() {
                Some(value) => request.insert_header((AUTHORIZATION, value.clone())),
                None => request,
            }
        };
        let began = Instant::now();
        let first = request();
        let host = self.host(endpoint, &first);
        host.set_limit(limit);
        let answer = match exchange(first, body.clone(), &host, limit).await {
            Err(fault) if fault.is_stale => {
                let left = limit.saturating_sub(began.elapsed());
                exchange(request(), body, &host, left).await
            }
            result => result,
        };
        let of_program = endpoint.headers().iter().map(|(_, value)| value);
        let secrets = of_program.chain(endpoint.authorization());
        answer.map(|response| response.redacted(secrets))
    }

    fn host(&self, endpoint: &Endpoint, request: &ClientRequest) -> Rc<Host> {
        let authority = request.get_uri().authority();
        let authority = authority.map_or("", |authority| authority.as_str());
        self.hosts
            .reached_by(authority, endpoint.host_name(), endpoint.route())
    }
}

/// Excerpt of a body for messages: the title, if it is a page.
pub(super) fn shown(body: &str) -> String {
    let title = html_title(body);
    printable(title.as_deref().unwrap_or(body.trim()), LIMIT).into_owned()
}

#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;
