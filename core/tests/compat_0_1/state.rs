use super::*;
use std::convert::Infallible;
use std::sync::Mutex;

#[test]
fn memory_keeps_what_is_put() -> Result<(), Infallible> {
    let store: InMemoryStore<String, f64> = loadwise::state::InMemoryStore::default();
    let id = String::from("a");
    assert_eq!(store.get(&id)?, None);
    store.put(&id, 1.0)?;
    store.put(&id, 2.0)?;
    assert_eq!(store.list()?, [(id.clone(), 2.0)]);
    store.remove(&id)?;
    store.remove(&id)?;
    assert_eq!(store.get(&id)?, None);
    Ok(())
}

#[test]
fn stores_of_the_users_own() {
    #[derive(Default)]
    struct Failing {
        kept: Mutex<HashMap<u64, Vec<u8>>>,
    }
    impl loadwise::state::StateStore for Failing {
        type NodeId = u64;
        type State = Vec<u8>;
        type Error = String;
        fn get(&self, id: &u64) -> Result<Option<Vec<u8>>, String> {
            Ok(self.kept.lock().unwrap().get(id).cloned())
        }
        fn put(&self, id: &u64, state: Vec<u8>) -> Result<(), String> {
            if state.is_empty() {
                return Err(format!("nothing to keep for {id}"));
            }
            self.kept.lock().unwrap().insert(*id, state);
            Ok(())
        }
        fn remove(&self, id: &u64) -> Result<(), String> {
            self.kept.lock().unwrap().remove(id);
            Ok(())
        }
        fn list(&self) -> Result<Vec<(u64, Vec<u8>)>, String> {
            Ok(self.kept.lock().unwrap().iter().map(|(id, state)| (*id, state.clone())).collect())
        }
    }
    let store: Box<dyn StateStore<NodeId = u64, State = Vec<u8>, Error = String>> = Box::new(Failing::default());
    store.put(&1, vec![1]).unwrap();
    assert_eq!(store.put(&2, vec![]), Err("nothing to keep for 2".into()));
    assert_eq!(store.list(), Ok(vec![(1, vec![1])]));
}
