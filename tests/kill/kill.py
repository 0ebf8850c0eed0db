"""Kills one hot process after another that shares a state, at random instants, and counts what is left after each:
`kill.py [--kills N] [--seed S]`.

Workers in C, Python and Node pick and finish on three pools, while another process puts one document after another in
force. After each SIGKILL the living stop, and
  * in flight, as a whole and by process, and the open picks are what the living say that they hold, to the unit;
  * no pick and no finish of theirs failed, and none looked at more plans than were published;
  * nobody's row and no right to change a pool is left with the dead.
At the end all places for open picks are free.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from loadwise import Engine, NoNode, Pool

from states import ALWAYS, PICKS_MAX, POOLS, shared

HERE = Path(__file__).parent
TOP = HERE.parents[1]
WORKERS = {
    "C": [str(TOP / "build/kill/worker-c")],
    "Python": [sys.executable, str(HERE / "worker.py")],
    "Node": [os.environ.get("NODE", "node"), str(HERE / "worker.mjs")],
}
RELOADER = [sys.executable, str(HERE / "reloader.py")]
# For what takes milliseconds: one that takes this long never ends.
PATIENCE_S = 60.0


class Running:
    """A process that follows orders."""

    def __init__(self, kind: str, path: str, pool: str | None) -> None:
        self.kind, self.path, self.pool = kind, path, pool
        command = [*(WORKERS[kind] if pool else RELOADER), path, *([pool] if pool else [])]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.told: dict[str, int] = {}

    @property
    def pid(self) -> int:
        return self.process.pid

    def order(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"FAIL the {self.kind} process {self.pid} ended by itself: {self.process.wait()}")
        return line.strip()

    def hears(self) -> None:
        """Reads what it says when it stops; before it, that it is ready."""
        line = self.answer()
        self.told = json.loads(self.answer() if line == "ready" else line)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def quit(self) -> int:
        self.order("quit")
        self.process.communicate()
        return self.process.returncode


class Campaign:
    def __init__(self, path: str, seed: int) -> None:
        self.random = random.Random(seed)
        self.path = path
        self.engine = Engine(shared(path))
        self.running = [Running(kind, path, pool) for kind in WORKERS for pool in self.random.sample(POOLS, 2)]
        self.running.append(Running("reloading", path, None))
        self.killed: Counter[str] = Counter()
        self.picks = self.repeats = self.reloads = 0
        self.slowest_s = 0.0

    def pools(self) -> list[Pool]:
        return [self.engine[name] for name in POOLS]

    def kill_one(self) -> None:
        time.sleep(self.random.uniform(0.0, 0.02))
        at = self.random.randrange(len(self.running))
        victim = self.running[at]
        victim.kill()
        killed_at = time.monotonic()
        self.killed[victim.kind] += 1
        self.note(victim)
        self.running[at] = Running(victim.kind, self.path, victim.pool)
        for process in self.running:
            process.order("pause")
        for process in self.running:
            process.hears()
        self.wait_for_the_end_of(victim, killed_at)
        self.compare()
        for process in self.running:
            process.order("go")

    def note(self, process: Running) -> None:
        """Adds up what one said last."""
        if process.pool:
            self.picks += process.told.get("picks", 0)
            self.repeats += process.told.get("repeats", 0)
        else:
            self.reloads += process.told.get("picks", 0)

    def wait_for_the_end_of(self, victim: Running, killed_at: float) -> None:
        """Until the row of a dead process is free: a process looks for the dead at most every 100 ms."""
        while True:
            self.engine.maintain()
            took = time.monotonic() - killed_at
            if all(process.pid != victim.pid for process in self.engine.processes()):
                break
            if took > PATIENCE_S:
                raise SystemExit(f"FAIL what {victim.kind} process {victim.pid} held is not given back")
            time.sleep(0.005)
        self.slowest_s = max(self.slowest_s, took)

    def compare(self) -> None:
        held = {name: {p.pid: p.told["held"] for p in self.running if p.pool == name} for name in POOLS}
        for name, pool in zip(POOLS, self.pools(), strict=True):
            stats = pool.stats()
            expect(f"{name}: in flight", stats["in_flight"], sum(held[name].values()))
            expect(f"{name}: open picks", len(pool.open_picks(PICKS_MAX)), sum(held[name].values()))
            by_process = {p.pid: p.in_flight for p in pool.processes() if p.in_flight}
            expect(f"{name}: in flight by process", by_process, {pid: n for pid, n in held[name].items() if n})
            # The right to change it is not with the dead either: nobody living changes anything now.
            pool.set_weight(ALWAYS, self.random.randint(1, 9))
        for process in self.running:
            expect(f"errors of a {process.kind} process on {process.pool}", process.told["errors"], 0)

    def end(self) -> None:
        for process in self.running:
            self.note(process)
            expect(f"how a {process.kind} process ended", process.quit(), 0)
        for name, pool in zip(POOLS, self.pools(), strict=True):
            expect(f"{name}: in flight at the end", pool.stats()["in_flight"], 0)
            expect(f"{name}: places that are free", len(take_all(pool)), PICKS_MAX)

    def tell(self) -> None:
        for kind, count in sorted(self.killed.items()):
            print(f"ok a {kind} process killed, {count} times")
        print(f"{self.killed.total()} kills; {self.picks} picks, {self.repeats} of them looked at a plan again;")
        print(f"{self.reloads} documents put in force; at most {self.slowest_s * 1000:.0f} ms until all was given back")


def take_all(pool: Pool) -> list[int]:
    """Picks until there is no place."""
    taken: list[int] = []
    try:
        while True:
            taken.append(pool.acquire())
    except NoNode:
        return taken


def expect(what: str, is_now: Any, should_be: Any) -> None:
    if is_now != should_be:
        raise SystemExit(f"FAIL {what}: {is_now}, not {should_be}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="loadwise-kill-", dir=shm if shm.is_dir() else None) as directory:
        campaign = Campaign(str(Path(directory) / "state"), arguments.seed)
        try:
            for _ in range(arguments.kills):
                campaign.kill_one()
            campaign.end()
        finally:
            for process in campaign.running:
                process.process.kill()
                process.process.wait()
        campaign.tell()


main()
