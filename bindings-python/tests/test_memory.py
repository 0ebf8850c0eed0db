"""Nothing is kept that nobody needs."""

from __future__ import annotations

import contextlib
import gc
import resource
import sys
import weakref

from conftest import NODES, in_flight
from loadwise import NoNode, Pick, Pool


def growth_kb(run: object, rounds: int) -> int:
    assert callable(run)
    for _ in range(rounds):
        run()
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(rounds):
        run()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


def test_picks_leave_no_memory_behind() -> None:
    pool = Pool(NODES)

    def run() -> None:
        with pool.pick(key="k", exclude=[NODES[0]], require={}, health=[*["healthy"]], predicate=lambda c: c.id) as p:  # type: ignore[list-item]
            p.node, p.address, p.name
        pool.release(pool.acquire())
        try:
            pool.pick(exclude=NODES, predicate=lambda c: 1 / 0)
        except NoNode:
            pass

    # A reference lost in each of 20 000 rounds would be a megabyte.
    assert growth_kb(run, 20_000) < 1000
    assert in_flight(pool) == 0


def test_what_is_around_a_pick_leaves_no_memory_behind() -> None:
    quotas = [{"dimension": "rpm", "limit": 2**39}]
    pool = Pool(NODES, affinity=True, quotas=quotas, retry={"base_delay_ms": 0}, health={"passive": False})

    def fails(p: Pick) -> None:
        raise ConnectionResetError(p)

    def run() -> None:
        number = pool.on_event(lambda event: event["kind"], selections=True)
        pool.pick(session="s", cost={"rpm": 1}, zone="eu").success(usage={"rpm": 2})
        pool.pick(timeout=1).cancel()
        pool.off_event(number)
        pool.stop_waiting(pool.wait(lambda: None))
        with contextlib.suppress(ConnectionResetError):
            pool.call(fails)
        pool.explain(key="k")
        pool.pick_explained()[0].success()
        pool.retry("failure", 1)
        pool.pick_again("failure", 1, kind="connect", predicate=lambda c: c.id)
        pool.setting("retry")
        pool.plan()

    assert growth_kb(run, 3_000) < 1000
    assert in_flight(pool) == 0


def test_an_error_of_a_call_does_not_keep_its_pick() -> None:
    class Error(Exception):
        def __init__(self) -> None:
            gone.append(weakref.ref(self))

    def fails(p: Pick) -> None:
        raise Error

    gone: list[weakref.ref[Error]] = []
    pool = Pool(NODES, retry={"base_delay_ms": 0, "max_delay_ms": 0})
    gc.disable()
    try:
        for idempotent in (False, True):
            with contextlib.suppress(Error):
                pool.call(fails, idempotent=idempotent)
        assert len(gone) == 4 and [error() for error in gone] == [None] * 4
    finally:
        gc.enable()


def test_pools_leave_no_memory_behind() -> None:
    def run() -> None:
        pool = Pool(NODES)
        pool.set_own_strategy(lambda candidates, key: 0)
        pool.pick().success()
        pool.nodes()

    assert growth_kb(run, 300) < 4000


def test_references_are_given_back() -> None:
    pool, key, exclude = Pool(NODES), "key-" + str(id(object())), ["x-" + str(id(object()))]
    before = [sys.getrefcount(thing) for thing in (pool, key, exclude, exclude[0])]
    for _ in range(100):
        pool.pick(key=key, exclude=exclude)
        pool.release(pool.acquire(key=key))
    gc.collect()
    assert [sys.getrefcount(thing) for thing in (pool, key, exclude, exclude[0])] == before


def test_dropped_picks_in_garbage_cycles_are_finished() -> None:
    pool = Pool(NODES)

    class Held:
        def __init__(self) -> None:
            self.me = self
            self.pick = pool.pick()

    gc.disable()
    try:
        held = [Held() for _ in range(10)]
        gone = weakref.ref(held[0])
        del held
        assert in_flight(pool) == 10
        gc.collect()
    finally:
        gc.enable()
    assert gone() is None and in_flight(pool) == 0


def test_leaving_in_the_middle_of_a_generator_gives_the_node_back() -> None:
    pool = Pool(NODES)

    def stream() -> object:
        with pool.pick() as p:
            yield p.node
            yield p.node

    chunks = stream()
    next(chunks)  # type: ignore[call-overload]
    assert in_flight(pool) == 1
    del chunks
    gc.collect()
    assert in_flight(pool) == 0
