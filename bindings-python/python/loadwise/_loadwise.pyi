import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Literal, Protocol, TypeVar, final, overload, type_check_only

from ._data import (
    Again,
    CheckDue,
    Difference,
    Maintained,
    NodeHealth,
    NodeStatus,
    OpenPick,
    ProcessStatus,
    Reloaded,
    Retry,
)
from .types import (
    AttemptPlan,
    Chain,
    Config,
    Event,
    Explanation,
    FailureKind,
    Health,
    MetricsFormat,
    Node,
    Outcome,
    StateStore,
    Stats,
)

__all__ = ["CODES", "Candidate", "Engine", "HealthTracker", "Pick", "Pool", "Strategy", "metrics", "select"]

_T = TypeVar("_T")

CODES: Sequence[tuple[int, str, str]]

@type_check_only
class _Picking(AbstractAsyncContextManager[Pick], Awaitable[Pick], Protocol): ...

@final
class Candidate:
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def weight(self) -> int: ...
    @property
    def health(self) -> Health: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def load(self) -> float | None: ...
    @property
    def remaining_ratio(self) -> float | None: ...
    @property
    def user_data(self) -> int: ...
    def has_label(self, key: str, value: str) -> bool: ...

@final
class Pick:
    @property
    def node(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def user_data(self) -> int: ...
    @property
    def ticket(self) -> int: ...
    @property
    def index(self) -> int: ...
    @property
    def generation(self) -> int: ...
    @property
    def callback_failed(self) -> bool: ...
    @property
    def callback_error(self) -> BaseException | None: ...
    @property
    def outcome(self) -> Outcome | None: ...
    @property
    def kind(self) -> FailureKind | None: ...
    def first_token(self, *, now_ns: int | None = None) -> bool: ...
    def success(
        self, latency: float | None = None, *, usage: Mapping[str, int] | None = None, now_ns: int | None = None
    ) -> bool: ...
    def failure(
        self,
        kind: FailureKind | None = None,
        latency: float | None = None,
        *,
        usage: Mapping[str, int] | None = None,
        now_ns: int | None = None,
    ) -> bool: ...
    def rate_limited(
        self,
        retry_after: float | None = None,
        latency: float | None = None,
        *,
        usage: Mapping[str, int] | None = None,
        now_ns: int | None = None,
    ) -> bool: ...
    def cancel(self, *, usage: Mapping[str, int] | None = None, now_ns: int | None = None) -> bool: ...
    def __enter__(self) -> Pick: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> Literal[False]: ...

@final
class Pool:
    def __new__(
        cls,
        nodes: Iterable[Node] | None = None,
        strategy: Chain | None = None,
        *,
        name: str | None = None,
        seed: int | None = None,
        lease_timeout_ms: int | None = None,
        max_in_flight: int | None = None,
        acquire_timeout_ms: int | None = None,
        acquire_queue: int | None = None,
        drain_timeout_ms: int | None = None,
        health: Config | None = None,
        checks: Config | bool | None = None,
        breaker: Config | bool | None = None,
        outlier: Config | bool | None = None,
        panic: Config | None = None,
        tiers: Config | None = None,
        zones: Config | bool | None = None,
        slow_start: Config | bool | None = None,
        splits: Sequence[Config] | None = None,
        affinity: Config | bool | None = None,
        adaptive_limit: Config | bool | None = None,
        quotas: Sequence[Config] | None = None,
        retry: Config | None = None,
        stats: Config | None = None,
        limits: Config | None = None,
        shared: str | os.PathLike[str] | Config | None = None,
    ) -> Pool: ...
    @classmethod
    def from_config(cls, config: str | bytes | Config | os.PathLike[str], *, name: str | None = None) -> Pool: ...
    @property
    def name(self) -> str: ...
    def pick(
        self,
        key: str | bytes | None = None,
        exclude: Iterable[str | Pick] | None = None,
        require: Mapping[str, str] | None = None,
        health: int | Iterable[Health] | None = None,
        predicate: Callable[[Candidate], object] | None = None,
        now_ns: int | None = None,
        *,
        zone: str | None = None,
        session: str | bytes | None = None,
        cost: Mapping[str, int] | None = None,
        timeout: float | None = None,
    ) -> Pick: ...
    def apick(
        self,
        key: str | bytes | None = None,
        exclude: Iterable[str | Pick] | None = None,
        require: Mapping[str, str] | None = None,
        health: int | Iterable[Health] | None = None,
        predicate: Callable[[Candidate], object] | None = None,
        now_ns: int | None = None,
        *,
        zone: str | None = None,
        session: str | bytes | None = None,
        cost: Mapping[str, int] | None = None,
        timeout: float | None = None,
    ) -> _Picking: ...
    def pick_explained(
        self,
        key: str | bytes | None = None,
        *,
        exclude: Iterable[str | Pick] | None = None,
        require: Mapping[str, str] | None = None,
        health: int | Iterable[Health] | None = None,
        predicate: Callable[[Candidate], object] | None = None,
        now_ns: int | None = None,
        zone: str | None = None,
        session: str | bytes | None = None,
        cost: Mapping[str, int] | None = None,
    ) -> tuple[Pick, Explanation]: ...
    def explain(
        self,
        key: str | bytes | None = None,
        *,
        exclude: Iterable[str | Pick] | None = None,
        require: Mapping[str, str] | None = None,
        health: int | Iterable[Health] | None = None,
        predicate: Callable[[Candidate], object] | None = None,
        now_ns: int | None = None,
        zone: str | None = None,
        session: str | bytes | None = None,
        cost: Mapping[str, int] | None = None,
    ) -> Explanation: ...
    def plan(
        self,
        key: str | bytes | None = None,
        *,
        exclude: Iterable[str | Pick] | None = None,
        require: Mapping[str, str] | None = None,
        health: int | Iterable[Health] | None = None,
        predicate: Callable[[Candidate], object] | None = None,
        now_ns: int | None = None,
        zone: str | None = None,
        session: str | bytes | None = None,
        cost: Mapping[str, int] | None = None,
    ) -> AttemptPlan: ...
    def call(
        self,
        f: Callable[[Pick], _T],
        /,
        key: str | bytes | None = None,
        exclude: Iterable[str | Pick] | None = None,
        *,
        idempotent: bool = False,
        require: Mapping[str, str] | None = None,
        health: int | Iterable[Health] | None = None,
        predicate: Callable[[Candidate], object] | None = None,
        zone: str | None = None,
        session: str | bytes | None = None,
        cost: Mapping[str, int] | None = None,
        timeout: float | None = None,
    ) -> _T: ...
    async def acall(
        self,
        f: Callable[[Pick], Awaitable[_T]],
        /,
        key: str | bytes | None = None,
        exclude: Iterable[str | Pick] | None = None,
        *,
        idempotent: bool = False,
        require: Mapping[str, str] | None = None,
        health: int | Iterable[Health] | None = None,
        predicate: Callable[[Candidate], object] | None = None,
        zone: str | None = None,
        session: str | bytes | None = None,
        cost: Mapping[str, int] | None = None,
        timeout: float | None = None,
    ) -> _T: ...
    def retry(
        self,
        outcome: Outcome,
        attempt: int,
        *,
        kind: FailureKind | None = None,
        retry_after: float | None = None,
        idempotent: bool = False,
        sent: bool = True,
        now_ns: int | None = None,
    ) -> Retry: ...
    def pick_again(
        self,
        outcome: Outcome,
        attempt: int,
        key: str | bytes | None = None,
        *,
        kind: FailureKind | None = None,
        retry_after: float | None = None,
        idempotent: bool = False,
        sent: bool = True,
        now_ns: int | None = None,
        exclude: Iterable[str | Pick] | None = None,
        require: Mapping[str, str] | None = None,
        health: int | Iterable[Health] | None = None,
        predicate: Callable[[Candidate], object] | None = None,
        zone: str | None = None,
        session: str | bytes | None = None,
        cost: Mapping[str, int] | None = None,
    ) -> Again: ...
    def acquire(
        self,
        key: str | bytes | None = None,
        exclude: Iterable[str | Pick] | None = None,
        require: Mapping[str, str] | None = None,
        health: int | Iterable[Health] | None = None,
        predicate: Callable[[Candidate], object] | None = None,
        now_ns: int | None = None,
        *,
        zone: str | None = None,
        session: str | bytes | None = None,
        cost: Mapping[str, int] | None = None,
        timeout: float | None = None,
    ) -> int: ...
    def release(
        self,
        ticket: int,
        outcome: Outcome | None = None,
        latency: float | None = None,
        kind: FailureKind | None = None,
        retry_after: float | None = None,
        now_ns: int | None = None,
        *,
        usage: Mapping[str, int] | None = None,
    ) -> bool: ...
    def first_token(self, ticket: int, *, now_ns: int | None = None) -> bool: ...
    def node_of(self, ticket: int) -> str: ...
    def address_of(self, ticket: int) -> str: ...
    def wait(self, wake: Callable[[], object]) -> int: ...
    def stop_waiting(self, id: int) -> bool: ...
    @property
    def acquire_timeout(self) -> float: ...
    @property
    def waiting(self) -> int: ...
    def report(
        self,
        id: str,
        outcome: Outcome | None = None,
        *,
        latency: float | None = None,
        kind: FailureKind | None = None,
        retry_after: float | None = None,
        now_ns: int | None = None,
    ) -> bool: ...
    def report_load(
        self,
        id: str,
        load: float | None = None,
        remaining_ratio: float | None = None,
        *,
        requests_per_s: float | None = None,
        utilization: float | None = None,
        errors_per_s: float | None = None,
        now_ns: int | None = None,
    ) -> None: ...
    def checks_due(self, now_ns: int | None = None) -> list[CheckDue]: ...
    @property
    def next_check_ns(self) -> int | None: ...
    def report_check(self, id: str, ok: bool, latency: float | None = None, *, now_ns: int | None = None) -> bool: ...
    def set_nodes(self, nodes: Iterable[Node]) -> None: ...
    def register(self, node: Node) -> None: ...
    def register_batch(self, nodes: Iterable[Node]) -> None: ...
    def update(self, node: Node) -> None: ...
    def deregister(self, id: str) -> None: ...
    def drain(self, id: str, on: bool = True, *, now_ns: int | None = None) -> None: ...
    def set_weight(self, id: str, weight: int) -> None: ...
    def set_node_user_data(self, id: str, user_data: int) -> None: ...
    def set_health(self, id: str, status: Health, *, now_ns: int | None = None) -> bool: ...
    def nodes(self, now_ns: int | None = None) -> list[NodeStatus]: ...
    def node_status(self, id: str, *, now_ns: int | None = None) -> NodeStatus | None: ...
    def find(self, labels: Mapping[str, str], *, now_ns: int | None = None) -> list[NodeStatus]: ...
    def set_strategy(self, strategy: Chain) -> None: ...
    def set_own_strategy(
        self,
        strategy: Callable[[list[Candidate], str | bytes | None], int | None],
        fallback: Chain | None = None,
    ) -> None: ...
    @property
    def strategy(self) -> str: ...
    def reload(
        self, config: str | bytes | Config | os.PathLike[str], *, if_new: bool = False, now_ns: int | None = None
    ) -> bool: ...
    @property
    def config(self) -> dict[str, Any]: ...
    def setting(self, key: str) -> Any: ...
    @property
    def config_version(self) -> int: ...
    @property
    def differences(self) -> list[Difference]: ...
    @property
    def shared_path(self) -> str | None: ...
    def processes(self) -> list[ProcessStatus]: ...
    def open_picks(self, limit: int = 100, *, now_ns: int | None = None) -> list[OpenPick]: ...
    def learned(self, *, now_ns: int | None = None) -> dict[str, Any]: ...
    def learn_from(self, learned: Mapping[str, Any], *, now_ns: int | None = None) -> int: ...
    def save(self, store: str | os.PathLike[str] | MutableMapping[str, str] | StateStore) -> int: ...
    def restore(self, store: str | os.PathLike[str] | MutableMapping[str, str] | StateStore) -> int: ...
    def affinity(self, session: str | bytes, *, now_ns: int | None = None) -> str | None: ...
    def set_affinity(self, session: str | bytes, id: str, *, now_ns: int | None = None) -> None: ...
    def clear_affinity(self, session: str | bytes) -> bool: ...
    def rebalance(self, *, now_ns: int | None = None) -> int: ...
    def failover(self, id: str) -> None: ...
    def reset_failover(self) -> bool: ...
    def stats(self, now_ns: int | None = None) -> Stats: ...
    def metrics(self, format: MetricsFormat = "prometheus") -> str: ...
    def on_event(self, observer: Callable[[Event], object], selections: bool = False) -> int: ...
    def off_event(self, id: int) -> bool: ...
    def maintain(self, now_ns: int | None = None) -> Maintained: ...
    def start(self, check: Callable[[CheckDue], object] | None = None) -> None: ...
    def stop(self) -> None: ...
    @property
    def closed(self) -> bool: ...
    def close(self) -> None: ...
    def __enter__(self) -> Pool: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> Literal[True]: ...

@final
class Engine:
    def __new__(cls, config: str | bytes | Config | os.PathLike[str]) -> Engine: ...
    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Engine: ...
    @classmethod
    def from_config(cls, config: str | bytes | Config | os.PathLike[str]) -> Engine: ...
    @classmethod
    def attach(cls, path: str | os.PathLike[str]) -> Engine: ...
    @classmethod
    def view(cls, path: str | os.PathLike[str]) -> Engine: ...
    def __getitem__(self, name: str, /) -> Pool: ...
    @overload
    def get(self, name: str, default: None = None) -> Pool | None: ...
    @overload
    def get(self, name: str, default: _T) -> Pool | _T: ...
    def __contains__(self, name: object, /) -> bool: ...
    def names(self) -> list[str]: ...
    def pools(self) -> list[Pool]: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> Literal[True]: ...
    def reload(
        self, config: str | bytes | Config | os.PathLike[str] | None = None, *, if_new: bool = False
    ) -> Reloaded: ...
    def remove(self, name: str) -> bool: ...
    @property
    def config(self) -> dict[str, Any]: ...
    @property
    def version(self) -> int: ...
    @property
    def differences(self) -> list[Difference]: ...
    @property
    def shared_path(self) -> str | None: ...
    @property
    def private_because(self) -> str | None: ...
    def processes(self) -> list[ProcessStatus]: ...
    def stats(self, now_ns: int | None = None) -> list[Stats]: ...
    def metrics(self, format: MetricsFormat = "prometheus") -> str: ...
    def maintain(self, now_ns: int | None = None) -> Maintained: ...
    def start(self, check: Callable[[CheckDue], object] | None = None) -> None: ...
    def stop(self) -> None: ...
    @property
    def closed(self) -> bool: ...
    def close(self) -> None: ...
    def __enter__(self) -> Engine: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...

@final
class Strategy:
    def __new__(cls, strategy: Chain) -> Strategy: ...
    def select(
        self,
        nodes: Iterable[Node],
        *,
        key: str | bytes | None = None,
        exclude: Iterable[int] | None = None,
    ) -> int | None: ...

@final
class HealthTracker:
    def __new__(
        cls, failure_threshold: int = 3, recovery_successes: int = 2, probe_interval_ms: int = 10_000
    ) -> HealthTracker: ...
    def report_success(self, id: str) -> None: ...
    def report_failure(self, id: str) -> None: ...
    def report_rate_limited(self, id: str, retry_after: float | None = None) -> None: ...
    def status(self, id: str) -> Health: ...
    def should_probe(self, id: str) -> bool: ...
    def health(self, id: str) -> NodeHealth: ...
    def forget(self, id: str) -> bool: ...

def metrics(pools: Iterable[Pool], format: MetricsFormat = "prometheus") -> str: ...
def select(
    nodes: Iterable[Node],
    strategy: Chain | Strategy | None = None,
    *,
    key: str | bytes | None = None,
    exclude: Iterable[int] | None = None,
) -> int | None: ...
