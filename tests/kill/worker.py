"""A worker that is always in the midst of picking or finishing: `worker.py PATH POOL` attaches to the state at PATH and goes
round on the pool of that name, eight picks open at a time at most. It writes `ready` once it runs.

    pause   stops; one line {"held": open picks, "picks": all that found a node, "errors": picks and finishes that failed,
            "repeats": picks that needed more than one try}; then waits for
    go      goes on
    quit    finishes all, and ends; so does the end of its input
"""

from __future__ import annotations

import json
import sys
from collections import deque

from loadwise import Engine, NoNode, Pool
from loadwise.types import Outcome

from orders import Input

HELD = 8
# Picks between two looks at the input.
LOOK_EVERY = 256


class Worker:
    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.held: deque[int] = deque()
        self.picks = self.finished = self.errors = 0

    def pick_one(self) -> None:
        try:
            self.held.append(self.pool.acquire())
            self.picks += 1
        except NoNode as error:
            print(f"{self.pool.name}: {error}", file=sys.stderr, flush=True)
            self.errors += 1

    def finish_oldest(self) -> None:
        self.finished += 1
        outcome: Outcome = "success"
        if self.finished % 13 == 0:
            outcome = "cancelled"
        elif self.finished % 7 == 0:
            outcome = "failure"
        if not self.pool.release(self.held.popleft(), outcome):
            self.errors += 1

    def work(self) -> None:
        for _ in range(LOOK_EVERY):
            if len(self.held) == HELD:
                self.finish_oldest()
            self.pick_one()

    def tell(self) -> None:
        repeats = next(process.repeats for process in self.pool.processes() if process.is_own)
        told = {"held": len(self.held), "picks": self.picks, "errors": self.errors, "repeats": repeats}
        print(json.dumps(told), flush=True)


def main() -> None:
    _, path, name = sys.argv
    worker, given = Worker(Engine.attach(path)[name]), Input()
    worker.work()
    print("ready", flush=True)
    while True:
        if given.is_there():
            order = given.line()
            while order == "pause":
                worker.tell()
                order = given.line()
            if order == "quit":
                break
        worker.work()
    while worker.held:
        worker.finish_oldest()


main()
