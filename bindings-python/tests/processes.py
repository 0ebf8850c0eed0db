"""Processes of a test's own, which do as they are told and share states with it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import loadwise

PATIENCE = 60.0

PROGRAM = """
import json, os, sys, threading, time
import loadwise
from loadwise import Engine, NoNode, Pool, StateError

names = dict(globals())
for line in sys.stdin:
    code = json.loads(line)
    try:
        try:
            answer = [True, eval(compile(code, "<told>", "eval"), names)]
        except SyntaxError:
            exec(compile(code, "<told>", "exec"), names)
            answer = [True, None]
    except Exception as error:
        answer = [False, [type(error).__name__, str(error), getattr(error, "code", 0)]]
    print(json.dumps(answer), flush=True)
"""


class Told(Exception):
    """What a process raised: the name of its class, its message, its code."""

    def __init__(self, kind: str, message: str, code: int) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.code = code


class Process:
    """A Python of its own, in which `do` runs statements and `ask` evaluates what JSON can say."""

    def __init__(self, *first: str) -> None:
        command = [sys.executable, "-c", PROGRAM]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for code in first:
            self.do(code)

    @property
    def pid(self) -> int:
        return self.process.pid

    def tell(self, code: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, "the process ended"
        worked, answer = json.loads(line)
        if not worked:
            raise Told(*answer)
        return answer

    def ask(self, code: str) -> Any:
        self.tell(code)
        return self.answer()

    def do(self, code: str) -> None:
        self.ask(code)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)

    def end(self) -> None:
        """Ends as programs do."""
        assert self.process.stdin
        self.process.stdin.close()
        assert self.process.wait(PATIENCE) == 0

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


def until(condition: Callable[[], object], what: str = "it never comes true") -> None:
    """Waits for what must come, however busy the machine is."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def maintained_in_flight(pool: loadwise.Pool) -> int:
    """What all processes that live have in flight, as far as a maintenance of now knows."""
    pool.maintain()
    return pool.stats()["in_flight"]
