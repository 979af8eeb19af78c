use std::{
    io::Write as _,
    net::{IpAddr, Ipv4Addr},
};

use super::{
    options::Options,
    point::{Address, Point},
};
use crate::{
    Database, RecordError,
    encode::LineBuffer,
    ingest::cardinality::Capped,
    ingest::source::{Source, Writing},
};

/// A request to which nothing was added, as a line: written without a
/// [`Measurement`](crate::Measurement) in between.
pub(super) struct RequestLine<'a> {
    pub(super) point: &'a Point,
    pub(super) options: &'a Options,
}

impl Source for RequestLine<'_> {
    #[inline]
    fn database(&self) -> &Database {
        &self.options.database
    }

    /// Its tags are not guarded: they are the program's own, routes and what a closed set is drawn
    /// from.
    fn write(&mut self, line: &mut LineBuffer, by: Writing<'_>) -> Result<Capped, RecordError> {
        let Self { point, options } = self;
        let series = point.route.series(point.ending, options, by.encoder)?;
        let mut line = by.encoder.begin(&series, line);
        line.seconds("duration", point.duration);
        if let Some((first_byte, sent)) = point.head {
            if options.time_to_first_byte {
                line.seconds("time_to_first_byte", first_byte);
            }
            if options.content_length {
                line.unsigned("content_length", sent);
            }
        }
        match &point.remote_ip {
            Some(Address::Peer(ip)) => with_text(*ip, |ip| line.plain_string("remote_ip", ip)),
            Some(Address::Forwarded(address)) => line.string("remote_ip", address.as_bytes()),
            None => {}
        }
        if let Some(id) = &point.correlation_id {
            match id.visible() {
                Some(id) => line.string("correlation_id", id),
                None => line.string("correlation_id", id.text().as_bytes()),
            }
        }
        if let Some(rate) = options.sample {
            line.float("weight", rate.recip());
        }
        line.end(point.timestamp);
        Ok(Capped::default())
    }
}

/// The address as text, without an allocation.
fn with_text(ip: IpAddr, then: impl FnOnce(&[u8])) {
    // The longest one: an IPv4 address in an IPv6 one, written out.
    let mut text = [0; 45];
    let len = match ip {
        IpAddr::V4(ip) => write_v4(ip, &mut text),
        IpAddr::V6(ip) => {
            let mut free = &mut text[..];
            write!(free, "{ip}").map_or(0, |()| 45 - free.len())
        }
    };
    then(&text[..len]);
}

/// What `Display` writes, but it does so for every request.
fn write_v4(ip: Ipv4Addr, text: &mut [u8; 45]) -> usize {
    let mut len = 0;
    for octet in ip.octets() {
        let [digits @ .., count] = OCTETS[usize::from(octet)];
        text[len..len + 3].copy_from_slice(&digits);
        len += usize::from(count);
        text[len] = b'.';
        len += 1;
    }
    len - 1
}

/// The digits of each octet, and how many these are.
static OCTETS: [[u8; 4]; 256] = {
    let mut octets = [[0; 4]; 256];
    let mut octet = 0;
    while octet < 256 {
        let ones = b'0' + (octet % 10) as u8;
        let tens = b'0' + (octet / 10 % 10) as u8;
        let hundreds = b'0' + (octet / 100) as u8;
        octets[octet] = match octet {
            ..10 => [ones, 0, 0, 1],
            10..100 => [tens, ones, 0, 2],
            _ => [hundreds, tens, ones, 3],
        };
        octet += 1;
    }
    octets
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_is_the_text_that_it_displays() {
        for octet in 0..=255 {
            let [a, b, c] = [octet, octet ^ 0x55, 255 - octet];
            let ip = IpAddr::from([a, b, c, octet]);
            with_text(ip, |text| assert_eq!(text, ip.to_string().as_bytes()));
        }
    }

    #[test]
    fn an_address_is_the_text_that_it_displays() {
        for ip in [
            "::",
            "0.0.0.0",
            "127.0.0.1",
            "10.9.99.100",
            "255.255.255.255",
            "::ffff:192.168.100.200",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ] {
            let parsed: IpAddr = ip.parse().unwrap();
            with_text(parsed, |text| {
                assert_eq!(text, parsed.to_string().as_bytes())
            });
        }
    }
}
