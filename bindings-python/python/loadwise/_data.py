"""What a pool tells, as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .types import Breaker, GiveUp, Health

if TYPE_CHECKING:
    from ._loadwise import Pick


class NodeStatus(NamedTuple):
    """A node at one moment."""

    id: str
    name: str
    """Empty: none."""
    address: str
    weight: int
    labels: dict[str, str]
    tier: int
    """0: primary."""
    zone: str
    """Empty: none."""
    max_in_flight: int
    """The node's own limit; 0: unlimited."""
    health: Health
    breaker: Breaker
    ejected: bool
    """As an outlier."""
    hold_until_ns: int | None
    """Until when it takes nothing but probes, on the clock of `time.monotonic_ns()`; None while it is not down."""
    draining: bool
    drained: bool
    """Draining is done: nothing is in flight, or its time is over."""
    warming: float
    """The share of its weight that slow start allows, 0.0 to 1.0; 1.0 when warm."""
    available: bool
    """Whether an ordinary pick may choose it."""
    in_flight: int
    """Unfinished picks, in all processes."""
    latency: float | None
    """The latency average at its last sample, in seconds; kept while a strategy uses latency."""
    success_rate: float | None
    """Over the health window, 0.0 to 1.0; None without requests in it."""
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


class CheckDue(NamedTuple):
    """An active check that the caller is to make."""

    id: str
    name: str
    """Empty: none."""
    address: str
    deadline_ns: int
    """Until when to report it, on the clock of `time.monotonic_ns()`; then somebody else is asked to make it."""


class Retry(NamedTuple):
    """Whether to try again."""

    after: float | None
    """In how many seconds, at another node: exclude those that were tried. None: not at all."""
    give_up: GiveUp | None
    """Why not; None if `after` says when."""


class Again(NamedTuple):
    """Another attempt and its node, or why there is none."""

    pick: Pick | None
    """Its node, in flight from now on; None if it is given up."""
    after: float | None
    """In how many seconds to make it. None: not at all."""
    give_up: GiveUp | None
    """Why not; None if there is a `pick`."""


class Reloaded(NamedTuple):
    """What the reload of an engine changed: names of pools, and the version of the configuration from now on."""

    added: list[str]
    removed: list[str]
    changed: list[str]
    version: int


class ProcessStatus(NamedTuple):
    """A process that shares a state."""

    row: int
    """Its place among those that share it, from 0."""
    pid: int
    """In its own namespace of process ids."""
    command: str
    """The first 16 bytes of its command's name."""
    is_own: bool
    """Whether it is the one that asks."""
    in_namespace: bool
    """Whether it is in the namespace of process ids of the one that asks."""
    alive: bool
    """As far as the one that asks can tell. What one held that is not is given back with the next maintenance of another."""
    since_ns: int
    """When it joined, on the clock of `time.monotonic_ns()`."""
    heartbeat_ns: int
    """When it last maintained something, on the same clock."""
    in_flight: int
    """Its unfinished picks, of one pool or of all."""
    repeats: int
    """How often a pick of its own looked at a plan again, because another one was published meanwhile."""


class OpenPick(NamedTuple):
    """A pick that nobody has finished yet."""

    ticket: int
    """Good for the process alone that has it."""
    node: str
    """The node's id."""
    pid: int
    """The process that has it."""
    started_ns: int | None
    """When it was made, on the clock of `time.monotonic_ns()`; None where nothing in the configuration needs that."""
    age: float | None
    """For how many seconds it has been open; None without `started_ns`."""


class Difference(NamedTuple):
    """A key in which the configuration of a process that attached to a pool differs from the one in force, which stays."""

    pool: str
    key: str
    """As `health.failure_threshold` or `nodes.10.0.0.1:80.weight`; nodes go by their ids."""
    configured: str
    """What this process has, as JSON in a line; empty if nothing."""
    in_force: str
    """What is in force, in the same way."""


class NodeHealth(NamedTuple):
    """What a `HealthTracker` remembers of a node."""

    status: Health
    consecutive_failures: int
    consecutive_successes: int
