use std::{net::IpAddr, time::Duration};

use actix_web::dev::ServiceRequest;
use smallvec::SmallVec;

use super::{
    labels::{self, Outcome, UNMATCHED},
    options::{Options, Placement},
    request_measurement::RequestMeasurement,
    text,
};
use crate::{Measurement, Timestamp};

/// All that is known of a request when it is over.
#[derive(Debug)]
pub(super) struct Point {
    pub(super) timestamp: Timestamp,
    pub(super) duration: Duration,
    pub(super) method: &'static str,
    pub(super) endpoint: Option<String>,
    pub(super) handler: Option<String>,
    pub(super) status: u16,
    pub(super) outcome: Outcome,
    /// The time to the first byte, and the bytes of body, if there was a response.
    pub(super) head: Option<(Duration, u64)>,
    pub(super) remote_ip: Option<Address>,
    pub(super) correlation_id: Option<String>,
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
        if options.trust_forwarded {
            let info = request.connection_info();
            let address = text::clean(info.realip_remote_addr()?.as_bytes());
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
    /// The measurement, unless the request is to be left out.
    pub(super) fn into_measurement(self, options: &Options) -> Option<Measurement> {
        if !options.includes_status(self.status)
            || self.additions.as_ref().is_some_and(|it| it.is_skipped())
        {
            return None;
        }
        let mut measurement = Measurement {
            database: options.database.clone(),
            name: options.measurement.clone(),
            tags: SmallVec::new(),
            fields: SmallVec::new(),
            timestamp: self.timestamp,
        };
        match self.endpoint {
            Some(pattern) => measurement.set_tag("endpoint", pattern),
            None => measurement.set_tag("endpoint", UNMATCHED),
        }
        if let Some(name) = self.handler {
            measurement.set_tag("handler", name);
        }
        measurement.set_tag("method", self.method);
        measurement.set_tag("outcome", self.outcome.tag());
        measurement.set_tag("status_code", labels::status_tag(self.status));
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
        let (placement, id) = (options.correlation_id, self.correlation_id);
        place(&mut measurement, placement, "correlation_id", id);
        if let Some(rate) = options.sample {
            measurement.set_field("weight", rate.recip());
        }
        measurement.set_tags(options.tags.iter().cloned());
        if let Some(additions) = self.additions {
            additions.add_to(&mut measurement);
        }
        Some(measurement)
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
