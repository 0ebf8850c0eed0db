//! What keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::board::{Board, List};

/// Every key and what it does, as the help shows them; then what the marks mean.
pub const HELP: [(&str, &str); 10] = [
    ("q Esc Ctrl-C", "quit"),
    ("Tab ← → 1-9", "choose the pool"),
    ("↑ ↓ PgUp PgDn", "move in the list that has the focus"),
    ("Home End", "to its first line, to its last"),
    ("f", "focus on nodes, processes, open picks, events in turn"),
    ("s S", "sort the nodes by something else, forth and back"),
    ("p Space", "pause and go on"),
    ("?", "this help"),
    ("", ""),
    ("!", "a node that takes nothing, a pool that has one"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    GoOn,
    Quit,
}

pub fn press(board: &mut Board, key: KeyEvent) -> Next {
    if key.kind == KeyEventKind::Release {
        return Next::GoOn;
    }
    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
        return Next::Quit;
    }
    // Whatever is pressed takes the help away.
    let helped = std::mem::take(&mut board.shows_help);
    let (pools, place) = (board.look.pools.len().max(1), board.pool_place());
    match key.code {
        KeyCode::Char('q') => return Next::Quit,
        KeyCode::Esc if !helped => return Next::Quit,
        KeyCode::Char('?' | 'h') => board.shows_help = !helped,
        KeyCode::Tab | KeyCode::Right => board.choose_pool((place + 1) % pools),
        KeyCode::BackTab | KeyCode::Left => board.choose_pool((place + pools - 1) % pools),
        KeyCode::Char(digit @ '1'..='9') => board.choose_pool(digit as usize - '1' as usize),
        KeyCode::Up => board.move_mark(|scroll, _| scroll.back(1)),
        KeyCode::Down => board.move_mark(|scroll, length| scroll.on(1, length)),
        KeyCode::PageUp => board.move_mark(|scroll, _| scroll.back(scroll.page())),
        KeyCode::PageDown => board.move_mark(|scroll, length| scroll.on(scroll.page(), length)),
        KeyCode::Home => board.move_mark(|scroll, _| scroll.at = 0),
        KeyCode::End => board.move_mark(|scroll, length| scroll.on(length, length)),
        KeyCode::Char('f') => {
            let at = (board.focus as usize + 1) % List::ALL.len();
            board.focus = List::ALL[at];
        }
        KeyCode::Char('s') => board.choose_order(board.order.next()),
        KeyCode::Char('S') => board.choose_order(board.order.previous()),
        KeyCode::Char('p' | ' ') => board.is_paused = !board.is_paused,
        _ => {}
    }
    Next::GoOn
}
