//! What is asked: a pool of a state that others share, or one that is made of a configuration.

use std::sync::Arc;

use loadwise::{Engine, Pool};

use crate::configuration::{self, Document};
use crate::failure::Failure;
use crate::output;

/// The pool of a name, or the one that there is.
pub fn pool(target: &str, name: Option<&str>) -> Result<Arc<Pool>, Failure> {
    let engine = engine(target)?;
    let names = engine.names();
    let wanted = match (name, &names[..]) {
        (Some(name), _) => name,
        (None, [only]) => only,
        (None, []) => return Err(Failure::Wrong(format!("{target} has no pools"))),
        (None, _) => return Err(Failure::Usage(format!("which pool? --pool is one of {}", names.join(", ")))),
    };
    let unknown = || Failure::Usage(format!("no pool {wanted:?} in {target}: --pool is one of {}", names.join(", ")));
    engine.pool(wanted).ok_or_else(unknown)
}

fn engine(target: &str) -> Result<Engine, Failure> {
    if configuration::is_shared_state(target) {
        return Ok(Engine::view(target)?);
    }
    let configuration = Document::read(target).and_then(|document| document.configuration()).map_err(|problem| {
        output::complain(&format!("{problem}\n"));
        Failure::Told
    })?;
    Ok(configuration.make_pools()?)
}
