//! Reloads of an engine while others use its pools.

use std::sync::atomic::{AtomicBool, Ordering};

use loadwise::{Engine, Outcome, Request};

#[test]
fn everybody_finds_one_document_or_the_other() {
    let text = |strategy: &str, extra: &str| {
        format!("pools: {{a: {{strategy: {strategy}, nodes: [x, y]}}, b: {{strategy: {strategy}, nodes: [z]}}{extra}}}")
    };
    let texts = [text("random", ""), text("p2c", ", c: {nodes: [w]}"), text("round_robin", ", d: {nodes: [v]}")];
    let engine = Engine::from_config(&texts[0]).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for name in ["a", "b"] {
            let (engine, stop) = (&engine, &stop);
            scope.spawn(move || {
                let kept = engine.pool(name).unwrap();
                while !stop.load(Ordering::Relaxed) {
                    kept.pick(&Request::new()).unwrap().finish(Outcome::Success).unwrap();
                    engine.pool(name).unwrap().pick(&Request::new()).unwrap().finish(Outcome::Success).unwrap();
                    assert!((2..4).contains(&engine.names().len()));
                }
            });
        }
        let reloaders: Vec<_> = (0..2)
            .map(|from| {
                let (engine, texts) = (&engine, &texts);
                scope.spawn(move || {
                    for i in 0..60 {
                        engine.reload_from(&texts[(from + i) % texts.len()]).unwrap();
                        assert!(engine.reload_from("pools: {a: {seed: 1}}").is_err());
                        assert_eq!(engine.stats().iter().filter(|pool| pool.name == "a").count(), 1);
                    }
                })
            })
            .collect();
        reloaders.into_iter().for_each(|thread| thread.join().unwrap());
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(engine.version(), 121);
    let strategies: Vec<_> = ["a", "b"].map(|name| engine.pool(name).unwrap().strategy()).into();
    assert_eq!(strategies[0], strategies[1]);
    assert!(engine.stats().iter().all(|pool| pool.in_flight == 0));
}
