"""Callables that are told what happens in a pool."""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
from typing import Any

import pytest
from conftest import NODES, in_child, in_flight
from loadwise import Pool, StateError
from loadwise.types import Event


def listening(pool: Pool, selections: bool = False) -> list[Event]:
    told: list[Event] = []
    pool.on_event(told.append, selections)
    return told


def test_transitions_of_health() -> None:
    pool = Pool(["a", "b"])
    told, before = listening(pool), time.monotonic_ns()
    for _ in range(3):
        pool.report("a", "failure")
    pool.report("a")
    pool.report("a")
    assert [(e["kind"], e["node"], e["from"], e["to"]) for e in told] == [
        ("health", "a", "healthy", "degraded"),
        ("health", "a", "degraded", "unhealthy"),
        ("health", "a", "unhealthy", "recovering"),
        ("health", "a", "recovering", "healthy"),
    ]
    assert all(before <= e["at_ns"] <= time.monotonic_ns() for e in told)
    match told[1]:
        case {"kind": "health", "node": "a", "to": "unhealthy"}:
            pass
        case other:
            raise AssertionError(other)


def test_nodes_that_come_and_go() -> None:
    pool = Pool(["a", "b"])
    told = listening(pool)
    pool.set_nodes(["b", "c", "d"])
    pool.deregister("d")
    pool.register("e")
    pool.set_weight("e", 2)
    changes = [(sorted(e["added"]), e["removed"], e["node"]) for e in told if e["kind"] == "topology"]
    assert changes == [(["c", "d"], ["a"], None), ([], ["d"], None), (["e"], [], None)]


def test_a_breaker_that_opens_and_closes() -> None:
    breaker = {"consecutive_failures": 2, "open_ms": 1000, "half_open_successes": 1}
    pool = Pool(["a", "b"], breaker=breaker, health={"passive": False})
    told, now_ns = listening(pool), 10**15
    for _ in range(2):
        pool.pick(exclude=["b"], now_ns=now_ns).failure(now_ns=now_ns)
    assert [(e["node"], e["open"]) for e in told if e["kind"] == "breaker"] == [("a", True)]
    now_ns += 10 * 10**9
    pool.maintain(now_ns)
    p = pool.pick(exclude=["b"], now_ns=now_ns)
    assert p.node == "a" and p.success(now_ns=now_ns)
    assert [(e["node"], e["open"]) for e in told if e["kind"] == "breaker"] == [("a", True), ("a", False)]


def test_an_outlier_that_is_ejected_and_taken_back() -> None:
    pool = Pool(["a", "b", "c"], outlier={"sweep_interval_ms": 1000, "ejection_ms": 1000}, health={"passive": False})
    told, now_ns = listening(pool), 10**15
    pool.maintain(now_ns)
    for _ in range(60):
        pool.pick(exclude=["b", "c"], health=15, now_ns=now_ns).failure(now_ns=now_ns)
        pool.pick(exclude=["a"], now_ns=now_ns).success(now_ns=now_ns)
    pool.maintain(now_ns + 2 * 10**9)
    pool.maintain(now_ns + 60 * 10**9)
    assert [(e["node"], e["ejected"]) for e in told if e["kind"] == "ejection"] == [("a", True), ("a", False)]


def test_too_few_nodes_and_enough_again() -> None:
    pool = Pool(["a", "b"], panic={"mode": "spread"}, health={"failure_threshold": 1, "recovery_successes": 1})
    told = listening(pool)
    for id, outcome in (("a", "failure"), ("b", "failure"), ("a", "success")):
        pool.report(id, outcome)  # type: ignore[arg-type]
    assert [(e["node"], e["spread"]) for e in told if e["kind"] == "panic"] == [(None, True), (None, False)]


def test_traffic_that_moves_to_another_tier() -> None:
    nodes: list[Any] = ["a", {"id": "b", "tier": 1}]
    pool = Pool(nodes, tiers={"failback_ms": 0}, health={"failure_threshold": 1, "recovery_successes": 1})
    told = listening(pool)
    pool.report("a", "failure")
    pool.report("a")
    assert [(e["node"], e["from"], e["to"]) for e in told if e["kind"] == "tier"] == [(None, 0, 1), (None, 1, 0)]


def test_all_of_what_happens_at_once_is_told() -> None:
    pool = Pool(["a", "b"], breaker={"consecutive_failures": 2})
    told = listening(pool)
    for _ in range(2):
        pool.pick(exclude=["b"]).failure()
    assert [(e["kind"], e["node"]) for e in told] == [("health", "a"), ("breaker", "a")]
    nodes: list[Any] = ["a", {"id": "b", "tier": 1}]
    policy: dict[str, Any] = {"tiers": {"failback_ms": 0}, "health": {"failure_threshold": 1}}
    pool = Pool(nodes, panic={"mode": "spread"}, **policy)
    pool.report("a", "failure")
    pool.report("b", "failure")
    told = listening(pool)
    pool.report("a")
    assert {"panic", "tier", "health"} == {e["kind"] for e in told}


def test_selections_are_told_to_those_who_ask() -> None:
    pool = Pool(NODES, strategy="round_robin")
    all_of_it, rest = listening(pool, selections=True), listening(pool)
    picked = [pool.pick().node for _ in range(5)]
    assert pool.release(pool.acquire(key="k"))
    told = [e for e in all_of_it if e["kind"] == "selection"]
    assert [e["node"] for e in told[:5]] == picked and len(told) == 6
    assert {e["strategy"] for e in told} == {"round_robin"}
    assert rest == []


def test_an_observer_is_called_no_more() -> None:
    pool = Pool(["a"])
    told: list[Event] = []
    id = pool.on_event(told.append)
    assert pool.off_event(id) is True and pool.off_event(id) is False and pool.off_event(10**9) is False
    pool.register("b")
    assert told == []


def test_what_an_observer_raises_goes_to_the_unraisable_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    hooked: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda u: hooked.append((u.exc_type, u.object)))
    pool = Pool(["a"])

    def fails(event: Event) -> None:
        raise ZeroDivisionError

    pool.on_event(fails)
    told = listening(pool)
    pool.register("b")
    assert hooked == [(ZeroDivisionError, fails)]
    assert len(told) == 1 and len(pool) == 2


def test_an_interrupt_in_an_observer_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", lambda u: None)
    pool = Pool(["a"])

    def interrupted(event: Event) -> None:
        raise KeyboardInterrupt

    pool.on_event(interrupted)
    with pytest.raises(KeyboardInterrupt):
        pool.register("b")
        for _ in range(1000):
            pass
    assert len(pool) == 2


def test_an_observer_may_call_the_pool() -> None:
    pool = Pool(["a", "b"], health={"failure_threshold": 1})
    seen: list[Any] = []

    def observer(event: Event) -> None:
        p = pool.pick(health=15)
        seen.append((event["kind"], len(pool.nodes()), p.node in "ab", in_flight(pool)))
        p.cancel()
        if event["kind"] == "health" and event["to"] == "unhealthy":
            pool.drain("a")
            pool.off_event(number)

    number = pool.on_event(observer)
    pool.set_weight("b", 2)
    pool.report("a", "failure")
    assert seen == [("health", 2, True, 1)]
    assert pool.nodes()[0].draining


def test_events_come_from_whichever_thread_makes_them_happen() -> None:
    pool = Pool(["a"])
    threads: list[int] = []
    pool.on_event(lambda event: threads.append(threading.get_ident()))
    other = threading.Thread(target=lambda: pool.register("b"))
    other.start()
    other.join()
    pool.register("c")
    assert len(threads) == 2 and threads[0] != threads[1] == threading.get_ident()


def test_a_pool_in_a_cycle_with_its_observer_is_collected() -> None:
    class Owner:
        def __init__(self) -> None:
            self.pool = Pool(NODES)
            self.pool.on_event(self.told)

        def told(self, event: Event) -> None:
            pass

    owner = Owner()
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None


def test_a_closed_pool_tells_nobody_and_keeps_nobody() -> None:
    class Observer:
        def __call__(self, event: Event) -> None:
            raise AssertionError

    pool, observer = Pool(["a"]), Observer()
    id, gone = pool.on_event(observer), weakref.ref(observer)
    del observer
    pool.close()
    assert gone() is None and pool.off_event(id) is False
    with pytest.raises(StateError):
        pool.on_event(lambda event: None)


@pytest.mark.parametrize("wrong", [None, 7, "print", []])
def test_an_observer_is_callable(wrong: Any) -> None:
    pool = Pool(["a"])
    with pytest.raises(TypeError, match="observer must be callable"):
        pool.on_event(wrong)


def test_a_child_tells_its_own_observers() -> None:
    pool = Pool(["a"])
    told = listening(pool)

    def child() -> list[str]:
        pool.register("b")
        return [e["kind"] for e in told]

    assert in_child(child) == ["topology"]
    assert told == []
