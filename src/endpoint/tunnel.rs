//! Tunnels through an HTTP proxy, by `CONNECT` (RFC 9110 §9.3.6).

use base64::prelude::{BASE64_STANDARD, Engine as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{
    fault::{Fault, FaultKind},
    head,
};
use crate::config::Proxy;

/// Maximum length of the response's head, in bytes.
const MAX_HEAD: usize = 16 << 10;

/// Asks the proxy for a connection to `authority` (host and port). Following bytes are the
/// server's.
pub(super) async fn open(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    proxy: &Proxy,
    authority: &str,
) -> Result<(), Fault> {
    let cut = |error: String| {
        let reason = format!("the proxy at {proxy} ended the connection: {error}");
        Fault::new(FaultKind::NotConnected { is_refused: false }, reason)
    };
    let request = request(proxy, authority);
    let sent = stream.write_all(request.as_bytes()).await;
    sent.map_err(|error| cut(error.to_string()))?;
    let mut answer = Vec::new();
    // Byte by byte, as what follows the head belongs to the server.
    while head::end_of_head(&answer, answer.len().saturating_sub(1)).is_none() {
        match stream.read_u8().await {
            Ok(byte) => answer.push(byte),
            Err(error) if answer.is_empty() => return Err(cut(error.to_string())),
            Err(_) => break,
        }
        if answer.len() > MAX_HEAD {
            break;
        }
    }
    judge(&answer, proxy, authority)
}

fn request(proxy: &Proxy, authority: &str) -> String {
    let authorization = match &proxy.credentials {
        None => String::new(),
        Some((user, password)) => {
            let text = format!("{}:{}", user.expose(), password.expose());
            format!(
                "Proxy-Authorization: Basic {}\r\n",
                BASE64_STANDARD.encode(text)
            )
        }
    };
    format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{authorization}\r\n")
}

fn judge(answer: &[u8], proxy: &Proxy, authority: &str) -> Result<(), Fault> {
    let line = answer
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let (kind, why) = match head::status_line(line.trim_ascii_end()) {
        Ok((200..=299, _)) => return Ok(()),
        // The proxy can't reach the server, or is busy: temporary.
        Ok((status @ (408 | 425 | 429 | 500..=599), _)) => (
            FaultKind::NotConnected { is_refused: false },
            format!("has no connection to {authority}: status {status}"),
        ),
        Ok((407, _)) => (
            FaultKind::Misconfigured,
            "requires a user and password: status 407 (set them in the URL of the proxy)"
                .to_owned(),
        ),
        Ok((status, _)) => (
            FaultKind::Misconfigured,
            format!(
                "refuses a connection to {authority}: status {status} (does it allow CONNECT to this port?)"
            ),
        ),
        Err(_) => (
            FaultKind::Misconfigured,
            format!(
                "is not an HTTP proxy: it answered {}",
                super::foreign::describe(answer)
            ),
        ),
    };
    Err(Fault::new(kind, format!("the proxy at {proxy} {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(url: &str) -> Proxy {
        let config = crate::Config::default().proxy(url);
        config.resolved_proxy().unwrap().unwrap()
    }

    #[test]
    fn a_request_names_the_server_and_holds_the_proxys_credentials() {
        assert_eq!(
            request(&proxy("http://p:1"), "[::1]:8086"),
            "CONNECT [::1]:8086 HTTP/1.1\r\nHost: [::1]:8086\r\n\r\n"
        );
        assert_eq!(
            request(&proxy("http://ada:hunter2@p:1"), "h:443"),
            "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\
             Proxy-Authorization: Basic YWRhOmh1bnRlcjI=\r\n\r\n"
        );
    }

    #[test]
    fn a_refusal_says_what_the_proxy_wants_and_whether_it_passes() {
        let misconfigured = FaultKind::Misconfigured;
        let passing = FaultKind::NotConnected { is_refused: false };
        for (answer, kind, reason) in [
            (
                "HTTP/1.1 407 x\r\n\r\n",
                misconfigured,
                "user and password: status 407",
            ),
            (
                "HTTP/1.0 403 Forbidden\r\n\r\n",
                misconfigured,
                "refuses a connection to h:1: status 403",
            ),
            (
                "HTTP/1.1 405 x\r\n\r\n",
                misconfigured,
                "CONNECT to this port",
            ),
            ("HTTP/1.1 301 x\r\n\r\n", misconfigured, "status 301"),
            (
                "HTTP/1.1 503 x\r\n\r\n",
                passing,
                "has no connection to h:1: status 503",
            ),
            ("HTTP/1.1 502 x\n\n", passing, "status 502"),
            (
                "SSH-2.0-x\r\n",
                misconfigured,
                "is not an HTTP proxy: it answered \"SSH-2.0-x\", as an SSH server does",
            ),
        ] {
            let fault = judge(answer.as_bytes(), &proxy("http://p:3128"), "h:1").unwrap_err();
            assert_eq!(fault.kind, kind, "{answer}");
            assert!(
                fault.reason.starts_with("the proxy at p:3128 "),
                "{}",
                fault.reason
            );
            assert!(fault.reason.contains(reason), "{}", fault.reason);
        }
        for answer in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n",
        ] {
            assert!(judge(answer.as_bytes(), &proxy("http://p:3128"), "h:1").is_ok());
        }
    }
}
