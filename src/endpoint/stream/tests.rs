use super::{
    script::{Script, Scripted, Step, read, write},
    *,
};

const WRITTEN: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const CLEAN: &str = "HTTP/1.1 204 \r\n\r\n";
const CLOSING: &str = "HTTP/1.1 204 \r\nconnection: close\r\n\r\n";

fn bytes(text: &str) -> Step {
    Step::Bytes(text.as_bytes().to_vec())
}

fn server(steps: impl IntoIterator<Item = Step>) -> (Scripted, Stream<Scripted>) {
    let server = Scripted::new(steps);
    let stream = server.stream();
    (server, stream)
}

/// A server that takes this much of a request and answers then.
fn stuck(takes: usize, breaks: bool, answer: &str) -> Stream<Scripted> {
    let script = Script {
        steps: [Step::After(takes), bytes(answer)].into(),
        takes,
        breaks,
        ..Script::default()
    };
    Scripted(Rc::new(script.into())).stream()
}

/// In bytes.
const REQUEST: usize = 1_000;

/// What awc reads as the answer to a request.
fn answer(stream: &mut Stream<Scripted>) -> Result<String, Fault> {
    let exchange = |stream: &mut Stream<Scripted>| {
        write(stream, REQUEST)?;
        read(stream)
    };
    match exchange(stream) {
        Ok((read, _)) => Ok(String::from_utf8(read).unwrap()),
        Err(error) => Err(error.downcast().unwrap()),
    }
}

fn is_over(stream: &mut Stream<Scripted>) -> bool {
    let (read, is_over) = read(stream).unwrap();
    assert!(read.is_empty());
    is_over
}

const ONE: Step = Step::After(REQUEST);
const TWO: Step = Step::After(2 * REQUEST);

#[test]
fn a_connection_is_used_again_after_a_clean_response() {
    let chunked = "HTTP/1.1 400 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n";
    let (_, mut stream) = server([ONE, bytes(WRITTEN), TWO, bytes(chunked)]);
    assert_eq!(answer(&mut stream).unwrap(), CLEAN);
    assert!(!is_over(&mut stream));
    let read = answer(&mut stream).unwrap();
    assert!(read.ends_with("\r\n\r\n2\r\nno\r\n0\r\n\r\n"), "{read}");
    assert!(!is_over(&mut stream));
}

#[test]
fn a_connection_that_is_not_known_to_be_clean_reads_as_closed() {
    for (response, wanted) in [
        // Surplus bytes.
        (format!("{WRITTEN}x"), CLEAN),
        (format!("{WRITTEN}{WRITTEN}"), CLEAN),
        (
            "HTTP/1.1 204 X\r\nContent-Length: 2\r\n\r\n".to_owned(),
            CLOSING,
        ),
        (
            "HTTP/1.1 204 X\r\nContent-Length: 2\r\n\r\nok".to_owned(),
            CLOSING,
        ),
        ("HTTP/1.0 204 X\r\n\r\n".to_owned(), CLOSING),
    ] {
        let (_, mut stream) = server([ONE, bytes(&response)]);
        assert_eq!(answer(&mut stream).unwrap(), wanted, "{response:?}");
        assert!(is_over(&mut stream), "{response:?}");
    }
    // Surplus bytes in the same piece as the end of a body, and after it.
    let head = "HTTP/1.1 400 X\r\nContent-Length: 2\r\n\r\n";
    for steps in [
        vec![ONE, bytes(head), bytes("nox")],
        vec![ONE, bytes(head), bytes("no"), bytes("x")],
        vec![ONE, bytes(&format!("{head}n")), bytes("o"), Step::Close],
    ] {
        let (_, mut stream) = server(steps.clone());
        let read = answer(&mut stream).unwrap();
        assert!(read.ends_with("\r\n\r\nno"), "{steps:?}: {read}");
        assert!(is_over(&mut stream), "{steps:?}");
    }
}

#[test]
fn what_comes_before_a_request_on_a_used_connection_is_never_its_answer() {
    for late in ["ok", WRITTEN, "\r\n"] {
        let (server, mut stream) = server([ONE, bytes(WRITTEN), TWO]);
        assert_eq!(answer(&mut stream).unwrap(), CLEAN);
        // As the next request goes out, before any of it has gone.
        server.0.borrow_mut().steps = [bytes(late)].into();
        let fault = answer(&mut stream).unwrap_err();
        assert!(fault.is_stale, "{fault:?}");
        assert_eq!(server.0.borrow().taken, REQUEST, "nothing is sent");
    }
}

#[test]
fn what_is_no_http_on_a_used_connection_may_be_the_rest_of_the_response_before() {
    let (_, mut stream) = server([ONE, bytes(WRITTEN), TWO, bytes("ok\n"), bytes(WRITTEN)]);
    assert_eq!(answer(&mut stream).unwrap(), CLEAN);
    let fault = answer(&mut stream).unwrap_err();
    assert!(
        fault.is_stale && fault.kind == FaultKind::NotReadable,
        "{fault:?}"
    );
}

#[test]
fn an_answer_that_cannot_be_used_is_one_on_a_used_connection_too() {
    for response in [
        "HTTP/1.1 400 X\r\nContent-Length: 1, 2\r\n\r\n",
        "HTTP/1.1 101 X\r\n\r\n",
        "HTTP/1.1 100 X\r\n\r\nok\n",
    ] {
        let (_, mut stream) = server([ONE, bytes(WRITTEN), TWO, bytes(response)]);
        assert_eq!(answer(&mut stream).unwrap(), CLEAN);
        let fault = answer(&mut stream).unwrap_err();
        let is_unreadable = fault.kind == FaultKind::NotReadable;
        assert!(!fault.is_stale && is_unreadable, "{fault:?}");
    }
}

#[test]
fn a_used_connection_that_is_cut_before_the_answer_is_stale_and_a_new_one_is_not() {
    for end in [Step::Close, Step::Reset] {
        let (_, mut stream) = server([ONE, bytes(WRITTEN), TWO, end.clone()]);
        assert_eq!(answer(&mut stream).unwrap(), CLEAN);
        let fault = answer(&mut stream).unwrap_err();
        assert!(
            fault.is_stale && fault.kind == FaultKind::CutOff,
            "{fault:?}"
        );

        let (_, mut stream) = server([ONE, end]);
        assert!(!answer(&mut stream).unwrap_err().is_stale);
    }
}

#[test]
fn an_answer_that_has_begun_is_not_asked_for_again() {
    for begun in ["HTTP/1.1 2", "HTTP/1.1 100 Continue\r\n\r\n"] {
        let (_, mut stream) = server([ONE, bytes(WRITTEN), TWO, bytes(begun), Step::Close]);
        assert_eq!(answer(&mut stream).unwrap(), CLEAN);
        let fault = answer(&mut stream).unwrap_err();
        assert!(
            !fault.is_stale && fault.kind == FaultKind::CutOff,
            "{fault:?}"
        );
    }
}

#[test]
fn a_connection_older_than_a_failure_of_its_host_is_not_used_again() {
    let server = Scripted::new([ONE, bytes(WRITTEN), TWO]);
    let host = Rc::new(Host::new("h:1", crate::endpoint::route::Route::tcp()));
    let mut stream = Stream::new(server, Rc::clone(&host));
    // It outlives a failure that happens while it answers.
    write(&mut stream, REQUEST).unwrap();
    host.retire_connections();
    assert_eq!(read(&mut stream).unwrap().0, CLEAN.as_bytes());
    assert!(!is_over(&mut stream));
    host.retire_connections();
    assert!(is_over(&mut stream));
}

#[test]
fn an_error_before_the_request_is_written_is_heard_and_the_rest_goes_nowhere() {
    for breaks in [false, true] {
        let error = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
        let mut stream = stuck(10, breaks, error);
        let wanted = "HTTP/1.1 413 \r\ncontent-length: 2\r\nconnection: close\r\n\r\nno";
        assert_eq!(write(&mut stream, 10).unwrap(), 10);
        assert_eq!(write(&mut stream, 1 << 20).unwrap(), 1 << 20);
        assert_eq!(write(&mut stream, 1 << 20).unwrap(), 1 << 20);
        assert_eq!(
            read(&mut stream).unwrap(),
            (wanted.as_bytes().to_vec(), true)
        );
    }
}

#[test]
fn a_success_before_the_request_is_written_is_a_fault() {
    for breaks in [false, true] {
        for interim in ["", "HTTP/1.1 100 Continue\r\n\r\n"] {
            let mut stream = stuck(10, breaks, &format!("{interim}{WRITTEN}"));
            let fault = answer(&mut stream).unwrap_err();
            assert!(fault.kind == FaultKind::NotAnswered, "{fault:?}");
            assert!(!fault.is_stale);
        }
    }
}

#[test]
fn a_success_that_has_begun_before_the_request_is_written_is_a_fault_too() {
    let (_, mut stream) = server([bytes("HTTP/1.1 2"), ONE, bytes("04 X\r\n\r\n")]);
    let fault = answer(&mut stream).unwrap_err();
    assert!(
        fault
            .to_string()
            .contains("before all of the request was sent"),
        "{fault}"
    );
    // But not if what had begun was an interim response.
    let (_, mut stream) = server([
        bytes("HTTP/1.1 1"),
        ONE,
        bytes("00 X\r\n\r\nHTTP/1.1 204 X\r\n\r\n"),
    ]);
    assert_eq!(answer(&mut stream).unwrap(), CLEAN);
}

#[test]
fn only_a_small_request_on_a_used_connection_is_given_up_when_it_is_not_acknowledged() {
    let (server, mut stream) = server([]);
    for (size, has_ack_timeout) in [
        (1_000, false),
        (1_000, true),
        (100_000, false),
        (1_000, true),
    ] {
        write(&mut stream, size).unwrap();
        assert_eq!(
            server.0.borrow().unacknowledged.is_some(),
            has_ack_timeout,
            "{size}"
        );
        server.0.borrow_mut().steps = [bytes(WRITTEN)].into();
        assert_eq!(read(&mut stream).unwrap().0, CLEAN.as_bytes());
    }
}

#[test]
fn a_connection_is_not_used_again_if_the_server_may_have_left_the_request_unread() {
    for (size, status, is_reused) in [
        (1_000, 400, true),
        (100_000, 400, false),
        (1_000, 413, false),
        (100_000, 200, true),
    ] {
        let response = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        let (_, mut stream) = server([Step::After(size), bytes(&response)]);
        write(&mut stream, size).unwrap();
        assert!(!read(&mut stream).unwrap().0.is_empty());
        assert_eq!(!is_over(&mut stream), is_reused, "{size}, {status}");
    }
}
