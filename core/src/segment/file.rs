//! The file of a segment: made as a whole, grown, and mapped.
//!
//! Pages are reserved before anything is written to them ([`SegmentFile::commit`]): a file system that is full says so then,
//! as an error, and not when a pick touches the page, as a signal that ends the process.

use std::fs::File;
use std::io::{self, Error, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FallocateFlags, Mode, OFlags};
use rustix::io::Errno;

use super::header::{Fixed, STATIC_WORDS, Unfit};
use crate::state::arena::Arena;

/// Where the locks of rows are, a byte each, far behind the end of any file.
const LOCKS: i64 = 1 << 60;
/// Files, named before they have their name, that are tried.
const NAMES_TRIED: u32 = 100;

/// Which file a segment is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// Of the file that has this name now.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        std::fs::metadata(path).map(|metadata| Self { device: metadata.dev(), inode: metadata.ino() })
    }

    fn of_open(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self { device: metadata.dev(), inode: metadata.ino() })
    }
}

/// An open segment.
///
/// Never closed while the process lives and others may be attached: closing any descriptor of a file gives back all
/// locks that the process has on it.
#[derive(Debug)]
pub(crate) struct SegmentFile {
    file: File,
    pub(crate) path: PathBuf,
    pub(crate) id: FileId,
    pub(crate) fixed: Fixed,
}

/// Why there is no segment to be had at a path.
#[derive(Debug)]
pub(crate) enum NotOpened {
    /// There is no file.
    Missing,
    /// There is a file that is no segment for this version.
    Unfit(Unfit),
    Io(io::Error),
}

impl From<io::Error> for NotOpened {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::Missing,
            _ => Self::Io(error),
        }
    }
}

impl SegmentFile {
    /// Opens what is there, for writing or to look at.
    pub(crate) fn open(path: &Path, is_writer: bool) -> Result<Self, NotOpened> {
        let access = if is_writer { OFlags::RDWR } else { OFlags::RDONLY };
        let file = File::from(
            rustix::fs::open(path, access | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())
                .map_err(io::Error::from)?,
        );
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(NotOpened::Unfit(Unfit::Foreign("it is not a plain file".to_owned())));
        }
        let fixed = read_fixed(&file, metadata.len()).map_err(NotOpened::Unfit)?;
        Ok(Self { id: FileId::of_open(&file)?, file, path: path.to_owned(), fixed })
    }

    /// Makes a segment that has no pools, with `begin` to write its head; `None` if somebody else made one first. It has
    /// its name only when it is whole.
    pub(crate) fn create(
        path: &Path,
        mode: u32,
        fixed: Fixed,
        begin: impl Fn(&Self) -> io::Result<()>,
    ) -> io::Result<Option<Self>> {
        let unnamed = Unnamed::beside(path, Mode::from_raw_mode(mode))?;
        // Not as the caller's mask has it: who shares the state is named in the configuration.
        rustix::fs::fchmod(&unnamed.file, Mode::from_raw_mode(mode))?;
        let segment =
            Self { id: FileId::of_open(&unnamed.file)?, file: unnamed.file.try_clone()?, path: path.to_owned(), fixed };
        segment.grow(fixed.control_words() as u64 * 8)?;
        segment.commit(0, fixed.control_words() as u64 * 8)?;
        let words = fixed.to_words();
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        std::os::unix::fs::FileExt::write_all_at(&segment.file, &bytes, 0)?;
        begin(&segment)?;
        match unnamed.name(path) {
            Ok(()) => Ok(Some(segment)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn bytes(&self) -> io::Result<u64> {
        self.file.metadata().map(|metadata| metadata.len())
    }

    /// Makes the file at least so long; what is new is zero.
    pub(crate) fn grow(&self, bytes: u64) -> io::Result<()> {
        if self.bytes()? < bytes {
            self.file.set_len(bytes)?;
        }
        Ok(())
    }

    /// Reserves the pages of a part of the file.
    pub(crate) fn commit(&self, offset: u64, bytes: u64) -> io::Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        loop {
            match rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, offset, bytes) {
                Err(Errno::INTR) => {}
                // A file system that cannot reserve anything has none of its own to run out of, or tells when it is too late.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(()),
                other => return Ok(other?),
            }
        }
    }

    /// Gives back the pages of a part of the file, which is zero then.
    pub(crate) fn clear(&self, offset: u64, bytes: u64) -> io::Result<()> {
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(rustix::fs::fallocate(&self.file, punch, offset, bytes)?)
    }

    /// Maps a part of the file, which is as long as that.
    pub(crate) fn map(&self, offset: u64, words: usize, is_writer: bool) -> io::Result<Arena> {
        let end = (words as u64).checked_mul(8).and_then(|bytes| offset.checked_add(bytes));
        if end.is_none_or(|end| self.bytes().map_or(true, |bytes| bytes < end)) {
            return Err(Error::new(ErrorKind::UnexpectedEof, "the file was cut off"));
        }
        Arena::of_file(self.file.as_fd(), offset, words, is_writer)
    }

    /// Takes the lock of a row for this process; whether it has it.
    pub(crate) fn lock(&self, row: usize) -> bool {
        self.is_open() && set_lock(self.file.as_fd(), libc::F_WRLCK, row)
    }

    pub(crate) fn unlock(&self, row: usize) {
        if self.is_open() {
            set_lock(self.file.as_fd(), libc::F_UNLCK, row);
        }
    }

    /// Whether another process has the lock of a row; also where that cannot be told.
    pub(crate) fn is_locked_by_another(&self, row: usize) -> bool {
        !self.is_open() || may_be_locked(self.file.as_fd(), row)
    }

    /// Whether the descriptor still is this file's: programs that go into the background close what they do not know.
    pub(crate) fn is_open(&self) -> bool {
        FileId::of_open(&self.file).is_ok_and(|id| id == self.id)
    }
}

/// A file that has no name yet, or a passing one.
struct Unnamed {
    file: File,
    passing: Option<PathBuf>,
}

impl Unnamed {
    fn beside(path: &Path, mode: Mode) -> io::Result<Self> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::open(directory, flags | OFlags::TMPFILE, mode) {
            Ok(file) => return Ok(Self { file: File::from(file), passing: None }),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) if directory.is_dir() => {}
            Err(error) => return Err(error.into()),
        }
        for number in 0..NAMES_TRIED {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{}.{number}", std::process::id()));
            let passing = PathBuf::from(name);
            match rustix::fs::open(&passing, flags | OFlags::CREATE | OFlags::EXCL, mode) {
                Ok(file) => return Ok(Self { file: File::from(file), passing: Some(passing) }),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::new(ErrorKind::AlreadyExists, "no name for a new file is free"))
    }

    /// Gives the file its name, unless another one has it.
    fn name(self, path: &Path) -> io::Result<()> {
        let from = match &self.passing {
            Some(passing) => passing.clone(),
            None => PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd())),
        };
        let named = rustix::fs::linkat(CWD, from.as_path(), CWD, path, AtFlags::SYMLINK_FOLLOW);
        if let Some(passing) = &self.passing {
            let _ = std::fs::remove_file(passing);
        }
        Ok(named?)
    }
}

fn read_fixed(file: &File, bytes: u64) -> Result<Fixed, Unfit> {
    let mut head = [0; STATIC_WORDS * 8];
    std::os::unix::fs::FileExt::read_exact_at(file, &mut head, 0)
        .map_err(|_| Unfit::Foreign(format!("it has {bytes} bytes")))?;
    let mut words = [0; STATIC_WORDS];
    for (word, eight) in words.iter_mut().zip(head.chunks_exact(8)) {
        *word = eight.try_into().map_or(0, u64::from_le_bytes);
    }
    Fixed::from_words(&words, bytes)
}

/// A lock that the system gives back when the process ends, however it does, and that a child does not inherit.
fn lock_of(row: usize, kind: libc::c_int) -> libc::flock {
    // SAFETY: all of its fields are integers, for which zero is a value.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = LOCKS + row as i64;
    lock.l_len = 1;
    lock
}

fn set_lock(file: BorrowedFd<'_>, kind: libc::c_int, row: usize) -> bool {
    let lock = lock_of(row, kind);
    // SAFETY: the descriptor is open, and the lock outlives the call, which only reads it.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &raw const lock) == 0 }
}

fn may_be_locked(file: BorrowedFd<'_>, row: usize) -> bool {
    let mut lock = lock_of(row, libc::F_WRLCK);
    // SAFETY: the descriptor is open, and the lock outlives the call, which writes into it what stands against it.
    let asked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLK, &raw mut lock) };
    asked != 0 || libc::c_int::from(lock.l_type) != libc::F_UNLCK
}

/// Whether a path can be that of a file at all.
pub(crate) fn check_path(path: &Path) -> Result<(), String> {
    if path.as_os_str().is_empty() {
        return Err("a path must not be empty".to_owned());
    }
    if path.as_os_str().as_bytes().contains(&0) {
        return Err("a path must not have a zero byte".to_owned());
    }
    Ok(())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const FIXED: Fixed = Fixed { max_processes: 4, max_pools: 2 };

    /// A directory of the test's own.
    fn directory(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("loadwise-file-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).expect("a directory for temporary files");
        directory
    }

    #[test]
    fn a_segment_has_its_name_when_it_is_whole_and_only_once() {
        let directory = directory("once");
        let path = directory.join("segment");
        let unfinished = |_: &SegmentFile| Err(Error::other("stopped half through"));
        assert!(SegmentFile::create(&path, 0o600, FIXED, unfinished).is_err());
        assert!(matches!(SegmentFile::open(&path, true), Err(NotOpened::Missing)));
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0, "nothing is left");
        let made = SegmentFile::create(&path, 0o640, FIXED, |_| Ok(())).unwrap().expect("the first");
        assert_eq!(made.file.metadata().unwrap().mode() & 0o777, 0o640);
        assert!(SegmentFile::create(&path, 0o600, FIXED, |_| Ok(())).unwrap().is_none());
        let opened = SegmentFile::open(&path, true).unwrap();
        assert_eq!((opened.fixed, opened.id), (FIXED, made.id));
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn files_that_are_something_else_are_refused() {
        let directory = directory("else");
        let path = directory.join("segment");
        std::fs::write(&path, "not a segment").unwrap();
        assert!(matches!(SegmentFile::open(&path, true), Err(NotOpened::Unfit(Unfit::Foreign(_)))));
        assert!(matches!(SegmentFile::open(&directory, false), Err(NotOpened::Unfit(Unfit::Foreign(_)))));
        std::fs::remove_file(&path).unwrap();
        SegmentFile::create(&path, 0o600, FIXED, |_| Ok(())).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(1000).unwrap();
        assert!(matches!(SegmentFile::open(&path, true), Err(NotOpened::Unfit(Unfit::Foreign(_)))));
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn two_mappings_are_of_one_memory_and_a_look_changes_nothing() {
        use std::sync::atomic::Ordering;
        let directory = directory("mappings");
        let path = directory.join("segment");
        let made = SegmentFile::create(&path, 0o600, FIXED, |_| Ok(())).unwrap().unwrap();
        let offset = 1 << 16;
        assert!(made.map(offset, 512, true).is_err(), "there is no such part");
        made.grow(offset + 4096).unwrap();
        made.commit(offset, 4096).unwrap();
        let (one, other) = (made.map(offset, 512, true).unwrap(), made.map(offset, 512, true).unwrap());
        let looking = SegmentFile::open(&path, false).unwrap().map(offset, 512, false).unwrap();
        let word = |arena: &Arena| arena.region(0..512).words()[17].load(Ordering::SeqCst);
        one.region(0..512).words()[17].store(7, Ordering::SeqCst);
        assert_eq!((word(&other), word(&looking)), (7, 7));
        looking.region(0..512).words()[17].store(8, Ordering::SeqCst);
        assert_eq!(word(&one), 7, "who looks writes into a copy");
        made.clear(offset, 4096).unwrap();
        assert_eq!(word(&one), 0);
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_lock_is_the_process_s_own() {
        let directory = directory("locks");
        let made = SegmentFile::create(&directory.join("segment"), 0o600, FIXED, |_| Ok(())).unwrap().unwrap();
        assert!(made.lock(3) && made.lock(3), "it has it already");
        assert!(!made.is_locked_by_another(3) && !made.is_locked_by_another(2));
        made.unlock(3);
        std::fs::remove_dir_all(directory).unwrap();
    }
}
