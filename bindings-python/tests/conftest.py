from __future__ import annotations

import os
import pickle
import select
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import loadwise
import pytest

NODES = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[str]:
    """Where processes may share a state; gone after the test."""
    folder = Path("/dev/shm") if os.path.isdir("/dev/shm") else tmp_path
    path = folder / f"loadwise-test-{os.getpid()}-{tmp_path.name}"
    yield str(path)
    path.unlink(missing_ok=True)


def in_flight(pool: loadwise.Pool) -> int:
    return sum(node.in_flight for node in pool.nodes())


def health_of(pool: loadwise.Pool, id: str) -> str:
    return next(node.health for node in pool.nodes() if node.id == id)


def in_child(run: Callable[[], Any], timeout: float = 30) -> Any:
    """Runs a function in a forked child; gives its result, which can be pickled."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        try:
            answer = pickle.dumps((True, run()))
        except BaseException:
            answer = pickle.dumps((False, traceback.format_exc()))
        os.write(writer, answer)
        os._exit(0)
    os.close(writer)
    ready, _, _ = select.select([reader], [], [], timeout)
    if not ready:
        os.kill(pid, 9)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(pid, 0)
    assert ready, "the child hangs"
    assert status == 0, f"the child ended with status {status}"
    worked, result = pickle.loads(answer)
    assert worked, result
    return result
