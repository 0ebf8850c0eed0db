"""The thread that does what is due: maintenance and active checks."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import threading
import time
import weakref
from typing import Any

import pytest
from conftest import in_child, in_flight
from loadwise import CheckDue, Pool, StateError

CHECKS = {"interval_ms": 20, "timeout_ms": 5000, "grace_ms": 0, "failure_threshold": 1, "success_threshold": 1}


def until(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never comes true"
        time.sleep(0.002)


def followers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("loadwise <")]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Any:
    yield
    gc.collect()
    until(lambda: followers() == [])


def health(pool: Pool) -> list[str]:
    return [node.health for node in pool.nodes()]


def test_importing_and_making_pools_starts_nothing() -> None:
    program = "import threading, loadwise; loadwise.Pool(['a']).pick(); assert threading.active_count() == 1"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_what_is_due_is_done() -> None:
    pool = Pool(["a"], lease_timeout_ms=30)
    ticket = pool.acquire()
    pool.start()
    until(lambda: pool.stats()["leases_expired"] == 1)
    assert not pool.release(ticket) and in_flight(pool) == 0
    assert [thread.daemon for thread in followers()] == [True]
    pool.stop()
    assert followers() == []
    pool.stop()


def test_checks_take_nodes_out_and_bring_them_back() -> None:
    seen: list[CheckDue] = []
    pool, down = Pool(["a", "b"], checks=CHECKS), {"b"}

    def check(node: CheckDue) -> bool:
        seen.append(node)
        return node.address not in down

    pool.start(check=check)
    until(lambda: health(pool) == ["healthy", "unhealthy"])
    down.clear()
    until(lambda: health(pool) == ["healthy", "healthy"])
    pool.stop()
    assert {(node.id, node.address, node.name) for node in seen} == {("a", "a", ""), ("b", "b", "")}
    assert all(node.deadline_ns > 0 for node in seen)
    told = {node["id"]: node for node in pool.stats()["nodes"]}
    assert told["a"]["checks_failed"] == 0 and told["b"]["checks_failed"] > 0 < told["b"]["checks_ok"]


def test_a_check_that_raises_has_failed(caplog: pytest.LogCaptureFixture) -> None:
    pool = Pool(["a"], checks=CHECKS)

    def check(node: CheckDue) -> bool:
        raise ConnectionRefusedError("nobody there")

    with caplog.at_level(logging.DEBUG, "loadwise"):
        pool.start(check)
        until(lambda: health(pool) == ["unhealthy"])
        pool.stop()
    assert "check of a: ConnectionRefusedError('nobody there')" in caplog.text


def test_a_check_that_hangs_delays_nobody_and_has_failed() -> None:
    pool, end = Pool(["a", "b"], checks=CHECKS), threading.Event()
    made: list[str] = []

    def check(node: CheckDue) -> bool:
        made.append(node.id)
        return node.id == "b" or end.wait(60)

    pool.start(check=check)
    # Each interval, until the core asks for it again, which is after the timeout.
    until(lambda: made.count("b") > 5)
    assert made.count("a") == 1
    end.set()
    pool.stop()


def test_a_node_has_one_check_at_a_time() -> None:
    pool, end = Pool(["a"], checks={**CHECKS, "timeout_ms": 20}), threading.Event()
    made: list[str] = []

    def check(node: CheckDue) -> bool:
        made.append(node.id)
        return end.wait(60)

    pool.start(check=check)
    until(lambda: pool.stats()["nodes"][0]["checks_failed"] > 3)
    assert made == ["a"] and health(pool) == ["unhealthy"]
    end.set()
    until(lambda: health(pool) == ["healthy"])
    pool.stop()


def test_starting_again_replaces_the_check() -> None:
    pool = Pool(["a"], checks=CHECKS)
    pool.start(check=lambda node: False)
    until(lambda: health(pool) == ["unhealthy"])
    pool.start(check=lambda node: True)
    until(lambda: health(pool) == ["healthy"])
    assert len(followers()) == 1
    pool.stop()


def test_a_check_may_stop_and_change_the_pool() -> None:
    pool, done = Pool(["a", "b"], checks=CHECKS), threading.Event()

    def check(node: CheckDue) -> bool:
        if node.id == "a":
            pool.deregister("a")
            pool.stop()
            done.set()
        return False

    pool.start(check=check)
    assert done.wait(30)
    until(lambda: followers() == [])
    assert [node.id for node in pool.nodes()] == ["b"]


def test_an_observer_may_stop_the_thread_that_calls_it() -> None:
    pool = Pool(["a"], checks=CHECKS)
    pool.on_event(lambda event: pool.stop())
    pool.start(check=lambda node: False)
    until(lambda: health(pool) == ["unhealthy"] and followers() == [])


@pytest.mark.parametrize("way", ["closed", "left", "collected"])
def test_the_thread_ends_with_its_pool(way: str) -> None:
    pool = Pool(["a"], checks=CHECKS)
    pool.start(check=lambda node: True)
    assert len(followers()) == 1
    if way == "closed":
        pool.close()
        assert followers() == []
    elif way == "left":
        with pool:
            pass
        assert followers() == []
    else:
        gone = weakref.ref(pool)
        del pool
        until(lambda: gc.collect() is not None and gone() is None)
    until(lambda: followers() == [])


def test_a_closed_pool_starts_nothing() -> None:
    pool = Pool(["a"])
    pool.close()
    with pytest.raises(StateError, match="closed"):
        pool.start()
    pool.stop()


@pytest.mark.parametrize("wrong", [7, "check", [], True])
def test_a_check_is_callable(wrong: Any) -> None:
    with pytest.raises(TypeError, match="check must be callable"):
        Pool(["a"]).start(check=wrong)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_has_a_thread_of_its_own() -> None:
    pool = Pool(["a"], checks=CHECKS)
    pool.start(check=lambda node: False)
    until(lambda: health(pool) == ["unhealthy"])

    def child() -> tuple[int, bool]:
        count = len(followers())
        before = pool.stats()["nodes"][0]["checks_failed"]
        until(lambda: pool.stats()["nodes"][0]["checks_failed"] > before + 2)
        pool.stop()
        return count, followers() == []

    for _ in range(5):
        assert in_child(child) == (1, True)
    assert len(followers()) == 1
    pool.stop()
    assert in_child(lambda: len(followers())) == 0


def test_a_program_ends_while_threads_work() -> None:
    program = """
import time, loadwise
pool = loadwise.Pool(["a", "b"], checks={"interval_ms": 1, "grace_ms": 0})
pool.on_event(lambda event: time.sleep(0.001))
pool.start(check=lambda node: time.sleep(0.001) or time.monotonic_ns() % 2)
time.sleep(0.1)
"""
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")


# By hand


def test_checks_by_hand() -> None:
    now_ns = 10**15
    pool = Pool(["a", {"id": "b", "name": "Bea", "address": "x"}], checks={**CHECKS, "jitter": 0, "interval_ms": 1000})
    due = pool.checks_due(now_ns)
    assert [(c.id, c.name, c.address, c.deadline_ns) for c in due] == [
        ("a", "", "a", now_ns + 5 * 10**9),
        ("b", "Bea", "x", now_ns + 5 * 10**9),
    ]
    assert pool.checks_due(now_ns) == []
    assert pool.report_check("a", True, 0.01, now_ns=now_ns) is False
    assert pool.report_check("b", False, now_ns=now_ns) is True
    assert pool.next_check_ns == now_ns + 10**9
    assert health(pool) == ["healthy", "unhealthy"]
    assert [c.id for c in pool.checks_due(now_ns + 10**9)] == ["a", "b"]


def test_checks_that_nobody_asked_for() -> None:
    pool = Pool(["a"])
    assert pool.checks_due() == [] and pool.next_check_ns is None
    with pytest.raises(StateError, match='"x"'):
        pool.report_check("x", True)
    for wrong in (-1, float("nan")):
        with pytest.raises(ValueError, match="latency"):
            pool.report_check("a", True, wrong)
    for arguments in [(7, True), ("a", "yes"), ("a", True, "fast"), ("a",)]:
        with pytest.raises(TypeError):
            pool.report_check(*arguments)  # type: ignore[arg-type]
