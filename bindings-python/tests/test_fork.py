"""What a forked child inherits."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import Counter

import pytest
from conftest import NODES, health_of, in_child, in_flight
from loadwise import Candidate, Pool, TicketError

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def test_inherited_picks_are_void_in_the_child() -> None:
    pool = Pool(NODES, health={"failure_threshold": 1})
    pick, ticket = pool.pick(), pool.acquire()

    def child() -> tuple[object, ...]:
        before = in_flight(pool)
        finished = (pick.failure(), pool.release(ticket, "failure"), pick.cancel())
        with pytest.raises(TicketError) as stale:
            pool.node_of(ticket)
        return (before, *finished, stale.value.code, in_flight(pool), [n.health for n in pool.nodes()])

    assert in_child(child) == (0, False, False, False, 300, 0, ["healthy"] * 3)
    assert in_flight(pool) == 2
    assert pick.success() and pool.release(ticket)
    assert in_flight(pool) == 0


def test_pools_keep_working_in_the_child() -> None:
    pool = Pool(NODES, health={"failure_threshold": 1})
    pool.report(NODES[0], "failure")

    def child() -> tuple[object, ...]:
        with pool.pick() as p:
            held = in_flight(pool)
            first = p.node
        pool.register("extra")
        pool.set_strategy("round_robin")
        pool.report(NODES[1], "failure")
        chosen = {pool.pick().node for _ in range(60)}
        return first in NODES[1:], held, sorted(chosen), in_flight(pool)

    assert in_child(child) == (True, 1, sorted([NODES[2], "extra"]), 0)
    assert len(pool) == 3 and pool.strategy == "p2c"
    assert health_of(pool, NODES[1]) == "healthy"
    assert in_flight(pool) == 0


def test_a_pick_that_the_child_forgets_is_the_parents() -> None:
    pool = Pool(["a"])
    picks = [pool.pick() for _ in range(10)]

    def child() -> int:
        picks.clear()
        return in_flight(pool)

    assert in_child(child) == 0
    assert in_flight(pool) == 10
    picks.clear()
    assert in_flight(pool) == 0


def test_children_do_not_all_pick_alike() -> None:
    pool = Pool([f"n{i}" for i in range(10)], strategy="random")
    pool.pick().cancel()

    def child() -> list[str]:
        return [pool.pick().node for _ in range(40)]

    runs = [tuple(in_child(child)) for _ in range(4)]
    # Two runs of 40 fair draws of 10 are alike with a probability of 1e-40.
    assert len(set(runs)) == 4


def test_grandchildren() -> None:
    pool = Pool(NODES)
    pick = pool.pick()

    def child() -> tuple[object, ...]:
        mine = pool.pick()

        def grandchild() -> tuple[object, ...]:
            own = pool.pick()
            return pick.success(), mine.success(), own.success(), in_flight(pool)

        below = in_child(grandchild)
        return below, in_flight(pool), mine.success(), pick.success()

    assert in_child(child) == ((False, False, True, 0), 1, True, False)
    assert pick.success()


def test_a_fork_amid_busy_threads() -> None:
    pool = Pool([f"n{i}" for i in range(20)])
    stop = threading.Event()

    def client() -> None:
        while not stop.is_set():
            with pool.pick():
                pass

    def operator() -> None:
        while not stop.is_set():
            pool.set_weight("n3", 2)
            pool.set_nodes([f"n{i}" for i in range(20)])

    threads = [threading.Thread(target=t) for t in (client, client, operator)]
    for thread in threads:
        thread.start()

    def child() -> tuple[int, int, int]:
        pool.set_weight("n4", 3)
        counts = Counter(pool.pick().node for _ in range(1000))
        return len(pool), sum(counts.values()), in_flight(pool)

    try:
        for _ in range(20):
            assert in_child(child) == (20, 1000, 0)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert in_flight(pool) == 0


def test_a_fork_in_a_callback() -> None:
    pool = Pool(NODES)
    below: list[object] = []

    def predicate(c: Candidate) -> bool:
        if not below:
            below.append(True)
            below.append(in_child(lambda: (pool.pick().node in NODES, in_flight(pool))))
        return True

    with pool.pick(predicate=predicate):
        assert below == [True, (True, 0)]


shared: Pool


def work(i: int) -> tuple[int, str]:
    with shared.pick(key=str(i)) as p:
        return os.getpid(), p.node


def test_multiprocessing() -> None:
    global shared
    shared = Pool([f"n{i}" for i in range(10)], strategy="maglev")
    held = shared.pick(key="held")
    with multiprocessing.get_context("fork").Pool(3) as workers:
        answers = workers.map(work, range(300), chunksize=10)
    for i, (_, node) in enumerate(answers):
        assert node == shared.pick(key=str(i)).node
    assert in_flight(shared) == 1 and held.success()
