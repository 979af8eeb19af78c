//! The client's address in the headers that proxies add. Pure.
//!
//! Reads exactly what `HttpRequest::connection_info` reads, but that caches its result in the
//! request: a middleware that removes forged headers could not change it any more.

use actix_web::http::header::{self, HeaderMap, HeaderName};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The first address of `Forwarded` (RFC 7239 §5.2), or else of `X-Forwarded-For`: the client's, if
/// each proxy has appended the one that it saw. Text, as it may be obfuscated or "unknown".
pub(super) fn client(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::FORWARDED);
    values.find_map(first_for).or_else(|| {
        let value = headers.get(&X_FORWARDED_FOR)?.to_str().ok()?;
        Some(value.split(',').next()?.trim())
    })
}

/// Returns `10.0.0.1` for `by=10.0.0.9;for="10.0.0.1:4711", for=10.0.0.2`.
fn first_for(value: &header::HeaderValue) -> Option<&str> {
    let mut pairs = value.to_str().ok()?.split([';', ',']);
    pairs.find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        let is_for = name.trim().eq_ignore_ascii_case("for");
        is_for.then(|| without_port(unquoted(value)))
    })
}

fn unquoted(value: &str) -> &str {
    value.trim().trim_matches('"')
}

/// Also removes the brackets of an IPv6 address.
fn without_port(node: &str) -> &str {
    if !node.starts_with('[') {
        return node.split(':').next().unwrap_or(node);
    }
    let address = node.split("]:").next().unwrap_or(node);
    address.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use actix_web::{http::header::HeaderValue, test::TestRequest};
    use proptest::prelude::*;

    use super::*;

    type Headers<'a> = &'a [(&'a str, &'a [u8])];

    /// Reads the address, and asserts that actix-web reads the same.
    fn read(headers: Headers<'_>) -> Option<String> {
        let mut request = TestRequest::default();
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value).unwrap();
            request = request.append_header((*name, value));
        }
        let request = request.to_http_request();
        let read = client(request.headers()).map(str::to_owned);
        let info = request.connection_info();
        assert_eq!(read.as_deref(), info.realip_remote_addr(), "{headers:?}");
        read
    }

    #[test]
    fn the_first_address_is_the_clients() {
        const FORWARDED: &str = "Forwarded";
        const FOR: &str = "X-Forwarded-For";
        let table: [(Headers<'_>, Option<&str>); 24] = [
            (&[], None),
            (&[(FORWARDED, b"for=192.0.2.60")], Some("192.0.2.60")),
            (
                &[(FORWARDED, b"for=192.0.2.60;proto=http;by=203.0.113.43")],
                Some("192.0.2.60"),
            ),
            (
                &[(FORWARDED, b"by=203.0.113.43; For = 192.0.2.60")],
                Some("192.0.2.60"),
            ),
            (
                &[(FORWARDED, b"for=192.0.2.43, for=198.51.100.17")],
                Some("192.0.2.43"),
            ),
            (
                &[
                    (FORWARDED, b"proto=https"),
                    (FORWARDED, b"for=192.0.2.43"),
                    (FORWARDED, b"for=1.1.1.1"),
                ],
                Some("192.0.2.43"),
            ),
            (
                &[(FORWARDED, b"for=\"192.0.2.43:47011\"")],
                Some("192.0.2.43"),
            ),
            (
                &[(FORWARDED, b"FOR=\"[2001:db8:cafe::17]:4711\"")],
                Some("2001:db8:cafe::17"),
            ),
            (
                &[(FORWARDED, b"for=\"[2001:db8:cafe::17]\"")],
                Some("2001:db8:cafe::17"),
            ),
            (&[(FORWARDED, b"for=\"[::1")], Some("::1")),
            (&[(FORWARDED, b"for=\"_gazonk\"")], Some("_gazonk")),
            (&[(FORWARDED, b"for=_hidden:_port")], Some("_hidden")),
            (&[(FORWARDED, b"for=unknown")], Some("unknown")),
            (&[(FORWARDED, b"for=")], Some("")),
            (&[(FORWARDED, b"for")], None),
            (&[(FORWARDED, b"forwarded=1.1.1.1;xfor=2.2.2.2")], None),
            (&[(FORWARDED, b"")], None),
            (
                &[(FORWARDED, b"for=\xff"), (FORWARDED, b"for=1.1.1.1")],
                Some("1.1.1.1"),
            ),
            (
                &[(FOR, b" 203.0.113.9 , 10.0.0.1"), (FOR, b"1.1.1.1")],
                Some("203.0.113.9"),
            ),
            (
                &[(FOR, b"203.0.113.9"), (FORWARDED, b"for=192.0.2.60")],
                Some("192.0.2.60"),
            ),
            (
                &[(FOR, b"203.0.113.9"), (FORWARDED, b"proto=https")],
                Some("203.0.113.9"),
            ),
            (&[(FOR, b"203.0.113.9:80")], Some("203.0.113.9:80")),
            (&[(FOR, b"")], Some("")),
            (&[(FOR, b"\xff")], None),
        ];
        for (headers, expected) in table {
            assert_eq!(read(headers).as_deref(), expected, "{headers:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_headers_say_it_is_what_actix_web_reads(
            values in prop::collection::vec(
                (any::<bool>(), "(for|For|by|proto|[fF\"=;,: \\[\\].x0-9\u{e9}]){0,12}"),
                0..4,
            ),
        ) {
            let name = |forwarded| if forwarded { "Forwarded" } else { "X-Forwarded-For" };
            let headers: Vec<_> = values
                .iter()
                .map(|(forwarded, value)| (name(*forwarded), value.as_bytes()))
                .collect();
            read(&headers);
        }
    }
}
