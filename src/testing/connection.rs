//! A connection: requests in sequence, each answered as scripted.

use std::{
    io::{self, Read, Write as _},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use socket2::SockRef;

use super::{
    answer::{Answer, Response, Stall},
    connections::Phase,
    http::{Fault, Head, Reader},
    imitate,
    reply::Reply,
    request::Request,
    service::{self, Write},
    state::{DefaultAnswer, RequestId, Shared},
};

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Both sides have finished, or the client has closed.
    Close,
    /// The client may still be sending, and gets an orderly end instead of a reset.
    Drain,
    Reset,
}

impl End {
    fn cut(answer: &Answer) -> Self {
        if answer.reset {
            Self::Reset
        } else {
            Self::Drain
        }
    }
}

/// Serves a connection until it ends.
pub(super) fn serve(shared: &Shared, number: u64, stream: &TcpStream) {
    let hang_up = shared.lock().take_hang_up();
    let end = match hang_up {
        Some(answer) => End::cut(&answer),
        None => Session {
            shared,
            number,
            stream,
        }
        .run(),
    };
    match end {
        End::Close => {}
        End::Drain => {
            // The connection is neither idle nor answering any more.
            shared.change(|state| state.connections.enter(number, Phase::Busy));
            drain(stream);
        }
        End::Reset => {
            // With a linger time of zero, closing resets the connection.
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }
}

/// Ends the sending side and waits for the client: closing with unread bytes would reset the
/// connection, and discard what was sent last.
fn drain(mut stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let mut rest = [0; 16 * 1024];
    while stream.read(&mut rest).is_ok_and(|count| count > 0) {}
}

#[derive(Clone, Copy)]
struct Session<'a> {
    shared: &'a Shared,
    number: u64,
    stream: &'a TcpStream,
}

impl<'a> Session<'a> {
    fn run(self) -> End {
        let mut reader = Reader::new(self.stream);
        loop {
            let head = match reader.head(self.number) {
                Ok(head) => head,
                Err(fault) => return self.refuse(&fault),
            };
            self.shared
                .change(|state| state.connections.enter(self.number, Phase::Busy));
            if let Err(end) = self.exchange(&mut reader, head) {
                return end;
            }
            if !self
                .shared
                .change(|state| state.connections.answered(self.number))
            {
                return End::Close;
            }
        }
    }

    fn refuse(self, fault: &Fault) -> End {
        match fault {
            Fault::Closed => End::Close,
            Fault::Malformed => {
                let mut reply = Reply::new(400).header("Connection", "close");
                reply.body = "400 Bad Request".into();
                let _ = (&mut &*self.stream).write_all(&reply.to_bytes(false));
                End::Drain
            }
        }
    }

    /// Handles a request and its response; the error is how the connection ends.
    fn exchange(self, reader: &mut Reader<'a>, head: Head) -> Result<(), End> {
        if !head.request.is_write() {
            let request = self.read_all(reader, &head)?;
            let id = self.shared.change(|state| state.record(request.clone()));
            let reply = self.shared.change(|state| match state.server {
                None => service::answer(&request, state),
                Some(server) => imitate::answer(server, &request, state),
            });
            return self.send(&head, id, &Answer::accept(), reply);
        }
        let script = self.shared.change(|state| state.take_answer());
        match script {
            DefaultAnswer::Always(answer) => self.exchange_write(reader, head, &answer),
            DefaultAnswer::Decide(decide) => {
                let request = self.read_all(reader, &head)?;
                let id = self.shared.change(|state| state.record(request.clone()));
                let mut answer = decide(&request);
                if answer.stall == Some(Stall::BeforeBody) {
                    // The function has already received the body.
                    answer.stall = Some(Stall::BeforeResponse);
                }
                self.answer_write(&head, &request, id, &answer)
            }
        }
    }

    fn exchange_write(
        self,
        reader: &mut Reader<'a>,
        head: Head,
        answer: &Answer,
    ) -> Result<(), End> {
        let early = match (answer.response, answer.stall) {
            (Response::HangUp, _) => {
                self.shared.change(|state| state.record(head.request));
                return Err(End::cut(answer));
            }
            (Response::CutRequest(bytes), _) => {
                let body = reader
                    .body(&head, bytes)
                    .map_err(|fault| self.refuse(&fault))?;
                self.shared.change(|state| {
                    state.record(Request {
                        body,
                        ..head.request
                    })
                });
                return Err(End::cut(answer));
            }
            (_, Some(Stall::BeforeBody)) => {
                let id = self
                    .shared
                    .change(|state| state.record(head.request.clone()));
                if !self.shared.wait_for_release(id) {
                    return Err(End::Close);
                }
                Some(id)
            }
            _ => None,
        };
        let request = self.read_all(reader, &head)?;
        let id = self.shared.change(|state| match early {
            None => state.record(request.clone()),
            Some(id) => {
                if let Some(recorded) = state.recorded(id) {
                    recorded.body = request.body.clone();
                }
                id
            }
        });
        self.answer_write(&head, &request, id, answer)
    }

    fn read_all(self, reader: &mut Reader<'a>, head: &Head) -> Result<Request, End> {
        let body = reader
            .body(head, usize::MAX)
            .map_err(|fault| self.refuse(&fault))?;
        Ok(Request {
            body,
            ..head.request.clone()
        })
    }

    fn answer_write(
        self,
        head: &Head,
        request: &Request,
        id: RequestId,
        answer: &Answer,
    ) -> Result<(), End> {
        let reply = match answer.response {
            Response::HangUp | Response::CutRequest(_) => return Err(End::cut(answer)),
            Response::Accept => answer.reply(self.accept(request)),
            Response::Status(code) => {
                if answer.stored {
                    let write = Write::read(request);
                    self.shared.change(|state| write.store(state));
                }
                answer.reply(Reply::new(code))
            }
        };
        self.send(head, id, answer, reply)
    }

    fn accept(self, request: &Request) -> Reply {
        let server = self.shared.lock().server;
        if let Some(server) = server {
            return self
                .shared
                .change(|state| imitate::answer(server, request, state));
        }
        if service::is_forked(request) {
            return service::not_found();
        }
        let write = Write::read(request);
        self.shared.change(|state| write.accept(request, state))
    }

    /// Sends the reply with the script's faults.
    fn send(self, head: &Head, id: RequestId, answer: &Answer, reply: Reply) -> Result<(), End> {
        if answer.stall == Some(Stall::BeforeResponse) && !self.shared.wait_for_release(id) {
            return Err(End::Close);
        }
        let bytes = reply.to_bytes(head.request.method == "HEAD");
        let end = answer.cut.map_or(bytes.len(), |cut| cut.min(bytes.len()));
        let is_slow = answer.drip.is_some() || matches!(answer.stall, Some(Stall::InResponse(_)));
        self.shared.change(|state| {
            if let Some(recorded) = state.recorded(id).filter(|_| end > 0) {
                recorded.status = Some(reply.status);
            }
            if !is_slow {
                state.connections.enter(self.number, Phase::Answering);
            }
        });
        let mut rest = &bytes[..end];
        if let Some(Stall::InResponse(at)) = answer.stall {
            let (first, second) = rest.split_at(at.min(end));
            self.write(first, answer.drip)?;
            if !self.shared.wait_for_release(id) {
                return Err(End::Close);
            }
            rest = second;
        }
        self.write(rest, answer.drip)?;
        if answer.cut.is_some() {
            Err(End::cut(answer))
        } else if !head.keep_alive || answer.close || reply.ends_connection() {
            Err(End::Close)
        } else {
            Ok(())
        }
    }

    fn write(self, bytes: &[u8], drip: Option<(usize, Duration)>) -> Result<(), End> {
        let write = |bytes: &[u8]| -> io::Result<()> { (&mut &*self.stream).write_all(bytes) };
        let Some((count, every)) = drip else {
            return write(bytes).map_err(|_| End::Close);
        };
        for drop in bytes.chunks(count) {
            write(drop).map_err(|_| End::Close)?;
            if !self.shared.pause(every) {
                return Err(End::Close);
            }
        }
        Ok(())
    }
}
