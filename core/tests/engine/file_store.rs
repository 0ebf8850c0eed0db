//! The store in a file.

use loadwise::{Error, FileStore, HealthStatus, Outcome, Pool, StateError, StateStore};

use super::{Directory, names};

#[test]
fn keeps_replaces_and_removes_over_openings() {
    let directory = Directory::new("keeps");
    let path = directory.file("states.json");
    let store = FileStore::open(&path).unwrap();
    assert_eq!((store.list().unwrap(), directory.names()), (Vec::new(), Vec::<String>::new()));
    let id = |id: &str| id.to_owned();
    store.put(&id("b"), "1".to_owned()).unwrap();
    store.put(&id("a"), "2".to_owned()).unwrap();
    store.put(&id("b"), "3".to_owned()).unwrap();
    store.put_all(vec![(id("c"), "4".to_owned()), (id("d"), "5".to_owned())]).unwrap();
    store.remove(&id("c")).unwrap();
    store.remove(&id("nobody")).unwrap();
    let kept = vec![(id("a"), id("2")), (id("b"), id("3")), (id("d"), id("5"))];
    assert_eq!(store.list().unwrap(), kept);
    let again = FileStore::open(&path).unwrap();
    assert_eq!((again.list().unwrap(), again.get(&id("b")).unwrap()), (kept, Some(id("3"))));
    assert_eq!(again.get(&id("c")).unwrap(), None);
    assert_eq!(directory.names(), ["states.json"], "nothing is left beside it");
}

#[test]
fn any_text_comes_back() {
    let directory = Directory::new("texts");
    let path = directory.file("states.json");
    let mut texts: Vec<String> = (0..=0x300u32).filter_map(char::from_u32).map(|c| format!("x{c}y{c}{c} ")).collect();
    texts.extend([
        "\u{feff}\u{2028}\u{2029}\u{fffe}\u{ffff}\u{10ffff}😀".to_owned(),
        " leading, \"quotes\", \\ and \r\n lines\n\n".to_owned(),
        "- [not, {yaml: *anchor}] # !tag".to_owned(),
        "é".repeat(70_000),
        String::new(),
    ]);
    let kept: Vec<(String, String)> =
        texts.iter().enumerate().map(|(i, text)| (format!("{i}{text}"), text.clone())).collect();
    FileStore::open(&path).unwrap().put_all(kept.clone()).unwrap();
    let mut found = FileStore::open(&path).unwrap().list().unwrap();
    let mut kept = kept;
    found.sort();
    kept.sort();
    for (kept, found) in kept.iter().zip(&found) {
        assert_eq!(kept, found);
    }
    assert_eq!(kept.len(), found.len());
}

#[test]
fn a_damaged_file_is_an_error_and_stays_for_people_to_look_at() {
    let directory = Directory::new("damaged");
    let pool = Pool::builder().nodes(["a", "b"]).build().unwrap();
    (0..3).for_each(|_| assert!(pool.report("a", Outcome::Failure).is_ok()));
    let path = directory.file("states.json");
    pool.save(&FileStore::open(&path).unwrap()).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let mut cases: Vec<Vec<u8>> = vec![
        b"[]".to_vec(),
        b"{\"a\": 1}".to_vec(),
        b"{\"a\": \"1\", \"a\": \"2\"}".to_vec(),
        b"null".to_vec(),
        vec![],
        vec![0xFF],
        vec![0; 100],
    ];
    cases.extend((1..whole.len() - 2).step_by(7).map(|len| whole[..len].to_vec()));
    for case in cases {
        std::fs::write(&path, &case).unwrap();
        let Err(Error::State(StateError::Store(message))) = FileStore::open(&path) else {
            panic!("{}", String::from_utf8_lossy(&case))
        };
        assert!(message.contains("states.json"), "{message}");
        assert_eq!(std::fs::read(&path).unwrap(), case);
    }
    // A bit that has flipped in a state is seen when that is read.
    let flipped = String::from_utf8(whole.clone()).unwrap().replacen("unhealthy", "unhealthx", 1);
    std::fs::write(&path, flipped).unwrap();
    let blind = Pool::builder().nodes(["a", "b"]).build().unwrap();
    let error = blind.restore(&FileStore::open(&path).unwrap()).unwrap_err();
    assert!(error.to_string().contains("nodes.a.health"), "{error}");
    assert!(blind.nodes().iter().all(|n| n.health == HealthStatus::Healthy));
    std::fs::write(&path, whole).unwrap();
    assert_eq!(blind.restore(&FileStore::open(&path).unwrap()).unwrap(), 2);
}

#[test]
fn what_cannot_be_written_is_an_error_and_not_kept() {
    let directory = Directory::new("unwritable");
    let store = FileStore::open(directory.file("missing").join("states.json")).unwrap();
    let error = store.put(&"a".to_owned(), "1".to_owned()).unwrap_err();
    assert!(
        matches!(error, Error::State(StateError::Store(_))) && error.to_string().contains("states.json"),
        "{error}"
    );
    assert_eq!(store.list().unwrap(), [], "what the file does not have is not told of");
    assert!(FileStore::open(&directory.0).is_err(), "a directory is no file");
}

#[test]
#[cfg(unix)]
fn a_link_goes_on_leading_to_the_file() {
    let directory = Directory::new("link");
    std::fs::create_dir_all(directory.file("data")).unwrap();
    std::fs::write(directory.file("data").join("states.json"), "{}").unwrap();
    std::os::unix::fs::symlink(directory.file("data").join("states.json"), directory.file("link.json")).unwrap();
    FileStore::open(directory.file("link.json")).unwrap().put(&"a".to_owned(), "1".to_owned()).unwrap();
    assert!(std::fs::symlink_metadata(directory.file("link.json")).unwrap().is_symlink());
    assert_eq!(FileStore::open(directory.file("data").join("states.json")).unwrap().list().unwrap().len(), 1);
    assert_eq!(names(&directory.file("data")), ["states.json"]);
}

#[test]
fn a_reader_finds_the_old_or_the_new_while_it_is_written() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let directory = Directory::new("atomic");
    let path = directory.file("states.json");
    let store = FileStore::open(&path).unwrap();
    let states = |text: &str| (0..50).map(|i| (format!("n{i}"), text.repeat(40))).collect::<Vec<_>>();
    store.put_all(states("0")).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let all = FileStore::open(&path).unwrap().list().unwrap();
                assert_eq!(all.len(), 50);
                assert!(all.iter().all(|(_, state)| *state == all[0].1), "half of each");
            }
        });
        for i in 0..100 {
            store.put_all(states(["a", "b"][i % 2])).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
}
