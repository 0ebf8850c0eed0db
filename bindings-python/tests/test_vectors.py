"""The decisions that every language makes alike: tests/vectors of the repository, replayed."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import loadwise
import pytest
from loadwise import HealthTracker, NoNode, Pick, Pool, Retry, Strategy

VECTORS = Path(__file__).parents[2] / "tests" / "vectors"
FILES = sorted(VECTORS.glob("*.json"))
SCENARIOS = [(file.stem, scenario) for file in FILES for scenario in json.loads(file.read_text())["scenarios"]]


def test_there_are_vectors() -> None:
    assert len(FILES) >= 25 and len(SCENARIOS) >= len(FILES)


@pytest.mark.parametrize("scenario", [pytest.param(s, id=f"{file}: {s['name']}") for file, s in SCENARIOS])
def test_vector(scenario: dict[str, Any]) -> None:
    if "pool" in scenario:
        replay_pool(scenario)
    elif "tracker" in scenario:
        replay_tracker(scenario)
    else:
        replay_select(scenario)


def replay_pool(scenario: dict[str, Any]) -> None:
    pool = Pool.from_config(scenario["pool"])
    held: dict[str, Pick] = {}
    for i, call in enumerate(scenario["calls"]):
        answer = answer_of(pool, held, call)
        if "expect" in call:
            assert same(answer, call["expect"]), f"call {i}: {call}, not {answer}"


def same(one: Any, other: Any) -> bool:
    """Alike but for the last digit of a fraction, which not every writer of JSON gets right."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
        case list(), list():
            return len(one) == len(other) and all(map(same, one, other))
        case float(), float():
            return math.isclose(one, other, rel_tol=1e-14)
    return bool(one == other)


def answer_of(pool: Pool, held: dict[str, Pick], call: dict[str, Any]) -> Any:
    match call["op"]:
        case "pick":
            return pick(pool, held, call)
        case "retry":
            return retried(pool.retry(**ended(call)))
        case "pick_again":
            return pick_again(pool, held, call)
        case "setting":
            return pool.setting(call["key"])
        case "finish":
            return call["pick"] in held and finish(held[call["pick"]], call["outcome"])
        case "first_token":
            return call["pick"] in held and held[call["pick"]].first_token(now_ns=call["now_ns"])
        case "report":
            outcome = dict(call["outcome"])
            return pool.report(call["node"], outcome.pop("kind"), **times(outcome))
        case "report_load":
            names = ("load", "remaining_ratio", "requests_per_s", "utilization", "errors_per_s", "now_ns")
            return pool.report_load(call["node"], **{name: call[name] for name in names if name in call})
        case "set_nodes" | "register_batch" as op:
            return getattr(pool, op)(call["nodes"])
        case "register":
            return pool.register(call["node"])
        case "deregister":
            return pool.deregister(call["node"])
        case "set_weight":
            return pool.set_weight(call["node"], call["weight"])
        case "drain":
            return pool.drain(call["node"], call["on"], now_ns=call.get("now_ns"))
        case "set_strategy":
            return pool.set_strategy(call["strategy"])
        case "affinity":
            return {"node": pool.affinity(call["session"], now_ns=call.get("now_ns"))}
        case "set_affinity":
            return pool.set_affinity(call["session"], call["node"], now_ns=call.get("now_ns"))
        case "clear_affinity":
            return pool.clear_affinity(call["session"])
        case "rebalance":
            return pool.rebalance(now_ns=call.get("now_ns"))
        case "failover":
            return pool.failover(call["node"])
        case "reset_failover":
            return pool.reset_failover()
        case "stats":
            return figures(dict(pool.stats(call["now_ns"])), call)
        case "maintain":
            done = pool.maintain(call["now_ns"])
            return {"rebuilt": done.rebuilt, "leases_expired": done.leases_expired}
        case "nodes":
            fields = ("id", "weight", "health", "draining", "in_flight")
            return [{field: getattr(node, field) for field in fields} for node in pool.nodes(call.get("now_ns"))]
        case op:
            raise AssertionError(f"no such call: {op}")


def figures(stats: dict[str, Any], call: dict[str, Any]) -> dict[str, Any]:
    told = {name: stats[name] for name in call.get("figures", ())}
    if names := call.get("node_figures"):
        told["nodes"] = [{name: node[name] for name in ("id", *names)} for node in stats["nodes"]]
    return told


ASKED = ("key", "exclude", "require", "zone", "session", "cost", "now_ns")


def asked(call: dict[str, Any]) -> dict[str, Any]:
    asked: dict[str, Any] = {name: call[name] for name in ASKED if name in call}
    if "key_hex" in call:
        asked["key"] = bytes.fromhex(call["key_hex"])
    if "health_mask" in call:
        asked["health"] = call["health_mask"]
    return asked


def pick(pool: Pool, held: dict[str, Pick], call: dict[str, Any]) -> dict[str, Any]:
    try:
        chosen = pool.pick(**asked(call))
    except NoNode as none:
        return refused(none, call)
    return taken(chosen, held, call)


def refused(none: NoNode, call: dict[str, Any]) -> dict[str, Any]:
    return {"no_node": none.reason, **({"retry_at_ns": none.retry_at_ns} if call.get("times") else {})}


def taken(chosen: Pick, held: dict[str, Pick], call: dict[str, Any]) -> dict[str, Any]:
    if "as" in call:
        held[call["as"]] = chosen
    return {"node": chosen.node}


def pick_again(pool: Pool, held: dict[str, Pick], call: dict[str, Any]) -> dict[str, Any]:
    try:
        again = pool.pick_again(**{**ended(call), **asked(call)})
    except NoNode as none:
        return refused(none, call)
    told = retried(Retry(again.after, again.give_up))
    return told if again.pick is None else {**taken(again.pick, held, call), **told}


def ended(call: dict[str, Any]) -> dict[str, Any]:
    said = times(call["outcome"])
    told: dict[str, Any] = {name: call[name] for name in ("attempt", "idempotent", "sent") if name in call}
    return {"outcome": call["outcome"]["kind"], **said, **told}


def retried(retry: Retry) -> dict[str, Any]:
    return {"give_up": retry.give_up} if retry.after is None else {"after_ns": round(retry.after * 1e9)}


def finish(pick: Pick, outcome: dict[str, Any]) -> bool:
    said = times(outcome)
    match outcome["kind"]:
        case "success":
            return pick.success(**said)
        case "failure":
            return pick.failure(**said)
        case "rate_limited":
            return pick.rate_limited(**said)
        case "cancelled":
            said.pop("latency", None)
            return pick.cancel(**said)
        case kind:
            raise AssertionError(f"no such outcome: {kind}")


def times(outcome: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {name: outcome[name] for name in ("usage", "now_ns") if name in outcome}
    if "failure" in outcome:
        said["kind"] = outcome["failure"]
    if "latency_ns" in outcome:
        said["latency"] = outcome["latency_ns"] / 1e9
    if "retry_after_ns" in outcome:
        said["retry_after"] = outcome["retry_after_ns"] / 1e9
    return said


def replay_tracker(scenario: dict[str, Any]) -> None:
    tracker = HealthTracker(**scenario["tracker"])
    for i, event in enumerate(scenario["events"]):
        getattr(tracker, "report_" + event["event"])(event["id"])
        assert tracker.status(event["id"]) == event["expect"], f"event {i}"


def replay_select(scenario: dict[str, Any]) -> None:
    strategy, nodes = Strategy(scenario["select"]), scenario["nodes"]
    for i, call in enumerate(scenario["calls"]):
        nodes = call.get("nodes", nodes)
        key = call["key"].to_bytes(8, "little") if call.get("key") is not None else None
        chosen = loadwise.select(nodes, strategy, key=key, exclude=call.get("exclude"))
        assert chosen == call["expect"], f"call {i}: {call}"
