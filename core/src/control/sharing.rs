//! Pools that are shared where that is possible: what engines and single pools are made of, whether or not there is a
//! segment.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::config::{PoolConfig, SharedConfig};
use super::processes::ProcessStatus;
#[cfg(all(target_os = "linux", not(loom)))]
use super::processes::attached_to;
#[cfg(all(target_os = "linux", not(loom)))]
use super::shared::{Opened, SharedState};
use crate::pool::Pool;
#[cfg(all(target_os = "linux", not(loom)))]
use crate::segment::attached::Found;
use crate::sync::AtomicU64;
#[cfg(not(all(target_os = "linux", not(loom))))]
use crate::vocabulary::error::ConfigError;
use crate::vocabulary::error::Error;

/// A pool that was made and that others do not know of before it is `done`; taken back if it is dropped.
#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) type Begun<'s> = crate::segment::attached::Making<'s>;

#[cfg(not(all(target_os = "linux", not(loom))))]
pub(crate) struct Begun<'s>(std::marker::PhantomData<&'s ()>);

#[cfg(not(all(target_os = "linux", not(loom))))]
impl Begun<'_> {
    pub(crate) fn done(self) {}
}

/// Where pools of a configuration go that says `shared`.
pub(crate) struct SharedPools {
    #[cfg(all(target_os = "linux", not(loom)))]
    state: Option<SharedState>,
    /// Why this process goes on alone.
    pub(crate) private_because: Option<String>,
}

#[cfg(all(target_os = "linux", not(loom)))]
impl SharedPools {
    pub(crate) fn open(config: &SharedConfig) -> Result<Self, Error> {
        Ok(match SharedState::open(config)? {
            Opened::Shared(state) => Self { state: Some(state), private_because: None },
            Opened::Private(reason) => Self { state: None, private_because: Some(reason) },
        })
    }

    pub(crate) fn attach(path: &Path) -> Result<Self, Error> {
        Ok(Self { state: Some(SharedState::attach(path)?), private_because: None })
    }

    pub(crate) fn view(path: &Path) -> Result<Self, Error> {
        Ok(Self { state: Some(SharedState::view(path)?), private_because: None })
    }

    /// The right to change which pools there are, among all processes.
    pub(crate) fn lock(&self) -> Result<impl Sized + '_, Error> {
        self.state.as_ref().map(SharedState::lock).transpose()
    }

    /// Changes of which pools there are, counted; 0 while nothing is shared.
    pub(crate) fn changes(&self) -> u64 {
        self.state.as_ref().map_or(0, |state| state.segment.directory_changes())
    }

    /// The pools that there are now, in place of those that `known` has; who is there already stays the same pool.
    pub(crate) fn sync(&self, known: &[Arc<Pool>]) -> Result<Vec<Arc<Pool>>, Error> {
        let Some(state) = &self.state else { return Ok(known.to_vec()) };
        let is = |pool: &Pool, found: &Found| {
            pool.share.as_ref().is_some_and(|share| (share.entry, share.life) == (found.entry, found.life))
        };
        let attach = |found: &Found| match known.iter().find(|pool| is(pool, found)) {
            Some(pool) => Ok(pool.clone()),
            None => state.pool(found, &PoolConfig::default()).map(Arc::new),
        };
        let pools = state.segment.pools().iter().map(attach).collect();
        state.segment.unmap_left();
        pools
    }

    /// A pool that was not there: attached to if somebody else has made it, else made. For the holder of the lock.
    pub(crate) fn attach_or_make(&self, name: &str, config: &PoolConfig) -> Result<(Pool, Option<Begun<'_>>), Error> {
        match &self.state {
            Some(state) => state.attach_or_make(name, config),
            None => Pool::alone(name.to_owned(), config, None, |_| ()).map(|pool| (pool, None)),
        }
    }

    /// Takes a pool out. For the holder of the lock.
    pub(crate) fn remove(&self, pool: &Pool) {
        if let (Some(state), Some(share)) = (&self.state, &pool.share) {
            state.segment.remove_pool(share.entry);
        }
    }

    /// How often the configuration of the engine was replaced, counted by all processes.
    pub(crate) fn version(&self) -> Option<&AtomicU64> {
        self.state.as_ref().map(|state| state.segment.version())
    }

    pub(crate) fn maintain(&self) {
        if let Some(state) = &self.state {
            state.segment.maintain();
        }
    }

    /// The pool of a name: attached to, or made.
    pub(crate) fn pool(self, name: String, config: &PoolConfig, own: impl FnOnce(&Pool)) -> Result<Pool, Error> {
        let Some(state) = &self.state else {
            return Pool::alone(name, config, None, own);
        };
        let _changing = state.lock()?;
        let (pool, begun) = state.attach_or_make(&name, config)?;
        own(&pool);
        begun.into_iter().for_each(Begun::done);
        Ok(pool)
    }

    /// Who is attached; nothing is counted of what they hold.
    pub(crate) fn attached(&self) -> Vec<ProcessStatus> {
        self.state.as_ref().map(|state| attached_to(&state.segment)).unwrap_or_default()
    }

    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.state.as_ref().map(|state| state.segment.path().to_owned())
    }

    pub(crate) fn config(&self) -> Option<&SharedConfig> {
        self.state.as_ref().map(|state| &state.config)
    }
}

#[cfg(not(all(target_os = "linux", not(loom))))]
impl SharedPools {
    pub(crate) fn open(_: &SharedConfig) -> Result<Self, Error> {
        Err(ConfigError::new("shared", 0, "processes can share a state on Linux only").into())
    }

    pub(crate) fn attach(_: &Path) -> Result<Self, Error> {
        Self::open(&SharedConfig::default())
    }

    pub(crate) fn view(path: &Path) -> Result<Self, Error> {
        Self::attach(path)
    }

    pub(crate) fn lock(&self) -> Result<impl Sized + '_, Error> {
        Ok(())
    }

    pub(crate) fn changes(&self) -> u64 {
        0
    }

    pub(crate) fn sync(&self, known: &[Arc<Pool>]) -> Result<Vec<Arc<Pool>>, Error> {
        Ok(known.to_vec())
    }

    pub(crate) fn attach_or_make(&self, name: &str, config: &PoolConfig) -> Result<(Pool, Option<Begun<'_>>), Error> {
        Pool::alone(name.to_owned(), config, None, |_| ()).map(|pool| (pool, None))
    }

    pub(crate) fn remove(&self, _: &Pool) {}

    pub(crate) fn version(&self) -> Option<&AtomicU64> {
        None
    }

    pub(crate) fn maintain(&self) {}

    pub(crate) fn pool(self, name: String, config: &PoolConfig, own: impl FnOnce(&Pool)) -> Result<Pool, Error> {
        Pool::alone(name, config, None, own)
    }

    pub(crate) fn attached(&self) -> Vec<ProcessStatus> {
        Vec::new()
    }

    pub(crate) fn path(&self) -> Option<PathBuf> {
        None
    }

    pub(crate) fn config(&self) -> Option<&SharedConfig> {
        None
    }
}
