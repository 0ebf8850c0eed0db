"""Servers of several processes: the workers of one server balance as one, whichever of them is killed."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import in_flight
from loadwise import Pool
from processes import PATIENCE, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes can share a state on Linux only")

WORKERS = 4
NODES = [f"n{i}" for i in range(10)]
DRAWS = 200

# Each request makes DRAWS picks, one after another, and then holds one until the test has seen it.
SOURCE = f"""
import asyncio, json, os, pathlib, time
from loadwise import Pool

pool = Pool({NODES!r}, strategy="random", shared=os.environ["STATE"])
pool.start()
seen = pathlib.Path(os.environ["SEEN"])
HEADERS = [("content-type", "application/json"), ("connection", "close")]


def answer(choices):
    return json.dumps([os.getpid(), choices]).encode()


def wsgi(environ, start_response):
    choices = [pool.pick().node for _ in range({DRAWS})]
    with pool.pick():
        while not seen.exists():
            time.sleep(0.01)
    start_response("200 OK", HEADERS)
    return [answer(choices)]


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    choices = [pool.pick().node for _ in range({DRAWS})]
    async with pool.apick():
        while not seen.exists():
            await asyncio.sleep(0.01)
    headers = [(name.encode(), text.encode()) for name, text in HEADERS]
    await send({{"type": "http.response.start", "status": 200, "headers": headers}})
    await send({{"type": "http.response.body", "body": answer(choices)}})
"""


class Server:
    """A server of several processes, whose requests wait for `let_go`."""

    def __init__(self, folder: Path, state: str, command: list[str]) -> None:
        (folder / "served.py").write_text(SOURCE)
        self.seen = folder / "seen"
        # Who connects before a worker is there waits in the queue of the socket.
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/"
        fd = self.socket.fileno()
        self.process = subprocess.Popen(
            [sys.executable, "-m", *(word.replace("FD", str(fd)) for word in command)],
            cwd=folder,
            env={"STATE": state, "SEEN": str(self.seen), "PATH": "", "PYTHONPATH": str(folder)},
            pass_fds=[fd],
        )
        self.answers: list[tuple[int, list[str]]] = []
        self.failed: list[Exception] = []
        self._threads: list[threading.Thread] = []

    def ask(self, requests: int) -> None:
        for _ in range(requests):
            thread = threading.Thread(target=self._ask)
            thread.start()
            self._threads.append(thread)

    def _ask(self) -> None:
        try:
            with urllib.request.urlopen(self.url, timeout=2 * PATIENCE) as response:
                pid, choices = json.load(response)
                self.answers.append((pid, choices))
        except (OSError, ValueError) as error:
            self.failed.append(error)

    def let_go(self) -> None:
        self.seen.touch()
        for thread in self._threads:
            thread.join(2 * PATIENCE)

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0


@contextmanager
def server(folder: Path, state: str, *command: str) -> Iterator[Server]:
    served = Server(folder, state, list(command))
    try:
        yield served
        served.stop()
    finally:
        served.seen.touch()
        if served.process.poll() is None:
            served.process.terminate()
            served.process.wait(PATIENCE)
        served.socket.close()


def held(pool: Pool, but: set[int]) -> dict[int, int]:
    """What processes that live have in flight, by their ids."""
    return {p.pid: p.in_flight for p in pool.processes() if p.alive and p.pid not in but}


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["loaded_by_each", "preloaded"])
def test_gunicorn(tmp_path: Path, state: str, preload: list[str]) -> None:
    pool = Pool(NODES, strategy="random", shared=state)
    command = ["gunicorn", "--bind", "fd://FD", "--workers", str(WORKERS), "--timeout", "300", "--log-level", "warning"]
    with server(tmp_path, state, *command, *preload, "served:wsgi") as served:
        # The master has the pool, too, if it loads the program before it forks.
        others = {os.getpid(), served.process.pid}
        # A worker has one request at a time: each of them holds one.
        served.ask(WORKERS)
        until(lambda: in_flight(pool) == WORKERS and sorted(held(pool, others).values()) == [1] * WORKERS)
        first = held(pool, others)
        told = pool.stats()["nodes"]
        assert sum(sum(node["in_flight_by_process"].values()) for node in told) == WORKERS

        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        # The others' threads give back what it held, and a new worker takes its place; this process maintains nothing.
        until(lambda: in_flight(pool) == WORKERS - 1)
        until(lambda: len(held(pool, others)) == WORKERS and victim not in held(pool, others))
        served.ask(1)
        until(lambda: in_flight(pool) == WORKERS and sorted(held(pool, others).values()) == [1] * WORKERS)
        second = held(pool, others)
        assert len(first.keys() & second.keys()) == WORKERS - 1

        served.let_go()
        assert len(served.failed) == 1 and {pid for pid, _ in served.answers} == set(second)
        until(lambda: in_flight(pool) == 0)
        assert_independent([choices for _, choices in served.answers])
    pool.maintain()
    assert held(pool, set()) == {os.getpid(): 0} and len(pool.processes()) == 1
    told_of = pool.stats()
    assert (told_of["successes"], told_of["in_flight"]) == (WORKERS, 0)


def test_uvicorn(tmp_path: Path, state: str) -> None:
    pool = Pool(NODES, strategy="random", shared=state)
    me, requests = {os.getpid()}, 20
    command = ["uvicorn", "--fd", "FD", "--workers", str(WORKERS), "--log-level", "warning", "--lifespan", "off"]
    with server(tmp_path, state, *command, "served:asgi") as served:
        until(lambda: len(held(pool, me)) == WORKERS)
        served.ask(requests)
        until(lambda: in_flight(pool) == requests and sum(held(pool, me).values()) == requests)
        before = held(pool, me)
        victim = max(before, key=before.__getitem__)
        os.kill(victim, signal.SIGKILL)
        until(lambda: in_flight(pool) == requests - before[victim])
        until(lambda: len(held(pool, me)) == WORKERS and victim not in held(pool, me))
        served.let_go()
        assert len(served.failed) == before[victim] and len(served.answers) == requests - before[victim]
        until(lambda: in_flight(pool) == 0)
        assert_independent([choices for _, choices in served.answers])
    pool.maintain()
    assert held(pool, set()) == {os.getpid(): 0} and len(pool.processes()) == 1


def assert_independent(runs: list[Any]) -> None:
    """No two runs of fair draws agree more often than chance has it: 20 of 200 on average, more than 60 once in 1e14."""
    assert all(len(run) == DRAWS for run in runs)
    for one, other in itertools.combinations(runs, 2):
        assert sum(a == b for a, b in zip(one, other)) <= 60
