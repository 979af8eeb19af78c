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
        backlog::{FileId, LeaseId},
        contacts::Contact,
        isolation::NamedLines,
        verdict::{Refusal, Verdict},
    },
    endpoint::{Endpoint, Identification, Payload},
    spool::{
        format::Section,
        name::FileName,
        store::{Listing, LoadError, Stored},
    },
};

/// From the ingest actor: a flush or shutdown, after all earlier messages.
#[derive(Debug)]
pub(crate) struct InOrder<M>(pub(crate) M);

impl<M: Message> Message for InOrder<M> {
    type Result = M::Result;
}

/// From a recording thread: check whether a drain is due.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Wake;

/// From the handle: the configuration has changed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Reconfigure;

/// From a writer: the verdict on a POST.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Returned {
    pub(crate) lease: LeaseId,
    pub(crate) writer: usize,
    pub(crate) contact: Contact,
    /// Whether the status was not 204, the response of all known servers to a write.
    pub(crate) is_unusual: bool,
    /// Bytes of the lines that were sent.
    pub(crate) bytes: usize,
    /// Time from the start of the POST to its response or failure.
    pub(crate) took: Duration,
    /// What the response says of the server, if there was one.
    pub(crate) identification: Option<Identification>,
    pub(crate) verdict: Verdict,
}

/// From the replay actor: the lines that a refusal names; `None` if the actor died.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Isolated {
    pub(crate) lease: LeaseId,
    pub(crate) found: Option<(NamedLines, Refusal)>,
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
    /// Index of the URL.
    pub(crate) endpoint: usize,
    pub(crate) url: String,
    pub(crate) was_unusual: bool,
    pub(crate) result: Result<ServerInfo, PingError>,
}

/// From the buffer actor to itself: a more preferred endpoint answers pings again.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct FailBack {
    pub(crate) number: usize,
    pub(crate) endpoint: Endpoint,
}

/// From the buffer actor to itself: the files of a configuration were read. Holds their contents
/// and new endpoints if those have changed.
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

/// From the buffer actor to the ingest actor: answer when all earlier messages are handled.
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

/// From the buffer actor to the replay actor: find the lines that a refusal names. The result goes
/// to `reply`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Isolate {
    pub(crate) lines: Lines,
    pub(crate) refusal: Refusal,
    pub(crate) reply: Reply<Isolated>,
}

/// From the buffer actor to the disk actor. The result goes to `reply`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct DiskWork {
    pub(crate) task: Task,
    pub(crate) reply: Reply<DiskDone>,
}

/// Work on the spool's folder, done in order.
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
    pub(crate) work: TaskId,
    pub(crate) result: DiskResult,
}

/// Identifies the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskId {
    Open,
    Store(u64),
    Load(FileId),
    Remove,
    Close,
}

/// The result of the work.
#[derive(Debug)]
pub(crate) enum DiskResult {
    Opened(Listing),
    /// Another process uses the folder.
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
