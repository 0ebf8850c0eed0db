"""Predicates and own strategies."""

from __future__ import annotations

import gc
import sys
import weakref
from typing import Any

import loadwise
import pytest
from conftest import NODES, in_flight
from loadwise import CallbackError, Candidate, NoNode, Pool


def test_a_predicate_has_the_last_word() -> None:
    pool = Pool(NODES)
    for _ in range(20):
        assert pool.pick(predicate=lambda c: c.id == NODES[1]).node == NODES[1]
        assert pool.node_of(pool.acquire(predicate=lambda c: c.address == NODES[2])) == NODES[2]
    with pytest.raises(NoNode) as none:
        pool.pick(predicate=lambda c: None)
    assert (none.value.reason, none.value.callback_failed) == ("no_match", False)


def test_what_a_candidate_shows() -> None:
    node = {"id": "a", "address": "x", "name": "Anna", "weight": 3, "labels": {"region": "eu"}, "user_data": 9}
    pool = Pool([node])
    pool.report_load("a", 0.5, remaining_ratio=0.25)
    pool.report("a", "failure")
    pool.report("a", "failure")
    seen: list[Candidate] = []

    def predicate(c: Candidate) -> bool:
        seen.append(c)
        return True

    with pool.pick(predicate=predicate):
        c = seen[0]
        assert (c.id, c.address, c.name, c.weight, c.user_data) == ("a", "x", "Anna", 3, 9)
        assert (c.health, c.in_flight, c.load, c.remaining_ratio) == ("degraded", 1, 0.5, 0.25)
        assert c.has_label("region", "eu") and not c.has_label("region", "us") and not c.has_label("x", "eu")
        assert "a" in repr(c)
    pool.deregister("a")
    with pytest.raises(loadwise.StateError):
        c.weight


def test_a_predicate_that_raises_refuses_and_the_pick_tells() -> None:
    pool = Pool(NODES)

    def predicate(c: Candidate) -> bool:
        if c.id == NODES[0]:
            return True
        raise ZeroDivisionError(c.id)

    failed = 0
    for _ in range(50):
        with pool.pick(predicate=predicate) as p:
            assert p.node == NODES[0]
            assert p.callback_failed is (p.callback_error is not None)
            if p.callback_error is not None:
                assert type(p.callback_error) is ZeroDivisionError
                failed += 1
    assert failed > 0


def test_a_predicate_that_always_raises_is_the_cause_of_no_node() -> None:
    pool = Pool(NODES)
    for call in (pool.pick, pool.acquire):
        with pytest.raises(NoNode) as none:
            call(predicate=lambda c: 1 / 0)
        assert none.value.callback_failed and isinstance(none.value.__cause__, ZeroDivisionError)
    assert in_flight(pool) == 0


def test_an_answer_without_truth_is_a_failure_too() -> None:
    class Undecided:
        def __bool__(self) -> bool:
            raise ValueError("undecided")

    with pytest.raises(NoNode) as none:
        Pool(NODES).pick(predicate=lambda c: Undecided())
    assert str(none.value.__cause__) == "undecided"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_interrupt_in_a_callback_is_not_contained(kind: type[BaseException]) -> None:
    def interrupted(*_: Any) -> Any:
        raise kind

    pool = Pool(NODES)
    with pytest.raises(kind):
        pool.pick(predicate=interrupted)
    pool.set_own_strategy(interrupted)
    with pytest.raises(kind):
        pool.pick()
    with pytest.raises(kind):
        pool.acquire()
    assert in_flight(pool) == 0


def test_an_interrupt_ends_the_asking() -> None:
    asked: list[str] = []

    def predicate(c: Candidate) -> bool:
        asked.append(c.id)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        Pool([f"n{i}" for i in range(100)]).pick(predicate=predicate)
    assert len(asked) == 3


def test_acquire_tells_the_unraisable_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda u: told.append(u.exc_type))
    pool = Pool(["a"])
    pool.set_own_strategy(lambda candidates, key: 1 // 0)
    assert pool.node_of(pool.acquire()) == "a"
    assert told == [ZeroDivisionError]


def test_an_own_strategy_decides() -> None:
    pool = Pool(NODES)
    keys: list[object] = []

    def last(candidates: list[Candidate], key: str | bytes | None) -> int:
        keys.append(key)
        return len(candidates) - 1

    pool.set_own_strategy(last)
    assert pool.strategy == "custom"
    assert [pool.pick().node, pool.pick(key="k").node, pool.pick(key=b"k").node] == [NODES[2]] * 3
    assert pool.node_of(pool.acquire(key="t")) == NODES[2]
    assert keys == [None, "k", b"k", "t"]


def test_an_own_strategy_sees_only_those_that_may_be_chosen() -> None:
    pool = Pool(["a", "b", "c", "d", "e"], health={"failure_threshold": 1})
    pool.report("a", "failure")
    pool.drain("b")
    seen: list[list[str]] = []

    def strategy(candidates: list[Candidate], key: object) -> int:
        seen.append([c.id for c in candidates])
        return 0

    pool.set_own_strategy(strategy)
    assert pool.pick(exclude=["c"], predicate=lambda c: c.id != "d").node == "e"
    assert pool.pick().node == "c"
    assert seen == [["e"], ["c", "d", "e"]]


def test_an_own_strategy_may_look_at_load_labels_and_what_is_in_flight() -> None:
    pool = Pool([{"id": "a", "labels": {"v": "1"}}, {"id": "b", "labels": {"v": "2"}}, {"id": "c", "labels": {"v": "2"}}])
    pool.report_load("b", 5)

    def strategy(candidates: list[Candidate], key: object) -> int | None:
        second = [i for i, c in enumerate(candidates) if c.has_label("v", "2") and c.load is None]
        return min(second, key=lambda i: candidates[i].in_flight, default=None)

    pool.set_own_strategy(strategy)
    held = [pool.pick() for _ in range(3)]
    assert [p.node for p in held] == ["c"] * 3


def test_an_own_strategy_that_finds_nobody_gives_way() -> None:
    pool = Pool(NODES, seed=1)
    pool.set_own_strategy(lambda candidates, key: None, fallback="round_robin")
    with pool.pick() as p:
        assert p.node in NODES and not p.callback_failed


@pytest.mark.parametrize("answer", [3, -1, 2**70, "0", 0.0, True, [0]])
def test_an_own_strategy_with_an_impossible_answer_gives_way(answer: Any) -> None:
    pool = Pool(NODES)
    pool.set_own_strategy(lambda candidates, key: answer, fallback="random")
    with pool.pick() as p:
        assert p.node in NODES and p.callback_failed
        assert isinstance(p.callback_error, CallbackError) and p.callback_error.code == 400
        assert "index below 3" in str(p.callback_error)


def test_an_own_strategy_that_raises_gives_way() -> None:
    pool = Pool(NODES)
    pool.set_own_strategy(lambda candidates, key: 1 // 0)
    with pool.pick() as p:
        assert p.callback_failed and isinstance(p.callback_error, ZeroDivisionError)
    with pytest.raises(NoNode) as none:
        pool.pick(exclude=NODES)
    assert not none.value.callback_failed


def test_an_own_strategy_gives_way_to_another() -> None:
    pool = Pool(NODES)
    pool.set_own_strategy(lambda candidates, key: 0)
    pool.set_own_strategy(lambda candidates, key: 1)
    assert pool.pick().node == NODES[1]
    pool.set_strategy("round_robin")
    assert pool.strategy == "round_robin"
    assert {pool.pick().node for _ in range(3)} == set(NODES)


def test_callbacks_may_call_the_pool() -> None:
    pool = Pool(NODES)
    other = Pool(["x", "y"])
    other.set_own_strategy(lambda candidates, key: 1)
    depth = 0

    def strategy(candidates: list[Candidate], key: str | bytes | None) -> int:
        nonlocal depth
        assert pool.strategy == "custom" and len(pool.nodes()) == 3
        assert other.pick(key="inner").node == "y"
        if depth < 3:
            depth += 1
            with pool.pick(key=f"depth-{depth}"):
                pass
            raise ValueError(key)
        return 0

    pool.set_own_strategy(strategy)
    with pool.pick(key="outer", predicate=lambda c: other.pick().node == "y") as p:
        assert isinstance(p.callback_error, ValueError) and p.callback_error.args == ("outer",)
    assert in_flight(pool) == in_flight(other) == 0


def test_a_predicate_may_change_the_pool_once() -> None:
    pool = Pool(NODES)
    changed: list[bool] = []

    def predicate(c: Candidate) -> bool:
        if not changed:
            changed.append(True)
            pool.deregister(NODES[0])
            pool.set_strategy("round_robin")
        return True

    assert pool.pick(predicate=predicate).node in NODES[1:]


def test_a_pool_in_a_cycle_with_its_strategy_is_collected() -> None:
    class Owner:
        def __init__(self) -> None:
            self.pool = Pool(NODES)
            self.pool.set_own_strategy(self.choose)

        def choose(self, candidates: list[Candidate], key: object) -> int:
            return len(self.pool) - 1

    owner = Owner()
    assert owner.pool.pick().node == NODES[2]
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None


def test_a_pick_in_a_cycle_with_its_callback_error_is_collected() -> None:
    class Marker:
        pass

    def cycle() -> weakref.ref[Marker]:
        marker = Marker()

        def predicate(c: Candidate) -> bool:
            if c.id == NODES[0]:
                return True
            raise ValueError(marker)

        while (p := pool.pick(predicate=predicate)).callback_error is None:
            p.cancel()
        p.callback_error.args = (p, marker)
        return weakref.ref(marker)

    pool = Pool(NODES)
    gone = cycle()
    gc.collect()
    assert gone() is None
    assert in_flight(pool) == 0


def test_a_callable_that_picks_when_it_ends() -> None:
    pool = Pool(NODES)

    class Last:
        def __call__(self, candidates: list[Candidate], key: object) -> int:
            return 0

        def __del__(self) -> None:
            with pool.pick():
                ended.append(True)

    ended: list[bool] = []
    pool.set_own_strategy(Last())
    pool.set_own_strategy(Last())
    gc.collect()
    assert ended == [True]
    pool.set_strategy("p2c")
    gc.collect()
    assert ended == [True, True]
