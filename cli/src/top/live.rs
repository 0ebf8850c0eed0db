//! Looking again and again, until somebody quits.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event};

use super::Arguments;
use super::board::Board;
use super::keys::{self, Next};
use super::screen::{self, Theme};
use super::terminal::Terminal;
use super::watch::Watch;
use crate::failure::Failure;

const INSTEAD: &str = "--once prints one look as text, --once --json as JSON";

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let lacks = |what: &str| Err(Failure::Usage(format!("top needs a terminal, and {what}: {INSTEAD}")));
    if !io::stdout().is_terminal() {
        return lacks("standard output is none");
    }
    if !has_keys() {
        return lacks("keys come from none: standard input is something else, and the process has no other");
    }
    let mut watch = Watch::open(&arguments.path, arguments.picks)?;
    let (_, Some(look)) = watch.look() else {
        return Err(Failure::Wrong(format!("{} was cut off while it was looked at", arguments.path.display())));
    };
    let board = Board::new(arguments.path.display().to_string(), arguments.interval_ms, look);
    show(Terminal::take()?, board, &mut watch)?;
    Ok(ExitCode::SUCCESS)
}

/// Keys are read from standard input, or where that is no terminal, from that of the process.
fn has_keys() -> bool {
    io::stdin().is_terminal() || File::open("/dev/tty").is_ok()
}

fn show(mut terminal: Terminal, mut board: Board, watch: &mut Watch) -> io::Result<()> {
    let theme = Theme::of_environment();
    let interval = Duration::from_millis(board.interval_ms);
    let mut due = Instant::now() + interval;
    loop {
        terminal.draw(|frame| screen::draw(frame, &mut board, &theme))?;
        if event::poll(due.saturating_duration_since(Instant::now()))? {
            match event::read()? {
                Event::Key(key) if keys::press(&mut board, key) == Next::Quit => return Ok(()),
                _ => {}
            }
        }
        // From now on: after a while in which this process was stopped, nothing is made up for.
        if Instant::now() >= due {
            due = Instant::now() + interval;
            if !board.is_paused {
                let (standing, look) = watch.look();
                board.take(standing, look);
            }
        }
    }
}
