"""Choosing and health without a pool."""

from __future__ import annotations

from collections import Counter
from typing import Any

import loadwise
import pytest
from loadwise import ConfigError, HealthTracker, Pool, Strategy, select


def test_select_gives_an_index() -> None:
    nodes = [{"id": "a", "load": 3}, {"id": "b", "load": 1.5}, {"id": "c", "load": float("nan")}]
    assert select(nodes, "least_load") == 1
    assert select(nodes, "least_load", exclude=[1]) == 0
    assert select(nodes, "least_load", exclude=(0, 1)) == 2
    assert select(nodes, "least_load", exclude=[0, 1, 2]) is None
    assert select([], "p2c") is None
    assert select(["a"]) == 0


def test_every_strategy_over_lists() -> None:
    nodes: list[Any] = [{"id": f"n{i}", "weight": i, "load": i, "remaining_ratio": 1 - i / 10} for i in range(5)]
    for name in ("round_robin", "weighted_round_robin", "random", "weighted_random", "least_load", "p2c", "ring_hash"):
        chosen = select(nodes, name, key="k", exclude=[0])
        assert chosen in range(1, 5)
    assert select(nodes, "most_available") == 0
    assert {select(nodes, {"name": "most_available", "epsilon": 0.1}) for _ in range(100)} == {0, 1}


def test_a_strategy_remembers_its_turn() -> None:
    turns = Strategy("round_robin")
    assert [turns.select("abc".split() + ["x", "y"]) for _ in range(4)] == [0, 1, 2, 0]
    smooth = Strategy("weighted_round_robin")
    nodes: list[Any] = [{"id": "a", "weight": 5}, {"id": "b"}, {"id": "c"}]
    assert "".join("abc"[select(nodes, smooth) or 0] for _ in range(7)) == "aabacaa"


def test_a_key_finds_its_node_in_any_order() -> None:
    ring = Strategy({"name": "ring_hash", "points": 200})
    ids = [f"cache-{i}" for i in range(10)]
    for key in ("user-1", "user-2", b"", b"12345678"):
        there, back = ring.select(ids, key=key), ring.select(ids[::-1], key=key)
        assert there is not None and back is not None and ids[there] == ids[::-1][back]
    assert len({ring.select(ids, key=str(i)) for i in range(500)}) == 10


def test_weights_are_followed() -> None:
    nodes = [{"id": "a", "weight": 0}, {"id": "b", "weight": 1}, {"id": "c", "weight": 3}]
    counts = Counter(select(nodes, "weighted_random") for _ in range(20_000))
    # 15 000 expected, standard deviation 61: 430 off, seven of them, has a probability below 3e-12.
    assert counts[0] == 0 and abs(counts[2] - 15_000) < 430


def test_a_list_of_strategies() -> None:
    nodes = [{"id": "a", "weight": 0, "load": 2}, {"id": "b", "weight": 0, "load": 1}]
    assert select(nodes, "weighted_random") is None
    assert select(nodes, ["weighted_random", "least_load"]) == 1


@pytest.mark.parametrize("strategy", ["maglev", "peak_ewma", "least_request", {"name": "ring_hash", "bounded_load": 1.5}])
def test_what_needs_a_pool(strategy: Any) -> None:
    with pytest.raises(ConfigError, match="Pool"):
        select(["a"], strategy)


@pytest.mark.parametrize(
    "nodes, message",
    [
        ([{"weight": 1}], "needs the key id"),
        ([{"id": "a", "weight": -1}], r"nodes\[0\].weight"),
        ([{"id": "a", "weight": True}], r"nodes\[0\].weight"),
        ([{"id": "a", "load": "x"}], r"nodes\[0\].load"),
        ([{"id": "a"}, {"id": "b", "remaining_ratio": 2}], r"nodes\[1\].remaining_ratio"),
        ([{"id": "a", "colour": 1}], r"nodes\[0\].colour"),
        ([{"id": "\ud800"}], "surrogates"),
    ],
)
def test_bad_nodes(nodes: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        select(nodes)


@pytest.mark.parametrize("nodes", ["abc", {"id": "a"}, 7, [7], [b"a"], [{"id": b"a"}]])
def test_nodes_of_the_wrong_type(nodes: Any) -> None:
    with pytest.raises(TypeError):
        select(nodes)


def test_bad_arguments() -> None:
    with pytest.raises(TypeError):
        select(["a"], key=7)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        select(["a"], exclude=["a"])  # type: ignore[list-item]
    with pytest.raises(ConfigError):
        select(["a"], "nonsense")
    with pytest.raises((OverflowError, TypeError)):
        select(["a"], exclude=[-1])
    assert select(["a"], exclude=[7]) == 0


def test_a_strategy_of_lists_as_a_pools_own() -> None:
    turns = Strategy("round_robin")
    pool = Pool(["a", "b", "c"])
    pool.set_own_strategy(lambda candidates, key: turns.select([c.id for c in candidates]))
    assert [pool.pick().node for _ in range(4)] == ["a", "b", "c", "a"]


def test_a_health_tracker() -> None:
    tracker = HealthTracker(failure_threshold=2, probe_interval_ms=0)
    assert tracker.status("a") == "healthy" and not tracker.should_probe("a")
    tracker.report_failure("a")
    tracker.report_rate_limited("a", retry_after=30)
    tracker.report_rate_limited("a")
    assert tracker.health("a") == loadwise.NodeHealth("degraded", 1, 0)
    tracker.report_failure("a")
    assert tracker.status("a") == "unhealthy" and tracker.should_probe("a")
    tracker.report_success("a")
    assert tracker.status("a") == "recovering"
    tracker.report_success("a")
    assert tracker.health("a") == loadwise.NodeHealth("healthy", 0, 2)
    assert tracker.forget("a") and not tracker.forget("a")
    rested = HealthTracker(failure_threshold=1)
    rested.report_failure("a")
    assert rested.status("a") == "unhealthy" and not rested.should_probe("a")


def test_a_health_tracker_with_bad_input() -> None:
    tracker = HealthTracker()
    for wrong in (7, b"a", None):
        with pytest.raises(TypeError):
            tracker.report_failure(wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="retry_after"):
        tracker.report_rate_limited("a", -1)
    with pytest.raises(OverflowError):
        HealthTracker(failure_threshold=-1)
