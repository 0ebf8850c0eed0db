"""What can go wrong, by family."""

from __future__ import annotations

from .types import Explanation, FailureKind, Reason


class Error(Exception):
    """Whatever loadwise raises, but for the TypeError of an argument of the wrong type."""

    code: int
    """The number of this error, the same in every language: see `CODES`."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        # The message alone would not do for __init__.
        return _restore, (type(self), self.args, self.__dict__)


class ConfigError(Error, ValueError):
    """A configuration or an argument that cannot be; or a bound that is reached (code 101)."""

    key: str
    """The path of the key, as `nodes[2].weight`; empty for the whole document."""
    line: int
    """The line in the text, from 1; 0 if the configuration was not text."""

    def __init__(self, message: str, code: int = 100, key: str = "", line: int = 0) -> None:
        super().__init__(message, code)
        self.key = key
        self.line = line


class StateError(Error):
    """An operation on state that is not there: an unknown node, a duplicate one, a pool that was closed.

    Of a state that processes share: it cannot be opened (code 205), as many processes share it as may (206), or it is only
    looked at (207).
    """


class TicketError(Error, ValueError):
    """A number that is no ticket of the pool; or, where a node is asked for, a ticket that is not open any more."""


class CallbackError(Error):
    """A predicate or an own strategy that gave what is no answer."""


class NoNode(Error):
    """A pick found no node. If a callback failed on the way, its exception is the cause."""

    reason: Reason
    """The filter at which the last candidates were lost."""
    retry_at_ns: int | None
    """The earliest time at which trying again makes sense, on the clock of `time.monotonic_ns()`; None if not known."""
    callback_failed: bool
    """Whether a predicate or an own strategy failed on the way."""
    explanation: Explanation | None = None
    """The reasons, if `Pool.pick_explained` was asked for them."""

    def __init__(
        self, message: str, code: int, reason: Reason, retry_at_ns: int | None = None, callback_failed: bool = False
    ) -> None:
        super().__init__(message, code)
        self.reason = reason
        self.retry_at_ns = retry_at_ns
        self.callback_failed = callback_failed


class Failed(Exception):
    """What the function of `Pool.call` raises to say how its attempt failed, where no other exception would."""

    kind: FailureKind
    sent: bool
    """Whether something of the request went out to the node: what did not may be sent again."""

    def __init__(self, kind: FailureKind = "other", *, sent: bool = True) -> None:
        super().__init__(kind)
        self.kind = kind
        self.sent = sent


def _restore(kind: type[Error], args: tuple[object, ...], attributes: dict[str, object]) -> Error:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error
