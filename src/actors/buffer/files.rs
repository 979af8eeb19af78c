//! Secrets and certificates in files: they are read again every few seconds, and used when they have changed.

use std::{sync::Arc, time::Duration};

use actix::{AsyncContext as _, Context, SpawnHandle};

use super::BufferActor;
use crate::{
    actors::messages::internal::FilesRead, config::Files, endpoint::Endpoint, logging, threads,
};

/// Time between two readings. The content is compared, not a time stamp: that of a link's target, or of a file that is
/// written twice in a moment, tells nothing.
const READ_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct WatchedFiles {
    /// As they were when they were used last.
    used: Files,
    /// Runs while there are any.
    timer: Option<SpawnHandle>,
    /// What was said of them last.
    told: Option<String>,
}

impl BufferActor {
    pub(crate) fn set_files(&mut self, files: Files) {
        self.files.used = files;
        self.files.told = None;
    }

    /// Arms the timer of the next reading, if there is anything to read.
    pub(super) fn watch_files(&mut self, context: &mut Context<Self>) {
        if let Some(timer) = self.files.timer.take() {
            context.cancel_future(timer);
        }
        if self.config.has_files() {
            let timer = context.run_later(READ_EVERY, |buffer, context| {
                buffer.files.timer = None;
                buffer.read_files(context);
            });
            self.files.timer = Some(timer);
        }
    }

    /// On another thread: a disk or a network's folder may be slow.
    fn read_files(&mut self, context: &mut Context<Self>) {
        let (config, used) = (Arc::clone(&self.config), self.files.used.clone());
        let buffer = context.address();
        actix::spawn(async move {
            let theirs = Arc::clone(&config);
            let read = threads::elsewhere(move || {
                let files = Files::read(&theirs)?;
                match files == used {
                    true => Ok(None),
                    false => Ok(Some((
                        files.clone(),
                        Endpoint::with_files(&theirs, &files)?,
                    ))),
                }
            });
            // Without a thread, as if nothing had changed: the next reading may have one.
            let read = read.await.unwrap_or(Ok(None));
            buffer.do_send(FilesRead { config, read });
        });
    }

    pub(super) fn files_read(&mut self, files: FilesRead, context: &mut Context<Self>) {
        let FilesRead { config, read } = files;
        // Another configuration has read its own, and has its own timer.
        if !Arc::ptr_eq(&config, &self.config) {
            return;
        }
        match read {
            Ok(None) => self.files.told = None,
            Ok(Some((files, endpoints))) => {
                self.set_files(files);
                self.use_endpoints(endpoints);
                logging::info!(
                    "files of secrets or certificates have changed: they are in use from now on"
                );
                self.pump(context);
            }
            // A file that is being written, perhaps: what was read before is used until it can be read.
            Err(error) => {
                let text = error.to_string();
                if self.files.told.as_ref() != Some(&text) {
                    logging::warning!("what was read before stays in use, as {text}");
                    self.files.told = Some(text);
                }
            }
        }
        self.watch_files(context);
    }
}
