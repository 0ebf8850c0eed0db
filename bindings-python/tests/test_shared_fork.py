"""A state that a program and its children share: fork, multiprocessing, executors, event loops."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest
from conftest import in_child, in_flight
from loadwise import Engine, NoNode, Pool, StateError, TicketError
from processes import Process, maintained_in_flight, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes can share a state on Linux only")


class Child:
    """A forked child that goes on until it is killed; what `begin` gives it tells its parent."""

    def __init__(self, begin: Callable[[], Any]) -> None:
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.write(writer, repr(begin()).encode())
                while True:
                    time.sleep(60)
            finally:
                os._exit(1)
        os.close(writer)
        with os.fdopen(reader, "rb", buffering=0) as pipe:
            self.told = eval(pipe.read(65536))

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def pids(pool: Pool) -> set[int]:
    return {process.pid for process in pool.processes() if process.alive}


def test_a_pool_that_was_opened_before_the_fork(state: str) -> None:
    pool = Pool(["a", "b"], shared=state)
    pick, ticket = pool.pick(), pool.acquire()

    def child() -> tuple[object, ...]:
        # What the parent has is the parent's, and in flight for everybody.
        before = in_flight(pool)
        ended = (pick.failure(), pool.release(ticket), pick.cancel())
        with pytest.raises(TicketError):
            pool.node_of(ticket)
        with pool.pick():
            own = [(p.pid == os.getpid(), p.in_flight) for p in pool.processes() if p.is_own]
            return before, ended, in_flight(pool), own, len(pool.processes())

    assert in_child(child) == (2, (False, False, False), 3, [(True, 1)], 2)
    assert in_flight(pool) == 2
    assert pick.success() and pool.release(ticket) and in_flight(pool) == 0
    until(lambda: maintained_in_flight(pool) == 0 and pids(pool) == {os.getpid()})


def test_a_pool_that_is_opened_after_the_fork(state: str) -> None:
    def child() -> tuple[object, ...]:
        pool = Pool(["a", "b"], shared=state)
        with pool.pick():
            return in_flight(pool), [p.pid == os.getpid() for p in pool.processes()]

    assert in_child(child) == (1, [True])
    pool = Pool(["a", "b"], shared=state)
    with pool.pick():
        assert in_child(child)[0] == 2
    assert maintained_in_flight(pool) == 0


def test_what_children_change_is_changed_for_all(state: str) -> None:
    pool = Pool(["a", "b", "c"], shared=state)

    def child() -> None:
        pool.set_health("a", "unhealthy")
        pool.set_weight("b", 0)
        pool.register("d")

    in_child(child)
    assert {pool.pick().node for _ in range(60)} == {"c", "d"}
    assert in_child(lambda: sorted({pool.pick().node for _ in range(60)})) == ["c", "d"]


def test_children_take_turns_in_one_cycle(state: str) -> None:
    pool = Pool(["a", "b", "c", "d"], strategy="round_robin", seed=7, shared=state)
    turns = [in_child(lambda: [pool.pick().node for _ in range(3)]) for _ in range(4)] + [[pool.pick().node] * 1]
    flat = [node for nodes in turns for node in nodes]
    start = "abcd".index(flat[0])
    assert flat == ["abcd"[(start + i) % 4] for i in range(13)]


def test_children_do_not_all_choose_alike(state: str) -> None:
    pool = Pool([f"n{i}" for i in range(10)], strategy="random", shared=state)
    pool.pick().cancel()
    runs = [tuple(in_child(lambda: [pool.pick().node for _ in range(40)])) for _ in range(4)]
    # Two runs of 40 fair draws of 10 are alike with a probability of 1e-40.
    assert len(set(runs)) == 4


def test_grandchildren_have_rows_of_their_own(state: str) -> None:
    pool = Pool(["a"], shared=state)
    pick = pool.pick()

    def child() -> tuple[object, ...]:
        mine = pool.pick()

        def grandchild() -> tuple[object, ...]:
            own = pool.pick()
            seen = in_flight(pool), len(pool.processes())
            return pick.success(), mine.success(), seen, own.success()

        return in_child(grandchild), mine.success(), pick.success()

    assert in_child(child) == ((False, False, (3, 3), True), True, False)
    assert pick.success() and maintained_in_flight(pool) == 0


def test_a_child_that_is_killed_gives_back_what_it_held(state: str) -> None:
    pool = Pool(["a", "b"], shared=state)
    mine = pool.pick()
    held: list[Any] = []
    children = [Child(lambda: held.extend(pool.pick() for _ in range(5))) for _ in range(3)]
    try:
        assert in_flight(pool) == 16 and pids(pool) == {os.getpid(), *(child.pid for child in children)}
    finally:
        for child in children:
            child.kill()
    until(lambda: maintained_in_flight(pool) == 1)
    assert pids(pool) == {os.getpid()} and mine.success()


def test_a_parent_that_is_killed_leaves_its_children_alone(state: str) -> None:
    looking = Pool(["a"], shared=state)

    def parent() -> int:
        pool = Pool(["a"], shared=state)
        held.append(pool.pick())
        return Child(lambda: held.extend(pool.pick() for _ in range(2))).pid

    held: list[Any] = []
    first = Child(parent)
    assert in_flight(looking) == 3
    first.kill()
    until(lambda: maintained_in_flight(looking) == 2)
    assert pids(looking) == {os.getpid(), first.told}
    os.kill(first.told, signal.SIGKILL)
    until(lambda: maintained_in_flight(looking) == 0)


def test_more_children_than_there_is_room_for(state: str) -> None:
    pool = Pool(["a"], shared={"path": state, "max_processes": 2})
    sitting = Child(lambda: pool.acquire())

    def one_too_many() -> list[object]:
        told: list[object] = []
        for ask in (pool.pick, pool.acquire, pool.pick_explained, lambda: pool.pick(timeout=0.01)):
            with pytest.raises(NoNode) as none:
                ask()
            told.append(none.value.reason)
        for change in (lambda: pool.set_weight("a", 2), lambda: pool.report("a"), lambda: pool.set_nodes(["b"])):
            with pytest.raises(StateError) as error:
                change()
            told.append(error.value.code)
        # It may look all the same.
        return [*told, in_flight(pool), pool.maintain().leases_expired, pool.checks_due()]

    try:
        assert in_child(one_too_many) == ["saturated"] * 4 + [206] * 3 + [1, 0, []]
    finally:
        sitting.kill()
    # Its row is free, and the next one takes it without being told.
    assert in_child(lambda: pool.pick().node) == "a"


def test_a_child_has_the_thread_that_its_parent_had(state: str) -> None:
    looking = Pool(["a"], shared=state)

    def parent() -> int:
        pool = Pool(["a"], shared=state)
        pool.start()
        return Child(lambda: None).pid

    # The parent is killed, and so is somebody else: the child's own thread gives back what they had.
    first = Child(parent)
    with Process(f"pool = Engine.attach({state!r})['default']", "held = [pool.pick() for _ in range(3)]") as other:
        assert in_flight(looking) == 3
        seen = Engine.view(state)["default"]
        first.kill()
        other.kill()
        until(lambda: seen.stats()["in_flight"] == 0)
    os.kill(first.told, signal.SIGKILL)


# Workers

shared: Pool
together: Any = None


def open_shared(path: str) -> None:
    global shared
    shared = Engine.attach(path)["default"]


def work(i: int) -> tuple[int, str, bool]:
    with shared.pick(key=str(i)) as p:
        return os.getpid(), p.node, shared.stats()["in_flight"] <= 8


def hold(i: int) -> tuple[int, int]:
    """Holds a pick until all workers hold one; what was in flight then."""
    with shared.pick():
        together.wait(60)
        seen = in_flight(shared)
        together.wait(60)
        return os.getpid(), seen


def join(path: str, barrier: Any) -> None:
    global together
    together = barrier
    if path:
        open_shared(path)


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_multiprocessing(state: str, way: str) -> None:
    global shared
    shared = Pool([f"n{i}" for i in range(10)], strategy="maglev", shared=state)
    context = multiprocessing.get_context(way)
    barrier = context.Barrier(4)
    mine = shared.pick()
    # Forked workers have their parent's pool, others attach to the same state.
    with context.Pool(4, join, ("" if way == "fork" else state, barrier)) as workers:
        held = workers.map(hold, range(4), chunksize=1)
        answers = workers.map(work, range(200), chunksize=10)
    assert len({pid for pid, _ in held}) == 4 and {seen for _, seen in held} == {5}
    owners = {str(i): shared.explain(key=str(i))["key"] for i in range(200)}
    for i, (_, node, within) in enumerate(answers):
        owner = owners[str(i)]
        assert owner and node == owner["owner"] and within
    until(lambda: maintained_in_flight(shared) == 1 and pids(shared) == {os.getpid()})
    assert mine.success()


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_an_executor_of_processes(state: str, way: str) -> None:
    global shared
    shared = Pool(["a", "b"], strategy="least_request", shared=state)
    context: Any = multiprocessing.get_context(way)
    barrier = context.Barrier(4)
    with ProcessPoolExecutor(4, context, join, ("" if way == "fork" else state, barrier)) as workers:
        held = list(workers.map(hold, range(4)))
        assert len({pid for pid, _ in held}) == 4 and {seen for _, seen in held} == {4}
        answers = list(workers.map(work, range(100), chunksize=5))
        assert {node for _, node, _ in answers} <= {"a", "b"} and all(within for *_, within in answers)
        assert in_flight(shared) == 0
    until(lambda: maintained_in_flight(shared) == 0 and pids(shared) == {os.getpid()})


# Waiting for room that other processes make


LIMITED = [{"id": "a", "max_in_flight": 1}]


def test_a_thread_waits_for_what_another_process_ends(state: str) -> None:
    pool = Pool(LIMITED, shared=state)
    with Process(f"pool = Engine.attach({state!r})['default']", "held = pool.pick()") as other:
        with pytest.raises(NoNode, match="saturated"):
            pool.pick(timeout=0.05)
        with ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(pool.pick, timeout=60)
            until(lambda: pool.waiting == 1)
            assert other.ask("held.success()") is True
            assert waiting.result(60).success()
    assert in_flight(pool) == 0


def test_event_loops_of_two_processes_wait_for_each_other(state: str) -> None:
    """Twenty tasks in each of two processes share one place, for up to the pool's own `acquire_timeout_ms`."""
    pool = Pool(LIMITED, acquire_timeout_ms=60_000, shared=state)
    program = f"""
import asyncio
pool = Engine.attach({state!r})["default"]
seen = []

async def task():
    async with pool.apick() as p:
        await asyncio.sleep(0.001)
        seen.append(pool.stats()["in_flight"])

async def tasks():
    await asyncio.gather(*(task() for _ in range(20)))
"""
    names: dict[str, Any] = {"Engine": Engine}
    exec(program, names)
    with Process(program) as other:
        other.tell("asyncio.run(tasks())")
        asyncio.run(names["tasks"]())
        other.answer()
        seen = names["seen"] + other.ask("seen")
    assert len(seen) == 40 and set(seen) == {1}, "one at a time in all"
    told = pool.stats()
    assert (told["in_flight"], told["successes"], told["wait_timeouts"]) == (0, 40, 0)


def test_a_killed_process_makes_room(state: str) -> None:
    pool = Pool(LIMITED, acquire_timeout_ms=60_000, shared=state)

    async def wait() -> bool:
        async with pool.apick() as p:
            return p.node == "a"

    pool.start()
    with Process(f"pool = Engine.attach({state!r})['default']", "held = pool.pick()") as other:
        threading.Timer(0.05, other.process.kill).start()
        assert asyncio.run(wait())
    pool.stop()


def test_a_child_waits_in_a_queue_of_its_own() -> None:
    pool = Pool(LIMITED, acquire_queue=1)
    held, rung = pool.pick(), list[int]()
    pool.wait(lambda: rung.append(os.getpid()))

    def child() -> tuple[object, ...]:
        before = pool.waiting
        own = pool.pick()
        with ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(pool.pick, timeout=60)
            until(lambda: pool.waiting == 1)
            own.success()
            return before, waiting.result(60).success(), rung

    assert in_child(child, timeout=90) == (0, True, [])
    assert pool.waiting == 1 and held.success() and rung == [os.getpid()]


# In the middle of something


def test_a_program_that_executes_another_one(state: str) -> None:
    """What a process held that became another program is given back, though its id lives."""
    pool = Pool(["a"], shared=state)
    after = f"import loadwise, sys; engine = loadwise.Engine.attach({state!r}); print('true', flush=True); sys.stdin.read()"
    with Process(f"pool = Engine.attach({state!r})['default']", "held = [pool.acquire() for _ in range(3)]") as other:
        assert in_flight(pool) == 3
        other.tell(f"os.execv(sys.executable, [sys.executable, '-c', {after!r}])")
        assert other.process.stdout and other.process.stdout.readline() == "true\n"
        until(lambda: maintained_in_flight(pool) == 0)
        assert pids(pool) == {os.getpid(), other.pid}


def test_a_fork_in_a_callback_of_a_shared_pool(state: str) -> None:
    pool = Pool(["a"], shared=state)
    below: list[object] = []

    def predicate(candidate: object) -> bool:
        if not below:
            below.append(None)
            below.append(in_child(lambda: (pool.pick().node, in_flight(pool))))
        return True

    with pool.pick(predicate=predicate):
        assert below == [None, ("a", 0)] and maintained_in_flight(pool) == 1
    assert in_flight(pool) == 0
