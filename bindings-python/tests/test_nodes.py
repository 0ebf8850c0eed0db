"""Membership, weights, strategies, what a pool tells of itself, and its end."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import MappingProxyType

import loadwise
import pytest
from conftest import NODES, in_flight
from loadwise import NoNode, Pool, StateError, TicketError


def test_nodes_are_told_as_they_were_given() -> None:
    bea = {"id": "b", "address": "10.0.0.2:80", "name": "Bea", "weight": 5, "labels": {"v": "2"}}
    pool = Pool(["10.0.0.1:80", bea])
    a, b = pool.nodes()
    assert (a.id, a.address, a.name, a.weight, a.labels, a.user_data) == ("10.0.0.1:80", "10.0.0.1:80", "", 1, {}, 0)
    assert (b.id, b.address, b.name, b.weight, b.labels) == ("b", "10.0.0.2:80", "Bea", 5, {"v": "2"})
    assert (b.health, b.draining, b.in_flight, b.consecutive_failures) == ("healthy", False, 0, 0)
    assert (b.latency, b.load, b.remaining_ratio) == (None, None, None)
    assert json.loads(json.dumps([n._asdict() for n in pool.nodes()]))[1]["name"] == "Bea"


def test_any_iterable_of_nodes_and_any_mapping_will_do() -> None:
    nodes = (MappingProxyType({"id": f"n{i}", "weight": i, "name": None}) for i in range(3))
    assert [(n.id, n.weight) for n in Pool(nodes).nodes()] == [("n0", 0), ("n1", 1), ("n2", 2)]


def test_state_stays_with_the_id() -> None:
    pool = Pool(["a", "b"], health={"failure_threshold": 1})
    pool.report("a", "failure")
    held = pool.pick()
    pool.set_nodes(["c", {"id": "b", "weight": 7}, "a"])
    told = {n.id: n for n in pool.nodes()}
    assert list(told) == ["c", "b", "a"]
    assert (told["a"].health, told["b"].weight, told["b"].in_flight) == ("unhealthy", 7, 1)
    assert held.success()


def test_register_and_deregister() -> None:
    pool = Pool(["a"])
    pool.register({"id": "b", "weight": 2})
    pool.register_batch(["c", {"id": "d"}])
    assert [n.id for n in pool.nodes()] == ["a", "b", "c", "d"] and len(pool) == 4
    with pytest.raises(StateError, match='"b"') as duplicate:
        pool.register_batch(["e", "b"])
    assert duplicate.value.code == 201 and len(pool) == 4
    pool.deregister("b")
    with pytest.raises(StateError, match='"b"') as unknown:
        pool.deregister("b")
    assert unknown.value.code == 200
    assert [n.id for n in pool.nodes()] == ["a", "c", "d"]


def test_an_empty_pool_is_true_and_has_no_length() -> None:
    pool = Pool()
    assert pool and len(pool) == 0


def test_drain_and_weight() -> None:
    pool = Pool(["a", "b"])
    pool.drain("a")
    assert {pool.pick().node for _ in range(50)} == {"b"}
    pool.drain("a", on=False)
    assert {pool.pick().node for _ in range(100)} == {"a", "b"}
    pool.set_weight("b", 0)
    assert {pool.pick().node for _ in range(50)} == {"a"}
    for call in (lambda: pool.drain("x"), lambda: pool.set_weight("x", 1), lambda: pool.report("x")):
        with pytest.raises(StateError, match='"x"'):
            call()


def test_user_data() -> None:
    pool = Pool([{"id": "a", "user_data": 3}])
    assert pool.pick().user_data == 3
    pool.set_node_user_data("a", 2**63)
    assert (pool.pick().user_data, pool.nodes()[0].user_data) == (2**63, 2**63)


def test_smooth_weighted_order() -> None:
    nodes: list[dict[str, object]] = [{"id": "a", "weight": 5}, {"id": "b"}, {"id": "c"}]
    pool = Pool(nodes, strategy="weighted_round_robin", seed=1)
    turns = "".join(pool.pick().node for _ in range(14))
    assert "aabacaa" in turns


def test_strategies_are_changed_while_in_use() -> None:
    pool = Pool(NODES)
    assert pool.strategy == "p2c"
    pool.set_strategy({"name": "maglev", "table_size": 4099})
    assert pool.strategy == "maglev"
    pool.set_strategy(["least_load", "round_robin"])
    assert pool.strategy == "least_load"
    with pytest.raises(loadwise.ConfigError, match="no_such"):
        pool.set_strategy("no_such")
    assert pool.strategy == "least_load"


def test_a_larger_table_needs_a_larger_pool() -> None:
    with pytest.raises(loadwise.ConfigError, match="max_table_size") as limit:
        Pool(NODES).set_strategy({"name": "maglev", "table_size": 131_071})
    assert limit.value.code == 101
    pool = Pool(NODES, limits={"max_table_size": 131_071})
    pool.set_strategy({"name": "maglev", "table_size": 131_071})
    assert pool.strategy == "maglev"


def test_reported_loads_decide() -> None:
    pool = Pool(NODES, strategy="least_load")
    for id, load in zip(NODES, [3, 1.5, float("nan")]):
        pool.report_load(id, load)
    assert {pool.pick().node for _ in range(50)} == {NODES[1]}
    pool.set_strategy("most_available")
    for id, ratio in zip(NODES, [0.1, 0.2, 0.9]):
        pool.report_load(id, remaining_ratio=ratio)
    assert {pool.pick().node for _ in range(50)} == {NODES[2]}
    assert [n.load for n in pool.nodes()[:2]] == [3.0, 1.5]


def test_reports_from_outside_move_health() -> None:
    pool = Pool(["a", "b"])
    assert [pool.report("a", "failure", kind="connect") for _ in range(3)] == [False, True, True]
    assert {pool.pick().node for _ in range(50)} == {"b"}
    assert pool.report("a") and pool.report("a", "success", latency=0.01)
    assert {pool.pick().node for _ in range(100)} == {"a", "b"}


def test_weights_are_followed() -> None:
    pool = Pool([{"id": "a", "weight": 3}, {"id": "b", "weight": 1}], strategy="weighted_random", seed=1)
    counts = Counter(pool.pick().node for _ in range(20_000))
    # 15 000 expected, standard deviation 61: 400 off has a probability below 1e-10, and the seed is fixed.
    assert abs(counts["a"] - 15_000) < 400


def test_a_configuration_as_text_dict_or_path(tmp_path: Path) -> None:
    text = "strategy: round_robin\nnodes: [a, {id: b, weight: 2}]\n"
    path = tmp_path / "pool.yaml"
    path.write_text(text)
    as_dict = {"strategy": "round_robin", "nodes": ["a", {"id": "b", "weight": 2}]}
    for config in (text, text.encode(), json.dumps(as_dict), path, as_dict):
        pool = Pool.from_config(config)
        assert pool.strategy == "round_robin"
        assert [(n.id, n.weight) for n in pool.nodes()] == [("a", 1), ("b", 2)]


def test_a_closed_pool_says_so() -> None:
    with Pool(NODES) as pool:
        pick, ticket = pool.pick(), pool.acquire()
        assert not pool.closed
    assert pool.closed and repr(pool) == "<loadwise.Pool closed>"
    assert pick.success() is False and pool.release(ticket) is False
    calls = [
        pool.pick,
        pool.acquire,
        pool.nodes,
        pool.maintain,
        pool.__len__,
        pool.__enter__,
        lambda: pool.strategy,
        lambda: pool.node_of(ticket),
        lambda: pool.pick(exclude=["a"]),
        lambda: pool.register("x"),
        lambda: pool.set_nodes([]),
        lambda: pool.set_strategy("random"),
        lambda: pool.set_own_strategy(lambda candidates, key: 0),
        lambda: pool.report(NODES[0]),
        lambda: pool.report_load(NODES[0], 1),
        lambda: pool.drain(NODES[0]),
    ]
    for call in calls:
        with pytest.raises(StateError, match="the pool is closed") as closed:
            call()
        assert closed.value.code == 203
    pool.close()


def test_a_ticket_of_another_pool_is_refused() -> None:
    one, other = Pool(["a"]), Pool(["a"])
    ticket = one.acquire()
    try:
        assert other.release(ticket) is False
    except TicketError as e:
        assert e.code == 301
    assert in_flight(one) == 1 and one.release(ticket)


def test_ten_thousand_nodes() -> None:
    names = [f"node-{i}" for i in range(10_000)]
    with pytest.raises(loadwise.ConfigError, match=r"limits\.max_nodes") as limit:
        Pool(names)
    assert limit.value.code == 101
    pool = Pool(names, limits={"max_nodes": 10_000})
    assert len(pool) == 10_000
    assert len({pool.pick().node for _ in range(1000)}) > 900
    pool.set_nodes(names[::-1])
    assert [n.id for n in pool.nodes()] == names[::-1]
    pool.set_nodes([])
    with pytest.raises(NoNode, match="empty"):
        pool.pick()


def test_more_nodes_than_any_pool_can_have() -> None:
    names = [str(i) for i in range(65_536)]
    with pytest.raises(loadwise.ConfigError, match="limits.max_nodes"):
        Pool(names, limits={"max_nodes": 65_536})
    with pytest.raises(loadwise.ConfigError, match="limits.max_nodes"):
        Pool(names, limits={"max_nodes": 65_535})
    assert len(Pool(names[1:], limits={"max_nodes": 65_535})) == 65_535
