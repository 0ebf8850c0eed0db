"""Bad input: a clear, typed error, and everything stays as it was."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import loadwise
import pytest
from conftest import in_flight
from loadwise import ConfigError, Pool, TicketError

SURROGATE = "\ud800"


def deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "config, key, message",
    [
        ({"nodes": ["a", "b", "a"]}, "nodes[2].id", '"a" is there twice'),
        ({"nodes": ["a" * 256]}, "nodes[0]", "255"),
        ({"nodes": [""]}, "nodes[0]", "empty"),
        ({"nodes": [{"weight": 1}]}, "nodes[0]", "needs the key id"),
        ({"nodes": [{"id": "a", "weight": -1}]}, "nodes[0].weight", "0 to 4294967295"),
        ({"nodes": [{"id": "a", "weight": 2**32}]}, "nodes[0].weight", "0 to 4294967295"),
        ({"nodes": [{"id": "a", "weight": 1.5}]}, "nodes[0].weight", "whole number"),
        ({"nodes": [{"id": "a", "weight": float("nan")}]}, "nodes[0].weight", "number"),
        ({"nodes": [{"id": "a", "weight": "5"}]}, "nodes[0].weight", "number"),
        ({"nodes": [{"id": "a", "weight": True}]}, "nodes[0].weight", "number"),
        ({"nodes": [{"id": "a", "weight": 2**31}, {"id": "b", "weight": 2**31}]}, "nodes[1].weight", "4294967295"),
        ({"nodes": [{"id": "a", "wieght": 1}]}, "nodes[0].wieght", "weight"),
        ({"nodes": [{"id": "a", "user_data": 2**64}]}, "nodes[0].user_data", "64 bits"),
        ({"nodes": [{"id": "a", "labels": {"": "x"}}]}, "nodes[0].labels", "name"),
        ({"nodes": [{"id": "a", "labels": {str(i): "" for i in range(17)}}]}, "nodes[0].labels", "limits.max_labels"),
        ({"nodes": [{"id": "a", "labels": {"k": "x" * 2000}}]}, "nodes[0].labels", "limits.max_label_bytes"),
        ({"nodes": [{"id": "a", "labels": {1: "x"}}]}, "nodes[0].labels", "not str"),
        ({"nodes": [{"id": SURROGATE}]}, "nodes[0].id", "surrogates"),
        ({"nodes": [SURROGATE]}, "nodes[0]", "surrogates"),
        ({"nodes": [b"a"]}, "nodes[0]", "bytes"),
        ({"nodes": [{"id": b"a"}]}, "nodes[0].id", "bytes"),
        ({"nodes": [7]}, "nodes[0]", "7"),
        ({"nodes": [None]}, "nodes[0]", "node"),
        ({"nodes": [object()]}, "nodes[0]", "object"),
        ({"nodes": "a"}, "nodes", "list"),
        ({"nodes": ["a"], "strategy": "fastest_ever"}, "strategy", "fastest_ever"),
        ({"nodes": ["a"], "strategy": []}, "strategy", "at least one"),
        ({"nodes": ["a"], "strategy": ["p2c", "p2c"]}, "strategy[1]", "twice"),
        ({"nodes": ["a"], "strategy": 7}, "strategy", "7"),
        ({"nodes": ["a"], "strategy": {"name": "maglev", "table_size": 100}}, "strategy.table_size", "prime"),
        ({"nodes": ["a"], "strategy": {"name": "p2c", "points": 1}}, "strategy.points", "points"),
        ({"nodes": ["a"], "strategy": {"name": "maglev", "bounded_load": float("nan")}}, "strategy.bounded_load", "NaN"),
        ({"nodes": ["a"], "strategy": "custom"}, "strategy", "by code"),
        ({"nodes": ["a"], "wrong": 1}, "wrong", "unknown key"),
        ({"nodes": ["a"], "seed": -1}, "seed", "0 to"),
        ({"nodes": ["a"], "seed": 2**64}, "seed", "64 bits"),
        ({"nodes": ["a"], "health": {"failure_threshold": 0}}, "health.failure_threshold", "1 to 255"),
        ({"nodes": ["a"], "health": 3}, "health", "map"),
        ({"nodes": ["a"], "limits": {"max_nodes": 0}}, "limits.max_nodes", "1 to 65535"),
        ({"nodes": ["a"], "limits": {"max_picks": 1}}, "limits.max_picks", "64"),
        ({"nodes": ["a"], "lease_timeout_ms": "5"}, "lease_timeout_ms", "number"),
        ({"nodes": deep(100)}, None, "deeper"),
    ],
)
def test_a_configuration_that_cannot_be(config: dict[str, Any], key: str | None, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        Pool.from_config(config)
    assert message in str(error.value)
    assert key is None or error.value.key == key
    assert error.value.line == 0
    assert error.value.code in (100, 101)
    assert isinstance(error.value, (loadwise.Error, ValueError))


@pytest.mark.parametrize(
    "text, line, key",
    [
        ("nodes:\n  - {id: a, wieght: 5}", 2, "nodes[0].wieght"),
        ("strategy: p2c\n\nnodes:\n  - a\n  - b\n  - a", 6, "nodes[2].id"),
        ("nodes: [a]\nstrategy: nonsense", 2, "strategy"),
        ("nodes: [a\n", 2, ""),
        ("- a", 1, ""),
        ("pool.yaml", 1, ""),
    ],
)
def test_a_text_that_cannot_be_names_key_and_line(text: str, line: int, key: str) -> None:
    for config in (text, text.encode()):
        with pytest.raises(ConfigError) as error:
            Pool.from_config(config)
        assert (error.value.line, error.value.key) == (line, key)
        assert str(error.value).startswith(f"line {line}: {key}")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no-such-file"):
        Pool.from_config(tmp_path / "no-such-file.yaml")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_bytes(b"nodes:\n  - \xff\n")
    with pytest.raises(ConfigError, match=r"line 2.*UTF-8.*wrong\.yaml"):
        Pool.from_config(wrong)


def test_a_configuration_in_a_circle_ends() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ConfigError, match="deeper"):
        Pool(circle)


def any_pool() -> Pool:
    return Pool(["a", {"id": "b", "labels": {"region": "eu"}}])


wrong_types: list[Callable[[Any], object]] = [
    lambda pool: pool.pick(["user-17"]),
    lambda pool: pool.pick(key=17),
    lambda pool: pool.pick(key=["a"]),
    lambda pool: pool.pick(nonsense=1),
    lambda pool: pool.pick(exclude="a"),
    lambda pool: pool.pick(exclude=b"a"),
    lambda pool: pool.pick(exclude=[b"a"]),
    lambda pool: pool.pick(exclude=[0]),
    lambda pool: pool.pick(exclude=7),
    lambda pool: pool.pick(require=["region"]),
    lambda pool: pool.pick(require={"region": 1}),
    lambda pool: pool.pick(require={1: "eu"}),
    lambda pool: pool.pick(health="healthy"),
    lambda pool: pool.pick(health=1.0),
    lambda pool: pool.pick(health=True),
    lambda pool: pool.pick(health=[1]),
    lambda pool: pool.pick(now_ns="now"),
    lambda pool: pool.pick(now_ns=1.5),
    lambda pool: pool.release("1"),
    lambda pool: pool.release(1.0),
    lambda pool: pool.release(None),
    lambda pool: pool.release(pool.pick()),
    lambda pool: pool.report(b"a"),
    lambda pool: pool.report(0),
    lambda pool: pool.report("a", 1),
    lambda pool: pool.report("a", latency="fast"),
    lambda pool: pool.report_load("a", "heavy"),
    lambda pool: pool.deregister(b"a"),
    lambda pool: pool.drain(None),
    lambda pool: pool.set_weight("a", "1"),
    lambda pool: pool.set_weight("a", 1.0),
    lambda pool: pool.set_nodes("a"),
    lambda pool: pool.register_batch("a"),
    lambda pool: pool.set_own_strategy("p2c"),
    lambda pool: pool.pick().failure(1),
    lambda pool: pool.pick().success("fast"),
]


@pytest.mark.parametrize("nodes", ["10.0.0.1:80", b"10.0.0.1:80", {"a": 1}, 7])
def test_nodes_are_a_list(nodes: Any) -> None:
    with pytest.raises(TypeError, match="nodes must be a list"):
        Pool(nodes)


@pytest.mark.parametrize("config", [7, ["a"], None])
def test_a_configuration_is_text_a_dict_or_a_path(config: Any) -> None:
    with pytest.raises(TypeError, match="config must be text, a dict or a pathlib.Path"):
        Pool.from_config(config)


@pytest.mark.parametrize("call", wrong_types)
def test_a_wrong_type_is_a_type_error(call: Callable[[Any], object]) -> None:
    pool = any_pool()
    with pytest.raises(TypeError):
        call(pool)
    assert in_flight(pool) == 0


impossible: list[tuple[Callable[[Any], object], str]] = [
    (lambda pool: pool.pick(key=SURROGATE), "surrogates"),
    (lambda pool: pool.pick(exclude=[SURROGATE]), "surrogates"),
    (lambda pool: pool.pick(require={"region": SURROGATE}), "surrogates"),
    (lambda pool: pool.pick(health=0), "1 to 15"),
    (lambda pool: pool.pick(health=16), "1 to 15"),
    (lambda pool: pool.pick(health=-1), "1 to 15"),
    (lambda pool: pool.pick(health=[]), "1 to 15"),
    (lambda pool: pool.pick(health=["well"]), "healthy, degraded, unhealthy, recovering"),
    (lambda pool: pool.release(pool.acquire(), "good"), "success, failure"),
    (lambda pool: pool.report("a", "failure", kind="bad luck"), "connect"),
    (lambda pool: pool.report("a", "success", kind="reset"), "kind"),
    (lambda pool: pool.report("a", "failure", retry_after=1), "retry_after"),
    (lambda pool: pool.report("a", latency=-0.1), "latency"),
    (lambda pool: pool.report("a", latency=float("nan")), "latency"),
    (lambda pool: pool.report("a", latency=float("inf")), "latency"),
    (lambda pool: pool.report("a", latency=1e300), "latency"),
    (lambda pool: pool.report("a", "rate_limited", retry_after=-1), "retry_after"),
    (lambda pool: pool.report(SURROGATE), "surrogates"),
    (lambda pool: pool.report_load("a", remaining_ratio=1.5), "remaining_ratio"),
    (lambda pool: pool.report_load("a", remaining_ratio=float("nan")), "remaining_ratio"),
    (lambda pool: pool.set_weight("a", -1), "4294967295"),
    (lambda pool: pool.set_weight("a", 2**32), "4294967295"),
    (lambda pool: pool.set_weight("a", 2**32 - 1), "sum"),
    (lambda pool: pool.register({"id": "c", "weight": 2**32 - 1}), "sum"),
    (lambda pool: pool.register({"id": "x" * 256}), "255"),
    (lambda pool: pool.register(7), "7"),
    (lambda pool: pool.set_nodes(["c", "c"]), "twice"),
    (lambda pool: pool.set_nodes(["c", {"id": "d", "weigth": 1}]), "weight"),
    (lambda pool: pool.set_own_strategy(lambda candidates, key: 0, fallback="nonsense"), "nonsense"),
]


@pytest.mark.parametrize("call, message", impossible)
def test_an_impossible_argument_is_a_config_error(call: Callable[[Any], object], message: str) -> None:
    pool = any_pool()
    before = [(n.id, n.weight, n.health, n.load, n.remaining_ratio) for n in pool.nodes()]
    with pytest.raises(ConfigError, match=message):
        call(pool)
    assert [(n.id, n.weight, n.health, n.load, n.remaining_ratio) for n in pool.nodes()] == before
    assert pool.strategy == "p2c"


def test_numbers_out_of_range_are_errors() -> None:
    pool = any_pool()
    for wrong in (-1, 2**64):
        with pytest.raises((OverflowError, ConfigError)):
            pool.pick(now_ns=wrong)
        with pytest.raises((OverflowError, ConfigError)):
            pool.set_node_user_data("a", wrong)
    assert in_flight(pool) == 0


@pytest.mark.parametrize("number", [0, -1, 1, True, 2**53, 2**63, 2**64 - 1, 2**64, -(2**70), (1 << 21) | (1 << 20)])
def test_what_is_no_ticket(number: int) -> None:
    pool = any_pool()
    try:
        assert pool.release(number) is False
    except TicketError as e:
        assert e.code == 301 and isinstance(e, ValueError)
    with pytest.raises(TicketError):
        pool.node_of(number)
    assert in_flight(pool) == 0


def test_keys_of_no_bytes_and_of_a_megabyte() -> None:
    pool = Pool([f"n{i}" for i in range(10)], strategy="ring_hash")
    for key in (b"", "", b"\x00" * 2**20, "ä" * 2**19):
        assert pool.pick(key=key).node == pool.pick(key=key).node
    assert pool.pick(key=b"").node == pool.pick(key="").node


def test_nan_loads_are_worst_and_still_chosen_when_nothing_else_is_left() -> None:
    pool = Pool(["a", "b"], strategy="least_load")
    for id in ("a", "b"):
        pool.report_load(id, float("nan"))
    assert {pool.pick().node for _ in range(100)} == {"a", "b"}
    pool.report_load("b", 1e308)
    assert {pool.pick().node for _ in range(100)} == {"b"}


def test_errors_can_be_pickled() -> None:
    pool = Pool()
    for call in (pool.pick, lambda: pool.deregister("a"), lambda: pool.set_weight("a", -1), lambda: pool.release(0)):
        with pytest.raises(loadwise.Error) as error:
            call()
        copy = pickle.loads(pickle.dumps(error.value))
        assert type(copy) is type(error.value)
        assert (str(copy), vars(copy)) == (str(error.value), vars(error.value))


def test_native_objects_cannot_be_pickled_or_made_by_hand() -> None:
    pool = any_pool()
    for thing in (pool, pool.pick()):
        with pytest.raises(TypeError):
            pickle.dumps(thing)
    for kind in (loadwise.Pick, loadwise.Candidate):
        with pytest.raises(TypeError):
            kind()


def test_every_code_is_in_the_table() -> None:
    codes = [code for code, _, _ in loadwise.CODES]
    assert sorted(codes) == codes and len(set(codes)) == len(codes)
    assert {100, 101, 200, 201, 203, 204, 300, 301, 400, 501, 507} <= set(codes)
