"""The types of loadwise's arguments and results, for annotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias, TypedDict, Union

Config: TypeAlias = Mapping[str, Any]
"""A configuration, or a part of it, as `docs/configuration.md` describes it."""

Node: TypeAlias = Union[str, Mapping[str, Any]]
"""An address, or a dict of the keys id, address, name, weight, labels, tier, zone, max_in_flight, quotas, user_data."""

Chain: TypeAlias = Union[str, Mapping[str, Any], Sequence[Union[str, Mapping[str, Any]]]]
"""A strategy: a name, a dict of a name and its settings, or a list of these, of which the first that finds a node decides."""

Health: TypeAlias = Literal["healthy", "degraded", "unhealthy", "recovering"]
Breaker: TypeAlias = Literal["closed", "open", "half_open"]
Outcome: TypeAlias = Literal["success", "failure", "rate_limited", "cancelled"]
FailureKind: TypeAlias = Literal["connect", "timeout", "reset", "server_error", "other"]
Reason: TypeAlias = Literal["empty", "all_excluded", "no_match", "unhealthy", "draining", "saturated", "rate_limited"]
GiveUp: TypeAlias = Literal["not_failed", "unsafe", "attempts", "budget", "no_node"]
MetricsFormat: TypeAlias = Literal["prometheus", "openmetrics"]

Event = TypedDict(
    "Event",
    {
        "kind": Literal["health", "breaker", "ejection", "panic", "tier", "topology", "selection"],
        "node": Union[str, None],
        "at_ns": int,
        "from": Any,
        "to": Any,
        "open": bool,
        "ejected": bool,
        "spread": bool,
        "added": list[str],
        "removed": list[str],
        "strategy": str,
    },
    total=False,
)
"""Something that happened in a pool. `kind`, `node` (None if it concerns the pool) and `at_ns` are always there; then

- health: `from` and `to`, states of the node; tier: `from` and `to`, numbers of tiers
- breaker: `open`; ejection: `ejected`; panic: `spread`, whether nodes that are down take traffic, too
- topology: `added` and `removed`, ids; selection: `strategy`, the name of the one that chose
"""


class Latency(TypedDict):
    """Over the last one to two windows of `stats.window_ms`; 0.0 where `count` is 0."""

    count: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


class LatencyBucket(TypedDict):
    le_ms: float
    count: int
    """Of all latencies up to `le_ms`."""


class LatencyHistogram(TypedDict):
    """Since the pool began."""

    buckets: list[LatencyBucket]
    count: int
    sum_ms: float


class Quota(TypedDict):
    dimension: str
    used: int
    limit: int


class NodeStats(TypedDict):
    """A node in figures; counts are since the pool began."""

    id: str
    name: str
    address: str
    tier: int
    zone: str
    weight: int
    health: Health
    health_transitions: int
    success_rate: float | None
    breaker: Breaker
    breaker_opens: int
    ejected: bool
    ejections: int
    draining: bool
    drained: bool
    warming: float
    available: bool
    in_flight: int
    in_flight_by_process: dict[str, int]
    """By process id, of those that have any; empty if the state is this process's alone."""
    max_in_flight: int
    """What is in force now: the node's own or the adaptive limit; 0: unlimited."""
    selections: int
    successes: int
    failures: int
    failures_by_kind: dict[FailureKind, int]
    timeouts: int
    rate_limited: int
    cancelled: int
    probes: int
    checks_ok: int
    checks_failed: int
    latency_ewma_ms: float | None
    latency: Latency | None
    """None unless `stats.latency` is nodes."""
    load: float | None
    remaining_ratio: float | None
    quotas: list[Quota]


class Stats(TypedDict):
    """A pool in figures; counts are since the pool began."""

    name: str
    strategy: str
    config_version: int
    now_ns: int
    processes: int
    available: int
    """Nodes that can be picked now."""
    selections: int
    successes: int
    failures: int
    failures_by_kind: dict[FailureKind, int]
    timeouts: int
    rate_limited: int
    cancelled: int
    no_node: dict[Reason, int]
    """Picks that found no node."""
    in_flight: int
    max_in_flight: int
    leases_expired: int
    tier: int
    """The tier that takes most of the traffic."""
    tier_shares: list[float]
    failovers: int
    last_failover_ns: int | None
    panic: bool
    retries: int
    retries_denied: int
    waiting: int
    wait_timeouts: int
    queue_refusals: int
    probes: int
    probe_timeouts: int
    affinity_entries: int
    latency: Latency | None
    """None while `stats.latency` is off."""
    latency_histogram: LatencyHistogram | None
    nodes: list[NodeStats]


class PlannedAttempt(TypedDict):
    id: str
    address: str
    delay_ms: float
    """After the end of the attempt before."""


class AttemptPlan(TypedDict):
    attempts: list[PlannedAttempt]
    hedge_after_ms: float | None
    """When a second attempt may be sent beside an unanswered first one; None unless `stats.latency` is on."""


FailedAt: TypeAlias = Literal[
    "draining",
    "zero_weight",
    "no_match",
    "excluded",
    "unhealthy",
    "breaker_open",
    "ejected",
    "rate_limited",
    "saturated",
    "other_tier",
    "other_zone",
    "warming",
    "other_split",
    "changed",
]
"""A filter on the way to a node, in their order."""


class Chosen(TypedDict):
    id: str
    index: int
    generation: int


class Refusal(TypedDict):
    reason: Reason
    retry_at_ns: int | None
    callback_failed: bool


class KeyOwners(TypedDict):
    owner: str | None
    rehashes: int
    owners: list[str]
    """The owner's id and those of its rehashes, as far as they were asked."""


class Tie(TypedDict):
    among: list[str]
    by: Literal["first_drawn", "weight", "chance"]


class Takes(TypedDict):
    """What a pick takes beside the node."""

    probe_until_ns: int | None
    quotas: dict[str, int]
    session: bool


class Score(TypedDict):
    name: str
    value: float | None
    terms: dict[str, float]


class Considered(TypedDict):
    """A node, as the decision sees it."""

    id: str
    index: int
    eligible: bool
    failed_at: FailedAt | None
    """The first filter that it failed at."""
    health: Health
    weight: int
    in_flight: int
    tier: int
    zone: str
    score: Score | None
    """How the strategy rates it."""
    drawn: int | None
    """That it was the n-th node to be drawn, from 1."""


class Explanation(TypedDict):
    """Why a pick chose a node, or found none."""

    chosen: Chosen | None
    no_node: Refusal | None
    way: Literal["rule", "panic", "session", "probe"]
    strategy: str
    step: int | None
    """The place of that strategy in the chain, from 0."""
    tier: int | None
    zone: str | None
    split: int | Literal["rest"] | None
    number: dict[str, Any] | None
    """The `turn`, the `draw` or the `stream` of draws that it used up."""
    key: KeyOwners | None
    scanned: bool
    """Whether no draw, or no owner of the key, would do, so that all nodes were looked at."""
    tie: Tie | None
    takes: Takes
    candidates: list[Considered]
    now_ns: int


class StateStore(Protocol):
    """Where what was learned is kept, text by id. A dict of texts will do as well."""

    def get(self, id: str, /) -> str | None: ...
    def put(self, id: str, state: str, /) -> object: ...
    def remove(self, id: str, /) -> object: ...
    def list(self) -> Any: ...
