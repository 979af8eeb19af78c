use std::{rc::Rc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, body::BodySize, dev::ServiceRequest, http::StatusCode};

use super::{
    finished::{Address, FinishedRequest},
    instance::Instance,
    labels::{self, CLIENT_CLOSED_REQUEST, Outcome},
    open::OpenRequest,
    options::CorrelationId,
    request_measurement::RequestMeasurement,
    route::{Ending, Route},
    target::Target,
};
use crate::{Timestamp, point::clock::stopwatch::Stopwatch};

/// A request, from its arrival to its end.
///
/// Recorded when it is dropped, so that every request is recorded exactly once, finished or
/// abandoned.
#[derive(Debug)]
pub(super) struct Record {
    instance: Rc<Instance>,
    timestamp: Timestamp,
    started: Stopwatch,
    method: &'static str,
    remote_ip: Option<Address>,
    correlation_id: Option<CorrelationId>,
    stage: Stage,
    /// Whether the service or its body is running. Then a drop means a panic.
    working: bool,
    /// How and when the request ended.
    over: Option<(Outcome, Duration)>,
    /// Counts the request as open until it is recorded.
    #[cfg(feature = "testing")]
    _counted: super::counted::Counted,
}

#[derive(Debug)]
enum Stage {
    /// Without a response so far.
    Pending { target: Target, open: OpenRequest },
    /// The head has been sent, and possibly parts of the body.
    Answered(Answer),
}

#[derive(Debug)]
struct Answer {
    route: Rc<Route>,
    additions: Option<RequestMeasurement>,
    status: u16,
    first_byte: Duration,
    /// Expected length of the body in bytes, if known.
    expected: Option<u64>,
    /// Bytes of body that the connection has taken.
    sent: u64,
}

impl Record {
    pub(super) fn begin(
        instance: &Rc<Instance>,
        request: &ServiceRequest,
        open: OpenRequest,
    ) -> Self {
        instance.routing.learn_resources(request);
        let options = &instance.options;
        Self {
            timestamp: Timestamp::now(),
            started: Stopwatch::start(),
            method: labels::method_tag(request.method()),
            remote_ip: Address::of(request, options),
            correlation_id: options.correlation_id(|name| request.headers().get(name)),
            stage: Stage::Pending {
                target: Target::of(request.uri()),
                open,
            },
            working: false,
            over: None,
            #[cfg(feature = "testing")]
            _counted: instance.counted(),
            instance: Rc::clone(instance),
        }
    }

    /// Notes whether the wrapped service is running.
    #[inline]
    pub(super) fn set_working(&mut self, working: bool) {
        self.working = working;
    }

    /// Handles the head of a response.
    pub(super) fn answered(
        &mut self,
        request: &HttpRequest,
        response: &HttpResponse<()>,
        size: BodySize,
    ) {
        let Stage::Pending { target, open } = &self.stage else {
            return;
        };
        let first_byte = self.started.elapsed();
        let mut additions = open.close();
        let route = (self.instance.routing).of_answered(request, target, self.method);
        let options = &self.instance.options;
        if let Some(customize) = &options.customize {
            let additions = additions.get_or_insert_default();
            self.instance
                .call_customize(|| (customize.0)(request, response, additions));
        }
        if self.correlation_id.is_none() {
            self.correlation_id = options.correlation_id(|name| response.headers().get(name));
        }
        let status = response.status();
        // Without content, a response ends with its head: servers drop such a body unread, or read
        // it and send nothing. And an upgraded connection (101) is no longer a request.
        let expected = match size {
            _ if labels::is_bodiless(self.method, status) => Some(0),
            BodySize::None => Some(0),
            BodySize::Sized(bytes) => Some(bytes),
            BodySize::Stream => None,
        };
        self.stage = Stage::Answered(Answer {
            route,
            additions,
            status: status.as_u16(),
            first_byte,
            expected,
            sent: 0,
        });
        self.sent(0);
    }

    /// Handles an `Err` of the service. The server sends `status` and a body of `size`, which this
    /// middleware doesn't see.
    pub(super) fn failed(&mut self, status: StatusCode, size: BodySize) {
        let Stage::Pending { target, open } = &self.stage else {
            return;
        };
        let additions = open.close();
        let route = self.instance.route_of_unanswered(target, &additions);
        let bytes = match size {
            BodySize::Sized(bytes) if !labels::is_bodiless(self.method, status) => bytes,
            _ => 0,
        };
        self.stage = Stage::Answered(Answer {
            route,
            additions,
            status: status.as_u16(),
            first_byte: self.started.elapsed(),
            expected: Some(bytes),
            sent: bytes,
        });
        self.sent(0);
    }

    /// Counts `bytes` of the body that the connection has taken.
    ///
    /// With a known length, the last byte is the end: a server need not poll for more, and the
    /// client may have all of it before the server does.
    pub(super) fn sent(&mut self, bytes: usize) {
        if let Stage::Answered(answer) = &mut self.stage {
            let sent = answer.sent + bytes as u64;
            // No more than the announced length is sent.
            answer.sent = answer.expected.map_or(sent, |expected| sent.min(expected));
            if answer.expected == Some(answer.sent) {
                let outcome = Outcome::of(answer.status);
                self.finish(outcome);
            }
        }
    }

    /// Handles the end of the body.
    pub(super) fn body_ended(&mut self) {
        if let Stage::Answered(answer) = &self.stage
            && !self.is_over()
        {
            let outcome = match answer.expected {
                None => Outcome::of(answer.status),
                // Shorter than announced: the connection is closed.
                Some(_) => Outcome::Error,
            };
            self.finish(outcome);
        }
    }

    /// Handles an error of the body: the connection is closed.
    pub(super) fn body_failed(&mut self) {
        self.finish(Outcome::Error);
    }

    /// Whether the request has ended.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// Sets the end, the first time only.
    #[inline]
    fn finish(&mut self, outcome: Outcome) {
        if self.over.is_none() {
            self.over = Some((outcome, self.started.elapsed()));
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.finish(match self.working {
            true => Outcome::Panicked,
            false => Outcome::Aborted,
        });
        let Some((outcome, duration)) = self.over else {
            return;
        };
        let (route, additions, status, head) = match &mut self.stage {
            Stage::Answered(answer) => (
                Rc::clone(&answer.route),
                answer.additions.take(),
                answer.status,
                Some((answer.first_byte, answer.sent)),
            ),
            Stage::Pending { target, open } => {
                let additions = open.close();
                let route = self.instance.route_of_unanswered(target, &additions);
                let status = match outcome {
                    Outcome::Panicked => StatusCode::INTERNAL_SERVER_ERROR.as_u16(),
                    _ => CLIENT_CLOSED_REQUEST,
                };
                (route, additions, status, None)
            }
        };
        self.instance.record(FinishedRequest {
            timestamp: self.timestamp,
            duration,
            route,
            ending: Ending {
                method: self.method,
                status,
                outcome,
            },
            head,
            remote_ip: self.remote_ip.take(),
            correlation_id: self.correlation_id.take(),
            additions,
        });
    }
}
