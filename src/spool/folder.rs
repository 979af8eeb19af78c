//! The public API of a spool folder: its files and their contents. Changes nothing and takes no
//! lock, so a pipeline can use the folder meanwhile.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    compression,
    format::{Section, Unreadable},
    name::{FileName, SEVERAL},
    store,
};
use crate::{Database, Precision};

/// A file of a [spool](crate::Config::spool_dir), as described by its name.
///
/// ```
/// use actix_influxdb::SpoolFile;
///
/// # let folder = std::env::temp_dir().join("actix-influxdb-no-such-folder");
/// # std::fs::create_dir_all(&folder)?;
/// for file in SpoolFile::list(&folder)? {
///     println!("{}: {} measurements", file.path().display(), file.measurements());
///     match file.read() {
///         Ok(batches) => println!("whole, of {} databases", batches.len()),
///         Err(error) => println!("{error}"),
///     }
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SpoolFile {
    path: PathBuf,
    name: FileName,
    bytes: u64,
}

impl SpoolFile {
    /// Returns the spool files of a folder, oldest first.
    ///
    /// # Errors
    ///
    /// If the folder can't be read.
    pub fn list(folder: impl AsRef<Path>) -> io::Result<Vec<Self>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str().and_then(FileName::parse) else {
                continue;
            };
            // Ignores files that have just been removed.
            if let Ok(about) = entry.metadata() {
                files.push(Self {
                    path: entry.path(),
                    name,
                    bytes: about.len(),
                });
            }
        }
        files.sort_by_key(|file| file.name.sequence);
        Ok(files)
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the name of the database, escaped and shortened as in the file's name; `None` if the
    /// file has measurements of several databases.
    pub fn database(&self) -> Option<&str> {
        let name = &*self.name.database;
        (name != SEVERAL).then_some(name)
    }

    /// Returns the number of measurements.
    pub fn measurements(&self) -> u64 {
        self.name.lines
    }

    /// Returns the size of the file in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the time at which the newest measurement was recorded.
    pub fn newest(&self) -> SystemTime {
        self.name.time()
    }

    /// Reads and checks the file.
    ///
    /// # Errors
    ///
    /// If the file can't be read, is damaged, or is for a build with other features or a later
    /// version.
    pub fn read(&self) -> Result<Vec<SpoolBatch>, SpoolError> {
        if self.name.is_compressed && !compression::IS_AVAILABLE {
            return Err(SpoolError::NotForThisBuild {
                reason: "it is compressed, and this build lacks the feature gzip".to_owned(),
            });
        }
        let contents = fs::read(&self.path)?;
        let sections = store::read(&self.name, contents).map_err(|error| match error {
            Unreadable::Damaged(reason) => SpoolError::Damaged { reason },
            Unreadable::Newer(_) => SpoolError::NotForThisBuild {
                reason: error.to_string(),
            },
        })?;
        Ok(sections.into_iter().map(SpoolBatch).collect())
    }
}

/// Measurements of one database in a [`SpoolFile`].
///
/// ```
/// # fn show(batch: &actix_influxdb::SpoolBatch) {
/// println!("{}, in {}:", batch.database(), batch.precision());
/// for line in batch.lines() {
///     print!("{line}"); // each line has its newline
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SpoolBatch(Section);

impl SpoolBatch {
    /// Returns the database of the measurements.
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    /// Returns the unit of the timestamps.
    pub fn precision(&self) -> Precision {
        self.0.precision
    }

    /// Returns the measurements in line protocol, each with its `\n`.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = std::borrow::Cow<'_, str>> {
        // The encoder writes only UTF-8, and the checksum was verified.
        self.0.lines.iter().map(String::from_utf8_lossy)
    }
}

/// Why a [`SpoolFile`] can't be read.
///
/// ```
/// # fn is_lost(error: &actix_influxdb::SpoolError) -> bool {
/// matches!(error, actix_influxdb::SpoolError::Damaged { .. })
/// # }
/// ```
#[derive(Debug, derive_more::Display, derive_more::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// The file is damaged: truncated, or changed.
    #[display("the file is damaged: {reason}")]
    #[non_exhaustive]
    Damaged {
        /// What is wrong with the file.
        reason: &'static str,
    },
    /// The file is for another build: with the feature `gzip`, or of a later version.
    #[display("the file can't be read by this build: {reason}")]
    #[non_exhaustive]
    NotForThisBuild {
        /// The required build.
        reason: String,
    },
    /// The file can't be read from the disk.
    #[display("the file can't be read: {_0}")]
    Io(io::Error),
}

impl From<io::Error> for SpoolError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::spool::{
        disk::FileSystem,
        format::tests::section,
        store::{Opened, Store},
    };

    #[test]
    fn a_folder_in_use_can_be_listed_and_read() {
        let folder = TempDir::new().unwrap();
        let Ok(Opened::Open(mut store, _)) = Store::open(Box::new(FileSystem), folder.path())
        else {
            panic!("it is free");
        };
        let (a, b) = (
            section("a b", &["m f=1i 1\n"]),
            section("c", &["m f=\"x\ny\" 2\n"]),
        );
        store
            .store(std::slice::from_ref(&a), SystemTime::now(), u64::MAX)
            .unwrap();
        store.store(&[a, b], SystemTime::now(), u64::MAX).unwrap();
        fs::write(folder.path().join("x.bad"), "x").unwrap();
        let files = SpoolFile::list(folder.path()).unwrap();
        let about = files
            .iter()
            .map(|file| (file.database(), file.measurements()));
        assert_eq!(about.collect::<Vec<_>>(), [(Some("a%20b"), 1), (None, 2)]);
        let batches = files[1].read().unwrap();
        let names = batches.iter().map(|batch| batch.database().name());
        assert_eq!(names.collect::<Vec<_>>(), ["a b", "c"]);
        assert_eq!(batches[1].lines().collect::<Vec<_>>(), ["m f=\"x\ny\" 2\n"]);
        assert_eq!(batches[1].precision(), Precision::Milliseconds);
        let contents = fs::read(files[0].path()).unwrap();
        assert_eq!(contents.len() as u64, files[0].bytes());
        fs::write(files[0].path(), &contents[1..]).unwrap();
        assert!(matches!(files[0].read(), Err(SpoolError::Damaged { .. })));
        fs::remove_file(files[0].path()).unwrap();
        assert!(matches!(files[0].read(), Err(SpoolError::Io(_))));
    }
}
