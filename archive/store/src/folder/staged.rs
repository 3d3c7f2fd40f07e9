//! Files that have their name only when their bytes are on the disk.
//!
//! ```text
//! create `<name>#<number>` ─▶ write ─▶ sync the file ─▶ rename, or link ─▶ sync the folders
//! ```
//!
//! A listing leaves out the first name. A power cut leaves it, or the whole file under its own name.

use super::blocking::{blocking, failed};
use async_trait::async_trait;
use futures::FutureExt;
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};
use std::fmt::Debug;
use std::fs::File;
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The calls that durability rests on. A test records them, and lets them fail.
pub(super) trait Disk: Debug + Send + Sync {
    /// Makes the bytes of a file, or the names in a folder, durable.
    fn sync(&self, path: &FilePath) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    /// Gives a file another name, which may be that of another file.
    fn rename(&self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    /// Gives a file a second name, which no other file has.
    fn link(&self, from: &FilePath, to: &FilePath) -> io::Result<()> {
        std::fs::hard_link(from, to)
    }
}

/// The disk of this machine.
#[derive(Debug)]
pub(super) struct LocalDisk;

impl Disk for LocalDisk {}

/// What happens to a file that has the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    Replaced,
    /// The put fails with `AlreadyExists`.
    Kept,
}

/// Where a file is to be.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    /// The folders from the file's own one up to the root, which the put may have created.
    pub(super) folders: Vec<PathBuf>,
    pub(super) disk: Arc<dyn Disk>,
}

impl Place {
    /// Makes the names of the file and of its folders durable.
    pub(super) fn sync_folders(&self) -> io::Result<()> {
        self.folders.iter().try_for_each(|folder| self.disk.sync(folder))
    }
}

/// A file that has no name of its own yet. It is deleted if it does not get one.
#[derive(Debug)]
pub(super) struct Staged {
    place: Place,
    path: PathBuf,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Whether `path` is still the file's.
    has_path: bool,
}

impl Staged {
    pub(super) fn create(place: Place) -> io::Result<Self> {
        let mut number = 1u64;
        loop {
            let mut path = place.file.clone().into_os_string();
            path.push(format!("#{number}"));
            let path = PathBuf::from(path);
            match File::options().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Self { place, path, open: Mutex::new(Open { file, has_path: true }) }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) if error.kind() == ErrorKind::NotFound => match path.parent() {
                    Some(folder) => std::fs::create_dir_all(folder)?,
                    None => return Err(error),
                },
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn write(&self, offset: u64, payload: &PutPayload) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.file.seek(SeekFrom::Start(offset))?;
        payload.iter().try_for_each(|bytes| open.file.write_all(bytes))
    }

    /// Gives the file its name, durably.
    pub(super) fn publish(&self, existing: Existing) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Place { file, disk, .. } = &self.place;
        disk.sync(&self.path)?;
        match existing {
            Existing::Replaced => {
                disk.rename(&self.path, file)?;
                open.has_path = false;
            }
            Existing::Kept => disk.link(&self.path, file)?,
        }
        drop(open);
        self.place.sync_folders()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.open.get_mut().unwrap_or_else(PoisonError::into_inner).has_path {
            // What stays is waste that no listing shows.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// An upload in parts, which may be written in any order.
#[derive(Debug)]
pub(super) struct Upload {
    location: Path,
    /// `None` after the end.
    staged: Option<Arc<Staged>>,
    /// Where the next part begins.
    offset: u64,
}

impl Upload {
    pub(super) fn new(location: Path, staged: Staged) -> Self {
        Self { location, staged: Some(Arc::new(staged)), offset: 0 }
    }

    fn ended(&self) -> object_store::Error {
        failed(&self.location, io::Error::other("the upload has ended"))
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let Some(staged) = self.staged.clone() else {
            let ended = self.ended();
            return async move { Err(ended) }.boxed();
        };
        let (offset, location) = (self.offset, self.location.clone());
        self.offset += data.content_length() as u64;
        async move { blocking(&location, move || staged.write(offset, &data)).await }.boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let staged = self.staged.take().ok_or_else(|| self.ended())?;
        blocking(&self.location, move || staged.publish(Existing::Replaced)).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> Result<()> {
        let staged = self.staged.take().ok_or_else(|| self.ended())?;
        blocking(&self.location, move || {
            drop(staged);
            Ok(())
        })
        .await
    }
}
