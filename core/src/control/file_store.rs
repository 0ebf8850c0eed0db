//! A state store in one file.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::config::{Kind, Value, from_path};
use crate::vocabulary::error::{ConfigError, Error, StateError};
use crate::vocabulary::lock::Mutex;
use crate::vocabulary::store::StateStore;

/// A [`StateStore`] of texts in a file of JSON, a map of them by id.
///
/// The file is read once, when it is opened. Each change replaces it as a whole: a new file is written beside it and
/// takes its name, so that a reader, or a start after a crash, finds all of the old or all of the new. Two stores of one
/// file, in one process or in two, overwrite each other.
///
/// ```
/// use loadwise::{FileStore, Pool, StateStore};
///
/// let directory = std::env::temp_dir().join(format!("loadwise-doc-{}", std::process::id()));
/// std::fs::create_dir_all(&directory)?;
/// let path = directory.join("learned.json");
/// Pool::builder().nodes(["a", "b"]).build()?.save(&FileStore::open(&path)?)?;
///
/// let pool = Pool::builder().nodes(["a", "b"]).build()?;
/// assert_eq!(pool.restore(&FileStore::open(&path)?)?, 2);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FileStore {
    path: PathBuf,
    kept: Mutex<BTreeMap<String, String>>,
}

impl FileStore {
    /// Reads the file at `path`; one that is not there is empty, and made with the first change.
    ///
    /// # Errors
    /// [`StateError::Store`] if it cannot be read, or is not what a store has written: it is left as it is then, for
    /// people to look at, and the host goes on without what was learned.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        // A name that leads elsewhere must go on doing so when the file is replaced.
        let path = fs::canonicalize(&path)
            .or_else(|_| std::path::absolute(&path))
            .unwrap_or_else(|_| path.as_ref().to_owned());
        let kept = match fs::metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            _ => from_path(&path, read).map_err(|e| StateError::Store(e.to_string()))?,
        };
        Ok(Self { path, kept: Mutex::new(kept) })
    }

    /// Changes what is kept, in the file first.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, String>)) -> Result<(), Error> {
        let mut kept = self.kept.lock();
        let mut next = kept.clone();
        change(&mut next);
        if *kept != next {
            let unwritable = |e: io::Error| StateError::Store(format!("cannot write {}: {e}", self.path.display()));
            self.write(&next).map_err(unwritable)?;
            *kept = next;
        }
        Ok(())
    }

    fn write(&self, kept: &BTreeMap<String, String>) -> io::Result<()> {
        let text = Value::map(kept.iter().map(|(id, state)| (id, Value::from(state.as_str())))).to_json();
        let beside = self.beside();
        let written = File::create(&beside).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            // Else a crash of the machine could leave the name with nothing behind it.
            file.sync_all()
        });
        written.and_then(|()| fs::rename(&beside, &self.path)).inspect_err(|_| {
            let _ = fs::remove_file(&beside);
        })
    }

    /// A name in the same directory that no other store uses.
    fn beside(&self) -> PathBuf {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}-{}.tmp", std::process::id(), LAST.fetch_add(1, Ordering::Relaxed)));
        self.path.with_file_name(name)
    }
}

fn read(value: &Value) -> Result<BTreeMap<String, String>, Error> {
    let Kind::Map(entries) = &value.kind else {
        return Err(ConfigError::new("", value.line, "not a map of states by id").into());
    };
    let mut kept = BTreeMap::new();
    for (id, state) in entries {
        let wrong = |message: &str| ConfigError::new(id.name.as_str(), id.line, message);
        let Kind::Text(state) = &state.kind else { return Err(wrong("must be a text").into()) };
        if kept.insert(id.name.clone(), state.clone()).is_some() {
            return Err(wrong("is there twice").into());
        }
    }
    Ok(kept)
}

impl StateStore for FileStore {
    type NodeId = String;
    type State = String;
    type Error = Error;

    fn get(&self, id: &String) -> Result<Option<String>, Error> {
        Ok(self.kept.lock().get(id).cloned())
    }

    fn put(&self, id: &String, state: String) -> Result<(), Error> {
        self.put_all(vec![(id.clone(), state)])
    }

    fn remove(&self, id: &String) -> Result<(), Error> {
        self.change(|kept| {
            kept.remove(id);
        })
    }

    fn list(&self) -> Result<Vec<(String, String)>, Error> {
        Ok(self.kept.lock().iter().map(|(id, state)| (id.clone(), state.clone())).collect())
    }

    fn put_all(&self, states: Vec<(String, String)>) -> Result<(), Error> {
        self.change(|kept| kept.extend(states))
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("path", &self.path).field("nodes", &self.kept.lock().len()).finish()
    }
}
