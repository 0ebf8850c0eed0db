"""Calls that are made again: `Pool.call` and `Pool.acall`.

Whether, when and where is the core's to say (`Pool.retry`, `Pool.pick`); here is the loop around it, and what kind of
failure an exception of Python's is.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import errno
import inspect
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, NoReturn, TypeVar

from ._errors import Failed, NoNode, StateError
from ._loadwise import Pick, Pool
from ._waiting import apick
from .types import FailureKind

T = TypeVar("T")

UNREACHABLE = {errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.ENOENT}
# What httpx, aiohttp and urllib3 call a connection that never came to be.
NOT_CONNECTED = {
    "ConnectError",
    "ConnectTimeout",
    "ClientConnectorError",
    "NewConnectionError",
    "ConnectTimeoutError",
}
TIMEOUTS = (TimeoutError, asyncio.TimeoutError, concurrent.futures.TimeoutError)


def call(
    pool: Pool,
    f: Callable[[Pick], T],
    /,
    key: str | bytes | None = None,
    exclude: Iterable[str | Pick] | None = None,
    *,
    idempotent: bool = False,
    **request: Any,
) -> T:
    attempts = Attempts(pool, exclude, idempotent)
    while True:
        try:
            pick = pool.pick(key, attempts.tried, **request)
        except NoNode as none:
            attempts.end(none, "no_node")
        with attempts.one(pick):
            result = f(pick)
            if inspect.iscoroutine(result):
                result.close()
                raise Misuse("f is a coroutine function: await pool.acall(f)")
            pick.success()
            return result
        time.sleep(attempts.wait)


async def acall(
    pool: Pool,
    f: Callable[[Pick], Awaitable[T]],
    /,
    key: str | bytes | None = None,
    exclude: Iterable[str | Pick] | None = None,
    *,
    idempotent: bool = False,
    timeout: float | None = None,
    **request: Any,
) -> T:
    attempts = Attempts(pool, exclude, idempotent)
    while True:
        try:
            pick = await apick(pool, key, attempts.tried, timeout=timeout, **request)
        except NoNode as none:
            attempts.end(none, "no_node")
        with attempts.one(pick):
            coming = f(pick)
            if not inspect.isawaitable(coming):
                raise Misuse("f is no coroutine function: pool.call(f)")
            result = await coming
            pick.success()
            return result
        await asyncio.sleep(attempts.wait)


class Misuse(TypeError):
    """The caller's mistake, and nobody else's."""


class Attempts:
    """The attempts of one call so far."""

    def __init__(self, pool: Pool, exclude: Iterable[str | Pick] | None, idempotent: bool) -> None:
        # A text is an iterable, too: `pick` refuses it.
        self.tried: Any = exclude if isinstance(exclude, (str, bytes)) else list(exclude or ())
        self.wait = 0.0
        self._pool = pool
        self._idempotent = idempotent
        self._count = 0
        self._last: Exception | None = None

    def one(self, pick: Pick) -> Attempt:
        # The error before is over; kept, it would keep the frame that it went through, and so this.
        self._last = None
        return Attempt(self, pick)

    def may_go_on(self, pick: Pick, error: Exception) -> bool:
        """Finishes an attempt that failed; whether there is to be another, after `wait` seconds."""
        self._count += 1
        told = error if isinstance(error, Failed) else None
        kind = told.kind if told else kind_of(error)
        try:
            # What was finished before stays as it was, and is what counts.
            pick.failure(kind)
            outcome = pick.outcome or "failure"
            answer = self._pool.retry(
                outcome,
                self._count,
                kind=(pick.kind or kind) if outcome == "failure" else None,
                idempotent=self._idempotent,
                sent=told.sent if told else True,
            )
        except StateError:
            return False  # The pool is closed; what went wrong before that is more telling.
        finally:
            pick.cancel()
        if answer.after is None:
            self._note(error, answer.give_up)
            return False
        self._last = error
        self.tried.append(pick)
        self.wait = answer.after
        return True

    def end(self, none: NoNode, reason: str) -> NoReturn:
        """Raises the error of the last attempt, or if there was none, that there is no node."""
        last, self._last = self._last, None
        if last is None:
            raise none
        self._note(last, reason)
        try:
            raise last
        finally:
            # Or the error would keep its own frame.
            del last

    def _note(self, error: Exception, reason: str | None) -> None:
        if hasattr(error, "add_note"):
            error.add_note(f"loadwise: {self._count} attempt{'s' * (self._count > 1)}, given up: {reason}")


class Attempt:
    """One attempt: an exception that is to be followed by another ends here."""

    __slots__ = ("_attempts", "_pick")

    def __init__(self, attempts: Attempts, pick: Pick) -> None:
        self._attempts = attempts
        self._pick = pick

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if error is None:
            return False
        if isinstance(error, Exception) and not isinstance(error, Misuse):
            return self._attempts.may_go_on(self._pick, error)
        # An interrupt or a cancellation says nothing of the node.
        self._pick.cancel()
        return False


def kind_of(error: BaseException) -> FailureKind:
    """What kind of failure an exception tells of, itself or by what caused it."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if kind := own_kind_of(cause):
            return kind
        reason = getattr(cause, "reason", None)
        cause = cause.__cause__ or (reason if isinstance(reason, BaseException) else None) or cause.__context__
    return "other"


def own_kind_of(error: BaseException) -> FailureKind | None:
    if any(base.__name__ in NOT_CONNECTED for base in type(error).__mro__):
        return "connect"
    if isinstance(error, (ConnectionRefusedError, socket.gaierror)):
        return "connect"
    if isinstance(error, TIMEOUTS):
        return "timeout"
    if isinstance(error, ConnectionError):
        return "reset"
    if isinstance(error, OSError) and error.errno in UNREACHABLE:
        return "connect"
    return None
