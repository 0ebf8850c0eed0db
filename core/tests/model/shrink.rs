//! The shortest list of operations that still fails.

use super::ops::{Ask, Op, Spec};

/// Drops halves, quarters, … and single operations, and makes what is left simpler, while the rest still fails.
pub fn shrink(mut ops: Vec<Op>, fails: impl Fn(&[Op]) -> bool) -> Vec<Op> {
    loop {
        let dropped = drop_chunks(&mut ops, &fails);
        if !simplify(&mut ops, &fails) && !dropped {
            return ops;
        }
    }
}

fn drop_chunks(ops: &mut Vec<Op>, fails: impl Fn(&[Op]) -> bool) -> bool {
    let before = ops.len();
    let mut chunk = before.div_ceil(2);
    while chunk > 0 {
        let mut at = 0;
        while at < ops.len() {
            let end = (at + chunk).min(ops.len());
            let rest: Vec<Op> = ops[..at].iter().chain(&ops[end..]).cloned().collect();
            if fails(&rest) {
                *ops = rest;
            } else {
                at = end;
            }
        }
        chunk /= 2;
    }
    ops.len() < before
}

fn simplify(ops: &mut [Op], fails: impl Fn(&[Op]) -> bool) -> bool {
    let mut any = false;
    for at in 0..ops.len() {
        for simpler in simpler(&ops[at]) {
            let before = std::mem::replace(&mut ops[at], simpler);
            if fails(ops) {
                any = true;
                break;
            }
            ops[at] = before;
        }
    }
    any
}

/// Operations that say less than this one.
fn simpler(op: &Op) -> Vec<Op> {
    let fewer = |nodes: &[Spec]| -> Vec<Vec<Spec>> {
        let without = |i| nodes.iter().enumerate().filter(|(at, _)| *at != i).map(|(_, n)| *n).collect();
        (0..nodes.len()).map(without).collect()
    };
    match op {
        Op::Finish { back, end } => (0..*back).map(|back| Op::Finish { back, end: *end }).collect(),
        Op::Pick { ask, plain } => less(ask).into_iter().map(|ask| Op::Pick { ask, plain: *plain }).collect(),
        Op::PickAndDrop(ask) => less(ask).into_iter().map(Op::PickAndDrop).collect(),
        Op::Choose(ask) => less(ask).into_iter().map(Op::Choose).collect(),
        Op::SetNodes(nodes) => fewer(nodes).into_iter().map(Op::SetNodes).collect(),
        Op::RegisterBatch(nodes) => fewer(nodes).into_iter().map(Op::RegisterBatch).collect(),
        _ => Vec::new(),
    }
}

fn less(ask: &Ask) -> Vec<Ask> {
    let mut all = Vec::new();
    let mut add = |is_more: bool, less: Ask| is_more.then(|| all.push(less));
    add(ask.key.is_some(), Ask { key: None, ..ask.clone() });
    add(!ask.exclude.is_empty(), Ask { exclude: Vec::new(), ..ask.clone() });
    add(!ask.exclude_picked.is_empty(), Ask { exclude_picked: Vec::new(), ..ask.clone() });
    add(!ask.require.is_empty(), Ask { require: Vec::new(), ..ask.clone() });
    add(ask.health_mask != 0, Ask { health_mask: 0, ..ask.clone() });
    add(ask.predicate.is_some(), Ask { predicate: None, ..ask.clone() });
    all
}
