//! Messages between the actors of one pipeline.

use std::{io, path::PathBuf, sync::Arc, time::Duration, time::SystemTime};

use actix::Message;
use futures_channel::oneshot;

use crate::{
    Config, ConfigError, Database, PingError, ServerInfo,
    actors::reply::Reply,
    batch::Lines,
    config::Files,
    delivery::{
        backlog::{FileId, LoanId},
        contacts::Contact,
        isolation::Named,
        verdict::{Refusal, Verdict},
    },
    endpoint::{Endpoint, Payload, Told},
    spool::{
        format::Section,
        name::FileName,
        store::{Listing, LoadError, Stored},
    },
};

/// From the ingest actor: a flush or shutdown, sent behind everything that it was sent before.
#[derive(Debug)]
pub(crate) struct InOrder<M>(pub(crate) M);

impl<M: Message> Message for InOrder<M> {
    type Result = M::Result;
}

/// From a recording thread: look what is due.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Wake;

/// From the handle: the configuration has been changed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Reconfigure;

/// From a writer: the verdict on a POST.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Returned {
    pub(crate) loan: LoanId,
    pub(crate) writer: usize,
    pub(crate) contact: Contact,
    /// Whether the status was another than 204, with which all known servers answer a write.
    pub(crate) is_unusual: bool,
    /// Number of bytes of the lines that were sent.
    pub(crate) bytes: usize,
    /// Time from the beginning of the POST to its response or failure.
    pub(crate) took: Duration,
    /// What the answer tells of the server, if there was one.
    pub(crate) told: Option<Told>,
    pub(crate) verdict: Verdict,
}

/// From the replay actor: the lines that a refusal names; `None` if the actor died.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Isolated {
    pub(crate) loan: LoanId,
    pub(crate) found: Option<(Named, Refusal)>,
}

/// From the buffer actor to itself: the result of creating a database.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Created {
    pub(crate) database: Database,
    pub(crate) result: Result<(), String>,
}

/// From the buffer actor to itself: the result of a ping.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Pinged {
    /// By its number.
    pub(crate) endpoint: usize,
    pub(crate) url: String,
    pub(crate) was_unusual: bool,
    pub(crate) result: Result<ServerInfo, PingError>,
}

/// From the buffer actor to itself: an endpoint before the one in use answers pings again.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Back {
    pub(crate) number: usize,
    pub(crate) endpoint: Endpoint,
}

/// From the buffer actor to itself: the files of a configuration were read; what they hold and the endpoints that are made
/// with it, if that has changed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct FilesRead {
    pub(crate) config: Arc<Config>,
    pub(crate) read: Result<Option<(Files, Vec<Endpoint>)>, ConfigError>,
}

/// From the buffer actor to itself: all reports are answered, end the thread.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct End;

/// From the buffer actor to the ingest actor: answer when all that was sent before has been taken.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Barrier(pub(crate) oneshot::Sender<()>);

/// From the buffer actor to a writer: POST this batch. The verdict goes to `reply`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Write {
    pub(crate) endpoint: Endpoint,
    pub(crate) database: Database,
    pub(crate) payload: Payload,
    pub(crate) timeout: Duration,
    pub(crate) reply: Reply<Returned>,
}

/// From the buffer actor to the replay actor: find the lines that a refusal names. The answer goes
/// to `reply`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Isolate {
    pub(crate) lines: Lines,
    pub(crate) refusal: Refusal,
    pub(crate) reply: Reply<Isolated>,
}

/// From the buffer actor to the disk actor: do this. The result goes to `reply`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct DiskWork {
    pub(crate) task: Task,
    pub(crate) reply: Reply<DiskDone>,
}

/// Work on the spool's folder, done one after the other.
#[derive(Debug)]
pub(crate) enum Task {
    Open(PathBuf),
    Store {
        sections: Vec<Section>,
        newest: SystemTime,
        /// The file may have so many bytes.
        room: u64,
    },
    Load(FileName),
    Remove(Vec<FileName>),
    Close,
}

/// From the disk actor: the result of its work.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct DiskDone {
    pub(crate) work: Work,
    pub(crate) result: DiskResult,
}

/// Which work it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Open,
    Store(u64),
    Load(FileId),
    Remove,
    Close,
}

/// What came of the work.
#[derive(Debug)]
pub(crate) enum DiskResult {
    Opened(Listing),
    /// Another process has the folder.
    Taken {
        by: Option<String>,
    },
    Stored(Stored),
    /// The file would have so many bytes, which are more than it may have.
    NoRoom {
        needs: u64,
    },
    Loaded(Vec<Section>),
    NotLoaded(LoadError),
    Done,
    /// The folder is not open.
    NotOpen,
    Failed(io::Error),
}
