use std::{net::IpAddr, rc::Rc, time::Duration};

use actix_web::dev::ServiceRequest;

use super::{
    forwarded,
    options::{CorrelationId, Options, Placement},
    request_measurement::RequestMeasurement,
    route::{Ending, Route},
    text,
};
use crate::{Measurement, Timestamp};

/// All that is known of a request when it is over.
#[derive(Debug)]
pub(super) struct Point {
    pub(super) timestamp: Timestamp,
    pub(super) duration: Duration,
    pub(super) route: Rc<Route>,
    pub(super) ending: Ending,
    /// The time to the first byte, and the bytes of body, if there was a response.
    pub(super) head: Option<(Duration, u64)>,
    pub(super) remote_ip: Option<Address>,
    pub(super) correlation_id: Option<CorrelationId>,
    pub(super) additions: Option<RequestMeasurement>,
}

/// A client's address.
#[derive(Debug)]
pub(super) enum Address {
    /// Of the connection. It is text only when it is needed.
    Peer(IpAddr),
    /// As a proxy has it.
    Forwarded(String),
}

impl Address {
    /// The address of a request, if it is wanted.
    pub(super) fn of(request: &ServiceRequest, options: &Options) -> Option<Self> {
        if options.remote_ip == Placement::Omit {
            return None;
        }
        if options.trust_forwarded
            && let Some(address) = forwarded::client(request.headers())
        {
            let address = text::clean(address.as_bytes());
            return (!address.is_empty()).then_some(Self::Forwarded(address));
        }
        // A socket that takes both kinds has 1.2.3.4 as ::ffff:1.2.3.4.
        let peer = request.peer_addr()?.ip().to_canonical();
        Some(Self::Peer(peer))
    }

    fn into_text(self) -> String {
        match self {
            Self::Peer(ip) => ip.to_string(),
            Self::Forwarded(text) => text,
        }
    }
}

impl Point {
    /// Is the request to be recorded?
    pub(super) fn is_included(&self, options: &Options) -> bool {
        options.includes_status(self.ending.status)
            && !self.additions.as_ref().is_some_and(|it| it.is_skipped())
    }

    /// Are its tags those of its route and ending, and nothing else? Then it needs no measurement.
    pub(super) fn is_plain(&self, options: &Options) -> bool {
        let is_tag = |placement| placement == Placement::Tag;
        self.additions.is_none() && !is_tag(options.remote_ip) && !is_tag(options.correlation_id)
    }

    pub(super) fn into_measurement(self, options: &Options) -> Measurement {
        let (database, name) = (options.database.clone(), options.measurement.clone());
        let mut measurement = Measurement::at(self.timestamp, database, name);
        self.route.set_tags(self.ending, options, &mut measurement);
        measurement.set_field("duration", self.duration);
        if let Some((first_byte, sent)) = self.head {
            if options.time_to_first_byte {
                measurement.set_field("time_to_first_byte", first_byte);
            }
            if options.content_length {
                measurement.set_field("content_length", sent);
            }
        }
        let remote_ip = self.remote_ip.map(Address::into_text);
        place(&mut measurement, options.remote_ip, "remote_ip", remote_ip);
        let id = self.correlation_id.map(|id| id.text());
        let placement = options.correlation_id;
        place(&mut measurement, placement, "correlation_id", id);
        if let Some(rate) = options.sample {
            measurement.set_field("weight", rate.recip());
        }
        if let Some(additions) = self.additions {
            additions.add_to(&mut measurement);
        }
        measurement
    }
}

fn place(
    measurement: &mut Measurement,
    placement: Placement,
    key: &'static str,
    value: Option<String>,
) {
    let Some(value) = value else { return };
    match placement {
        Placement::Field => measurement.set_field(key, value),
        Placement::Tag => measurement.set_tag(key, value),
        Placement::Omit => {}
    }
}
