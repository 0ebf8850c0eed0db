"""Figures, and metrics as Prometheus reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import NODES
from loadwise import ConfigError, Pool, StateError, metrics, types
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

NOW = 10**15


def busy(**policy: Any) -> Pool:
    nodes: list[dict[str, Any]] = [{"id": "a", "zone": "eu", "labels": {"v": "1"}}, {"id": 'b"\\', "tier": 1, "max_in_flight": 9}]
    quotas = [{"dimension": "rpm", "limit": 1000}]
    calm = {"failure_threshold": 99, "min_success_rate": 0}
    policy = {"stats": {"latency": "nodes"}, "quotas": quotas, "health": calm, "affinity": True, **policy}
    pool = Pool(nodes, name=policy.pop("name", "shop"), **policy)
    for i in range(20):
        pool.pick(session=f"s{i % 3}").success(latency=0.01 * (i + 1))
    for kind in ("connect", "timeout", "reset", "server_error", "other"):
        pool.pick(exclude=["a"]).failure(kind, latency=0.1)
    pool.pick().rate_limited(0)
    pool.pick().cancel()
    pool.report_load("a", float("nan"), 0.5)
    return pool


def test_figures_of_a_pool() -> None:
    pool = busy()
    with pool.pick():
        told = pool.stats()
        assert told["in_flight"] == 1 == sum(node["in_flight"] for node in told["nodes"])
    told = pool.stats()
    assert (told["name"], told["strategy"], told["config_version"]) == ("shop", "p2c", 1)
    assert (told["selections"], told["successes"], told["failures"]) == (28, 21, 5)
    assert (told["rate_limited"], told["cancelled"], told["timeouts"]) == (1, 1, 1)
    assert set(told["failures_by_kind"].values()) == {1} and told["affinity_entries"] == 3
    assert [node["id"] for node in told["nodes"]] == ["a", 'b"\\']
    latency = told["latency"]
    assert latency is not None and latency["count"] == 27 and latency["p50_ms"] == pytest.approx(100, rel=0.1)
    histogram = told["latency_histogram"]
    assert histogram is not None and histogram["count"] == 27
    assert json.loads(json.dumps(told).replace("NaN", "null"))["nodes"][0]["zone"] == "eu"


def keys(kind: Any) -> set[str]:
    return set(kind.__annotations__)


def test_the_types_of_figures_have_all_of_them() -> None:
    told = busy().stats()
    assert set(told) == keys(types.Stats)
    assert all(set(node) == keys(types.NodeStats) for node in told["nodes"])
    assert told["latency"] is not None and set(told["latency"]) == keys(types.Latency)
    assert told["nodes"][0]["latency"] is not None and set(told["nodes"][0]["latency"]) == keys(types.Latency)
    assert told["latency_histogram"] is not None
    assert set(told["latency_histogram"]) == keys(types.LatencyHistogram)
    assert set(told["latency_histogram"]["buckets"][0]) == keys(types.LatencyBucket)
    assert set(told["nodes"][0]["quotas"][0]) == keys(types.Quota)


def test_latencies_are_measured_only_if_they_are_asked_for() -> None:
    for mode, pools, nodes in (("off", False, False), ("pool", True, False), ("nodes", True, True)):
        told = busy(stats={"latency": mode}).stats()
        assert (told["latency"] is not None, told["nodes"][0]["latency"] is not None) == (pools, nodes)
        assert (told["latency_histogram"] is not None) == pools


def test_figures_at_a_time_of_the_callers() -> None:
    pool = Pool(["a"], lease_timeout_ms=1000)
    pool.acquire(now_ns=NOW)
    assert (pool.stats(NOW)["now_ns"], pool.stats(NOW)["in_flight"]) == (NOW, 1)
    assert pool.stats(NOW + 5 * 10**9)["leases_expired"] == 1


PARSERS: dict[str, Any] = {"prometheus": parse_prometheus, "openmetrics": parse_openmetrics}


def series(text: str, format: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found = [(s.name, frozenset(s.labels.items()), s.value) for f in PARSERS[format](text) for s in f.samples]
    assert len({(name, labels) for name, labels, _ in found}) == len(found)
    return {(name, labels): value for name, labels, value in found}


@pytest.mark.parametrize("format", PARSERS)
def test_metrics_say_what_the_figures_say(format: Any) -> None:
    pool = busy()
    text, told = pool.metrics(format), pool.stats()
    assert text.endswith("# EOF\n") == (format == "openmetrics")
    found = series(text, format)

    def of(name: str, **labels: str) -> float:
        return found[name, frozenset({"pool": "shop", **labels}.items())]

    assert of("loadwise_pool_selections_total") == told["selections"]
    assert of("loadwise_pool_successes_total") == told["successes"]
    assert of("loadwise_pool_failures_total", kind="reset") == 1
    assert of("loadwise_pool_affinity_entries") == 3
    for node in told["nodes"]:
        assert of("loadwise_node_selections_total", node=node["id"]) == node["selections"]
        assert of("loadwise_node_in_flight", node=node["id"]) == 0
    assert of("loadwise_pool_request_duration_seconds_count") == 26
    assert pool.metrics() == pool.metrics("prometheus")


@pytest.mark.parametrize("format", PARSERS)
def test_several_pools_are_one_text(format: Any) -> None:
    pools = [busy(name="shop"), busy(name="search"), Pool(name="empty")]
    found = series(metrics(pools, format), format)
    named = {dict(labels)["pool"] for name, labels in found if name == "loadwise_pool_selections_total"}
    assert named == {"shop", "search", "empty"}
    assert series(metrics([], format), format) == {}


def test_what_cannot_be_told() -> None:
    pool = Pool(["a"])
    asks: list[Any] = [pool.metrics, lambda format: metrics([pool], format)]
    for ask in asks:
        with pytest.raises(ConfigError, match="prometheus or openmetrics"):
            ask("json")
        with pytest.raises(TypeError):
            ask(7)
    with pytest.raises(ConfigError, match='two are called "default"'):
        metrics([pool, Pool()])
    for wrong in (7, [7], ["pool"], pool):
        with pytest.raises(TypeError):
            metrics(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        pool.stats("now")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Pool(name=7)  # type: ignore[arg-type]
    pool.close()
    for call in (pool.stats, pool.metrics, lambda: metrics([pool])):
        with pytest.raises(StateError, match="closed"):
            call()


def test_nodes_by_their_labels() -> None:
    regions = {"a": "eu", "b": "us", "c": "eu"}
    pool = Pool([{"id": id, "labels": {"region": region, "v": "1"}} for id, region in regions.items()])
    assert [node.id for node in pool.find({"region": "eu"})] == ["a", "c"]
    assert [node.id for node in pool.find({"region": "eu", "v": "1"})] == ["a", "c"]
    assert pool.find({"region": "eu", "v": "2"}) == pool.find({"colour": "blue"}) == []
    assert pool.find({}) == pool.nodes()


def test_a_pool_has_a_name() -> None:
    assert Pool(NODES).name == "default"
    assert Pool(NODES, name="api").name == Pool.from_config({"nodes": NODES}, name="api").name == "api"
