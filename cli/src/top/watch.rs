//! The shared state at a path, whichever file that is: it may be taken away and made anew while it is watched.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use loadwise::{Engine, Error, StateError};

use super::look::Look;

pub struct Watch {
    path: PathBuf,
    picks: usize,
    /// `None` once its file was cut off: what is mapped of it must not be touched any more.
    viewed: Option<Viewed>,
}

struct Viewed {
    engine: Engine,
    file: File,
}

/// Which file has the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct File {
    device: u64,
    inode: u64,
    /// Only grows while nobody damages it.
    bytes: u64,
}

/// What has become of the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is the file that was looked at the last time.
    Same,
    /// Another file took its place, and is what was looked at.
    Replaced,
    /// There is no file any more; what was looked at is the one that there was, which processes may still have.
    Removed,
    /// What is there now cannot be looked at, for this reason; what was looked at, if anything, is the file before.
    Unusable(String),
}

impl Watch {
    /// `picks`: how many of the oldest open picks to take of each pool.
    pub fn open(path: &Path, picks: usize) -> Result<Self, Error> {
        let mut watch = Self { path: path.to_owned(), picks, viewed: None };
        watch.view()?;
        Ok(watch)
    }

    /// Looks at what is there, or at what was there last; `None` if neither can be.
    pub fn look(&mut self) -> (Standing, Option<Look>) {
        let standing = self.follow();
        (standing, self.viewed.as_ref().map(|viewed| Look::at(&viewed.engine, self.picks)))
    }

    fn follow(&mut self) -> Standing {
        let now = match File::at(&self.path) {
            Ok(now) => now,
            Err(error) if error.kind() == ErrorKind::NotFound => return Standing::Removed,
            Err(error) => return Standing::Unusable(error.to_string()),
        };
        match &mut self.viewed {
            Some(viewed) if viewed.file.is(now) && now.bytes >= viewed.file.bytes => {
                viewed.file = now;
                return Standing::Same;
            }
            // To touch what was cut off would end this process.
            Some(viewed) if viewed.file.is(now) => self.viewed = None,
            _ => {}
        }
        match self.view() {
            Ok(()) => Standing::Replaced,
            Err(Error::State(StateError::Shared { reason, .. })) => Standing::Unusable(reason),
            Err(error) => Standing::Unusable(error.to_string()),
        }
    }

    fn view(&mut self) -> Result<(), Error> {
        // Before it is opened: if it is replaced meanwhile, the next look finds out.
        let file = File::at(&self.path);
        let engine = Engine::view(&self.path)?;
        if let Ok(file) = file {
            self.viewed = Some(Viewed { engine, file });
        }
        Ok(())
    }
}

impl File {
    fn at(path: &Path) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self { device: metadata.dev(), inode: metadata.ino(), bytes: metadata.len() })
    }

    fn is(self, other: Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}
