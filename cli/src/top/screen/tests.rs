//! Screens of all sizes, of what engines really tell.

use loadwise::{Engine, FailureKind, HealthStatus, Report, Request};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::{Color, Modifier};

use super::{Theme, draw};
use crate::top::board::{Board, List};
use crate::top::keys;
use crate::top::look::Look;
use crate::top::watch::Standing;

fn board(engine: &Engine) -> Board {
    Board::new("/dev/shm/shop".to_owned(), 1000, Look::at(engine, 20))
}

fn drawn(board: &mut Board, width: u16, height: u16, has_colors: bool) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, board, &Theme::new(has_colors))).unwrap();
    terminal.backend().buffer().clone()
}

fn lines(board: &mut Board, width: u16, height: u16) -> Vec<String> {
    let buffer = drawn(board, width, height, true);
    let cells: Vec<&str> = buffer.content.iter().map(|cell| cell.symbol()).collect();
    cells.chunks(usize::from(width)).map(|row| row.concat().trim_end().to_owned()).collect()
}

fn press(board: &mut Board, code: KeyCode) {
    assert_eq!(keys::press(board, KeyEvent::new(code, KeyModifiers::NONE)), keys::Next::GoOn);
}

fn of_nodes(count: usize) -> Engine {
    let nodes: Vec<String> = (0..count).map(|i| format!("'10.0.{}.{}:8080'", i / 250, i % 250)).collect();
    let limits = "limits: {max_nodes: 10000}";
    Engine::from_config(&format!("{{strategy: round_robin, seed: 1, {limits}, nodes: [{}]}}", nodes.join(", ")))
        .unwrap()
}

/// Two pools: in one of them a node is down, and picks are open.
fn shop() -> Engine {
    let engine = Engine::from_config(
        "
pools:
  shop:
    strategy: round_robin
    seed: 7
    lease_timeout_ms: 60000
    max_in_flight: 100
    stats: {latency: nodes}
    nodes: [{id: '10.0.0.1:8080', zone: eu-1}, {id: '10.0.0.2:8080', weight: 5, name: blue}, {id: '10.0.0.3:8080', tier: 1}]
  search: {nodes: [a]}
",
    )
    .unwrap();
    let pool = engine.pool("shop").unwrap();
    for (i, node) in ["10.0.0.1:8080", "10.0.0.2:8080"].into_iter().enumerate() {
        let others: Vec<&str> =
            ["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.3:8080"].into_iter().filter(|id| *id != node).collect();
        for _ in 0..4 {
            pool.acquire(&Request::new().exclude(&others)).unwrap();
        }
        for _ in 0..=i {
            let lease = pool.acquire(&Request::new().exclude(&others)).unwrap();
            let report = Report::failure(FailureKind::Timeout).latency(std::time::Duration::from_millis(40));
            pool.release(lease.ticket, report).unwrap();
        }
    }
    pool.set_health("10.0.0.2:8080", HealthStatus::Unhealthy).unwrap();
    engine
}

#[test]
fn all_of_a_pool_is_on_80_by_24() {
    let mut board = board(&shop());
    let lines = lines(&mut board, 80, 24);
    assert!(lines[0].starts_with("loadwise  /dev/shm/shop ") && lines[0].contains("every 1s  "), "{}", lines[0]);
    assert_eq!(lines[1], "processes 0  available 3/4  in flight 8  picks -/s  errors -  no node -/s");
    assert_eq!(lines[2], " 1 shop!   2 search");
    assert_eq!(lines[3], "shop  round_robin  available 2/3  in flight 8/100  picks -/s  errors -");
    assert!(lines[4].starts_with("p50 39.7  p95 39.7  p99 39.7 ms  tiers "), "{}", lines[4]);
    let nodes = [
        "  NODE              STATE       WEIGHT  T FLIGHT PICKS/S   P50   P95   P99   ERR",
        "  10.0.0.1:8080     healthy          1  0      4       -  38.9  38.9  38.9     -",
        "! 10.0.0.2:8080     unhealthy        5  0      4       -  38.9  38.9  38.9     -",
        "  10.0.0.3:8080     healthy          1  1      0       -     -     -     -     -",
    ];
    assert_eq!(lines[5..9], nodes);
    assert_eq!(lines[9], "10.0.0.1:8080  healthy  tier 0  zone eu-1  weight 1");
    assert!(lines[10].starts_with("in flight 4  picks 5  errors 100%: timeout 1"), "{}", lines[10]);
    assert!(lines[11].starts_with(" PROCESS COMMAND") && lines[12] == "no processes");
    assert!(lines[13].starts_with("OPEN FOR NODE") && lines[14].contains(" 10.0.0.1:8080 "));
    assert!(lines[19].starts_with("TIME     EVENT") && lines[20] == "nothing has changed since");
    assert!(lines[23].starts_with("q quit  ? help") && lines[23].ends_with("s sort: as declared"));
}

#[test]
fn a_wide_screen_tells_more_of_each_node_and_has_the_lists_side_by_side() {
    let mut board = board(&shop());
    press(&mut board, KeyCode::Down);
    let lines = lines(&mut board, 200, 50);
    for heading in ["BREAKER", "IN FLIGHT BY PROCESS", "FAILURES BY KIND", "ZONE", "LIMIT", "PICKS"] {
        assert!(lines[5].contains(heading), "{heading} is missing in {}", lines[5]);
    }
    assert!(lines[7].contains("timeout 2"), "{}", lines[7]);
    assert!(lines[9].starts_with("10.0.0.2:8080  unhealthy  blue  tier 0  weight 5"), "{}", lines[9]);
    assert!(["PROCESS", "OPEN FOR", "EVENT"].iter().all(|heading| lines[11].contains(heading)), "{}", lines[11]);
    assert_eq!(lines.len(), 50);
}

#[test]
fn long_lists_scroll_to_their_ends() {
    let mut board = board(&of_nodes(300));
    let first = lines(&mut board, 80, 24);
    assert!(first[5].starts_with("  NODE 1-9/300 "), "{}", first[5]);
    assert!(first[6].starts_with("  10.0.0.0:8080"), "{}", first[6]);
    press(&mut board, KeyCode::End);
    let last = lines(&mut board, 80, 24);
    assert!(last[5].starts_with("  NODE 292-300/300 "), "{}", last[5]);
    assert!(last[14].starts_with("  10.0.1.49:8080") && last[15].starts_with("10.0.1.49:8080  healthy"), "{last:?}");
    press(&mut board, KeyCode::PageUp);
    assert!(lines(&mut board, 80, 24)[15].starts_with("10.0.1.41:8080  "));
    press(&mut board, KeyCode::Home);
    assert_eq!(lines(&mut board, 80, 24)[15], first[15]);
}

#[test]
fn where_nothing_is_that_is_said() {
    let mut empty = board(&of_nodes(0));
    let shown = lines(&mut empty, 80, 24);
    assert!(shown[6] == "no nodes" && shown.iter().any(|line| line == "no open picks"), "{shown:?}");
    let engine = shop();
    let mut board = board(&engine);
    let mut look = Look::at(&engine, 0);
    look.pools.clear();
    board.take(Standing::Same, Some(look));
    let shown = lines(&mut board, 80, 24);
    assert_eq!((shown[2].as_str(), shown[6].as_str()), ("no pools", "no nodes"));
    assert!(shown.iter().any(|line| line.ends_with("pool shop went")), "{shown:?}");
}

#[test]
fn a_screen_of_any_size_is_drawn() {
    let mut boards = [board(&shop()), board(&of_nodes(300)), board(&of_nodes(0))];
    for width in [1, 2, 3, 9, 20, 39, 79, 81, 140, 199, 200, 301] {
        for height in [1, 2, 3, 4, 5, 8, 15, 16, 17, 24, 61] {
            for (i, board) in boards.iter_mut().enumerate() {
                board.focus = List::ALL[(usize::from(width + height) + i) % 4];
                board.shows_help = (width + height) % 3 == 0;
                drawn(board, width, height, true);
            }
        }
    }
    boards[1].focus = List::Log;
    let low = lines(&mut boards[1], 80, 10);
    assert!(low[3].starts_with("TIME"), "the list that has the focus: {low:?}");
}

#[test]
fn colors_only_point_to_what_is_told_anyway() {
    let mut board = board(&shop());
    board.standing = Standing::Unusable("it is damaged".to_owned());
    board.shows_help = false;
    let is_plain =
        |buffer: &Buffer| buffer.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset);
    assert!(is_plain(&drawn(&mut board, 80, 24, false)));
    let colored = drawn(&mut board, 80, 24, true);
    assert!(colored.content.iter().any(|cell| cell.fg == Color::Red));
    let symbols = |buffer: &Buffer| buffer.content.iter().map(|cell| cell.symbol().to_owned()).collect::<Vec<_>>();
    assert_eq!(symbols(&colored), symbols(&drawn(&mut board, 80, 24, false)));
    let shown = lines(&mut board, 80, 24);
    assert_eq!(shown[1], "this is what there was: it is damaged");
    // What was chosen stands out without colors, too.
    let marked = &drawn(&mut board, 80, 24, false).content[6 * 80];
    assert!(marked.modifier.contains(Modifier::REVERSED));
}

#[test]
fn what_others_wrote_cannot_leave_its_place() {
    let engine = of_nodes(2);
    let mut look = Look::at(&engine, 1);
    let long = "\u{1b}[2J日本語 e\u{301}\u{200d}👩‍👩‍👧 ".repeat(30);
    look.pools[0].stats.nodes[0].id = long.clone();
    look.pools[0].stats.nodes[0].name = long.clone();
    look.pools[0].stats.name = long.clone();
    look.pools[0].stats.strategy = long;
    let mut board = Board::new("/dev/shm/shop".to_owned(), 1000, look);
    for (width, height) in [(80, 24), (200, 50), (33, 17), (9, 9)] {
        let shown = lines(&mut board, width, height);
        assert!(shown.iter().all(|line| !line.contains('\u{1b}')), "{shown:?}");
    }
}

#[test]
fn the_help_fits_80_columns_and_goes_with_the_next_key() {
    let mut board = board(&shop());
    press(&mut board, KeyCode::Char('?'));
    let shown = lines(&mut board, 80, 24);
    for (key, does) in keys::HELP {
        assert!(shown.iter().any(|line| line.contains(key) && line.contains(does)), "{key}: {shown:?}");
    }
    press(&mut board, KeyCode::Esc);
    assert!(!board.shows_help);
}
