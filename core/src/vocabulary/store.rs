//! Where what was learned of nodes can be kept, beyond the life of a pool or of a process.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::hash::Hash;

use parking_lot::RwLock;

/// A map from node ids to state, kept anywhere: in memory, in Redis, in a file.
///
/// Calls may block; none is made on the way of a pick.
pub trait StateStore: Send + Sync {
    type NodeId: Eq + Hash + Clone + Send + Sync;
    type State: Clone + Send + Sync;
    type Error: Send + Sync + 'static;

    /// What is kept for `id`, `None` if nothing is.
    fn get(&self, id: &Self::NodeId) -> Result<Option<Self::State>, Self::Error>;

    /// Keeps `state` for `id` in place of whatever was there.
    fn put(&self, id: &Self::NodeId, state: Self::State) -> Result<(), Self::Error>;

    /// Keeps nothing for `id` any more. Fine if nothing was.
    fn remove(&self, id: &Self::NodeId) -> Result<(), Self::Error>;

    /// Everything that is kept, in no particular order.
    #[expect(clippy::type_complexity, reason = "pairs read better than a name for them would")]
    fn list(&self) -> Result<Vec<(Self::NodeId, Self::State)>, Self::Error>;

    /// Keeps all of these, as [`put`](Self::put) does one by one; a store that can do better at once does.
    fn put_all(&self, states: Vec<(Self::NodeId, Self::State)>) -> Result<(), Self::Error> {
        states.into_iter().try_for_each(|(id, state)| self.put(&id, state))
    }
}

/// A [`StateStore`] in the memory of this process.
///
/// ```
/// use loadwise::state::{InMemoryStore, StateStore};
///
/// let latencies_ms: InMemoryStore<&str, u64> = InMemoryStore::new();
/// latencies_ms.put(&"node-1", 42)?;
/// assert_eq!(latencies_ms.get(&"node-1")?, Some(42));
/// latencies_ms.remove(&"node-1")?;
/// assert_eq!(latencies_ms.list()?, []);
/// # Ok::<(), std::convert::Infallible>(())
/// ```
pub struct InMemoryStore<Id, State> {
    kept: RwLock<HashMap<Id, State>>,
}

impl<Id, State> InMemoryStore<Id, State> {
    /// An empty store.
    pub fn new() -> Self {
        Self { kept: RwLock::new(HashMap::new()) }
    }
}

impl<Id, State> Default for InMemoryStore<Id, State> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Id, State> fmt::Debug for InMemoryStore<Id, State> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemoryStore").field("nodes", &self.kept.read().len()).finish_non_exhaustive()
    }
}

impl<Id, State> StateStore for InMemoryStore<Id, State>
where
    Id: Eq + Hash + Clone + Send + Sync,
    State: Clone + Send + Sync,
{
    type NodeId = Id;
    type State = State;
    type Error = Infallible;

    fn get(&self, id: &Id) -> Result<Option<State>, Infallible> {
        Ok(self.kept.read().get(id).cloned())
    }

    fn put(&self, id: &Id, state: State) -> Result<(), Infallible> {
        let replaced = self.kept.write().insert(id.clone(), state);
        // Dropped only now that the lock is free: a state's own drop may come back to this store.
        drop(replaced);
        Ok(())
    }

    fn remove(&self, id: &Id) -> Result<(), Infallible> {
        let removed = self.kept.write().remove(id);
        drop(removed);
        Ok(())
    }

    fn list(&self) -> Result<Vec<(Id, State)>, Infallible> {
        Ok(self.kept.read().iter().map(|(id, state)| (id.clone(), state.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_replaces_and_removes() {
        let store = InMemoryStore::<String, Vec<u8>>::default();
        let id = "a".to_owned();
        assert_eq!(store.get(&id), Ok(None));
        store.put(&id, vec![1]).unwrap();
        store.put(&id, vec![2]).unwrap();
        assert_eq!(store.get(&id), Ok(Some(vec![2])));
        store.remove(&id).unwrap();
        store.remove(&id).unwrap();
        assert_eq!(store.get(&id), Ok(None));
    }

    #[test]
    fn lists_everything_once() {
        let store = InMemoryStore::new();
        for i in 0..100u32 {
            store.put(&(i % 10), i).unwrap();
        }
        let mut all = store.list().unwrap();
        all.sort_unstable();
        assert_eq!(all, (0..10).map(|i| (i, 90 + i)).collect::<Vec<_>>());
    }

    #[test]
    fn serves_code_that_knows_only_the_trait() {
        fn copy_all<S: StateStore>(from: &S, to: &S) -> Result<usize, S::Error> {
            let all = from.list()?;
            for (id, state) in &all {
                to.put(id, state.clone())?;
            }
            Ok(all.len())
        }
        let (from, to) = (InMemoryStore::new(), InMemoryStore::new());
        from.put(&1, "one").unwrap();
        assert_eq!(copy_all(&from, &to), Ok(1));
        assert_eq!(to.get(&1), Ok(Some("one")));
    }

    #[test]
    fn a_replaced_state_may_use_the_store_as_it_drops() {
        use std::sync::{Arc, Weak};
        #[derive(Clone)]
        struct Echo(Weak<InMemoryStore<u8, Echo>>, bool);
        impl Drop for Echo {
            fn drop(&mut self) {
                if let (true, Some(store)) = (self.1, self.0.upgrade()) {
                    store.put(&2, Echo(Weak::new(), false)).unwrap();
                }
            }
        }
        let store = Arc::new(InMemoryStore::new());
        store.put(&1, Echo(Arc::downgrade(&store), true)).unwrap();
        store.put(&1, Echo(Weak::new(), false)).unwrap();
        assert_eq!(store.list().unwrap().len(), 2);
    }
}
