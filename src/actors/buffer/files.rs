//! Files with secrets and certificates: read every few seconds, used when changed.

use std::{sync::Arc, time::Duration};

use actix::{AsyncContext as _, Context, SpawnHandle};

use super::BufferActor;
use crate::{
    actors::messages::internal::FilesRead, config::Files, endpoint::Endpoint, logging, threads,
};

/// Time between reads. Contents are compared, not timestamps, which are unreliable for links and
/// for quick successive writes.
const READ_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct WatchedFiles {
    /// The contents in use.
    used: Files,
    /// Set while there are files.
    timer: Option<SpawnHandle>,
    /// The last error logged.
    logged_error: Option<String>,
}

impl BufferActor {
    pub(crate) fn set_files(&mut self, files: Files) {
        self.files.used = files;
        self.files.logged_error = None;
    }

    /// Arms the timer of the next read, if there are files.
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

    /// Reads on another thread: a disk or network folder may be slow.
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
        // Another configuration has its own files and timer.
        if !Arc::ptr_eq(&config, &self.config) {
            return;
        }
        match read {
            Ok(None) => self.files.logged_error = None,
            Ok(Some((files, endpoints))) => {
                self.set_files(files);
                self.use_endpoints(endpoints);
                logging::info!(
                    "files with secrets or certificates have changed and are used from now on"
                );
                self.pump(context);
            }
            // The file may be incomplete: its previous content is used until it can be read.
            Err(error) => {
                let text = error.to_string();
                if self.files.logged_error.as_ref() != Some(&text) {
                    logging::warning!("the previous contents of the files stay in use: {text}");
                    self.files.logged_error = Some(text);
                }
            }
        }
        self.watch_files(context);
    }
}
