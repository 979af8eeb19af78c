use super::*;

async fn ping(response: &'static str) -> Result<ServerInfo, PingError> {
    let server = RawServer::answering(response);
    Http::new().ping(&endpoint(server.url()), LONG).await
}

#[actix::test]
async fn a_server_for_line_protocol_is_one() {
    let info = ping("HTTP/1.1 204 X\r\nX-Influxdb-Version: 1.6.7\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(info.version.as_deref(), Some("1.6.7"));
    let info = ping("HTTP/1.1 200 OK\r\nX-Geminidb-Version: 1\r\nContent-Length: 1\r\n\r\nx").await;
    assert_eq!(
        info.unwrap().to_string().split(" at ").next(),
        Some("openGemini 1")
    );
}

#[actix::test]
async fn another_server_is_told_from_one() {
    let page = "HTTP/1.1 200 OK\r\nContent-Length: 28\r\n\r\n<html><title>Hello</title>\r\n";
    let error = ping(page).await.unwrap_err();
    assert!(
        matches!(error, PingError::Foreign { status: 200, .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("a web page, \"Hello\""),
        "{error}"
    );

    let moved = "HTTP/1.1 308 X\r\nLocation: https://h/ping\r\nContent-Length: 0\r\n\r\n";
    let error = ping(moved).await.unwrap_err();
    assert!(
        matches!(error, PingError::Redirected { status: 308, .. }),
        "{error:?}"
    );

    let error = ping("SSH-2.0-OpenSSH_9.2\r\n").await.unwrap_err();
    assert!(matches!(error, PingError::NotHttp { .. }), "{error:?}");
    assert!(error.to_string().contains("SSH server"), "{error}");
}

#[actix::test]
async fn a_database_is_created_only_if_the_server_says_so() {
    for (status, body, wanted) in [
        (200, r#"{"results":[{"statement_id":0}]}"#, Ok(())),
        (
            200,
            r#"{"results":[{"statement_id":0,"error":"no"}]}"#,
            Err("\"error\":\"no\""),
        ),
        (200, "<html><title>Hello</title>", Err("status 200: Hello")),
        (200, r#"["/routes"]"#, Err("routes")),
        (403, "a\nb\u{1}c", Err("status 403: a\\nb\\u{1}c")),
    ] {
        let response = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let server = RawServer::answering(response);
        let http = Http::new();
        let created = http
            .create_database(&endpoint(server.url()), &"db".into(), LONG)
            .await;
        match wanted {
            Ok(()) => assert_eq!(created, Ok(()), "{body}"),
            Err(wanted) => assert!(created.clone().unwrap_err().contains(wanted), "{created:?}"),
        }
    }
}
