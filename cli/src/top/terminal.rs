//! The terminal: taken for the screen, and given back as it was, however this ends.

use std::io::{self, BufWriter, Stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ratatui::Frame;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// Bytes of a large screen that is drawn anew.
const SCREEN_BYTES: usize = 64 << 10;
/// How long a signal waits for a screen that is being drawn: nobody may ever read it.
const DRAWING_MAX: Duration = Duration::from_secs(1);

/// Held while the screen is drawn, so that nothing of it appears after the terminal was given back.
static DRAWING: Mutex<()> = Mutex::new(());

/// Whether the terminal is to be given back: once, since whoever prints after that prints where it was.
static TAKEN: AtomicBool = AtomicBool::new(false);

pub struct Terminal {
    screen: ratatui::Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    /// After the screen, which writes as it goes.
    _taken: Taken,
}

impl Terminal {
    /// Takes the terminal. It is given back when this is dropped, on a panic, and on a signal that ends the process.
    pub fn take() -> io::Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
        give_back_on_signals()?;
        TAKEN.store(true, Ordering::SeqCst);
        let taken = Taken;
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen)?;
        let backend = CrosstermBackend::new(BufWriter::with_capacity(SCREEN_BYTES, io::stdout()));
        Ok(Self { screen: ratatui::Terminal::new(backend)?, _taken: taken })
    }

    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        let _drawing = DRAWING.lock();
        self.screen.draw(draw).map(|_| ())
    }
}

struct Taken;

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

/// Whoever cannot be reached any more needs nothing back.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = disable_raw_mode();
        let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
    }
}

/// Then the signal does what it does to any process.
fn give_back_on_signals() -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let _drawing = DRAWING.try_lock_for(DRAWING_MAX);
            give_back();
            let _ = emulate_default_handler(signal);
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use pty_process::blocking::Command;

    use super::Terminal;
    use crate::pseudo_terminal;

    /// Set in the process that has its terminal taken, and panics.
    const PANICS: &str = "LOADWISE_TERMINAL_TEST";

    /// In a process that was started for it. Else there is nothing to do.
    #[test]
    fn panics_while_it_has_the_terminal() {
        if std::env::var_os(PANICS).is_some() {
            let mut terminal = Terminal::take().unwrap();
            terminal.draw(|frame| frame.render_widget("on the screen", frame.area())).unwrap();
            terminal.draw(|_| panic!("on purpose")).unwrap();
        }
    }

    #[test]
    fn a_panic_gives_the_terminal_back_and_is_told_there() {
        let own = std::env::current_exe().unwrap();
        let name = "top::terminal::tests::panics_while_it_has_the_terminal";
        let command = Command::new(own).args(["--exact", name, "--nocapture", "--test-threads=1"]);
        // So short that all of it stays on the screen.
        let command = command.env(PANICS, "1").env("RUST_BACKTRACE", "0");
        let mut terminal = pseudo_terminal::Terminal::run(command, 80, 24);
        assert_ne!(terminal.ends().code(), Some(0));
        terminal.is_given_back();
        terminal.shows("on purpose");
        assert!(!terminal.text().contains("on the screen"), "{}", terminal.text());
    }
}
