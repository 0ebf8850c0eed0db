//! `cargo run -p xtask -- header [--check]`: writes include/loadwise.h, or tells whether it is what it should be.

mod header;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let result = match arguments[..] {
        ["header"] => header::write(&root),
        ["header", "--check"] => header::check(&root),
        _ => Err("usage: xtask header [--check]".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
