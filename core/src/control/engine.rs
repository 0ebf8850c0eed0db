//! All pools of one configuration, by name, replaced together while picks are running.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::config::{EngineConfig, SharedConfig, Value, from_path};
use super::differences::Difference;
use super::maintain::Maintained;
use super::metrics;
use super::reload::{self, Prepared};
use super::sharing::{Begun, SharedPools};
use super::stats::PoolStats;
use crate::pool::Pool;
use crate::sync::{AtomicU64, Ordering};
use crate::vocabulary::error::{ConfigError, Error};
use crate::vocabulary::lock::{RwLock, Turn};
use crate::vocabulary::time::now_ns;

/// Pools by name.
///
/// A pool that is taken out of the configuration leaves the engine; hosts that still hold it can go on with it until
/// they drop it, and open picks end as usual.
///
/// ```
/// use loadwise::{Engine, Request};
///
/// let engine = Engine::from_config("
/// pools:
///   shop: {strategy: p2c, nodes: ['10.0.0.1:80', '10.0.0.2:80']}
///   search: {strategy: maglev, nodes: ['10.0.1.1:80']}
/// ")?;
/// let shop = engine.pool("shop").ok_or("no such pool")?;
/// let pick = shop.pick(&Request::new())?;
///
/// let reloaded = engine.reload_from("
/// pools:
///   shop: {strategy: random, nodes: ['10.0.0.2:80', '10.0.0.3:80']}
///   mail: {nodes: ['10.0.2.1:25']}
/// ")?;
/// assert_eq!((reloaded.changed, reloaded.added), (vec!["shop".into()], vec!["mail".into()]));
/// assert_eq!((reloaded.removed, reloaded.version), (vec!["search".into()], 2));
/// assert_eq!(shop.strategy(), "random");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Engine {
    /// In the order of the document; shared ones in that in which they were made.
    pools: RwLock<Vec<Arc<Pool>>>,
    path: Option<PathBuf>,
    version: AtomicU64,
    sharing: Option<SharedPools>,
    /// What `pools` are of what is shared, by its changes.
    synced: AtomicU64,
    /// Held by whoever replaces the configuration.
    reloading: Turn,
}

/// What a reload did, by names of pools.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reloaded {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    /// Those that stayed and were configured otherwise before.
    pub changed: Vec<String>,
    /// Of the engine's configuration, from 1.
    pub version: u64,
}

impl Engine {
    /// Pools from a file of YAML or JSON, which [`reload`](Self::reload) reads again.
    ///
    /// # Errors
    /// [`Error::Config`], naming key, line and file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let engine = from_path(path.as_ref(), Self::from_value)?;
        // Wherever the process goes. A link is followed anew each time: that is how some hosts replace the file.
        let path = std::path::absolute(&path).unwrap_or_else(|_| path.as_ref().to_owned());
        Ok(Self { path: Some(path), ..engine })
    }

    /// Pools from YAML or JSON text: a map `pools`, or the configuration of one pool, which is then called `default`.
    ///
    /// # Errors
    /// [`Error::Config`], naming key and line.
    pub fn from_config(text: &str) -> Result<Self, Error> {
        Self::from_value(&Value::parse(text)?)
    }

    /// Pools from native data.
    ///
    /// # Errors
    /// [`Error::Config`], naming the key.
    pub fn from_value(value: &Value) -> Result<Self, Error> {
        let config = EngineConfig::from_value(value)?;
        let Some(shared) = &config.shared else {
            let engine = Self::over(None);
            engine.reload_value(value)?;
            return Ok(engine);
        };
        let sharing = SharedPools::open(shared).map_err(|error| match error {
            Error::Config(e) => ConfigError { line: line_of(value, &e.key), ..e }.into(),
            other => other,
        })?;
        let engine = Self::over(Some(sharing));
        engine.open_pools(&config, value)?;
        Ok(engine)
    }

    /// The pools of a state that other processes share, as they are: without a configuration of one's own.
    ///
    /// # Errors
    /// [`StateError::Shared`](crate::StateError::Shared) if there is none at this path;
    /// [`StateError::TooManyProcesses`](crate::StateError::TooManyProcesses).
    pub fn attach(path: impl AsRef<Path>) -> Result<Self, Error> {
        let engine = Self::over(Some(SharedPools::attach(path.as_ref())?));
        engine.sync()?;
        Ok(engine)
    }

    /// The pools of a state that other processes share, to look at only, without being one of them: `nodes`, `stats`,
    /// `processes`, `open_picks`, `config` and `explain` tell what is. What would change something is
    /// [`StateError::ReadOnly`](crate::StateError::ReadOnly), and picks find no node.
    ///
    /// # Errors
    /// [`StateError::Shared`](crate::StateError::Shared) if there is none at this path.
    pub fn view(path: impl AsRef<Path>) -> Result<Self, Error> {
        let engine = Self::over(Some(SharedPools::view(path.as_ref())?));
        engine.sync()?;
        Ok(engine)
    }

    fn over(sharing: Option<SharedPools>) -> Self {
        Self {
            pools: RwLock::default(),
            path: None,
            version: AtomicU64::new(0),
            sharing,
            synced: AtomicU64::new(u64::MAX),
            reloading: Turn::default(),
        }
    }

    /// Attaches to the pools of a configuration, and makes those that are not there.
    fn open_pools(&self, config: &EngineConfig, value: &Value) -> Result<(), Error> {
        let Some(sharing) = &self.sharing else { return Ok(()) };
        let _changing = sharing.lock()?;
        let (mut pools, mut begun) = (Vec::new(), Vec::new());
        for (name, config) in &config.pools {
            let (pool, made) = sharing.attach_or_make(name, config).map_err(|error| located(error, name, value))?;
            pools.push(Arc::new(pool));
            begun.extend(made);
        }
        begun.into_iter().for_each(Begun::done);
        self.version.store(1, Ordering::Release);
        *self.pools.write() = pools;
        self.sync()
    }

    /// Takes up which pools other processes have made or taken out.
    fn sync(&self) -> Result<(), Error> {
        let Some(sharing) = &self.sharing else { return Ok(()) };
        let changes = sharing.changes();
        if self.synced.load(Ordering::Acquire) != changes {
            let mut pools = self.pools.write();
            let next = sharing.sync(&pools)?;
            let before = std::mem::replace(&mut *pools, next);
            self.synced.store(changes, Ordering::Release);
            drop(pools);
            // With the lock free: what pools drop may be the host's, and may ask the engine.
            drop(before);
        }
        Ok(())
    }

    /// In what this process is configured otherwise than pools that were there when it attached to them.
    pub fn differences(&self) -> Vec<Difference> {
        self.pools().iter().flat_map(|pool| pool.differences()).cloned().collect()
    }

    /// The file that the state of the pools is in; `None` if it is this process's alone.
    pub fn shared_path(&self) -> Option<PathBuf> {
        self.sharing.as_ref().and_then(SharedPools::path)
    }

    /// Why this process goes on alone although its configuration says `shared`: see
    /// [`OnBadSegment::Private`](crate::config::OnBadSegment::Private).
    pub fn private_because(&self) -> Option<&str> {
        self.sharing.as_ref().and_then(|sharing| sharing.private_because.as_deref())
    }

    /// The pool of a name. Look it up once and keep it: it stays the same pool over reloads.
    pub fn pool(&self, name: &str) -> Option<Arc<Pool>> {
        self.pools().into_iter().find(|pool| pool.name() == name)
    }

    /// The names of all pools, in the order of the document.
    pub fn names(&self) -> Vec<String> {
        self.pools().iter().map(|pool| pool.name().to_owned()).collect()
    }

    /// Reads the file again that the engine was opened with, and puts it in force: see [`Pool::reload`] for what pools
    /// that stay keep. A pool that is configured as before is left alone. All is checked before anything is changed, so
    /// that picks under way find either configuration, and an error leaves the present one.
    ///
    /// # Errors
    /// [`Error::Config`], naming pool, key, line and file; or that there is no file.
    pub fn reload(&self) -> Result<Reloaded, Error> {
        self.reread(|value| self.reload_value(value))
    }

    /// [`reload`](Self::reload), but for pools whose configuration is the one that was last put in force, by whichever
    /// process: what was changed by hand since, as weights, stays. For programs of many workers that all read the same
    /// configuration: the first that has a new one replaces the old one, and one that is started again changes nothing.
    ///
    /// # Errors
    /// As [`reload`](Self::reload).
    pub fn reload_if_new(&self) -> Result<Reloaded, Error> {
        self.reread(|value| self.reload_value_if_new(value))
    }

    fn reread(&self, put_in_force: impl Fn(&Value) -> Result<Reloaded, Error>) -> Result<Reloaded, Error> {
        match &self.path {
            Some(path) => from_path(path, put_in_force),
            None => {
                Err(ConfigError::new("", 0, "the engine was not opened from a file: give it the configuration").into())
            }
        }
    }

    /// [`reload`](Self::reload) from a text.
    ///
    /// # Errors
    /// [`Error::Config`], naming pool, key and line.
    pub fn reload_from(&self, text: &str) -> Result<Reloaded, Error> {
        self.reload_value(&Value::parse(text)?)
    }

    /// [`reload_if_new`](Self::reload_if_new) from a text.
    ///
    /// ```
    /// use loadwise::Engine;
    ///
    /// let text = "pools: {shop: {nodes: [a, b]}}";
    /// let engine = Engine::from_config(text)?;
    /// let shop = engine.pool("shop").ok_or("no such pool")?;
    /// shop.set_weight("a", 5)?;
    /// assert!(engine.reload_from_if_new(text)?.changed.is_empty());
    /// assert_eq!(shop.nodes()[0].weight, 5);
    /// assert_eq!(engine.reload_from(text)?.changed, ["shop"]);
    /// assert_eq!(shop.nodes()[0].weight, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`], naming pool, key and line.
    pub fn reload_from_if_new(&self, text: &str) -> Result<Reloaded, Error> {
        self.reload_value_if_new(&Value::parse(text)?)
    }

    /// [`reload`](Self::reload) from native data.
    ///
    /// # Errors
    /// [`Error::Config`], naming pool and key.
    pub fn reload_value(&self, value: &Value) -> Result<Reloaded, Error> {
        self.replace(value, |ready| ready.differs() || ready.is_new())
    }

    /// [`reload_if_new`](Self::reload_if_new) from native data.
    ///
    /// # Errors
    /// [`Error::Config`], naming pool and key.
    pub fn reload_value_if_new(&self, value: &Value) -> Result<Reloaded, Error> {
        self.replace(value, |ready| ready.is_new())
    }

    /// Puts a configuration in force in those pools for which `is_due`, and in those that are not there yet.
    fn replace(&self, value: &Value, is_due: fn(&Prepared<'_>) -> bool) -> Result<Reloaded, Error> {
        let EngineConfig { pools: wanted, shared } = EngineConfig::from_value(value)?;
        self.check_shared(shared.as_ref())?;
        let reloading = self.reloading.take();
        let changing = self.sharing.as_ref().map(SharedPools::lock).transpose()?;
        self.sync()?;
        let present = self.pools.read().clone();
        let find = |name: &str| present.iter().find(|pool| pool.name() == name);
        let mut next = Vec::new();
        let (mut begun, mut reloaded) = (Vec::new(), Reloaded::default());
        // New pools first: this is what takes long, and those that are there can be changed by others meanwhile.
        for (name, config) in &wanted {
            next.push(match find(name) {
                Some(pool) => pool.clone(),
                None => {
                    let made = match &self.sharing {
                        Some(sharing) => sharing.attach_or_make(name, config),
                        None => Pool::alone(name.clone(), config, None, |_| ()).map(|pool| (pool, None)),
                    };
                    let (pool, made) = made.map_err(|error| located(error, name, value))?;
                    begun.extend(made);
                    reloaded.added.push(name.clone());
                    Arc::new(pool)
                }
            });
        }
        let mut prepared: Vec<Prepared<'_>> = Vec::new();
        for (name, config) in &wanted {
            let Some(pool) = find(name) else { continue };
            let ready = pool.prepare(config).map_err(|error| located(error, name, value))?;
            if is_due(&ready) && ready.differs() {
                reloaded.changed.push(name.clone());
            }
            if is_due(&ready) {
                prepared.push(ready);
            }
        }
        // Nothing can be refused from here on.
        begun.into_iter().for_each(Begun::done);
        let now_ns = now_ns();
        let applied: Vec<reload::Untold<'_>> =
            prepared.into_iter().filter_map(|ready| ready.apply_if_other(now_ns)).collect();
        let gone = present.iter().filter(|pool| !next.iter().any(|stays| Arc::ptr_eq(stays, pool)));
        for pool in gone {
            reloaded.removed.push(pool.name().to_owned());
            if let Some(sharing) = &self.sharing {
                sharing.remove(pool);
            }
        }
        *self.pools.write() = next;
        reloaded.version = self.version_word().fetch_add(1, Ordering::AcqRel).wrapping_add(1);
        drop((changing, reloading));
        applied.into_iter().for_each(reload::Untold::tell);
        Ok(reloaded)
    }

    /// Takes one pool out, as a reload does whose document does not have it; whether there was one of that name. For programs
    /// that know which pools are theirs and not which others there are, where processes share a state.
    ///
    /// ```
    /// use loadwise::{Engine, Request};
    ///
    /// let engine = Engine::from_config("pools: {shop: {nodes: [a]}, search: {nodes: [b]}}")?;
    /// let search = engine.pool("search").ok_or("no such pool")?;
    /// assert!(engine.remove("search")? && !engine.remove("search")?);
    /// assert_eq!(engine.names(), ["shop"]);
    /// assert!(search.pick(&Request::new()).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StateError::ReadOnly`](crate::StateError::ReadOnly) for who only looks.
    pub fn remove(&self, name: &str) -> Result<bool, Error> {
        let reloading = self.reloading.take();
        let changing = self.sharing.as_ref().map(SharedPools::lock).transpose()?;
        self.sync()?;
        let gone = {
            let mut pools = self.pools.write();
            let Some(at) = pools.iter().position(|pool| pool.name() == name) else { return Ok(false) };
            pools.remove(at)
        };
        if let Some(sharing) = &self.sharing {
            sharing.remove(&gone);
        }
        self.version_word().fetch_add(1, Ordering::AcqRel);
        drop((changing, reloading));
        // What a pool drops may be the host's, and may ask the engine.
        drop(gone);
        Ok(true)
    }

    /// That a new configuration does not ask for another file: it is fixed when the engine is made.
    fn check_shared(&self, shared: Option<&SharedConfig>) -> Result<(), Error> {
        let Some(wanted) = shared else { return Ok(()) };
        let path = std::path::absolute(&wanted.path).unwrap_or_else(|_| PathBuf::from(&wanted.path));
        let is = match &self.sharing {
            None => "this process's alone".to_owned(),
            Some(sharing) => match sharing.path() {
                Some(is) if is == path => return Ok(()),
                Some(is) => is.display().to_string(),
                // What could not be shared when it was opened is not shared now.
                None => return Ok(()),
            },
        };
        let message = format!("cannot become {}: the state is {is} since the engine was opened", wanted.path);
        Err(ConfigError::new("shared", 0, message).into())
    }

    pub(crate) fn sharing(&self) -> Option<&SharedPools> {
        self.sharing.as_ref()
    }

    fn version_word(&self) -> &AtomicU64 {
        self.sharing.as_ref().and_then(SharedPools::version).unwrap_or(&self.version)
    }

    /// The configuration in force: `pools` by name, each as [`Pool::config_value`] has it, and `version`.
    pub fn config(&self) -> Value {
        let pools = self.pools();
        let pools = Value::map(pools.iter().map(|pool| (pool.name(), pool.config_value())));
        let shared = self.sharing.as_ref().and_then(SharedPools::config).map(|config| ("shared", config.to_value()));
        Value::map([("pools", pools)].into_iter().chain(shared).chain([("version", Value::from(self.version()))]))
    }

    /// How often a configuration was put in force, the first included.
    pub fn version(&self) -> u64 {
        self.version_word().load(Ordering::Acquire)
    }

    /// [Maintains](Pool::maintain) all pools; the earliest time at which one of them is due again, and what was done in
    /// all. To be called from a timer, about once a second.
    pub fn maintain(&self, now_ns: u64) -> Maintained {
        if let Some(sharing) = &self.sharing {
            sharing.maintain();
        }
        let mut all = Maintained { next_due_ns: u64::MAX, leases_expired: 0, rebuilt: false };
        for pool in self.pools() {
            let one = pool.maintain(now_ns);
            all.next_due_ns = all.next_due_ns.min(one.next_due_ns);
            all.leases_expired += one.leases_expired;
            all.rebuilt |= one.rebuilt;
        }
        all
    }

    /// All pools in figures.
    pub fn stats(&self) -> Vec<PoolStats> {
        self.stats_at(now_ns())
    }

    /// [`stats`](Self::stats) at a time of the caller's.
    pub fn stats_at(&self, now_ns: u64) -> Vec<PoolStats> {
        self.pools().iter().map(|pool| pool.stats_at(now_ns)).collect()
    }

    /// [`stats`](Self::stats) as the text of Prometheus, format 0.0.4.
    pub fn prometheus(&self) -> String {
        metrics::prometheus(&self.stats())
    }

    /// [`stats`](Self::stats) as the text of OpenMetrics 1.0.
    pub fn openmetrics(&self) -> String {
        metrics::openmetrics(&self.stats())
    }

    /// All pools of this moment, in the order of the document.
    pub fn pools(&self) -> Vec<Arc<Pool>> {
        // Pools that cannot be attached to are not there; what is damaged is told to whoever opens it.
        let _ = self.sync();
        self.pools.read().clone()
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("pools", &self.names()).field("version", &self.version()).finish_non_exhaustive()
    }
}

/// What a pool says of its configuration, as said of the document that it stands in.
fn located(error: Error, name: &str, document: &Value) -> Error {
    let Error::Config(error) = error else { return error };
    let (pool, prefix) = match document.get("pools") {
        Some(pools) => (pools.get(name), Some(format!("pools.{name}"))),
        None => (Some(document), None),
    };
    let line = if error.line == 0 { pool.map_or(0, |pool| line_of(pool, &error.key)) } else { error.line };
    let key = match prefix {
        Some(prefix) if error.key.is_empty() => prefix,
        Some(prefix) => format!("{prefix}.{}", error.key),
        None => error.key,
    };
    ConfigError { key, line, ..error }.into()
}

/// The line of a key as `nodes[2].weight`, or that of what it would stand in.
fn line_of(value: &Value, key: &str) -> usize {
    let mut at = value;
    for step in key.split(['.', '[']) {
        match at.step(step) {
            Some(next) => at = next,
            None => break,
        }
    }
    at.line
}
