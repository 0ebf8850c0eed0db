//! A pool's configuration, and what it has learned of its nodes, given to others and taken up again.

use std::rc::Rc;

use loadwise::config::PoolConfig;
use loadwise::{FileStore, InMemoryStore, StateStore};

use crate::closure::{Call, define};
use crate::engine::document;
use crate::error::{ErrorMaker, Failure, Result};
use crate::js::{Js, Value};
use crate::pool::Pools;
use crate::{data, request, value};

pub fn define_on<'c>(js: Js<'c>, object: Value<'c>, pools: &Rc<Pools>, errors: &Rc<ErrorMaker>) -> Result<()> {
    define(
        js,
        object,
        pools,
        errors,
        &[
            ("reload", reload),
            ("config", config),
            ("setting", setting),
            ("find", find),
            ("learned", learned),
            ("learnFrom", learn_from),
            ("saveFile", save_file),
            ("restoreFile", restore_file),
            ("save", save),
            ("restore", restore),
        ],
    )
}

/// `reload(pool, config: text | object, ifNew, nowNs)` → whether it was put in force.
fn reload<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let config = PoolConfig::from_value(&document(call.js, call.argument(1)?)?)?;
    let (pool, now_ns) = (Pools::of(call)?, call.now_ns(3)?);
    let is_new = match call.boolean(2, "ifNew", false)? {
        true => pool.reload_if_new_at(&config, now_ns)?,
        false => pool.reload_at(&config, now_ns).map(|()| true)?,
    };
    call.js.boolean(is_new)
}

/// `config(pool)` → the configuration in force.
fn config<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    value::document(call.js, &Pools::of(call)?.config_value())
}

/// `setting(pool, key)` → one setting of it.
fn setting<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    value::document(call.js, &Pools::of(call)?.setting(&call.text(1, "key")?)?)
}

/// `find(pool, labels, nowNs)` → the nodes that have all of the labels.
fn find<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let labels = request::labels(call.js, call.argument(1)?, "labels")?;
    let labels: Vec<(&str, &str)> = labels.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let now_ns = call.now_ns(2)?;
    data::nodes(call.js, &Pools::of(call)?.find_at(&labels, now_ns))
}

/// `learned(pool, nowNs)` → what was learned, as a document.
fn learned<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let now_ns = call.now_ns(1)?;
    value::document(call.js, &Pools::of(call)?.learned_at(now_ns))
}

/// `learnFrom(pool, learned: text | object, nowNs)` → of how many nodes.
fn learn_from<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (learned, now_ns) = (document(call.js, call.argument(1)?)?, call.now_ns(2)?);
    call.js.number(Pools::of(call)?.learn_from_at(&learned, now_ns)? as f64)
}

/// `saveFile(pool, path)` → of how many nodes.
fn save_file<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (pool, path) = (Pools::of(call)?, call.text(1, "path")?);
    call.js.number(pool.save(&FileStore::open(path)?)? as f64)
}

/// `restoreFile(pool, path)` → of how many nodes.
fn restore_file<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (pool, path) = (Pools::of(call)?, call.text(1, "path")?);
    call.js.number(pool.restore(&FileStore::open(path)?)? as f64)
}

/// `save(pool)` → `[[id, text], ...]`, for a store that JavaScript writes.
fn save<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (js, store) = (call.js, InMemoryStore::<String, String>::new());
    Pools::of(call)?.save(&store)?;
    let Ok(kept) = store.list();
    let pairs = js.array(kept.len())?;
    for (i, (id, text)) in kept.iter().enumerate() {
        js.scoped(|| {
            let pair = js.array(2)?;
            js.set_at(pair, 0, js.string(id)?)?;
            js.set_at(pair, 1, js.string(text)?)?;
            js.set_at(pairs, i, pair)
        })?;
    }
    Ok(pairs)
}

/// `restore(pool, ids, texts)`, of a store that JavaScript has read → of how many nodes.
fn restore<'c>(call: &Call<'c, Pools>) -> Result<Value<'c>> {
    let (js, store) = (call.js, InMemoryStore::<String, String>::new());
    let (ids, texts) = (call.argument(1)?, call.argument(2)?);
    for i in 0..js.length(ids)? {
        js.scoped(|| {
            let id = js.text(js.at(ids, i)?, &format!("store[{i}].id"))?;
            let text = js.text(js.at(texts, i)?, &format!("store.{id}"))?;
            let Ok(()) = store.put(&id, text);
            Ok::<_, Failure>(())
        })?;
    }
    js.number(Pools::of(call)?.restore(&store)? as f64)
}
