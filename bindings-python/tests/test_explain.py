"""The reasons of decisions."""

from __future__ import annotations

import json
import pickle
import sys
from typing import Any

import pytest
from conftest import NODES, in_child, in_flight
from loadwise import Candidate, NoNode, Pool, StateError, types

NOW = 10**15


def keys(kind: Any) -> set[str]:
    return set(kind.__annotations__)


def reasons(told: types.Explanation) -> dict[str, str | None]:
    return {node["id"]: node["failed_at"] for node in told["candidates"]}


def chosen(told: types.Explanation) -> str | None:
    return told["chosen"] and told["chosen"]["id"]


@pytest.mark.parametrize("strategy", ["p2c", "round_robin", "random", "maglev", "ring_hash", "least_request", "peak_ewma"])
def test_what_is_foretold_comes_true(strategy: str) -> None:
    pool = Pool(NODES, strategy=strategy)
    held = []
    for i in range(50):
        now_ns = NOW + i
        told = pool.explain(key=f"k{i}", now_ns=now_ns)
        assert told == pool.explain(key=f"k{i}", now_ns=now_ns)
        p, why = pool.pick_explained(key=f"k{i}", now_ns=now_ns)
        assert p.node == chosen(told) == chosen(why)
        assert (told["strategy"], told["way"], told["step"]) == (strategy, "rule", 0)
        held.append(p)
    assert in_flight(pool) == 50
    assert all(p.success() for p in held)


def test_each_node_says_where_it_was_left_out() -> None:
    nodes: list[dict[str, Any]] = [
        {"id": "drained"},
        {"id": "none", "weight": 0},
        {"id": "us", "labels": {"region": "us"}},
        {"id": "tried", "labels": {"region": "eu"}},
        {"id": "down", "labels": {"region": "eu"}},
        {"id": "full", "labels": {"region": "eu"}, "max_in_flight": 1},
        {"id": "here", "labels": {"region": "eu"}},
    ]
    pool = Pool(nodes, health={"failure_threshold": 1, "live_probes": False})
    pool.drain("drained")
    pool.report("down", "failure")
    with pool.pick(exclude=[node["id"] for node in nodes if node["id"] != "full"]):
        told = pool.explain(exclude=["tried"], require={"region": "eu"})
    assert reasons(told) == {
        "drained": "draining",
        "none": "zero_weight",
        "us": "no_match",
        "tried": "excluded",
        "down": "unhealthy",
        "full": "saturated",
        "here": None,
    }
    assert chosen(told) == "here" and told["no_node"] is None
    assert [node["in_flight"] for node in told["candidates"]] == [0, 0, 0, 0, 0, 1, 0]


def test_scores_and_ties() -> None:
    pool = Pool(["a", "b", {"id": "c", "weight": 2}], strategy="least_request", seed=1)
    with pool.pick(exclude=["b", "c"]):
        told = pool.explain()
    a, b, c = told["candidates"]
    assert a["score"] == {"name": "in_flight_per_weight", "value": 1.0, "terms": {"in_flight": 1.0, "weight": 1.0}}
    assert told["tie"] is not None and sorted(told["tie"]["among"]) == ["b", "c"] and told["tie"]["by"] == "weight"
    assert told["number"] is not None and b["eligible"] and c["eligible"]


def test_keys_sessions_probes_and_quotas() -> None:
    policy: dict[str, Any] = {"strategy": "maglev", "affinity": True, "quotas": [{"dimension": "rpm", "limit": 5}]}
    pool = Pool(["a", "b", "c"], health={"failure_threshold": 1, "probe_interval_ms": 1000}, **policy)
    told = pool.explain(key="k", session="s", cost={"rpm": 2}, now_ns=NOW)
    assert told["key"] is not None and told["key"]["owner"] == chosen(told)
    assert told["takes"] == {"probe_until_ns": None, "quotas": {"rpm": 2}, "session": True}
    assert pool.affinity("s") is None and pool.stats(NOW)["nodes"][0]["quotas"][0]["used"] == 0
    p, _ = pool.pick_explained(key="k", session="s", now_ns=NOW)
    assert pool.explain(session="s", now_ns=NOW)["way"] == "session"
    assert p.failure(now_ns=NOW)
    later = pool.explain(now_ns=NOW + 10**11)
    assert later["way"] == "probe" and chosen(later) == p.node and later["takes"]["probe_until_ns"] is not None
    assert pool.stats()["probes"] == 0


def test_where_there_is_no_node() -> None:
    pool = Pool(NODES)
    told = pool.explain(exclude=NODES)
    assert told["chosen"] is None and told["no_node"] is not None and told["no_node"]["reason"] == "all_excluded"
    with pytest.raises(NoNode) as none:
        pool.pick_explained(exclude=NODES)
    assert none.value.reason == "all_excluded"
    assert none.value.explanation is not None and set(reasons(none.value.explanation).values()) == {"excluded"}
    assert pickle.loads(pickle.dumps(none.value)).explanation == none.value.explanation
    with pytest.raises(NoNode) as plain:
        pool.pick(exclude=NODES)
    assert plain.value.explanation is None


def test_reasons_are_plain_data_of_the_types_that_are_told() -> None:
    quotas = [{"dimension": "rpm", "limit": 5}]
    pool = Pool(["a", "b"], strategy="least_request", quotas=quotas, affinity=True)
    told = pool.explain(key="k", session="s")
    assert json.loads(json.dumps(told)) == told
    assert set(told) == keys(types.Explanation)
    assert told["chosen"] is not None and set(told["chosen"]) == keys(types.Chosen)
    assert set(told["takes"]) == keys(types.Takes)
    assert set(told["candidates"][0]) == keys(types.Considered)
    assert told["candidates"][0]["score"] is not None and set(told["candidates"][0]["score"]) == keys(types.Score)
    assert told["tie"] is not None and set(told["tie"]) == keys(types.Tie)
    hashed = Pool(["a"], strategy="maglev").explain(key="k")["key"]
    assert hashed is not None and set(hashed) == keys(types.KeyOwners)
    none = Pool().explain()["no_node"]
    assert none is not None and set(none) == keys(types.Refusal)


def test_callbacks_are_asked_for_reasons_too(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda u: told.append(u.exc_type))
    pool = Pool(NODES)
    assert chosen(pool.explain(predicate=lambda c: c.id == NODES[1])) == NODES[1]
    assert reasons(pool.explain(predicate=lambda c: 1 // 0)) == dict.fromkeys(NODES, "no_match")
    assert told and set(told) == {ZeroDivisionError}

    def last(candidates: list[Candidate], key: object) -> int:
        asked.append(key)
        return len(candidates) - 1

    asked: list[object] = []
    pool.set_own_strategy(last)
    why = pool.explain(key="k")
    assert (chosen(why), why["strategy"]) == (NODES[2], "custom")
    p, why = pool.pick_explained(key="k2")
    assert (p.node, chosen(why)) == (NODES[2], NODES[2]) and {"k", "k2"} == set(asked)
    assert pool.plan(key="k3")["attempts"][0]["id"] == NODES[2] and "k3" in asked


@pytest.mark.parametrize("ask", ["explain", "pick_explained", "plan"])
def test_an_interrupt_in_a_callback_is_not_contained(ask: str) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    pool = Pool(NODES)
    with pytest.raises(KeyboardInterrupt):
        getattr(pool, ask)(predicate=interrupted)
    pool.set_own_strategy(interrupted)
    with pytest.raises(KeyboardInterrupt):
        getattr(pool, ask)()
    assert in_flight(pool) == 0


@pytest.mark.parametrize("ask", ["explain", "pick_explained"])
def test_what_cannot_be_asked(ask: str) -> None:
    pool = Pool(NODES)
    for wrong in ({"key": 7}, {"exclude": "a"}, {"timeout": 1}, {"nonsense": 1}, {"health": "well"}, {"now_ns": 1.5}):
        with pytest.raises(TypeError):
            getattr(pool, ask)(**wrong)
    with pytest.raises(TypeError):
        getattr(pool, ask)("k", ["a"])
    pool.close()
    with pytest.raises(StateError, match="closed"):
        getattr(pool, ask)()


def test_a_child_explains_itself() -> None:
    pool = Pool(NODES, strategy="round_robin")
    pool.pick().success()

    def child() -> bool:
        return all(chosen(pool.explain()) == pool.pick().node for _ in range(20))

    assert in_child(child)
