//! `docs/cli.md`: its blocks run, and what it shows as their output is their output.

use std::process::{Command, Stdio};

use crate::holder::{Holder, Room};

/// Where the state is in the text.
const STATE: &str = "/dev/shm/shop";

struct Block {
    line: usize,
    language: String,
    text: String,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_inside = false;
    for (at, line) in text.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(_) if is_inside => is_inside = false,
            Some(language) => {
                is_inside = true;
                blocks.push(Block { line: at + 1, language: language.to_owned(), text: String::new() });
            }
            None if is_inside => blocks.last_mut().unwrap().text.extend([line, "\n"]),
            None => {}
        }
    }
    blocks
}

/// A text without its numbers and how wide they are: ids, durations and times are those of the moment.
fn without_numbers(text: &str) -> String {
    let words = |line: &str| {
        let words = line.split_whitespace().filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
        words.collect::<Vec<_>>().join(" ") + "\n"
    };
    text.lines().map(words).collect()
}

/// Scripts are for `jq`; where it may be missing, there is nothing to learn from them.
fn runs_here(script: &str) -> bool {
    let has_jq = || Command::new("jq").arg("--version").output().is_ok();
    let runs = !script.contains("jq ") || has_jq();
    assert!(runs || std::env::var_os("CI").is_none(), "apt-get install jq");
    runs
}

#[test]
fn the_examples_of_the_guide_do_what_it_says() {
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.md")).unwrap();
    let room = Room::new("docs");
    let programs = std::path::Path::new(env!("CARGO_BIN_EXE_loadwise")).parent().unwrap().to_owned();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    // What the holders of states are called: they are this program.
    let command = std::fs::read_to_string("/proc/self/comm").unwrap();
    let (mut holders, mut ran, mut printed) = (Vec::new(), 0, None);
    for Block { line, language, text } in blocks(&guide) {
        let here = text.replace(STATE, &room.state());
        match language.as_str() {
            // Named by the comment that it begins with.
            "yaml" => {
                let name = text.lines().next().and_then(|line| line.strip_prefix("# ")).expect("a name");
                room.write(name, &here);
                if holders.is_empty() {
                    let mut holder = Holder::open(&here);
                    holder.pick("api", 6);
                    holder.finish(3, "success");
                    holder.finish(1, "timeout");
                    holder.health("cache", "c2", "unhealthy");
                    holders.push(holder);
                }
            }
            "sh" if runs_here(&text) => {
                let mut shell = Command::new("sh");
                shell
                    .args(["-uc", &format!("exec 2>&1\n{here}")])
                    .current_dir(&room.0)
                    .env("PATH", &path)
                    .stdin(Stdio::null());
                let done = crate::Done::from(shell.output().unwrap());
                let out = done.out.replace(&room.state(), STATE).replace(command.trim_end(), "worker");
                printed = Some((line, text.contains("--once\n"), out));
                ran += 1;
            }
            "sh" => printed = None,
            "text" => {
                let Some((line, is_of_now, printed)) = printed.take() else { continue };
                let told = |text: &str| if is_of_now { without_numbers(text) } else { text.to_owned() };
                assert_eq!(told(&printed), told(&text), "line {line} prints:\n{printed}");
            }
            other => panic!("line {line}: nobody tests {other:?}"),
        }
    }
    assert!(ran >= 5, "{ran} blocks were run");
}
