//! Properties of any response, for the property test and the fuzz target.

use super::script::{Scripted, Step, read, write};

/// In bytes.
const REQUEST: usize = 10;

/// Reads these bytes as the response to a request, whole and in pieces.
///
/// # Panics
///
/// If awc would not get one final head with one length, followed by bytes of the body; or if that
/// depends on the pieces.
pub(crate) fn check_response(bytes: &[u8]) {
    let whole = response(bytes, bytes.len().max(1), Step::Close);
    for piece in [1, 2, 7] {
        let cut = response(bytes, piece, Step::Close);
        assert_eq!(whole.as_ref().ok(), cut.as_ref().ok(), "by {piece}");
    }
    _ = response(bytes, 3, Step::Reset);
    let Ok(read) = whole else {
        return;
    };
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut fields);
    let Ok(httparse::Status::Complete(length)) = head.parse(&read) else {
        panic!("no head: {:?}", read.escape_ascii().to_string());
    };
    let status = head.code.unwrap();
    assert!(status >= 200, "an interim response");
    let digits = status.to_string();
    let is_status = |text: &[u8]| text == digits.as_bytes();
    assert!(
        bytes.windows(3).any(is_status),
        "a status that the server did not give"
    );
    let field = |name: &str| {
        let mut found = head.headers.iter().filter(|field| field.name == name);
        let value = found
            .next()
            .map(|field| String::from_utf8_lossy(field.value).into_owned());
        assert!(
            found.next().is_none() || !name.ends_with("length"),
            "two lengths"
        );
        value
    };
    let body = &read[length..];
    match (field("content-length"), field("transfer-encoding")) {
        (Some(length), None) => {
            let length: u64 = length.parse().unwrap();
            assert!(body.len() as u64 <= length, "more than the body");
        }
        (None, Some(coding)) => assert_eq!(coding, "chunked"),
        (None, None) if head.version == Some(1) => {
            assert!(body.is_empty(), "a body without a length")
        }
        (None, None) => {}
        (Some(_), Some(_)) => panic!("two lengths"),
    }
}

/// What awc would read of these bytes, sent in pieces.
fn response(bytes: &[u8], piece: usize, end: Step) -> Result<Vec<u8>, String> {
    let mut steps = vec![Step::After(REQUEST)];
    steps.extend(bytes.chunks(piece).map(|piece| Step::Bytes(piece.to_vec())));
    steps.push(end);
    let mut stream = Scripted::new(steps).stream();
    write(&mut stream, REQUEST).map_err(|error| error.to_string())?;
    let mut all = Vec::new();
    loop {
        let (read, is_over) = read(&mut stream).map_err(|error| error.to_string())?;
        all.extend(read);
        if is_over {
            return Ok(all);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_a_server_sends_awc_gets_one_plain_response_or_none(
            start in prop::sample::select(vec![
                "", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 204\r\n", "HTTP/1.0 400 X\r\n", "HTTP/1.1 100 X\r\n\r\n",
                "HTTP/1.1 400 X\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 400 X\r\nContent-Length: 3\r\n",
            ]),
            parts in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(vec![
                        "\r\n", "\r\n\r\n", "\n", "HTTP/1.1 204 X\r\n\r\n", "Content-Length: 2", "Content-Length: 3",
                        "Transfer-Encoding: chunked", "Transfer-Encoding: gzip", "Connection: close", "3", "0",
                        "abc", "3\r\nabc\r\n", "0\r\n\r\n", ":", " ", "X-Influxdb-Error: \u{1}",
                    ]).prop_map(|part| part.as_bytes().to_vec()),
                    prop::collection::vec(any::<u8>(), 0..5),
                ],
                0..10,
            ),
        ) {
            let mut bytes = start.as_bytes().to_vec();
            bytes.extend(parts.concat());
            check_response(&bytes);
        }
    }
}
