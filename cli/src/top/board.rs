//! What the screen shows: the last look, what has happened, and what was chosen to be shown of it.

use std::collections::VecDeque;

use jiff::Timestamp;
use loadwise::stats::NodeStats;

use super::condition::Grade;
use super::events::{self, Event};
use super::look::{Look, PoolLook};
use super::order::Order;
use super::rates::{PoolRates, Rates};
use super::scroll::Scroll;
use super::watch::Standing;

/// Lines of the log that are kept.
const LOG_MAX: usize = 500;

pub struct Board {
    pub path: String,
    pub interval_ms: u64,
    pub look: Look,
    pub rates: Rates,
    pub standing: Standing,
    /// The newest first.
    pub log: VecDeque<Event>,
    pub order: Order,
    pub focus: List,
    pub is_paused: bool,
    pub shows_help: bool,
    /// The name of the pool that is shown.
    pool: Option<String>,
    /// Places of its nodes, in their order on the screen.
    places: Vec<usize>,
    /// The id of the node that is marked.
    marked: Option<String>,
    scrolls: [Scroll; List::ALL.len()],
}

/// What is listed and can be scrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    Nodes,
    Processes,
    Picks,
    Log,
}

impl List {
    pub const ALL: [Self; 4] = [Self::Nodes, Self::Processes, Self::Picks, Self::Log];
}

impl Board {
    pub fn new(path: String, interval_ms: u64, look: Look) -> Self {
        let mut board = Self {
            path,
            interval_ms,
            look,
            rates: Rates::default(),
            standing: Standing::Same,
            log: VecDeque::new(),
            order: Order::default(),
            focus: List::Nodes,
            is_paused: false,
            shows_help: false,
            pool: None,
            places: Vec::new(),
            marked: None,
            scrolls: Default::default(),
        };
        board.choose_pool(0);
        board
    }

    /// Takes a new look in place of the last.
    pub fn take(&mut self, standing: Standing, look: Option<Look>) {
        if let Some(look) = look {
            let happened = match standing {
                // What another file has counted is nothing to compare with.
                Standing::Replaced => {
                    self.rates = Rates::default();
                    Vec::new()
                }
                _ => {
                    self.rates = Rates::between(&self.look, &look);
                    events::between(&self.look, &look)
                }
            };
            self.look = look;
            happened.into_iter().for_each(|event| self.log(event));
        }
        if standing != self.standing {
            self.tell_of(&standing);
            self.standing = standing;
        }
        if self.pool().is_none() {
            self.choose_pool(0);
        }
        self.arrange();
    }

    fn tell_of(&mut self, standing: &Standing) {
        let (grade, text) = match standing {
            // The look before said that it is another one.
            Standing::Same if self.standing == Standing::Replaced => return,
            Standing::Same => (Grade::Good, "the file is there again".to_owned()),
            Standing::Replaced => (Grade::Warning, "the file was made anew; this is the new one".to_owned()),
            Standing::Removed => (Grade::Bad, "the file was removed".to_owned()),
            Standing::Unusable(reason) => (Grade::Bad, reason.clone()),
        };
        self.log(Event { time: Timestamp::now(), text, grade });
    }

    fn log(&mut self, event: Event) {
        self.log.push_front(event);
        self.log.truncate(LOG_MAX);
    }

    /// The pool that is shown; `None` if there is none.
    pub fn pool(&self) -> Option<&PoolLook> {
        self.look.pool(self.pool.as_deref()?)
    }

    /// What happens in it a second; `None` while there was only one look at it.
    pub fn pool_rates(&self) -> Option<&PoolRates> {
        self.rates.pool(self.pool.as_deref()?)
    }

    /// Its place among the pools.
    pub fn pool_place(&self) -> usize {
        self.look.pools.iter().position(|pool| Some(&pool.stats.name) == self.pool.as_ref()).unwrap_or(0)
    }

    /// Shows the pool of a place, if there is one.
    pub fn choose_pool(&mut self, place: usize) {
        let Some(pool) = self.look.pools.get(place) else { return };
        self.pool = Some(pool.stats.name.clone());
        self.marked = None;
        *self.scroll(List::Nodes) = Scroll::default();
        *self.scroll(List::Picks) = Scroll::default();
        self.arrange();
    }

    pub fn choose_order(&mut self, order: Order) {
        self.order = order;
        self.arrange();
    }

    /// Puts the nodes in order; the marked one stays marked wherever it goes.
    fn arrange(&mut self) {
        let Some(pool) = self.pool() else {
            self.places.clear();
            return;
        };
        let nodes = &pool.stats.nodes;
        let places = self.order.of(nodes, self.pool_rates());
        let marked = self.marked.as_deref().and_then(|id| places.iter().position(|&place| nodes[place].id == id));
        let at = marked.unwrap_or(self.scrolls[List::Nodes as usize].at).min(places.len().saturating_sub(1));
        self.places = places;
        self.scroll(List::Nodes).at = at;
    }

    /// The shown pool's node on a line of the list, and its place in the pool.
    pub fn node(&self, line: usize) -> Option<(usize, &NodeStats)> {
        let place = *self.places.get(line)?;
        Some((place, self.pool()?.stats.nodes.get(place)?))
    }

    pub fn length(&self, list: List) -> usize {
        match list {
            List::Nodes => self.places.len(),
            List::Processes => self.look.processes.len(),
            List::Picks => self.pool().map_or(0, |pool| pool.open_picks.len()),
            List::Log => self.log.len(),
        }
    }

    pub fn scroll(&mut self, list: List) -> &mut Scroll {
        &mut self.scrolls[list as usize]
    }

    /// Moves the mark in the list that has the focus.
    pub fn move_mark(&mut self, step: impl FnOnce(&mut Scroll, usize)) {
        let (list, length) = (self.focus, self.length(self.focus));
        step(self.scroll(list), length);
        if list == List::Nodes {
            let at = self.scroll(list).at;
            self.marked = self.node(at).map(|(_, node)| node.id.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::keys::{self, Next};
    use loadwise::{Engine, Request};
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    fn board(engine: &Engine) -> Board {
        Board::new("x".to_owned(), 1000, Look::at(engine, 9))
    }

    fn press(board: &mut Board, code: KeyCode) -> Next {
        keys::press(board, KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn shown(board: &Board) -> &str {
        board.pool().map_or("none", |pool| &pool.stats.name)
    }

    fn marked(board: &mut Board) -> String {
        let at = board.scroll(List::Nodes).at;
        board.node(at).unwrap().1.id.clone()
    }

    #[test]
    fn pools_are_chosen_and_go() {
        let engine = Engine::from_config("pools: {a: {nodes: [x]}, b: {nodes: [y]}, c: {nodes: [z]}}").unwrap();
        let mut board = board(&engine);
        let after = |board: &mut Board, code| {
            press(board, code);
            shown(board).to_owned()
        };
        let keys = [KeyCode::Tab, KeyCode::Right, KeyCode::Right, KeyCode::Left, KeyCode::BackTab];
        assert_eq!(keys.map(|key| after(&mut board, key)), ["b", "c", "a", "c", "b"]);
        assert_eq!(
            [b'3', b'9', b'1', b'2'].map(|key| after(&mut board, KeyCode::Char(key.into()))),
            ["c", "c", "a", "b"]
        );
        engine.reload_from("pools: {a: {nodes: [x]}, c: {nodes: [z]}}").unwrap();
        board.take(Standing::Same, Some(Look::at(&engine, 9)));
        assert_eq!((shown(&board), board.log[0].text.as_str()), ("a", "pool b went"));
        engine.reload_from("pools: {}").unwrap();
        board.take(Standing::Same, Some(Look::at(&engine, 9)));
        assert_eq!((shown(&board), board.length(List::Nodes)), ("none", 0));
        assert_eq!(after(&mut board, KeyCode::Tab), "none");
        engine.reload_from("pools: {d: {nodes: [x]}}").unwrap();
        board.take(Standing::Same, Some(Look::at(&engine, 9)));
        assert_eq!(shown(&board), "d");
    }

    #[test]
    fn the_marked_node_stays_marked_wherever_it_goes() {
        let engine = Engine::from_config("nodes: [d, b, a, c]").unwrap();
        let pool = engine.pool("default").unwrap();
        let mut board = board(&engine);
        press(&mut board, KeyCode::Down);
        assert_eq!(marked(&mut board), "b");
        press(&mut board, KeyCode::Char('s'));
        assert_eq!((board.order, marked(&mut board), board.scroll(List::Nodes).at), (Order::Id, "b".to_owned(), 1));
        pool.register("aa").unwrap();
        board.take(Standing::Same, Some(Look::at(&engine, 9)));
        assert_eq!((marked(&mut board), board.scroll(List::Nodes).at), ("b".to_owned(), 2));
        pool.set_nodes(["a"]).unwrap();
        board.take(Standing::Same, Some(Look::at(&engine, 9)));
        assert_eq!(marked(&mut board), "a");
    }

    #[test]
    fn what_becomes_of_the_file_is_told_once() {
        let engine = Engine::from_config("nodes: [a]").unwrap();
        let mut board = board(&engine);
        engine.pool("default").unwrap().acquire(&Request::new()).unwrap();
        board.take(Standing::Same, Some(Look::at(&engine, 9)));
        assert!(board.pool_rates().is_some());
        for standing in [Standing::Removed, Standing::Removed, Standing::Replaced, Standing::Same, Standing::Same] {
            board.take(standing, Some(Look::at(&engine, 9)));
        }
        let unusable = Standing::Unusable("it is damaged".to_owned());
        board.take(unusable.clone(), None);
        board.take(unusable, None);
        assert_eq!(shown(&board), "default", "what there was");
        board.take(Standing::Same, Some(Look::at(&engine, 9)));
        let told: Vec<&str> = board.log.iter().rev().map(|event| event.text.as_str()).collect();
        assert_eq!(
            told,
            [
                "the file was removed",
                "the file was made anew; this is the new one",
                "it is damaged",
                "the file is there again"
            ]
        );
    }

    #[test]
    fn keys_do_what_the_help_says() {
        let engine = Engine::from_config("nodes: [a, b, c]").unwrap();
        let mut board = board(&engine);
        for list in [List::Processes, List::Picks, List::Log, List::Nodes] {
            press(&mut board, KeyCode::Char('f'));
            assert_eq!(board.focus, list);
        }
        press(&mut board, KeyCode::End);
        assert_eq!(marked(&mut board), "c");
        press(&mut board, KeyCode::Char('p'));
        assert!(board.is_paused);
        press(&mut board, KeyCode::Char(' '));
        assert!(!board.is_paused);
        assert_eq!(press(&mut board, KeyCode::Char('?')), Next::GoOn);
        assert_eq!(press(&mut board, KeyCode::Esc), Next::GoOn, "takes the help away");
        assert_eq!(press(&mut board, KeyCode::Esc), Next::Quit);
        assert_eq!(press(&mut board, KeyCode::Char('q')), Next::Quit);
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(keys::press(&mut board, control_c), Next::Quit);
        assert_eq!(press(&mut board, KeyCode::Char('c')), Next::GoOn);
    }
}
