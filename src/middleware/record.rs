use std::{
    net::IpAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest,
    body::BodySize,
    dev::ServiceRequest,
    http::{StatusCode, Uri},
};
use smallvec::SmallVec;

use super::{
    instance::Instance,
    labels::{self, CLIENT_CLOSED_REQUEST, Outcome, UNMATCHED},
};
use crate::{Measurement, Timestamp};

/// One request, from its arrival to its end.
///
/// It records when it is dropped, wherever that happens: so every request is recorded once, be it
/// finished or abandoned.
#[derive(Debug)]
pub(super) struct Record {
    instance: Rc<Instance>,
    timestamp: Timestamp,
    started: Instant,
    method: &'static str,
    remote_ip: Option<IpAddr>,
    stage: Stage,
    /// Is the service or its body at work right now? Then what drops this is a panic.
    working: bool,
    /// Set when it is over.
    outcome: Option<Outcome>,
}

#[derive(Debug)]
enum Stage {
    /// There is no response yet.
    Pending(Uri),
    /// There is a head, and maybe a body.
    Answered(Answer),
}

#[derive(Debug)]
struct Answer {
    endpoint: Option<String>,
    handler: Option<String>,
    status: u16,
    first_byte: Duration,
    /// What the body is to have, in bytes, if that is known.
    expected: Option<u64>,
    /// Bytes of body that the connection has taken.
    sent: u64,
}

impl Record {
    pub(super) fn begin(instance: &Rc<Instance>, request: &ServiceRequest) -> Self {
        instance.learn_routes(request);
        Self {
            instance: Rc::clone(instance),
            timestamp: Timestamp::now(),
            started: Instant::now(),
            method: labels::method_tag(request.method()),
            remote_ip: request.peer_addr().map(|peer| peer.ip()),
            stage: Stage::Pending(request.uri().clone()),
            working: false,
            outcome: None,
        }
    }

    /// Does `work` of the wrapped service, if `record` is there so that its panic is recorded.
    #[inline]
    pub(super) fn watch<T>(record: &mut Option<Self>, work: impl FnOnce() -> T) -> T {
        if let Some(record) = record {
            record.working = true;
        }
        let done = work();
        if let Some(record) = record {
            record.working = false;
        }
        done
    }

    /// There is a response.
    pub(super) fn answered(&mut self, request: &HttpRequest, status: StatusCode, size: BodySize) {
        // What has no content ends with its head: servers drop such a body without a look at it,
        // or read it to the end and send nothing. And a connection that is upgraded (101) is not
        // a request any more.
        let expected = match size {
            _ if labels::is_bodiless(self.method, status) => Some(0),
            BodySize::None => Some(0),
            BodySize::Sized(bytes) => Some(bytes),
            BodySize::Stream => None,
        };
        self.stage = Stage::Answered(Answer {
            endpoint: request.match_pattern(),
            handler: request.match_name().map(str::to_owned),
            status: status.as_u16(),
            first_byte: self.started.elapsed(),
            expected,
            sent: 0,
        });
        self.sent(0);
    }

    /// The service returned an `Err`. The server answers it with `status` and a body of `size`,
    /// which passes by elsewhere.
    pub(super) fn failed(&mut self, status: StatusCode, size: BodySize) {
        let Stage::Pending(uri) = &self.stage else {
            return;
        };
        let (endpoint, handler) = self.instance.endpoint_of(uri);
        let bytes = match size {
            BodySize::Sized(bytes) if !labels::is_bodiless(self.method, status) => bytes,
            _ => 0,
        };
        self.stage = Stage::Answered(Answer {
            endpoint,
            handler,
            status: status.as_u16(),
            first_byte: self.started.elapsed(),
            expected: Some(bytes),
            sent: bytes,
        });
        self.sent(0);
    }

    /// The connection has taken so many bytes of the body.
    ///
    /// The last byte is the end of a body whose size is known: a server need not ask it for more,
    /// and the client may have all of it before the server does.
    pub(super) fn sent(&mut self, bytes: usize) {
        if let Stage::Answered(answer) = &mut self.stage {
            let sent = answer.sent + bytes as u64;
            // No more than was announced goes out.
            answer.sent = answer.expected.map_or(sent, |expected| sent.min(expected));
            if answer.expected == Some(answer.sent) {
                self.outcome = Some(Outcome::of(answer.status));
            }
        }
    }

    /// The body says that this was all.
    pub(super) fn ended(&mut self) {
        if let Stage::Answered(answer) = &self.stage {
            self.outcome = Some(match answer.expected {
                None => Outcome::of(answer.status),
                // It is short, or it would be over already: the connection breaks off here.
                Some(_) => Outcome::Error,
            });
        }
    }

    /// The body has failed: the connection breaks off here.
    pub(super) fn broke(&mut self) {
        self.outcome = Some(Outcome::Error);
    }

    /// Is there nothing more to wait for?
    pub(super) fn is_over(&self) -> bool {
        self.outcome.is_some()
    }

    fn status(&self) -> u16 {
        match &self.stage {
            Stage::Answered(answer) => answer.status,
            Stage::Pending(_) => CLIENT_CLOSED_REQUEST,
        }
    }

    fn measurement(&mut self) -> Measurement {
        let outcome = self.outcome.unwrap_or(match self.working {
            true => Outcome::Panicked,
            false => Outcome::Aborted,
        });
        let (endpoint, handler) = match &mut self.stage {
            Stage::Pending(uri) => self.instance.endpoint_of(uri),
            Stage::Answered(answer) => (answer.endpoint.take(), answer.handler.take()),
        };
        let status = match (&self.stage, outcome) {
            (Stage::Pending(_), Outcome::Panicked) => 500,
            _ => self.status(),
        };
        let options = &self.instance.options;
        let mut measurement = Measurement {
            database: options.database.clone(),
            name: options.measurement.clone(),
            tags: SmallVec::new(),
            fields: SmallVec::new(),
            timestamp: self.timestamp,
        };
        match endpoint {
            Some(pattern) => measurement.set_tag("endpoint", pattern),
            None => measurement.set_tag("endpoint", UNMATCHED),
        }
        if let Some(handler) = handler {
            measurement.set_tag("handler", handler);
        }
        measurement.set_tag("method", self.method);
        measurement.set_tag("outcome", outcome.tag());
        measurement.set_tag("status_code", labels::status_tag(status));
        measurement.set_field("duration", self.started.elapsed());
        if let Stage::Answered(answer) = &self.stage {
            measurement.set_field("time_to_first_byte", answer.first_byte);
            measurement.set_field("content_length", answer.sent);
        }
        if let Some(ip) = self.remote_ip {
            measurement.set_field("remote_ip", ip.to_string());
        }
        measurement
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let measurement = self.measurement();
        // The response must not suffer. The loss is counted, and warned of, in the pipeline.
        _ = self.instance.influx.record(measurement);
    }
}
