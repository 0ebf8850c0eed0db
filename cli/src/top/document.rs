//! One look as the document of `--json`, which `docs/cli.md` describes.
//!
//! Written node by node: as one value in memory, ten thousand nodes would take many times their text.

use std::io::{self, Write};
use std::path::Path;

use loadwise::ProcessStatus;
use loadwise::config::{Key, Kind, Value};

use super::look::{Look, PoolLook};

pub fn write(out: &mut dyn Write, look: Look, path: &Path, picks: usize) -> io::Result<()> {
    let open = look.open_picks(picks).into_iter().map(|(pool, pick)| {
        let mut value = pick.to_value(look.now_ns);
        if let Kind::Map(entries) = &mut value.kind {
            entries.insert(0, (Key { name: "pool".to_owned(), line: 0 }, pool.into()));
        }
        value
    });
    let head = Value::map([
        ("time", Value::from(look.time.to_string())),
        ("now_ns", look.now_ns.into()),
        ("path", path.to_string_lossy().into_owned().into()),
        ("config_version", look.config_version.into()),
        ("processes", Value::list(look.processes.iter().map(ProcessStatus::to_value))),
        ("open_picks", Value::list(open)),
    ]);
    with_list(out, &head, 0, "pools", look.pools, write_pool)?;
    out.write_all(b"\n")
}

fn write_pool(out: &mut dyn Write, depth: usize, mut pool: PoolLook) -> io::Result<()> {
    let nodes = std::mem::take(&mut pool.stats.nodes);
    let mut head = pool.stats.to_value();
    if let Kind::Map(entries) = &mut head.kind {
        entries.retain(|(key, _)| key.name != "nodes");
    }
    with_list(out, &head, depth, "nodes", nodes, |out, depth, node| {
        out.write_all(indented(&node.to_value(), depth).as_bytes())
    })
}

/// Writes a map that has entries, and after them a list, whose items `item` writes at the depth that it is given.
fn with_list<T>(
    out: &mut dyn Write,
    map: &Value,
    depth: usize,
    name: &str,
    items: Vec<T>,
    item: impl Fn(&mut dyn Write, usize, T) -> io::Result<()>,
) -> io::Result<()> {
    let [here, inside, in_list] = [0, 1, 2].map(|deeper| "  ".repeat(depth + deeper));
    let map = indented(map, depth);
    let entries = map.strip_suffix('}').unwrap_or(&map).trim_end();
    write!(out, "{entries},\n{inside}\"{name}\": [")?;
    let is_empty = items.is_empty();
    for (at, one) in items.into_iter().enumerate() {
        write!(out, "{}\n{in_list}", if at == 0 { "" } else { "," })?;
        item(out, depth + 2, one)?;
    }
    if !is_empty {
        write!(out, "\n{inside}")?;
    }
    write!(out, "]\n{here}}}")
}

/// As JSON; its lines but the first stand so deep in what it is part of.
fn indented(value: &Value, depth: usize) -> String {
    value.to_json().replace('\n', &format!("\n{}", "  ".repeat(depth)))
}
