use std::{cell::Cell, rc::Rc, time::Duration};

use actix_http::error::ParseError;
use actix_rt::time::{Instant, timeout};
use awc::{
    Client, ClientRequest, Connector,
    error::{ConnectError, SendRequestError},
    http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER, USER_AGENT},
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;

use super::{Endpoint, PingError, ServerInfo, body::PiecewiseBody, connecting::connecting};
use crate::{
    Database,
    delivery::verdict::{Answer, Outcome},
};

/// `actix-influxdb/0.1.0`.
const AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// What is read of an error's body: enough for many quoted lines.
const MAX_BODY: usize = 64 << 10;

/// The HTTP client. It belongs to its thread, as [`Client`] does.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client,
    /// Was the last thing heard of the server an answer? Then there may be connections that are
    /// kept alive, and that it closes just when one is used again.
    has_idle: Rc<Cell<bool>>,
}

impl Http {
    pub(crate) fn new() -> Self {
        // The caller bounds each exchange as a whole; the number of connections is that of the
        // writers. No redirect is followed, so that credentials go to the server they are for.
        let connector = Connector::new().connector(connecting()).limit(0);
        let client = Client::builder()
            .connector(connector)
            .disable_timeout()
            .disable_redirects()
            .add_default_header((USER_AGENT, AGENT))
            .finish();
        Self {
            client,
            has_idle: Rc::default(),
        }
    }

    /// POSTs lines, within `limit`. A connection that was kept alive and that the server has closed
    /// meanwhile is no failure of the server: then they are sent once more, on a new one.
    pub(crate) async fn write(
        &self,
        endpoint: &Endpoint,
        database: &Database,
        body: Bytes,
        limit: Duration,
    ) -> Outcome {
        let (had_idle, began) = (self.has_idle.get(), Instant::now());
        let mut outcome = self.post(endpoint, database, body.clone(), limit).await;
        if had_idle && matches!(outcome, Outcome::CutOff { .. }) {
            let left = limit.saturating_sub(began.elapsed());
            outcome = self.post(endpoint, database, body, left).await;
        }
        self.has_idle.set(matches!(outcome, Outcome::Answered(_)));
        outcome
    }

    async fn post(
        &self,
        endpoint: &Endpoint,
        database: &Database,
        body: Bytes,
        limit: Duration,
    ) -> Outcome {
        let request = self.client.post(endpoint.write_url(database));
        let request = authorized(request, endpoint)
            .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
            .insert_header_if_none(("accept", "application/json"));
        match exchange(request, body, limit).await {
            Err(failure) => failure,
            Ok((status, headers, body)) => Outcome::Answered(Answer {
                status,
                retry_after: text(&headers, RETRY_AFTER.as_str()),
                body: String::from_utf8_lossy(&body).into_owned(),
                error: text(&headers, "x-influxdb-error"),
                location: text(&headers, LOCATION.as_str()),
                content_type: text(&headers, CONTENT_TYPE.as_str()),
                is_whole: true,
            }),
        }
    }

    /// Creates a database, or says why that failed.
    pub(crate) async fn create_database(
        &self,
        endpoint: &Endpoint,
        database: &Database,
        limit: Duration,
    ) -> Result<(), String> {
        let request = authorized(
            self.client.post(endpoint.create_database_url(database)),
            endpoint,
        );
        let (status, _, body) = exchange(request, Bytes::new(), limit)
            .await
            .map_err(|failure| failure.to_string())?;
        let body = String::from_utf8_lossy(&body);
        // A refusal may come with status 200 (seen on 1.6.7).
        match (status, body.contains("\"error\"")) {
            (200..=299, false) => Ok(()),
            _ => Err(format!("status {status}: {}", body.trim())),
        }
    }

    pub(crate) async fn ping(
        &self,
        endpoint: &Endpoint,
        limit: Duration,
    ) -> Result<ServerInfo, PingError> {
        let request = authorized(self.client.get(endpoint.ping_url()), endpoint);
        let url = endpoint.to_string();
        match exchange(request, Bytes::new(), limit).await {
            Err(
                Outcome::NotConnected { reason, .. }
                | Outcome::TimedOut { reason }
                | Outcome::NotAnswered { reason }
                | Outcome::CutOff { reason }
                | Outcome::NotReadable { reason },
            ) => Err(PingError::Unreachable { url, reason }),
            Ok((200..=299, headers, _)) => Ok(ServerInfo {
                url,
                version: text(&headers, "x-influxdb-version"),
            }),
            Ok((status, ..)) | Err(Outcome::Answered(Answer { status, .. })) => {
                Err(PingError::Status { url, status })
            }
        }
    }
}

fn authorized(request: ClientRequest, endpoint: &Endpoint) -> ClientRequest {
    match endpoint.authorization() {
        Some(value) => request.insert_header((AUTHORIZATION, value.clone())),
        None => request,
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

type Response = (u16, HeaderMap, Bytes);

/// Status, headers and the first [`MAX_BODY`] bytes of the body; or what went wrong.
async fn exchange(
    request: ClientRequest,
    body: Bytes,
    limit: Duration,
) -> Result<Response, Outcome> {
    let exchange = async {
        let mut response = request
            .send_body(PiecewiseBody(body))
            .await
            .map_err(failure)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = BytesMut::new();
        while let Some(chunk) = response.next().await {
            let chunk = chunk.map_err(|error| Outcome::NotAnswered {
                reason: format!("the response with status {status} was cut: {error}"),
            })?;
            let room = MAX_BODY - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == MAX_BODY {
                break;
            }
        }
        Ok((status, headers, body.freeze()))
    };
    match timeout(limit, exchange).await {
        Ok(result) => result,
        Err(_) => Err(Outcome::TimedOut {
            reason: format!("no whole response within {limit:?}"),
        }),
    }
}

fn failure(error: SendRequestError) -> Outcome {
    let reason = error.to_string();
    match error {
        // awc says so of a connection that was closed before the response.
        SendRequestError::Connect(ConnectError::Disconnected) => Outcome::CutOff {
            reason: "the connection was closed before the response".to_owned(),
        },
        SendRequestError::Send(_)
        | SendRequestError::Response(ParseError::Incomplete | ParseError::Io(_)) => {
            Outcome::CutOff { reason }
        }
        SendRequestError::Response(_) => Outcome::NotReadable { reason },
        SendRequestError::Connect(ConnectError::Io(ref error)) => Outcome::NotConnected {
            reason,
            is_refused: error.kind() == std::io::ErrorKind::ConnectionRefused,
        },
        SendRequestError::Connect(_) | SendRequestError::Url(_) => Outcome::NotConnected {
            reason,
            is_refused: false,
        },
        _ => Outcome::NotAnswered { reason },
    }
}
