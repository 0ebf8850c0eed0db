"""The thread that does what is due: `Pool.start` and `Engine.start`.

It holds what it follows weakly, and looks whether that is still there whenever it wakes. Checks are made in threads of their
own, so that a node that hangs delays nobody; a node has one at a time.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import TypeAlias, Union

from ._data import CheckDue
from ._errors import StateError
from ._loadwise import Engine, Pool

Check: TypeAlias = Callable[[CheckDue], object]
Followed: TypeAlias = Union[Pool, Engine]

# What was started, and the threads.
started: weakref.WeakKeyDictionary[Followed, Follower] = weakref.WeakKeyDictionary()
changing = threading.Lock()
log = logging.getLogger("loadwise")
# How long the end of the program waits for a thread that is in the middle of something.
PATIENCE = 1.0
LONGEST, SHORTEST = 1.0, 0.005


def start(followed: Followed, check: Check | None) -> None:
    follower = Follower(followed, check)
    with changing:
        former, started[followed] = started.get(followed), follower
    if former:
        former.stop()
    # Only now that it can be found: a check may stop it at once.
    follower.begin()


def stop(followed: Followed) -> None:
    with changing:
        follower = started.pop(followed, None)
    if follower:
        follower.stop()


class Follower:
    """The thread of one pool or engine."""

    def __init__(self, followed: Followed, check: Check | None) -> None:
        ended = threading.Event()
        self.check = check
        self._ended = ended
        self._followed = weakref.ref(followed, lambda _: ended.set())
        # Nodes whose checks are under way, with the names of their pools.
        self._under_way: set[tuple[str, str]] = set()
        self._thread = threading.Thread(target=self._run, name=f"loadwise {followed!r}", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def stop(self, timeout: float | None = None) -> None:
        self._ended.set()
        # One that was not begun yet will end at once; and nobody waits for himself.
        if self._thread.ident is not None and threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    def _run(self) -> None:
        wait = 0.0
        while not self._ended.wait(wait):
            followed = self._followed()
            if followed is None:
                return
            try:
                wait = self._do_what_is_due(followed)
            except StateError:
                return  # The pool was closed.
            del followed

    def _do_what_is_due(self, followed: Followed) -> float:
        """For how many seconds nothing will be due."""
        due_ns = followed.maintain().next_due_ns
        if self.check is not None:
            for pool in pools_of(followed):
                for node in pool.checks_due():
                    self._begin(pool, node)
                due_ns = min(due_ns, pool.next_check_ns or due_ns)
        return min(max((due_ns - time.monotonic_ns()) / 1e9, SHORTEST), LONGEST)

    def _begin(self, pool: Pool, node: CheckDue) -> None:
        who = (pool.name, node.id)
        if who in self._under_way:
            # The one before has not come back: what hangs is not well.
            pool.report_check(node.id, False)
            return
        self._under_way.add(who)
        arguments = (weakref.ref(pool), who, node)
        threading.Thread(target=self._make, args=arguments, name=f"loadwise check {node.id}", daemon=True).start()

    def _make(self, pool: weakref.ref[Pool], who: tuple[str, str], node: CheckDue) -> None:
        began, well = time.perf_counter(), False
        try:
            well = bool(self.check and self.check(node))
        except Exception as error:
            log.debug("check of %s: %r", node.id, error)
        finally:
            latency = time.perf_counter() - began
            self._under_way.discard(who)
            there = pool()
            if there is not None and not self._ended.is_set():
                try:
                    there.report_check(node.id, well, latency)
                except StateError:
                    pass  # The pool was closed, or the node is gone.


def pools_of(followed: Followed) -> list[Pool]:
    return [followed] if isinstance(followed, Pool) else followed.pools()


@atexit.register
def stop_all() -> None:
    """A thread that Python's end finds in the middle of the engine would never come back from it."""
    for follower in list(started.values()):
        follower.stop(PATIENCE)


def after_fork() -> None:
    """Threads are not inherited, and a lock is as some other thread may have left it."""
    global changing
    changing = threading.Lock()
    for followed, follower in list(started.items()):
        started[followed] = heir = Follower(followed, follower.check)
        heir.begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=after_fork)
