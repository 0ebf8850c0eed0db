"""Picks that wait for room without a thread: `Pool.apick`."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from types import TracebackType
from typing import Any

from ._errors import NoNode
from ._loadwise import Pick, Pool

# The longest sleep between two looks: room may also come from what nobody ends, as a window that moves on.
LOOK_AGAIN = 0.05
# What waits no longer, and is counted as having waited in vain.
NO_LONGER = 1e-9


class Picking:
    """A pick to come: `async with` it, or await it."""

    __slots__ = ("_keywords", "_pick", "_pool", "_timeout")

    def __init__(self, pool: Pool, timeout: float | None, keywords: dict[str, Any]) -> None:
        self._pool = pool
        self._timeout = timeout
        self._keywords = keywords

    def __await__(self) -> Generator[Any, None, Pick]:
        return acquire(self._pool, self._timeout, self._keywords).__await__()

    async def __aenter__(self) -> Pick:
        self._pick = await self
        return self._pick

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pick.__exit__(kind, error, traceback)


def apick(pool: Pool, *arguments: Any, timeout: float | None = None, **keywords: Any) -> Picking:
    names = ("key", "exclude", "require", "health", "predicate", "now_ns")
    if len(arguments) > len(names):
        raise TypeError(f"Pool.apick() takes at most {len(names)} positional arguments ({len(arguments)} given)")
    for name, argument in zip(names, arguments):
        if name in keywords:
            raise TypeError(f"Pool.apick() got multiple values for argument '{name}'")
        keywords[name] = argument
    return Picking(pool, timeout, keywords)


async def acquire(pool: Pool, timeout: float | None, keywords: dict[str, Any]) -> Pick:
    """The core's protocol: join the queue, try once more, sleep until woken."""
    try:
        return pool.pick(**keywords)
    except NoNode as none:
        if not is_temporary(none):
            raise
        refused = none
    if timeout is None:
        timeout = pool.acquire_timeout
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while timeout > 0 and loop.time() < deadline:
        sleep = Sleep(loop)
        try:
            place = pool.wait(sleep.wake)
        except NoNode:
            raise refused from None
        try:
            while not sleep.woken:
                try:
                    return pool.pick(**keywords)
                except NoNode as none:
                    if not is_temporary(none):
                        raise
                    refused = none
                left = deadline - loop.time()
                if left <= 0:
                    break
                await sleep.for_(min(left, LOOK_AGAIN))
        finally:
            pool.stop_waiting(place)
    # The last look is the core's, which counts that it was in vain.
    return pool.pick(**keywords, timeout=NO_LONGER if timeout > 0 else timeout)


class Sleep:
    """A waiter's sleep, which any thread may end."""

    __slots__ = ("_future", "_loop", "woken")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._future: asyncio.Future[None] | None = None
        self.woken = False

    def wake(self) -> None:
        self.woken = True
        try:
            self._loop.call_soon_threadsafe(self._end)
        except RuntimeError:
            pass  # The loop is closed, and with it went the waiter.

    async def for_(self, seconds: float) -> None:
        if self.woken:
            return
        self._future = self._loop.create_future()
        alarm = self._loop.call_later(seconds, self._end)
        try:
            await self._future
        finally:
            alarm.cancel()

    def _end(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(None)


def is_temporary(none: NoNode) -> bool:
    """Whether waiting may help."""
    return none.reason in ("saturated", "rate_limited")
