//! How the screen is shared out.

use ratatui::layout::Rect;

use crate::top::board::List;

/// From this width on, the lists below the nodes stand beside each other: what is told of a process fits a third of it.
const WIDE: u16 = 200;
/// Below this height there is room for one list.
const LOW: u16 = 16;
/// Columns between lists that stand beside each other.
const GAP: u16 = 2;

/// Rooms that there is no room for are empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rooms {
    pub state: Rect,
    pub pools: Rect,
    pub pool: Rect,
    pub lists: [Rect; 4],
    pub marked: Rect,
    pub keys: Rect,
}

impl Rooms {
    /// `nodes` and `processes`: how many there are. Other lists have as much room whatever is in them, or all would move
    /// with every look.
    pub fn of(area: Rect, nodes: usize, processes: usize, focus: List) -> Self {
        let mut rooms = Self::default();
        let mut cut = Cut(area);
        rooms.state = cut.top(2);
        rooms.keys = cut.bottom(1);
        if area.height < LOW {
            rooms.pool = cut.top(1);
            rooms.lists[focus as usize] = cut.0;
            return rooms;
        }
        rooms.pools = cut.top(1);
        rooms.pool = cut.top(2);
        let room = usize::from(cut.0.height).saturating_sub(MARKED);
        if area.width >= WIDE {
            let is_below = focus != List::Nodes;
            let below = if is_below { usize::MAX } else { processes.max(LOG) };
            let [nodes, below] = share_out(room, [nodes, below], usize::from(is_below));
            rooms.lists[List::Nodes as usize] = cut.top(nodes);
            rooms.marked = cut.top(MARKED as u16);
            let mut beside = Cut(cut.top(below));
            let third = (area.width - 2 * GAP) / 3;
            for list in [List::Processes, List::Picks] {
                rooms.lists[list as usize] = beside.left(third);
                beside.left(GAP);
            }
            rooms.lists[List::Log as usize] = beside.0;
        } else {
            let picks = if focus == List::Picks { usize::MAX } else { PICKS };
            let log = if focus == List::Log { usize::MAX } else { LOG };
            let mut heights = share_out(room, [nodes, processes, picks, log], focus as usize).into_iter();
            rooms.lists[List::Nodes as usize] = cut.top(heights.next().unwrap_or(0));
            rooms.marked = cut.top(MARKED as u16);
            for (list, height) in rooms.lists[1..].iter_mut().zip(heights) {
                *list = cut.top(height);
            }
        }
        rooms
    }
}

/// Lines that are shown of open picks and of the log, where there is room and the focus is not theirs.
const PICKS: usize = 5;
const LOG: usize = 10;
/// Lines about the marked node.
const MARKED: usize = 2;

/// How many lines each gets of so much room, headings included: a few for everybody, then what it wants for `focus`, then
/// for the others in their order; the last has what nobody wants.
fn share_out<const N: usize>(room: usize, wanted: [usize; N], focus: usize) -> [u16; N] {
    // An empty list says so in a line.
    let wanted = wanted.map(|lines| lines.max(1).saturating_add(1));
    let few = (room / (2 * N)).max(2);
    let mut given = [0; N];
    let mut left = room;
    let mut give = |to: usize, up_to: usize| {
        let more = up_to.saturating_sub(given[to]).min(left);
        given[to] += more;
        left -= more;
    };
    (0..N).for_each(|to| give(to, wanted[to].min(few)));
    give(focus, wanted[focus]);
    (0..N).for_each(|to| give(to, wanted[to]));
    give(N - 1, usize::MAX);
    given.map(|lines| u16::try_from(lines).unwrap_or(u16::MAX))
}

/// What is left of an area from which parts were cut off.
struct Cut(Rect);

impl Cut {
    fn top(&mut self, height: u16) -> Rect {
        let height = height.min(self.0.height);
        let part = Rect { height, ..self.0 };
        self.0 = Rect { y: self.0.y + height, height: self.0.height - height, ..self.0 };
        part
    }

    fn bottom(&mut self, height: u16) -> Rect {
        let height = height.min(self.0.height);
        self.0.height -= height;
        Rect { y: self.0.y + self.0.height, height, ..self.0 }
    }

    fn left(&mut self, width: u16) -> Rect {
        let width = width.min(self.0.width);
        let part = Rect { width, ..self.0 };
        self.0 = Rect { x: self.0.x + width, width: self.0.width - width, ..self.0 };
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_the_focus_gets_what_it_wants_and_nobody_goes_empty() {
        assert_eq!(share_out(16, [300, 3, 5, 10], 0), [10, 2, 2, 2]);
        assert_eq!(share_out(16, [300, 3, 5, usize::MAX], 3), [2, 2, 2, 10]);
        assert_eq!(share_out(16, [4, 3, 5, 10], 0), [5, 4, 5, 2]);
        assert_eq!(share_out(40, [4, 3, 5, 10], 0), [5, 4, 6, 25], "what nobody wants");
        assert_eq!(share_out(40, [0, 0, 5, 10], 0), [2, 2, 6, 30]);
        assert_eq!(share_out(5, [4, 3, 5, 10], 1), [2, 2, 1, 0]);
        assert_eq!(share_out(30, [300, 40], 1), [7, 23]);
    }

    #[test]
    fn rooms_lie_within_the_screen_and_beside_each_other() {
        for width in (0..250).step_by(7) {
            for height in 0..60 {
                for focus in List::ALL {
                    let area = Rect::new(0, 0, width, height);
                    let rooms = Rooms::of(area, 300, 3, focus);
                    let all = [rooms.state, rooms.pools, rooms.pool, rooms.marked, rooms.keys];
                    let all: Vec<Rect> = all.into_iter().chain(rooms.lists).filter(|room| !room.is_empty()).collect();
                    for (i, room) in all.iter().enumerate() {
                        assert_eq!(area.intersection(*room), *room, "{width}×{height}");
                        assert!(all[..i].iter().all(|other| !other.intersects(*room)), "{width}×{height}: {all:?}");
                    }
                    assert!(height < 5 || width == 0 || !rooms.lists[focus as usize].is_empty(), "{width}×{height}");
                }
            }
        }
    }
}
