use std::{net::IpAddr, rc::Rc, time::Duration};

use actix_web::dev::ServiceRequest;

use super::{
    forwarded, ip_text,
    options::{CorrelationId, Options, Placement},
    request_measurement::RequestMeasurement,
    route::{Ending, Route},
    text,
};
use crate::{
    Database, Influx, Measurement, RecordError, Series, Timestamp,
    encode::{FieldFormat, LineBuffer},
    ingest::line::{Line, LineSeries},
};

/// A request that is over, with all values that are recorded.
#[derive(Debug)]
pub(super) struct FinishedRequest {
    pub(super) timestamp: Timestamp,
    pub(super) duration: Duration,
    pub(super) route: Rc<Route>,
    pub(super) ending: Ending,
    /// The time to the first byte and the body's bytes, if there was a response.
    pub(super) head: Option<(Duration, u64)>,
    pub(super) remote_ip: Option<Address>,
    pub(super) correlation_id: Option<CorrelationId>,
    pub(super) additions: Option<RequestMeasurement>,
}

/// A client's address.
#[derive(Debug)]
pub(super) enum Address {
    /// The connection's; formatted only when needed.
    Peer(IpAddr),
    /// From a proxy's header.
    Forwarded(String),
}

impl Address {
    /// The address of a request, unless it is omitted.
    pub(super) fn of(request: &ServiceRequest, options: &Options) -> Option<Self> {
        if options.remote_ip == Placement::Omit {
            return None;
        }
        if options.trust_forwarded
            && let Some(address) = forwarded::client(request.headers())
        {
            let address = text::clean(address.as_bytes());
            return (!address.is_empty()).then(|| Self::Forwarded(address.into_owned()));
        }
        // A dual-stack socket shows 1.2.3.4 as ::ffff:1.2.3.4.
        let peer = request.peer_addr()?.ip().to_canonical();
        Some(Self::Peer(peer))
    }

    #[inline]
    fn with_text(&self, then: impl FnOnce(&str)) {
        match self {
            Self::Peer(ip) => ip_text::with_text(*ip, then),
            Self::Forwarded(text) => then(text),
        }
    }
}

/// A value of a request's line: a field, or a tag if the options say so.
enum Value<'a> {
    Seconds(Duration),
    Bytes(u64),
    Weight(f64),
    Text(&'a str),
}

impl FinishedRequest {
    /// Whether the request is recorded.
    pub(super) fn is_included(&self, options: &Options) -> bool {
        options.includes_status(self.ending.status)
            && !self.additions.as_ref().is_some_and(|it| it.is_skipped())
    }

    /// Records the request: as a point of the route's series if it has no other tags, else as a
    /// measurement.
    pub(super) fn record(self, options: &Options, influx: &Influx) -> Result<(), RecordError> {
        if self.has_tags_of_route_only(options)
            && let Ok(series) = self.route.series(self.ending, options, influx)
        {
            return influx.record_line(RequestLine {
                request: &self,
                series: &series,
                options,
            });
        }
        influx.record(self.into_measurement(options))
    }

    fn has_tags_of_route_only(&self, options: &Options) -> bool {
        let is_tag = |placement| placement == Placement::Tag;
        self.additions.is_none() && !is_tag(options.remote_ip) && !is_tag(options.correlation_id)
    }

    /// Calls `set` with each value of a request's line besides the route's tags: the only list of
    /// them.
    #[inline]
    fn each_value(
        &self,
        options: &Options,
        mut set: impl FnMut(Placement, &'static str, Value<'_>),
    ) {
        let field = Placement::Field;
        set(field, "duration", Value::Seconds(self.duration));
        if let Some((first_byte, sent)) = self.head {
            if options.time_to_first_byte {
                set(field, "time_to_first_byte", Value::Seconds(first_byte));
            }
            if options.content_length {
                set(field, "content_length", Value::Bytes(sent));
            }
        }
        if let Some(address) = &self.remote_ip {
            address.with_text(|text| set(options.remote_ip, "remote_ip", Value::Text(text)));
        }
        if let Some(id) = &self.correlation_id {
            let text = id.text();
            set(options.correlation_id, "correlation_id", Value::Text(&text));
        }
        if let Some(rate) = options.sample {
            set(field, "weight", Value::Weight(rate.recip()));
        }
    }

    fn into_measurement(self, options: &Options) -> Measurement {
        let (database, name) = (options.database.clone(), options.measurement.clone());
        let mut measurement = Measurement::at(self.timestamp, database, name);
        self.route.set_tags(self.ending, options, &mut measurement);
        self.each_value(options, |placement, key, value| match (placement, value) {
            (Placement::Omit, _) => {}
            (_, Value::Seconds(value)) => measurement.set_field(key, value),
            (_, Value::Bytes(value)) => measurement.set_field(key, value),
            (_, Value::Weight(value)) => measurement.set_field(key, value),
            (Placement::Field, Value::Text(value)) => measurement.set_field(key, value.to_owned()),
            (Placement::Tag, Value::Text(value)) => measurement.set_tag(key, value.to_owned()),
        });
        if let Some(additions) = self.additions {
            additions.add_to(&mut measurement);
        }
        measurement
    }
}

/// A request that has only the tags of its route and ending.
struct RequestLine<'a> {
    request: &'a FinishedRequest,
    series: &'a Series,
    options: &'a Options,
}

impl Line for RequestLine<'_> {
    #[inline]
    fn database(&self) -> &Database {
        self.series.database()
    }

    #[inline]
    fn series(&mut self) -> LineSeries<'_> {
        LineSeries::Prepared(self.series.prepared())
    }

    /// Keys are unique here, so they are written without a check.
    #[inline]
    fn push_fields(&self, format: FieldFormat, line: &mut LineBuffer) -> Result<(), RecordError> {
        let mut separator = b' ';
        self.request.each_value(self.options, |_, key, value| {
            line.push_literal_key(separator, key);
            match value {
                Value::Seconds(value) => line.push_seconds(value),
                Value::Bytes(value) => format.push_unsigned(line, value),
                Value::Weight(value) => line.push_float(value),
                Value::Text(value) => format.push_string(line, value),
            }
            separator = b',';
        });
        Ok(())
    }

    #[inline]
    fn timestamp(&self) -> Timestamp {
        self.request.timestamp
    }
}
