//! The C header: functions and types from the source of the C ABI, statuses from the core's table.

use std::fmt::Write;
use std::path::Path;

use cbindgen::{Builder, Config, DocumentationStyle, EnumConfig, Language, Style};

const PATH: &str = "include/loadwise.h";

/// Values that structs begin with. Every field is named, so that no compiler warns of missing ones.
const INITS: &str = "
/**
 * What structs begin with: struct_size is set and nothing else, but for the weight of a node, which is 1.
 */
#define LW_STR_NONE { 0, 0 }
#define LW_PICK_INIT { sizeof(lw_pick), 0, 0, 0, 0, 0, 0 }
#define LW_OUTCOME_INIT { sizeof(lw_outcome), 0, 0, 0, 0, 0, 0, 0, 0 }
#define LW_REQUEST_INIT { sizeof(lw_request), 0, LW_STR_NONE, 0, 0, 0, 0, 0, 0, 0, 0, 0, LW_STR_NONE, LW_STR_NONE, 0, 0 }
#define LW_NODE_SPEC_INIT { sizeof(lw_node_spec), 1, LW_STR_NONE, LW_STR_NONE, LW_STR_NONE, 0, 0, 0, 0, 0, LW_STR_NONE, 0, 0 }
#define LW_NODE_STATUS_INIT \\
    { sizeof(lw_node_status), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0, 0, 0, 0, 0.0, 0.0, 0 }
#define LW_NO_NODE_INIT { sizeof(lw_no_node), 0, 0, 0, 0 }
#define LW_LOAD_INIT { sizeof(lw_load), 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0 }
#define LW_MAINTAINED_INIT { sizeof(lw_maintained), 0, 0, 0 }
#define LW_CHECK_INIT { sizeof(lw_check), 0, 0, 0, 0 }
#define LW_RELOADED_INIT { sizeof(lw_reloaded), 0, 0, 0, 0 }
#define LW_STORE_INIT { sizeof(lw_store), 0, 0, 0, 0, 0, 0 }
#define LW_RETRY_INIT { sizeof(lw_retry), 0, 0 }
#define LW_ATTEMPT_INIT { sizeof(lw_attempt), 0, 0, 0, 0 }
#define LW_PROCESS_STATUS_INIT { sizeof(lw_process_status), 0, 0, 0, 0, 0, 0, 0, { 0 } }
#define LW_SELECTION_INIT { sizeof(lw_selection), 0, LW_STR_NONE, 0, 0 }
#define LW_HEALTH_CONFIG_INIT { sizeof(lw_health_config), 0, 0, 0, 0 }
#define LW_HEALTH_RECORD_INIT { sizeof(lw_health_record), 0, 0, 0, 0, 0 }
";

pub fn write(root: &Path) -> Result<(), String> {
    std::fs::write(root.join(PATH), generate(root)?).map_err(|e| format!("cannot write {PATH}: {e}"))
}

pub fn check(root: &Path) -> Result<(), String> {
    let found = std::fs::read_to_string(root.join(PATH)).map_err(|e| format!("cannot read {PATH}: {e}"))?;
    if found == generate(root)? {
        Ok(())
    } else {
        Err(format!("{PATH} is not what its source says: run `make header`"))
    }
}

fn generate(root: &Path) -> Result<String, String> {
    let config = Config {
        language: Language::C,
        cpp_compat: true,
        include_guard: Some("LOADWISE_H".to_owned()),
        header: Some(
            "/* The C ABI of loadwise. Written by `make header` from ffi/src: not to be edited.\n   \
             How to use it: docs/c.md. SPDX-License-Identifier: MIT OR Apache-2.0 */"
                .to_owned(),
        ),
        no_includes: true,
        sys_includes: vec!["stddef.h".to_owned(), "stdint.h".to_owned()],
        after_includes: Some(constants()?),
        documentation_style: DocumentationStyle::Doxy,
        style: Style::Both,
        usize_is_size_t: true,
        line_length: 120,
        tab_width: 4,
        sort_by: cbindgen::SortKey::None,
        enumeration: EnumConfig::default(),
        ..Config::default()
    };
    let bindings = Builder::new()
        .with_crate(root.join("ffi"))
        .with_config(config)
        .generate()
        .map_err(|e| format!("cannot read the source of the C ABI: {e}"))?;
    let mut header = Vec::new();
    bindings.write(&mut header);
    let header = String::from_utf8(header).map_err(|e| e.to_string())?;
    Ok(without_rust(&header))
}

/// The version, and the statuses.
fn constants() -> Result<String, String> {
    let mut text = String::new();
    let mut add = |line: String| writeln!(text, "{line}").map_err(|e| e.to_string());
    add("\n/* The version of this header; lw_version() is that of the loaded library. */".to_owned())?;
    add(format!("#define LW_VERSION \"{}\"", env!("CARGO_PKG_VERSION")))?;
    add(format!("#define LW_VERSION_MAJOR {}", env!("CARGO_PKG_VERSION_MAJOR")))?;
    add(format!("#define LW_VERSION_MINOR {}", env!("CARGO_PKG_VERSION_MINOR")))?;
    add(format!("#define LW_VERSION_PATCH {}", env!("CARGO_PKG_VERSION_PATCH")))?;
    add("\n/* Statuses. From LW_NO_NODE_EMPTY to LW_NO_NODE_RATE_LIMITED: a decision found no node. */".to_owned())?;
    for (code, name, meaning) in loadwise::CODES {
        add(format!("/** {meaning} */\n#define LW_{name} {code}"))?;
    }
    text.push_str(INITS);
    Ok(text.trim_end().to_owned())
}

/// Doc comments for C: what Rust calls safety is what the caller has to see to; short ones take one line.
fn without_rust(header: &str) -> String {
    let text = header.replace(" * # Safety\n *\n", " * Requires:\n").replace(" * # Safety\n", " * Requires:\n");
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut text = String::new();
    let mut at = 0;
    while at < lines.len() {
        match lines[at..] {
            [open, line, close, ..] if open.trim() == "/**" && close.trim() == "*/" => {
                let words = line.trim().trim_start_matches("* ");
                text.push_str(&format!("{open} {words} */\n"));
                at += 3;
            }
            ["", "", ..] => at += 1,
            _ => {
                text.push_str(lines[at]);
                text.push('\n');
                at += 1;
            }
        }
    }
    text
}
