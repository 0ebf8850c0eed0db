"""Calls that are made again: what may be repeated, where, how often."""

from __future__ import annotations

import asyncio
import errno
import http.client
import socket
import sys
import time
import urllib.error
from collections.abc import Callable
from typing import Any

import httpx
import loadwise
import pytest
from conftest import NODES, in_flight
from loadwise import Again, ConfigError, Failed, NoNode, Pick, Pool, Retry, StateError

QUICK = {"base_delay_ms": 0, "max_delay_ms": 0}


def quick(nodes: Any = NODES, **retry: Any) -> Pool:
    """Retries without a delay."""
    return Pool(nodes, retry={**QUICK, **retry}, health={"failure_threshold": 255}, breaker=False)


def notes(error: BaseException) -> list[str]:
    # From Python 3.11 on.
    return getattr(error, "__notes__", [])


def raising(error: Exception, tried: list[str], times: int = 99) -> Callable[[Pick], str]:
    """Fails so often, and then gives the node."""

    def f(p: Pick) -> str:
        tried.append(p.node)
        if len(tried) <= times:
            raise error
        return p.node

    return f


def test_the_result_of_the_first_attempt() -> None:
    seen: list[object] = []
    pool = quick()

    def f(p: Pick) -> int:
        seen.append((p.address in NODES, in_flight(pool), p.outcome))
        return 42

    assert pool.call(f) == 42
    assert seen == [(True, 1, None)]
    assert (in_flight(pool), pool.stats()["successes"], pool.stats()["retries"]) == (0, 1, 0)


def test_what_reached_nobody_is_tried_elsewhere() -> None:
    tried: list[str] = []
    pool = quick()
    answer = pool.call(raising(ConnectionRefusedError(), tried, times=2))
    assert len(set(tried)) == 3 and answer == tried[-1]
    told = pool.stats()
    assert (told["successes"], told["failures_by_kind"]["connect"], told["retries"]) == (1, 2, 2)


def test_what_may_have_been_carried_out_is_not_repeated_unless_it_may_be() -> None:
    for idempotent, attempts in ((False, 1), (True, 3)):
        tried: list[str] = []
        pool, error = quick(), ConnectionResetError()
        with pytest.raises(ConnectionResetError) as raised:
            pool.call(raising(error, tried), idempotent=idempotent)
        assert raised.value is error
        assert len(set(tried)) == len(tried) == attempts
        assert pool.stats()["failures_by_kind"]["reset"] == attempts and in_flight(pool) == 0
        if sys.version_info >= (3, 11):
            why = "attempts" if idempotent else "unsafe"
            assert notes(error) == [f"loadwise: {attempts} attempt{'s' * idempotent}, given up: {why}"]


def test_no_more_attempts_than_nodes() -> None:
    tried: list[str] = []
    pool, error = quick(["a", "b"]), ConnectionRefusedError()
    with pytest.raises(ConnectionRefusedError) as raised:
        pool.call(raising(error, tried))
    assert raised.value is error and sorted(tried) == ["a", "b"]
    if sys.version_info >= (3, 11):
        assert notes(error) == ["loadwise: 2 attempts, given up: no_node"]


def test_no_node_for_the_first_attempt() -> None:
    for pool in (Pool(), quick(["a"])):
        with pytest.raises(NoNode):
            pool.call(lambda p: p.node, exclude=["a"])


def test_a_budget_keeps_retries_from_becoming_a_storm() -> None:
    pool = quick(budget_share=0.0, budget_min_per_s=1, budget_window_ms=10_000)
    attempts = 0
    for _ in range(50):
        tried: list[str] = []
        with pytest.raises(ConnectionRefusedError):
            pool.call(raising(ConnectionRefusedError(), tried))
        attempts += len(tried)
    told = pool.stats()
    # Ten in ten seconds, and some more if this takes seconds.
    assert 10 <= told["retries"] < 40 and attempts == 50 + told["retries"]
    assert told["retries_denied"] >= 10


def test_arguments_of_a_pick_are_passed_on() -> None:
    nodes = [{"id": id, "labels": {"region": id[0]}, "zone": id[0]} for id in ("a1", "a2", "b1")]
    tried: list[str] = []
    pool = quick(nodes, max_attempts=16)
    with pytest.raises(ConnectionRefusedError):
        pool.call(raising(ConnectionRefusedError(), tried), "key", require={"region": "a"}, zone="a", session="s", cost={})
    assert sorted(tried) == ["a1", "a2"]
    tried.clear()
    with pytest.raises(ConnectionRefusedError):
        pool.call(raising(ConnectionRefusedError(), tried), exclude=("a1", pool.pick(exclude=["a1", "b1"])))
    assert tried == ["b1"]


def test_a_call_may_wait_for_room() -> None:
    pool = Pool([{"id": "a", "max_in_flight": 1}])
    held = pool.pick()
    with pytest.raises(NoNode, match="saturated"):
        pool.call(lambda p: p.node)
    pool.wait(lambda: None)
    assert held.success()
    assert pool.call(lambda p: p.node, timeout=10) == "a"


def test_a_function_may_finish_its_pick_itself() -> None:
    def answered(p: Pick) -> str:
        p.failure("server_error")
        return "500"

    def limited(p: Pick) -> str:
        p.rate_limited(30)
        raise ValueError

    def mistaken(p: Pick) -> str:
        p.success()
        raise KeyError("the caller's mistake")

    pool = quick()
    assert pool.call(answered) == "500"
    assert pool.stats()["failures_by_kind"]["server_error"] == 1
    with pytest.raises(ValueError):
        pool.call(limited)
    assert pool.stats()["rate_limited"] == 3
    pool = quick()
    with pytest.raises(KeyError) as error:
        pool.call(mistaken, idempotent=True)
    assert pool.stats()["successes"] == 1
    if sys.version_info >= (3, 11):
        assert notes(error.value) == ["loadwise: 1 attempt, given up: not_failed"]


def test_failed_says_what_no_exception_of_its_own_says() -> None:
    tried: list[str] = []
    pool = quick()
    assert pool.call(raising(Failed("reset", sent=False), tried, times=1)) == tried[1]
    assert pool.stats()["failures_by_kind"]["reset"] == 1
    with pytest.raises(Failed) as failed:
        pool.call(raising(Failed("server_error"), []))
    assert (failed.value.kind, failed.value.sent) == ("server_error", True)
    with pytest.raises(ConfigError, match="connect, timeout"):
        pool.call(raising(Failed("bad luck"), []))  # type: ignore[arg-type]
    assert in_flight(pool) == 0


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_an_interrupt_is_not_an_attempt_that_failed(kind: type[BaseException]) -> None:
    tried: list[Pick] = []
    pool = quick()

    def f(p: Pick) -> None:
        tried.append(p)
        raise kind

    with pytest.raises(kind):
        pool.call(f, idempotent=True)
    assert [p.outcome for p in tried] == ["cancelled"]
    assert (pool.stats()["cancelled"], in_flight(pool)) == (1, 0)


def chained(outer: Exception, inner: BaseException) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    "error, kind",
    [
        (ConnectionRefusedError(), "connect"),
        (socket.gaierror(-2, "Name or service not known"), "connect"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "connect"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "connect"),
        (urllib.error.URLError(ConnectionRefusedError()), "connect"),
        (httpx.ConnectError("refused"), "connect"),
        (httpx.ConnectTimeout("too late"), "connect"),
        (chained(RuntimeError(), ConnectionRefusedError()), "connect"),
        (TimeoutError(), "timeout"),
        (socket.timeout(), "timeout"),
        (asyncio.TimeoutError(), "timeout"),
        (chained(httpx.ReadTimeout("late"), TimeoutError()), "timeout"),
        (ConnectionResetError(), "reset"),
        (BrokenPipeError(), "reset"),
        (http.client.RemoteDisconnected(""), "reset"),
        (ValueError(), "other"),
        (OSError(errno.ENOSPC, "No space left"), "other"),
    ],
)
def test_what_kind_of_failure_an_exception_is(error: Exception, kind: str) -> None:
    pool = quick(max_attempts=1)
    with pytest.raises(type(error)):
        pool.call(raising(error, []))
    assert {k for k, n in pool.stats()["failures_by_kind"].items() if n} == {kind}


def test_causes_in_a_circle_end() -> None:
    one, other = ValueError(), KeyError()
    one.__cause__, other.__cause__ = other, one
    with pytest.raises(ValueError):
        quick().call(raising(one, []))


def test_a_coroutine_function_is_for_acall() -> None:
    async def f(p: Pick) -> str:
        return p.node

    pool = quick()
    with pytest.raises(TypeError, match="acall"):
        pool.call(f)  # type: ignore[unused-coroutine]
    with pytest.raises(TypeError, match="pool.call"):
        asyncio.run(pool.acall(lambda p: p.node))  # type: ignore[arg-type, return-value]
    for wrong in (None, 7):
        with pytest.raises(TypeError):
            pool.call(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        pool.call(lambda p: p.node, exclude="a")
    with pytest.raises(TypeError):
        pool.call(lambda p: p.node, nonsense=1)  # type: ignore[call-arg]
    assert in_flight(pool) == 0
    assert pool.stats()["cancelled"] >= 2


# On an event loop


def test_acall_tries_again_elsewhere() -> None:
    async def main() -> None:
        tried: list[str] = []
        pool = quick()

        async def f(p: Pick) -> str:
            await asyncio.sleep(0)
            return raising(ConnectionRefusedError(), tried, times=2)(p)

        assert await pool.acall(f, key="k") == tried[-1]
        assert len(set(tried)) == 3

    asyncio.run(main())


def test_acall_waits_for_room() -> None:
    async def main() -> None:
        pool = Pool([{"id": "a", "max_in_flight": 1}])

        async def f(p: Pick) -> int:
            await asyncio.sleep(0)
            return in_flight(pool)

        assert set(await asyncio.gather(*(pool.acall(f) for _ in range(50)))) == {1}
        with pool.pick(), pytest.raises(NoNode):
            await pool.acall(f, timeout=0)

    asyncio.run(main())


def test_a_cancelled_acall_blames_nobody() -> None:
    async def main() -> None:
        pool, began = quick(), asyncio.Event()

        async def f(p: Pick) -> None:
            began.set()
            await asyncio.Event().wait()

        task = asyncio.ensure_future(pool.acall(f))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (pool.stats()["cancelled"], pool.stats()["failures"], in_flight(pool)) == (1, 0, 0)

    asyncio.run(main())


def test_the_sleep_between_attempts_can_be_cancelled() -> None:
    async def main() -> None:
        pool = Pool(NODES, seed=1, retry={"base_delay_ms": 86_400_000, "max_delay_ms": 86_400_000})
        began = asyncio.Event()

        async def f(p: Pick) -> None:
            began.set()
            raise ConnectionRefusedError

        task = asyncio.ensure_future(pool.acall(f))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert in_flight(pool) == 0

    asyncio.run(main())


# By hand


def test_whether_to_try_again_by_hand() -> None:
    pool = Pool(NODES, seed=1, retry={"base_delay_ms": 8, "max_delay_ms": 20})
    waits = [pool.retry("failure", attempt, kind="connect").after for attempt in (1, 2) * 20]
    assert all(wait is not None and 0 <= wait <= 0.02 for wait in waits)
    assert all(wait is not None and wait <= 0.008 for wait in waits[::2]) and len(set(waits)) > 20
    pool = Pool(NODES)
    assert pool.retry("failure", 3, kind="connect") == Retry(None, "attempts")
    assert pool.retry("failure", 1, kind="reset") == Retry(None, "unsafe")
    assert pool.retry("failure", 1) == Retry(None, "unsafe")
    assert pool.retry("failure", 1, kind="reset", sent=False).give_up is None
    assert pool.retry("failure", 1, kind="reset", idempotent=True).give_up is None
    assert pool.retry("failure", 1, kind="server_error", sent=False) == Retry(None, "unsafe")
    assert pool.retry("rate_limited", 1, retry_after=86_400 * 365).give_up is None
    assert pool.retry("success", 1) == pool.retry("cancelled", 1) == Retry(None, "not_failed")
    never = Pool(NODES, retry={"budget_share": 0, "budget_min_per_s": 0})
    assert never.retry("failure", 1, kind="connect", now_ns=time.monotonic_ns()) == Retry(None, "budget")


@pytest.mark.parametrize(
    "arguments, keywords, wrong",
    [
        (("luck", 1), {}, ConfigError),
        (("failure", 0), {}, ConfigError),
        (("failure", -1), {}, ConfigError),
        (("failure", 2**32), {}, ConfigError),
        (("failure", 1), {"kind": "luck"}, ConfigError),
        (("success", 1), {"kind": "reset"}, ConfigError),
        (("rate_limited", 1), {"retry_after": -1}, ConfigError),
        (("rate_limited", 1), {"retry_after": float("nan")}, ConfigError),
        (("failure", 1), {"retry_after": 1}, ConfigError),
        ((1, 1), {}, TypeError),
        (("failure", "1"), {}, TypeError),
        (("failure", 1.5), {}, TypeError),
        (("failure", 1), {"idempotent": "yes"}, TypeError),
    ],
)
def test_what_cannot_be_asked(arguments: Any, keywords: Any, wrong: type[Exception]) -> None:
    pool = Pool(NODES)
    for ask in (pool.retry, pool.pick_again):
        with pytest.raises(wrong):
            ask(*arguments, **keywords)
    assert in_flight(pool) == 0


def test_another_attempt_and_its_node_in_one() -> None:
    pool = Pool(["a", "b"], seed=1, retry={"base_delay_ms": 8, "max_delay_ms": 8})
    with pool.pick() as first:
        first.failure("connect")
    pick, after, give_up = pool.pick_again("failure", 1, kind="connect", exclude=[first])
    assert pick is not None and {first.node, pick.node} == {"a", "b"} and in_flight(pool) == 1
    assert after is not None and 0 <= after <= 0.008 and give_up is None
    assert pick.success() and in_flight(pool) == 0
    assert pool.stats()["retries"] == 1
    assert pool.pick_again("failure", 1) == Again(None, None, "unsafe")
    assert pool.pick_again("failure", 3, kind="connect") == Again(None, None, "attempts")
    assert pool.pick_again("success", 1) == pool.pick_again("cancelled", 1) == Again(None, None, "not_failed")
    again = pool.pick_again("failure", 1, "user-17", idempotent=True, require={}, predicate=lambda c: c.id == "b")
    assert again.pick is not None and again.pick.node == "b"
    del pick, again
    assert in_flight(pool) == 0, "what is forgotten is cancelled"


def test_a_retry_that_finds_no_node_costs_nothing() -> None:
    pool = Pool(["a"], retry={"budget_share": 0, "budget_min_per_s": 1, "budget_window_ms": 10_000})
    now_ns = 10**12
    for _ in range(1000):
        with pytest.raises(NoNode) as none:
            pool.pick_again("failure", 1, kind="connect", exclude=["a"], now_ns=now_ns)
        assert none.value.reason == "all_excluded"
    pool.register("b")
    for _ in range(10):  # One a second in ten.
        again = pool.pick_again("failure", 1, kind="connect", exclude=["a"], now_ns=now_ns)
        assert again.pick is not None and again.pick.node == "b"
    assert pool.pick_again("failure", 1, kind="connect", exclude=["a"], now_ns=now_ns) == Again(None, None, "budget")


def test_callbacks_of_another_attempt_are_contained() -> None:
    pool = Pool(["a", "b"])

    def fails_for_a(candidate: loadwise.Candidate) -> bool:
        if candidate.id == "a":
            raise ValueError("a")
        return True

    def is_interrupted(candidate: loadwise.Candidate) -> bool:
        raise KeyboardInterrupt

    again = pool.pick_again("rate_limited", 1, retry_after=1, predicate=fails_for_a)
    assert again.pick is not None and again.pick.node == "b"
    none = pytest.raises(NoNode, pool.pick_again, "rate_limited", 1, exclude=["b"], predicate=fails_for_a)
    assert none.value.callback_failed and isinstance(none.value.__cause__, ValueError)
    with pytest.raises(KeyboardInterrupt):
        pool.pick_again("rate_limited", 1, predicate=is_interrupted)
    with pytest.raises(TypeError, match="nonsense"):
        pool.pick_again("rate_limited", 1, nonsense=1)  # type: ignore[call-arg]
    pool.set_own_strategy(lambda candidates, key: len(candidates) - 1)
    again = pool.pick_again("rate_limited", 1)
    assert again.pick is not None and again.pick.node == "b"
    again.pick.cancel()


def test_a_plan_of_attempts_counts_nothing() -> None:
    pool = Pool(NODES, seed=1)
    plan = pool.plan()
    assert {attempt["id"] for attempt in plan["attempts"]} == set(NODES)
    first, *others = plan["attempts"]
    assert set(first) == set(loadwise.types.PlannedAttempt.__annotations__)
    assert set(plan) == set(loadwise.types.AttemptPlan.__annotations__)
    assert first["delay_ms"] == 0 and all(0 <= attempt["delay_ms"] <= 50 for attempt in others)
    assert plan["hedge_after_ms"] is None
    assert pool.stats()["selections"] == 0
    assert pool.pick().node == first["id"]
    assert [a["id"] for a in pool.plan(exclude=NODES[:2])["attempts"]] == NODES[2:]
    with pytest.raises(NoNode):
        pool.plan(exclude=NODES)
    with pytest.raises(TypeError, match="nonsense"):
        pool.plan(nonsense=1)  # type: ignore[call-arg]


def test_when_to_hedge_is_known_from_latencies() -> None:
    pool = Pool(["a", "b"], stats={"latency": "pool"})
    for _ in range(100):
        pool.pick().success(latency=0.05)
    after = pool.plan()["hedge_after_ms"]
    assert after is not None and after == pytest.approx(50, rel=0.02)


def test_a_closed_pool_is_called_in_vain() -> None:
    pool = quick()
    pool.close()
    retries = (lambda: pool.retry("failure", 1), lambda: pool.pick_again("failure", 1))
    for call in (lambda: pool.call(lambda p: 1), pool.plan, *retries):
        with pytest.raises(StateError, match="closed"):
            call()


def test_a_pool_that_is_closed_between_attempts() -> None:
    pool = quick()

    def f(p: Pick) -> None:
        pool.close()
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        pool.call(f)
