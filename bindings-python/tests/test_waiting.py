"""Picks that wait for room: with the thread asleep, and on an event loop."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import loadwise
import pytest
from conftest import in_child, in_flight
from loadwise import ConfigError, NoNode, Pick, Pool, StateError

FOREVER = 60.0


def small(**policy: Any) -> Pool:
    """Room for one pick."""
    return Pool([{"id": "a", "max_in_flight": 1}], **policy)


def until(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never comes true"
        time.sleep(0.001)


def in_thread(run: Any) -> tuple[threading.Thread, list[Any]]:
    answers: list[Any] = []

    def body() -> None:
        try:
            answers.append(run())
        except BaseException as error:
            answers.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    return thread, answers


def test_without_a_timeout_nobody_waits() -> None:
    pool = small()
    with pool.pick():
        for pick in (pool.pick, pool.acquire, lambda: pool.pick(timeout=0), lambda: pool.acquire(timeout=0)):
            with pytest.raises(NoNode) as none:
                pick()
            assert none.value.reason == "saturated"
    assert pool.stats()["wait_timeouts"] == 0


@pytest.mark.parametrize("way", ["pick", "acquire"])
def test_a_pick_waits_for_room(way: str) -> None:
    pool = small()
    held = pool.pick()
    thread, answers = in_thread(lambda: getattr(pool, way)(timeout=FOREVER))
    until(lambda: pool.waiting == 1)
    assert held.success()
    thread.join()
    got = answers[0]
    assert pool.release(got if isinstance(got, int) else got.ticket)
    assert (in_flight(pool), pool.waiting) == (0, 0)


def test_a_pick_waits_for_no_longer_than_it_says() -> None:
    pool = small()
    with pool.pick():
        before = time.monotonic()
        with pytest.raises(NoNode) as none:
            pool.pick(timeout=0.12)
        assert time.monotonic() - before >= 0.12
        assert none.value.reason == "saturated"
        assert (pool.stats()["wait_timeouts"], pool.waiting) == (1, 0)


def test_only_what_time_can_mend_is_waited_for() -> None:
    for pool in (Pool(), Pool([{"id": "a", "weight": 0}])):
        with pytest.raises(NoNode):
            pool.pick(timeout=FOREVER)
    pool = small()
    with pytest.raises(NoNode) as none:
        pool.pick(exclude=["a"], timeout=FOREVER)
    assert none.value.reason == "all_excluded"


def test_a_quota_is_waited_for_until_its_window_moves_on() -> None:
    pool = Pool(["a"], quotas=[{"dimension": "rpm", "limit": 1, "window_ms": 200, "buckets": 1}])
    assert pool.pick().success()
    with pool.pick(timeout=FOREVER) as p:
        assert p.node == "a"


def test_the_interpreter_is_free_while_a_pick_waits() -> None:
    pool = small()
    held = pool.pick()
    threads = [in_thread(lambda: pool.pick(timeout=FOREVER).success()) for _ in range(4)]
    until(lambda: pool.waiting == 4)
    assert held.success()
    for thread, answers in threads:
        thread.join()
        assert answers == [True]


def test_many_threads_share_little_room() -> None:
    pool = Pool([{"id": "a", "max_in_flight": 1}, {"id": "b", "max_in_flight": 2}])
    most: list[int] = []

    def client() -> None:
        for _ in range(200):
            with pool.pick(timeout=FOREVER):
                most.append(in_flight(pool))

    threads = [in_thread(client) for _ in range(8)]
    for thread, answers in threads:
        thread.join()
        assert answers == [None]
    assert len(most) == 1600 and max(most) <= 3
    assert (in_flight(pool), pool.waiting) == (0, 0)


def test_conditions_hold_also_after_waiting() -> None:
    pool = Pool([{"id": id, "max_in_flight": 1, "labels": {"region": id}} for id in ("eu", "us")])
    held = pool.pick(require={"region": "eu"})
    seen: list[str] = []

    def choose(candidate: loadwise.Candidate) -> bool:
        seen.append(candidate.id)
        return candidate.id == "eu"

    thread, answers = in_thread(lambda: pool.pick(predicate=choose, timeout=FOREVER).node)
    until(lambda: pool.waiting == 1)
    assert pool.pick(require={"region": "us"}).success()
    assert held.success()
    thread.join()
    assert answers == ["eu"] and "eu" in seen


def test_a_full_queue_refuses_at_once() -> None:
    pool = small(acquire_queue=1)
    held = pool.pick()
    thread, answers = in_thread(lambda: pool.pick(timeout=FOREVER).success())
    until(lambda: pool.waiting == 1)
    with pytest.raises(NoNode) as none:
        pool.pick(timeout=FOREVER)
    assert none.value.reason == "saturated"
    with pytest.raises(NoNode):
        pool.wait(lambda: None)
    with pytest.raises(NoNode):
        asyncio.run(wait_for(pool))
    assert pool.stats()["queue_refusals"] == 3
    assert held.success()
    thread.join()
    assert answers == [True]


async def wait_for(pool: Pool, **asked: Any) -> Pick:
    return await pool.apick(**asked)


def test_an_interrupt_ends_the_wait() -> None:
    pool = small()
    with pool.pick():
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            pool.pick(timeout=FOREVER)
        assert pool.waiting == 0
    assert in_flight(pool) == 0


def test_what_a_signal_handler_raises_ends_the_wait() -> None:
    class Stop(Exception):
        pass

    def stop(*_: Any) -> None:
        raise Stop

    pool, former = small(), signal.signal(signal.SIGALRM, stop)
    try:
        with pool.pick():
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(Stop):
                pool.pick(timeout=FOREVER)
            assert pool.waiting == 0
    finally:
        signal.signal(signal.SIGALRM, former)


def test_an_interrupt_in_a_predicate_ends_the_wait() -> None:
    pool = small()

    def predicate(candidate: loadwise.Candidate) -> bool:
        if pool.waiting:
            raise KeyboardInterrupt
        return True

    with pool.pick(), pytest.raises(KeyboardInterrupt):
        pool.pick(predicate=predicate, timeout=FOREVER)
    assert (in_flight(pool), pool.waiting) == (0, 0)


def test_closing_a_pool_ends_the_wait() -> None:
    pool = small()
    held = pool.pick()
    thread, answers = in_thread(lambda: pool.pick(timeout=FOREVER))
    until(lambda: pool.waiting == 1)
    pool.close()
    thread.join()
    assert isinstance(answers[0], StateError) and not held.success()


def test_a_program_ends_while_a_daemon_waits() -> None:
    program = """
import threading, time, loadwise
pool = loadwise.Pool([{"id": "a", "max_in_flight": 1}])
held = pool.pick()
threading.Thread(target=lambda: pool.pick(timeout=3600), daemon=True).start()
while not pool.waiting:
    time.sleep(0.001)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), 1e300])
def test_a_timeout_that_cannot_be(timeout: float) -> None:
    pool = small()
    for pick in (pool.pick, pool.acquire):
        with pytest.raises(ConfigError, match="timeout"):
            pick(timeout=timeout)
    assert in_flight(pool) == 0


@pytest.mark.parametrize("timeout", ["1", [1], {}])
def test_a_timeout_of_the_wrong_type(timeout: Any) -> None:
    for pick in (small().pick, small().acquire):
        with pytest.raises(TypeError):
            pick(timeout=timeout)


# On an event loop


def test_apick_as_a_context_manager_and_awaited() -> None:
    async def main() -> None:
        pool = Pool(["a"], health={"failure_threshold": 1})
        async with pool.apick(key="k") as p:
            assert (p.node, in_flight(pool)) == ("a", 1)
        assert (p.outcome, in_flight(pool)) == ("success", 0)
        p = await pool.apick("k")
        assert p.failure("reset") and pool.nodes()[0].health == "unhealthy"

    asyncio.run(main())


def test_leaving_an_async_block_is_as_leaving_any() -> None:
    async def left_by(error: BaseException) -> str | None:
        pool = Pool(["a"])
        try:
            async with pool.apick() as p:
                raise error
        except BaseException as raised:
            assert raised is error and in_flight(pool) == 0
        return p.outcome

    assert asyncio.run(left_by(ValueError())) == "failure"
    assert asyncio.run(left_by(asyncio.CancelledError())) == "cancelled"


def test_apick_waits_without_a_thread() -> None:
    async def main() -> list[str | None]:
        pool = small()
        most = 0

        async def client() -> str | None:
            nonlocal most
            async with pool.apick() as p:
                most = max(most, in_flight(pool))
                await asyncio.sleep(0)
            return p.outcome

        outcomes = await asyncio.gather(*(client() for _ in range(100)))
        assert (most, in_flight(pool), pool.waiting) == (1, 0, 0)
        return outcomes

    before = threading.active_count()
    assert asyncio.run(main()) == ["success"] * 100
    assert threading.active_count() == before


def test_another_thread_wakes_an_event_loop() -> None:
    async def main() -> None:
        pool = small()
        held = pool.pick()
        picking = asyncio.ensure_future(wait_for(pool))
        while not pool.waiting:
            await asyncio.sleep(0)
        thread, _ = in_thread(held.success)
        assert (await picking).success()
        thread.join()

    asyncio.run(main())


def test_apick_waits_as_long_as_the_configuration_says() -> None:
    async def main() -> None:
        pool = small(acquire_timeout_ms=120)
        assert pool.acquire_timeout == 0.12
        with pool.pick():
            for asked in ({}, {"timeout": 0.06}, {"timeout": 0}):
                before = time.monotonic()
                with pytest.raises(NoNode) as none:
                    await pool.apick(**asked)
                assert time.monotonic() - before >= asked.get("timeout", 0.12)
                assert none.value.reason == "saturated"
        assert (pool.stats()["wait_timeouts"], pool.waiting) == (2, 0)

    asyncio.run(main())


def test_a_cancelled_apick_leaves_the_queue() -> None:
    async def main() -> None:
        pool = small()
        with pool.pick():
            tasks = [asyncio.ensure_future(wait_for(pool)) for _ in range(10)]
            while pool.waiting < 10:
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results)
            assert pool.waiting == 0
        assert in_flight(pool) == 0
        assert (await pool.apick()).success()

    asyncio.run(main())


def test_a_loop_that_is_closed_before_its_waiter_is_woken() -> None:
    pool = small()
    held = pool.pick()
    loop = asyncio.new_event_loop()
    waiter = pool.apick().__await__()

    async def begin() -> None:
        waiter.send(None)

    loop.run_until_complete(begin())
    assert pool.waiting == 1
    loop.close()
    assert held.success()
    waiter.close()
    assert (pool.waiting, in_flight(pool)) == (0, 0)


def test_apick_refuses_what_pick_refuses() -> None:
    async def main() -> None:
        pool = small()
        for wrong in ({"key": 7}, {"exclude": "a"}, {"nonsense": 1}, {"timeout": "1"}):
            with pool.pick(), pytest.raises(TypeError):
                await pool.apick(**wrong)
        with pytest.raises(TypeError, match="multiple values"):
            pool.apick("k", key="k")  # type: ignore[misc]
        with pytest.raises(TypeError, match="at most 6"):
            pool.apick(*"abcdefg")
        with pool.pick():
            for timeout in (-1, float("nan")):
                with pytest.raises(ConfigError, match="timeout"):
                    await pool.apick(timeout=timeout)
        with pytest.raises(NoNode, match="all_excluded"):
            await pool.apick(exclude=["a"])
        assert (in_flight(pool), pool.waiting) == (0, 0)

    asyncio.run(main())


# By hand


def test_the_queue_by_hand() -> None:
    pool = small()
    held = pool.pick()
    woken: list[int] = []
    first, second = pool.wait(lambda: woken.append(1)), pool.wait(lambda: woken.append(2))
    third = pool.wait(lambda: woken.append(3))
    assert pool.waiting == 3
    assert pool.stop_waiting(second) and not pool.stop_waiting(second)
    assert held.success() and woken == [1]
    assert not pool.stop_waiting(first)
    assert pool.pick().success() and woken == [1, 3]
    assert not pool.stop_waiting(third) and not pool.stop_waiting(10**9)


def test_a_waker_that_raises_is_told_to_the_unraisable_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda u: told.append(u.exc_type))
    pool = small()
    held = pool.pick()
    pool.wait(lambda: 1 // 0)
    assert held.success()
    assert told == [ZeroDivisionError]
    with pytest.raises(TypeError):
        pool.wait(7)  # type: ignore[arg-type]


def test_a_waker_may_pick() -> None:
    pool = small()
    held, got = pool.pick(), []
    pool.wait(lambda: got.append(pool.pick()))
    assert held.success()
    assert len(got) == 1 and got[0].success()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_waits_for_itself() -> None:
    pool = small()
    held = pool.pick()

    def child() -> tuple[object, ...]:
        mine = pool.pick()
        thread, answers = in_thread(lambda: pool.pick(timeout=FOREVER).success())
        until(lambda: pool.waiting >= 1)
        ended = mine.success()
        thread.join()
        return ended, answers

    assert in_child(child) == (True, [True])
    assert held.success()
