//! From a configured file to a state that processes share: opened, made, or done without.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use super::config::{OnBadSegment, PoolConfig, SharedConfig};
use crate::pool::make::{self, Share};
use crate::pool::{AVAILABLE_MASK, Pool};
use crate::segment::attached::{Changing, Found, Making, Segment, Ways};
use crate::segment::file::{FileId, NotOpened, SegmentFile, check_path};
use crate::segment::header::{Fixed, Unfit};
use crate::segment::{NoSeat, begin_head};
use crate::vocabulary::error::{ConfigError, Error, StateError};
use crate::vocabulary::limits::Limits;
use crate::vocabulary::lock::Mutex;
use crate::vocabulary::time::now_ns;

const WAYS: Ways = Ways { layout_of: make::layout_of, hinted: AVAILABLE_MASK };

/// Files that are tried while others make and take away files of the same name.
const TRIES: u32 = 10;

/// The segments that this process is attached to: once each, however often it opens them.
static ATTACHED: Mutex<Vec<Weak<Segment>>> = Mutex::new(Vec::new());

/// A state that processes share, as this process has opened it.
pub(crate) struct SharedState {
    pub(crate) segment: Arc<Segment>,
    pub(crate) config: SharedConfig,
}

/// What came of opening one.
pub(crate) enum Opened {
    Shared(SharedState),
    /// This process goes on alone, and why.
    Private(String),
}

impl SharedState {
    /// Attaches to the file of a configuration, which is made if it is not there.
    ///
    /// # Errors
    /// [`StateError::Shared`] if there is no state to be had, and the configuration does not say what to do instead;
    /// [`Error::Config`] if it was made for another number of processes; [`StateError::TooManyProcesses`].
    pub(crate) fn open(config: &SharedConfig) -> Result<Opened, Error> {
        let path = absolute(&config.path)?;
        let fixed =
            Fixed { max_processes: config.max_processes, max_pools: super::config::EngineConfig::POOLS_MAX as u32 };
        let mode = config.mode_bits().ok_or_else(|| ConfigError::new("shared.mode", 0, "is not a mode"))?;
        for _ in 0..TRIES {
            let unfit = match find(&path) {
                Ok(segment) => {
                    check_processes(config, segment.file().fixed)?;
                    return Self::seated(segment, config).map(Opened::Shared);
                }
                Err(NotOpened::Missing) => {
                    SegmentFile::create(&path, mode, fixed, begin_head).map_err(|e| failed(&path, &e))?;
                    continue;
                }
                Err(NotOpened::Io(error)) => return Err(failed(&path, &error)),
                Err(NotOpened::Unfit(unfit)) => unfit,
            };
            let reason = told(&unfit);
            match config.on_bad_segment {
                OnBadSegment::Fail => return Err(shared(&path, reason)),
                OnBadSegment::Private => return Ok(Opened::Private(reason)),
                OnBadSegment::Recreate => set_aside(&path).map_err(|e| failed(&path, &e))?,
            }
        }
        Err(shared(&path, "others keep on making and taking away files of this name".to_owned()))
    }

    /// Attaches to a file that is there, whatever it was configured with.
    pub(crate) fn attach(path: &Path) -> Result<Self, Error> {
        let path = absolute(path)?;
        let segment = find(&path).map_err(|error| not_opened(&path, error))?;
        Self::seated(segment, &SharedConfig::new(path.to_string_lossy()))
    }

    /// Looks at a file that is there, and changes nothing of it.
    pub(crate) fn view(path: &Path) -> Result<Self, Error> {
        let path = absolute(path)?;
        let file = SegmentFile::open(&path, false).map_err(|error| not_opened(&path, error))?;
        let segment = Segment::attach(file, false, WAYS).map_err(|error| failed(&path, &error))?;
        Ok(Self { segment: Arc::new(segment), config: SharedConfig::new(path.to_string_lossy()) })
    }

    fn seated(segment: Arc<Segment>, config: &SharedConfig) -> Result<Self, Error> {
        segment.seat().map_err(|NoSeat| StateError::TooManyProcesses)?;
        let max_processes = segment.file().fixed.max_processes;
        let state = Self { segment, config: SharedConfig { max_processes, ..config.clone() } };
        if state.segment.is_of_earlier_boot() {
            let _changing = state.lock()?;
            // Somebody else may have done it meanwhile.
            if state.segment.is_of_earlier_boot() {
                let now = now_ns();
                for found in state.segment.pools() {
                    state.pool(&found, &PoolConfig::default())?.begin_boot(now);
                }
                state.segment.begin_boot();
            }
        }
        Ok(state)
    }

    /// The right to change which pools there are.
    pub(crate) fn lock(&self) -> Result<Changing<'_>, Error> {
        if !self.segment.is_writer() {
            return Err(StateError::ReadOnly.into());
        }
        Ok(self.segment.lock().ok_or(StateError::Busy)?)
    }

    pub(crate) fn find(&self, name: &str) -> Option<Found> {
        self.segment.pools().into_iter().find(|found| found.described.name == name)
    }

    /// Attaches to a pool that is there. `config`: what is taken for its configuration where it cannot be read.
    pub(crate) fn pool(&self, found: &Found, config: &PoolConfig) -> Result<Pool, Error> {
        let memory = self.segment.memory_of(found).map_err(|error| failed(self.segment.path(), &error))?;
        let share = self.share(found.entry, found.life)?;
        Pool::over(found.described.name.clone(), config, memory, found.described.shape.seed, Some(share))
    }

    fn share(&self, entry: usize, life: u64) -> Result<Share, Error> {
        let holder = self.segment.seat().map_err(|NoSeat| StateError::TooManyProcesses)?;
        Ok(Share { segment: self.segment.clone(), entry, life, holder })
    }

    /// Attaches to a pool of this name, and finds out in what it is configured otherwise; or makes it. For the holder of
    /// the segment's lease, if `changing`.
    pub(crate) fn attach_or_make(&self, name: &str, config: &PoolConfig) -> Result<(Pool, Option<Making<'_>>), Error> {
        if let Some(found) = self.find(name) {
            check_limits(&config.limits, &found.described.shape.limits)?;
            let mut pool = self.pool(&found, config)?;
            pool.differences = pool.differences_to(config).into();
            pool.take_user_data(&config.nodes);
            return Ok((pool, None));
        }
        self.make(name, config).map(|(pool, making)| (pool, Some(making)))
    }

    /// Makes a pool, which others know when it is done. For the holder of the segment's lease.
    fn make(&self, name: &str, config: &PoolConfig) -> Result<(Pool, Making<'_>), Error> {
        let shape = make::shape_of(config, self.segment.file().fixed.max_processes);
        let path = self.segment.path();
        let making = self.segment.make_pool(name, &shape).map_err(|error| failed(path, &error))?;
        let Some(making) = making else {
            let most = self.segment.file().fixed.max_pools;
            return Err(ConfigError::limit("pools", 0, format!("more than {most} in the shared state")).into());
        };
        let share = self.share(making.entry, making.life)?;
        let pool = Pool::over(name.to_owned(), config, making.memory.clone(), shape.seed, Some(share))?;
        pool.stir();
        pool.begin(config)?;
        Ok((pool, making))
    }
}

/// The segment of a path, opened once in a process.
fn find(path: &Path) -> Result<Arc<Segment>, NotOpened> {
    let mut attached = ATTACHED.lock();
    attached.retain(|segment| segment.strong_count() > 0);
    // Not opened to find out whether it is open: closing it again would give back its locks.
    let id = FileId::of(path)?;
    let known = attached.iter().filter_map(Weak::upgrade).find(|segment| segment.file().id == id);
    if let Some(segment) = known {
        return Ok(segment);
    }
    let segment = Arc::new(Segment::attach(SegmentFile::open(path, true)?, true, WAYS)?);
    attached.push(Arc::downgrade(&segment));
    Ok(segment)
}

/// Takes the name from a file that is no state, so that a new one can have it.
fn set_aside(path: &Path) -> std::io::Result<()> {
    // Under another name first: if somebody put a good one there meanwhile, it gets its name back.
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".bad.{}", std::process::id()));
    let aside = PathBuf::from(name);
    match std::fs::rename(path, &aside) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    }
    if SegmentFile::open(&aside, true).is_ok() {
        let _ = std::fs::hard_link(&aside, path);
    }
    std::fs::remove_file(&aside)
}

fn absolute(path: impl AsRef<Path>) -> Result<PathBuf, Error> {
    let path = path.as_ref();
    check_path(path).map_err(|message| ConfigError::new("shared.path", 0, message))?;
    std::path::absolute(path).map_err(|error| failed(path, &error))
}

fn check_processes(config: &SharedConfig, fixed: Fixed) -> Result<(), Error> {
    let (wanted, is) = (config.max_processes, fixed.max_processes);
    // Who says nothing takes what is there.
    if wanted != is && wanted != SharedConfig::default().max_processes {
        let message = format!("{wanted}, but the shared state was made for {is}");
        return Err(ConfigError::new("shared.max_processes", 0, message).into());
    }
    Ok(())
}

/// That no bound contradicts one that is fixed. Who says nothing of it takes what is there.
fn check_limits(wanted: &Limits, is: &Limits) -> Result<(), Error> {
    let pairs = |limits: &Limits| super::reload::fixed_limits(limits);
    for (((key, wanted), (_, is)), (_, default)) in
        pairs(wanted).into_iter().zip(pairs(is)).zip(pairs(&Limits::default()))
    {
        // A table that is larger than the bound raises it, and picks are rounded up.
        let is_same =
            wanted == is || key == "limits.max_table_size" && wanted < is || wanted.next_multiple_of(64) == is;
        if !is_same && wanted != default && key != "limits.max_processes" {
            let message = format!("{wanted}, but the shared pool was made for {is}");
            return Err(ConfigError::new(key, 0, message).into());
        }
    }
    Ok(())
}

fn not_opened(path: &Path, error: NotOpened) -> Error {
    match error {
        NotOpened::Missing => shared(path, "there is no such file".to_owned()),
        NotOpened::Unfit(unfit) => shared(path, told(&unfit)),
        NotOpened::Io(error) => failed(path, &error),
    }
}

fn told(unfit: &Unfit) -> String {
    match unfit {
        Unfit::Foreign(what) => format!("it is no shared state: {what}"),
        Unfit::OtherVersion(version) => {
            format!("it is of another version of loadwise (layout {version}): let all programs use one")
        }
        Unfit::Damaged(what) => format!("it is damaged: {what}"),
    }
}

pub(crate) fn failed(path: &Path, error: &std::io::Error) -> Error {
    let reason = match error.kind() {
        std::io::ErrorKind::StorageFull => "its file system is full".to_owned(),
        _ => error.to_string(),
    };
    shared(path, reason)
}

fn shared(path: &Path, reason: String) -> Error {
    StateError::Shared { path: path.display().to_string(), reason }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::seat::Holder;
    use crate::vocabulary::outcome::Outcome;
    use crate::{Engine, Request};

    /// Gives back what a process holds that lives, as if it had been taken for dead.
    fn evict(segment: &Segment, row: usize) {
        let row = segment.processes().row(row).unwrap();
        let reaper = Holder::new(7, 3);
        assert!(row.begin_reaping(reaper, |_| true, |_| true));
        segment.reclaim(row);
        row.end_reaping(reaper);
    }

    #[test]
    fn a_pool_that_goes_watches_no_more() {
        let path = std::env::temp_dir().join(format!("loadwise-watched-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let config = format!("shared: '{}'\nnodes: [a, b]", path.display());
        let [watching, staying] = [(); 2].map(|()| Engine::from_config(&config).unwrap());
        watching.pool("default").unwrap().observe(true, |_| ());
        let pool = staying.pool("default").unwrap();
        let is_guarded = || pool.plan_at(pool.generation().current()).lead().guarded();
        assert!(pool.memory.is_watched() && is_guarded());
        drop(watching);
        assert!(!pool.memory.is_watched() && !is_guarded(), "picks are as fast as before");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn who_was_taken_for_dead_goes_on_as_another() {
        let path = std::env::temp_dir().join(format!("loadwise-evicted-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let engine = Engine::from_config(&format!("shared: '{}'\nnodes: [a, b]", path.display())).unwrap();
        let pool = engine.pool("default").unwrap();
        let segment = pool.share.as_ref().unwrap().segment.clone();
        let before = pool.acquire(&Request::new()).unwrap();
        let row = segment.own_row().unwrap().index;
        evict(&segment, row);
        // Its row is another's before it finds out.
        let other = segment.processes().claim(&crate::segment::liveness::own_identity(), 1).unwrap();
        assert_eq!(other.row(), row);
        // Maintenance looks after processes ten times a second at most.
        std::thread::sleep(std::time::Duration::from_millis(110));
        pool.maintain(now_ns());
        assert_eq!(pool.stats().in_flight, 0);
        assert_ne!(segment.own_row().unwrap().index, row);
        assert!(pool.release(before.ticket, Outcome::Success).is_err(), "what it held is given back already");
        let after = pool.acquire(&Request::new()).unwrap();
        assert_eq!(pool.stats().in_flight, 1);
        pool.release(after.ticket, Outcome::Success).unwrap();
        assert_eq!(pool.stats().in_flight, 0);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn after_another_boot_what_was_learned_stays_and_times_begin_anew() {
        let path = std::env::temp_dir().join(format!("loadwise-boot-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let config = format!(
            "{{shared: '{}', strategy: peak_ewma, nodes: [a, b], lease_timeout_ms: 60000,
               quotas: [{{dimension: rpm, limit: 9}}]}}",
            path.display()
        );
        let engine = Engine::from_config(&config).unwrap();
        let pool = engine.pool("default").unwrap();
        // Of a clock that was ahead of the one after the boot.
        let then = now_ns() + 5 * crate::vocabulary::time::NANOS_PER_SEC;
        let report = || crate::Report::success().latency(std::time::Duration::from_millis(50)).now_ns(then);
        for _ in 0..3 {
            let lease = pool.acquire(&Request::new().exclude(&["b"]).now_ns(then)).unwrap();
            pool.release(lease.ticket, report()).unwrap();
        }
        (0..3).for_each(|_| assert!(pool.report("b", crate::Report::from(Outcome::Failure).now_ns(then)).is_ok()));
        pool.acquire(&Request::new().now_ns(then)).unwrap();
        let segment = pool.share.as_ref().unwrap().segment.clone();
        segment.forget_boot();
        drop((pool, segment, engine));

        let engine = Engine::attach(&path).unwrap();
        let pool = engine.pool("default").unwrap();
        let [a, b] = &pool.stats().nodes[..] else { unreachable!() };
        assert_eq!((a.in_flight + b.in_flight, a.successes), (0, 3));
        assert!(a.latency_ewma_ms.is_some_and(|ms| (40.0..60.0).contains(&ms)), "{:?}", a.latency_ewma_ms);
        assert_eq!(b.health, crate::HealthStatus::Unhealthy);
        assert_eq!(a.quotas[0].used, 0, "of a window that no clock tells of");
        // It is not left alone for as long as its hold was to last.
        let probe = pool.acquire(&Request::new().exclude(&["a"])).unwrap();
        pool.release(probe.ticket, Outcome::Success).unwrap();
        assert_ne!(pool.stats().nodes[1].health, crate::HealthStatus::Unhealthy);
        std::fs::remove_file(path).unwrap();
    }
}
