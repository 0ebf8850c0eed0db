"""What a pool tells, as plain data."""

from __future__ import annotations

from typing import NamedTuple

from .types import Health


class NodeStatus(NamedTuple):
    """A node at one moment."""

    id: str
    name: str
    """Empty: none."""
    address: str
    weight: int
    labels: dict[str, str]
    health: Health
    draining: bool
    in_flight: int
    """Unfinished picks, in all processes."""
    latency: float | None
    """The latency average at its last sample, in seconds; kept while a strategy uses latency."""
    load: float | None
    """As it was last reported."""
    remaining_ratio: float | None
    """As it was last reported, 0.0 to 1.0."""
    consecutive_failures: int
    user_data: int
    """The host's own number, in this process."""


class Maintained(NamedTuple):
    """What a call of `Pool.maintain` did."""

    next_due_ns: int
    """When the next call is worth making, on the clock of `time.monotonic_ns()`."""
    leases_expired: int
    """Picks that had outlived `lease_timeout_ms` and were given up."""
    rebuilt: bool
    """Whether nodes that came or went by their health were taken into account anew."""


class NodeHealth(NamedTuple):
    """What a `HealthTracker` remembers of a node."""

    status: Health
    consecutive_failures: int
    consecutive_successes: int
