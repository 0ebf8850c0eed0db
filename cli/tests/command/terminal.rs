//! A pseudo terminal with a program in it, and what a person would see there.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pts, Pty, open};
use rustix::termios::{Termios, tcgetattr};

pub struct Terminal {
    pty: Arc<Pty>,
    /// Kept open, so that its settings outlive the program.
    _pts: Pts,
    settings: Termios,
    screen: Arc<Mutex<vt100::Parser>>,
    pub child: Child,
}

fn size(length: u16) -> NonZeroU16 {
    NonZeroU16::new(length).expect("not 0")
}

impl Terminal {
    pub fn run(mut command: Command, columns: u16, rows: u16) -> Self {
        let (pty, pts) = open().unwrap();
        pty.resize(Size::new(rows, columns)).unwrap();
        let settings = tcgetattr(&pty).unwrap();
        let child = command.spawn_borrowed(&pts).unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(size(rows), size(columns), 0)));
        let pty = Arc::new(pty);
        let (from, to) = (pty.clone(), screen.clone());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = (&*from).read(&mut bytes) {
                to.lock().unwrap().process(&bytes[..count]);
            }
        });
        Self { pty, _pts: pts, settings, screen, child }
    }

    /// What is on the screen, a line each.
    pub fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    pub fn line(&self, row: usize) -> String {
        self.text().lines().nth(row).unwrap_or_default().to_owned()
    }

    /// Waits until the screen is as it must be; fails with what is on it if it never is.
    pub fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while !is_so(&self.text()) {
            assert!(start.elapsed() < Duration::from_secs(60), "{what}:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn shows(&self, text: &str) {
        self.until(&format!("{text:?} is not shown"), |screen| screen.contains(text));
    }

    pub fn press(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).unwrap();
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        self.screen.lock().unwrap().set_size(size(rows), size(columns));
        self.pty.resize(Size::new(rows, columns)).unwrap();
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Whether any cell has a color.
    pub fn has_colors(&self) -> bool {
        let parser = self.screen.lock().unwrap();
        let (rows, columns) = parser.screen().size();
        let cells = (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |column| (row, column)));
        let is_colored =
            |cell: &vt100::Cell| [cell.fgcolor(), cell.bgcolor()].iter().any(|color| *color != vt100::Color::Default);
        cells.filter_map(|(row, column)| parser.screen().cell(row, column)).any(is_colored)
    }

    /// Waits for the end of the program.
    pub fn ends(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "it does not end:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// That the terminal is as it was: settings, screen and cursor.
    pub fn is_given_back(&self) {
        let now = tcgetattr(&self.pty).unwrap();
        let modes = |t: &Termios| (t.input_modes, t.output_modes, t.control_modes, t.local_modes);
        assert_eq!(modes(&now), modes(&self.settings));
        self.until("the screen is as it was before", |_| {
            let parser = self.screen.lock().unwrap();
            !parser.screen().alternate_screen() && !parser.screen().hide_cursor()
        });
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
