"""What keeps traffic safe, as a user of the package meets it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from conftest import NODES, health_of, in_flight
from loadwise import ConfigError, NodeStatus, NoNode, Pool, StateError

NOW = 10**15
MS = 10**6
SECOND = 10**9


def one(pool: Pool, id: str, now_ns: int = NOW) -> NodeStatus:
    return next(node for node in pool.nodes(now_ns) if node.id == id)


def shares(pool: Pool, picks: int = 4000, **asked: Any) -> dict[str, float]:
    counts = Counter(pool.pick(**asked).node for _ in range(picks))
    return {node: count / picks for node, count in counts.items()}


def reason(pool: Pool, **asked: Any) -> str:
    with pytest.raises(NoNode) as none:
        pool.pick(**asked)
    return none.value.reason


def test_nodes_tell_what_is_new_of_them() -> None:
    node = {"id": "a", "tier": 3, "zone": "eu-1", "max_in_flight": 7, "quotas": {"rpm": 5}}
    pool = Pool([node], quotas=[{"dimension": "rpm", "limit": 60}])
    a = one(pool, "a")
    assert (a.tier, a.zone, a.max_in_flight) == (3, "eu-1", 7)
    assert (a.breaker, a.ejected, a.hold_until_ns) == ("closed", False, None)
    assert (a.draining, a.drained, a.warming, a.available, a.success_rate) == (False, False, 1.0, True, None)
    assert pool.stats()["nodes"][0]["quotas"] == [{"dimension": "rpm", "used": 0, "limit": 5}]


def test_half_the_requests_failing_in_turn_is_not_healthy() -> None:
    pool = Pool(["a", "b"], health={"window_ms": 30_000, "min_success_rate": 0.8, "min_requests": 20})
    for i in range(40):
        if one(pool, "a").health == "unhealthy":
            break
        p = pool.pick(exclude=["b"], now_ns=NOW)
        p.success(now_ns=NOW) if i % 2 else p.failure(now_ns=NOW)
    a = one(pool, "a")
    assert (a.health, a.available) == ("unhealthy", False) and a.consecutive_failures < 3


def test_a_node_that_is_down_is_probed_by_one_request_at_a_time() -> None:
    pool = Pool(["a", "b"], health={"failure_threshold": 1, "recovery_successes": 1, "probe_interval_ms": 1000})
    pool.report("a", "failure", now_ns=NOW)
    hold_ns = one(pool, "a").hold_until_ns
    assert hold_ns is not None and NOW < hold_ns <= NOW + 2 * SECOND
    later = hold_ns + SECOND
    probes = [pool.pick(now_ns=later) for _ in range(20)]
    assert [p.node for p in probes].count("a") == 1
    next(p for p in probes if p.node == "a").success(now_ns=later)
    assert health_of(pool, "a") == "healthy"
    assert pool.stats()["probes"] == 1


def test_probes_can_be_left_to_checks() -> None:
    pool = Pool(["a", "b"], health={"failure_threshold": 1, "live_probes": False})
    pool.report("a", "failure", now_ns=NOW)
    assert {pool.pick(now_ns=NOW + 10**13).node for _ in range(50)} == {"b"}
    with pytest.raises(NoNode) as none:
        pool.pick(exclude=["b"], now_ns=NOW)
    assert none.value.reason == "unhealthy"


def test_a_breaker() -> None:
    breaker = {"consecutive_failures": 3, "open_ms": 5000, "half_open_successes": 1}
    pool = Pool(["a"], breaker=breaker, health={"passive": False})
    for _ in range(3):
        pool.pick(now_ns=NOW).failure(now_ns=NOW)
    a = one(pool, "a")
    assert (a.breaker, a.available, a.health) == ("open", False, "healthy")
    with pytest.raises(NoNode) as none:
        pool.pick(now_ns=NOW)
    assert none.value.reason == "unhealthy"
    assert none.value.retry_at_ns == a.hold_until_ns and a.hold_until_ns is not None
    assert pool.pick(now_ns=a.hold_until_ns).success(now_ns=a.hold_until_ns)
    assert one(pool, "a", a.hold_until_ns).breaker == "closed"
    assert pool.stats()["nodes"][0]["breaker_opens"] == 1


def test_an_outlier() -> None:
    pool = Pool(["a", "b", "c"], outlier={"sweep_interval_ms": 1000}, health={"passive": False})
    pool.maintain(NOW)
    for _ in range(60):
        pool.pick(exclude=["b", "c"], now_ns=NOW).failure(now_ns=NOW)
        pool.pick(exclude=["a"], now_ns=NOW).success(now_ns=NOW)
    pool.maintain(NOW + 2 * SECOND)
    a = one(pool, "a", NOW + 2 * SECOND)
    assert (a.ejected, a.available, a.health) == (True, False, "healthy")
    assert {pool.pick(now_ns=NOW + 2 * SECOND).node for _ in range(50)} == {"b", "c"}


def test_panic() -> None:
    down = {"failure_threshold": 1, "live_probes": False}
    for mode, answer in (("fail", None), ("spread", set(NODES))):
        pool = Pool(NODES, health=down, panic={"mode": mode})
        for id in NODES:
            pool.report(id, "failure")
        assert pool.stats()["panic"] is (mode == "spread")
        if answer is None:
            assert reason(pool) == "unhealthy"
        else:
            assert {pool.pick().node for _ in range(100)} == answer


def test_tiers_and_failover_by_hand() -> None:
    nodes: list[Any] = ["a", "b", {"id": "spare", "tier": 1}]
    pool = Pool(nodes, health={"failure_threshold": 1, "live_probes": False})
    assert set(shares(pool, 200)) == {"a", "b"}
    assert (pool.stats()["tier"], pool.stats()["tier_shares"][:2]) == (0, [1.0, 0.0])
    pool.failover("spare")
    assert set(shares(pool, 200)) == {"spare"} and pool.stats()["tier"] == 1
    assert pool.reset_failover() and not pool.reset_failover()
    assert set(shares(pool, 200)) == {"a", "b"}
    pool.report("a", "failure")
    # Half of the tier, 1.4 times: 70 % stay. 4000 draws have a standard deviation of 0.7 %.
    assert shares(pool)["spare"] == pytest.approx(0.3, abs=0.05)
    pool.report("b", "failure")
    assert set(shares(pool, 200)) == {"spare"}
    assert pool.stats()["failovers"] >= 1 and pool.stats()["last_failover_ns"] is not None
    with pytest.raises(StateError, match='"x"'):
        pool.failover("x")


def test_zones() -> None:
    nodes = [{"id": f"{zone}{i}", "zone": zone} for zone in ("eu", "us") for i in (1, 2)]
    pool = Pool(nodes, zones={"zone": "us"})
    assert set(shares(pool, 200)) == {"us1", "us2"}
    assert set(shares(pool, 200, zone="eu")) == {"eu1", "eu2"}
    assert set(shares(pool, 400, zone="moon")) == {"eu1", "eu2", "us1", "us2"}


def test_slow_start() -> None:
    pool = Pool(["a"], slow_start={"duration_ms": 10_000, "min_weight": 0.1}, strategy="random", seed=1)
    pool.maintain(NOW)
    pool.register("b")
    pool.maintain(NOW)
    assert one(pool, "b").warming < 1.0
    assert shares(pool, now_ns=NOW)["b"] < 0.2
    later = NOW + 10**14
    pool.maintain(later)
    assert one(pool, "b", later).warming == 1.0
    assert shares(pool, now_ns=later)["b"] == pytest.approx(0.5, abs=0.05)


def test_splits() -> None:
    nodes = [{"id": "old", "labels": {"version": "v1"}}, {"id": "new", "labels": {"version": "v2"}}]
    pool = Pool(nodes, splits=[{"labels": {"version": "v2"}, "share": 0.05}], seed=1)
    assert shares(pool)["new"] == pytest.approx(0.05, abs=0.02)
    config = pool.config
    assert config.pop("version") == 1
    config["splits"][0]["share"] = 0.5
    pool.reload(config)
    assert shares(pool)["new"] == pytest.approx(0.5, abs=0.05)


def test_sessions_stay_on_their_nodes() -> None:
    pool = Pool(["a", "b", "c"], affinity=True, strategy="random")
    first = pool.pick(session="user-17").node
    assert {pool.pick(session=s).node for s in ("user-17", b"user-17") for _ in range(50)} == {first}
    assert pool.affinity("user-17") == pool.affinity(b"user-17") == first and pool.affinity("nobody") is None
    assert pool.stats()["affinity_entries"] == 1
    other = next(id for id in "abc" if id != first)
    pool.set_affinity("user-17", other)
    assert pool.pick(session="user-17").node == other
    pool.drain(other)
    assert pool.pick(session="user-17").node == other
    assert pool.clear_affinity("user-17") and not pool.clear_affinity("user-17")
    assert pool.pick(session="user-17").node != other


def test_sessions_outlive_a_drain_only_for_so_long() -> None:
    pool = Pool(["a", "b"], affinity=True, drain_timeout_ms=1000)
    pool.maintain(NOW)
    pool.set_affinity("s", "a", now_ns=NOW)
    held = pool.pick(session="s", now_ns=NOW)
    pool.drain("a", now_ns=NOW)
    assert (one(pool, "a").draining, one(pool, "a").drained) == (True, False)
    assert pool.pick(session="s", now_ns=NOW + 999 * MS).node == "a"
    assert pool.pick(session="s", now_ns=NOW + 1000 * MS).node == "b"
    assert one(pool, "a", NOW + SECOND).drained
    assert held.success()


def test_sessions_move_to_nodes_that_join() -> None:
    pool = Pool(["a"], affinity={"rebalance": "manual"})
    for i in range(1000):
        pool.pick(session=f"s{i}")
    pool.register("b")
    assert {pool.pick(session=f"s{i}").node for i in range(1000)} == {"a"}
    moved = pool.rebalance()
    # Half of them: 1000 fair coins have a standard deviation of 16.
    assert 350 < moved < 650 and pool.rebalance() == 0
    assert Counter(pool.affinity(f"s{i}") for i in range(1000)) == {"a": 1000 - moved, "b": moved}


def test_limits_of_nodes_and_of_the_pool() -> None:
    pool = Pool([{"id": "a", "max_in_flight": 1}, {"id": "b", "max_in_flight": 2}], max_in_flight=4)
    held = [pool.pick() for _ in range(3)]
    assert Counter(p.node for p in held) == {"a": 1, "b": 2} and reason(pool) == "saturated"
    pool = Pool(["a", "b"], max_in_flight=3)
    held = [pool.pick() for _ in range(3)]
    assert reason(pool) == "saturated" and pool.stats()["no_node"]["saturated"] == 1
    held.pop().success()
    assert pool.pick().success()


def test_a_limit_that_learns() -> None:
    pool = Pool(["a"], adaptive_limit={"initial": 3, "min": 3, "max": 10})
    held = [pool.pick() for _ in range(3)]
    assert reason(pool) == "saturated"
    assert pool.stats()["nodes"][0]["max_in_flight"] == 3
    assert all(p.success() for p in held)


def test_quotas_reserve_commit_and_refund() -> None:
    quotas = [{"dimension": "rpm", "limit": 3}, {"dimension": "tpm", "limit": 1000, "default_cost": 0}]
    pool = Pool(["a"], quotas=quotas)

    def used() -> dict[str, int]:
        return {quota["dimension"]: quota["used"] for quota in pool.stats(NOW)["nodes"][0]["quotas"]}

    p = pool.pick(cost={"tpm": 400}, now_ns=NOW)
    assert used() == {"rpm": 1, "tpm": 400}
    assert p.success(usage={"tpm": 250}, now_ns=NOW) and used() == {"rpm": 1, "tpm": 250}
    p = pool.pick(cost={"tpm": 400}, now_ns=NOW)
    assert p.cancel(now_ns=NOW) and used() == {"rpm": 1, "tpm": 250}
    ticket = pool.acquire(cost={"tpm": 100}, now_ns=NOW)
    assert pool.release(ticket, "failure", usage={"tpm": 50}, now_ns=NOW) and used() == {"rpm": 2, "tpm": 300}
    with pytest.raises(NoNode) as none:
        pool.pick(cost={"tpm": 701}, now_ns=NOW)
    assert none.value.reason == "rate_limited"
    assert none.value.retry_at_ns is not None and NOW < none.value.retry_at_ns <= NOW + 70 * SECOND
    assert pool.pick(cost={"tpm": 700}, now_ns=NOW).success(now_ns=NOW)
    assert reason(pool, now_ns=NOW) == "rate_limited"
    assert pool.pick(now_ns=NOW + 200 * SECOND).success()


def test_a_cost_that_no_window_can_bear_has_no_time_to_wait_for() -> None:
    pool = Pool(["a"], quotas=[{"dimension": "rpm", "limit": 3}])
    with pytest.raises(NoNode) as none:
        pool.pick(cost={"rpm": 4})
    assert (none.value.reason, none.value.retry_at_ns) == ("rate_limited", None)
    assert pool.pick(cost={"rpm": 3}).success()


def test_dimensions_that_the_pool_does_not_know_are_unlimited() -> None:
    pool = Pool(["a"], quotas=[{"dimension": "rpm", "limit": 3}])
    assert pool.pick(cost={"images": 2**64 - 1}).success(usage={"images": 1, "": 0})
    assert Pool(["a"]).pick(cost={"rpm": 10**9}).success(usage={"rpm": 7})


@pytest.mark.parametrize("retry_after, until", [(2.0, 2.0), (365 * 86_400.0, 300.0), (0.0, 0.0)])
def test_a_node_that_asks_for_less_is_left_alone_for_as_long(retry_after: float, until: float) -> None:
    pool = Pool(["a", "b"])
    assert pool.pick(exclude=["b"], now_ns=NOW).rate_limited(retry_after, now_ns=NOW)
    if until:
        assert {pool.pick(now_ns=NOW + int((until - 0.1) * SECOND)).node for _ in range(50)} == {"b"}
    assert "a" in {pool.pick(now_ns=NOW + int((until + 0.1) * SECOND)).node for _ in range(100)}
    assert health_of(pool, "a") == "healthy"


def test_what_servers_report_of_themselves() -> None:
    pool = Pool(["a", "b"], strategy={"name": "reported_load", "blackout_ms": 0, "update_ms": 1})
    for now_ns in (NOW, NOW + SECOND):
        pool.report_load("a", requests_per_s=300, utilization=0.5, now_ns=now_ns)
        pool.report_load("b", requests_per_s=100, utilization=0.5, errors_per_s=0, now_ns=now_ns)
        pool.maintain(now_ns)
    assert shares(pool, now_ns=NOW + SECOND)["a"] == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize("strategy", ["adaptive", "fastest", {"name": "fastest", "class_ms": 5}])
def test_strategies_that_learn_from_latencies(strategy: Any) -> None:
    pool = Pool(["slow", "quick"], strategy=strategy, seed=1)
    now_ns = NOW
    pool.pick(exclude=["quick"], now_ns=now_ns).success(0.5, now_ns=now_ns)
    for _ in range(200):
        p = pool.pick(now_ns=now_ns)
        p.success(0.5 if p.node == "slow" else 0.01, now_ns=now_ns)
        now_ns += 10 * MS
    pool.maintain(now_ns)
    assert shares(pool, 500, now_ns=now_ns)["quick"] > 0.9


# Bad input


@pytest.mark.parametrize(
    "policy, key",
    [
        ({"health": {"window_ms": 0}}, "health.window_ms"),
        ({"health": {"min_success_rate": float("nan")}}, "health.min_success_rate"),
        ({"health": {"min_success_rate": 1.1}}, "health.min_success_rate"),
        ({"health": {"min_requests": 0}}, "health.min_requests"),
        ({"health": {"probe_interval_ms": 0}}, "health.probe_interval_ms"),
        ({"health": {"passive": "no"}}, "health.passive"),
        ({"checks": {"interval_ms": 0}}, "checks.interval_ms"),
        ({"checks": {"failure_threshold": 0}}, "checks.failure_threshold"),
        ({"checks": {"jitter": 2}}, "checks.jitter"),
        ({"checks": 1}, "checks"),
        ({"breaker": {"consecutive_failures": 0}}, "breaker.consecutive_failures"),
        ({"breaker": {"failure_rate": float("nan")}}, "breaker.failure_rate"),
        ({"breaker": {"open_ms": 10_000, "max_open_ms": 5000}}, "breaker.max_open_ms"),
        ({"breaker": "yes"}, "breaker"),
        ({"outlier": {"max_ejected": 1.5}}, "outlier.max_ejected"),
        ({"outlier": {"stdev_factor": 0}}, "outlier.stdev_factor"),
        ({"panic": {"mode": "scream"}}, "panic.mode"),
        ({"panic": {"threshold": -0.1}}, "panic.threshold"),
        ({"tiers": {"overprovisioning": 0.9}}, "tiers.overprovisioning"),
        ({"tiers": {"max_attempts": 0}}, "tiers.max_attempts"),
        ({"zones": {"zone": "x" * 64}}, "zones.zone"),
        ({"slow_start": {"duration_ms": 0}}, "slow_start.duration_ms"),
        ({"slow_start": {"min_weight": 0}}, "slow_start.min_weight"),
        ({"splits": [{"labels": {"v": "2"}, "share": 1.1}]}, "splits[0].share"),
        ({"splits": [{"labels": {"v": "2"}, "share": 0.1}]}, "splits[0].labels"),
        ({"splits": {"labels": {"v": "2"}, "share": 0.1}}, "splits"),
        ({"affinity": {"entries": 0}}, "affinity.entries"),
        ({"affinity": {"ttl_ms": 0}}, "affinity.ttl_ms"),
        ({"affinity": {"rebalance": "soon"}}, "affinity.rebalance"),
        ({"adaptive_limit": {"min": 30, "max": 20}}, None),
        ({"quotas": [{"dimension": "rpm"}]}, None),
        ({"quotas": [{"dimension": "rpm", "limit": 0}]}, "quotas[0].limit"),
        ({"quotas": [{"dimension": "rpm", "limit": 1, "default_cost": 2}]}, "quotas[0].default_cost"),
        ({"quotas": [{"dimension": "rpm", "limit": 1}] * 2}, "quotas[1].dimension"),
        ({"quotas": [{"dimension": "rpm", "limit": 1, "window_ms": 0}]}, "quotas[0].window_ms"),
        ({"quotas": [{"dimension": "rpm", "limit": 1, "buckets": 17}]}, "quotas[0].buckets"),
        ({"retry": {"max_attempts": 0}}, "retry.max_attempts"),
        ({"retry": {"budget_share": float("inf")}}, "retry.budget_share"),
        ({"retry": {"base_delay_ms": 300}}, "retry.max_delay_ms"),
        ({"stats": {"latency": "some"}}, "stats.latency"),
        ({"stats": {"window_ms": 0}}, "stats.window_ms"),
        ({"max_in_flight": -1}, "max_in_flight"),
        ({"acquire_queue": 65_537}, "acquire_queue"),
        ({"nodes": [{"id": "a", "tier": 8}]}, "nodes[0].tier"),
        ({"nodes": [{"id": "a", "zone": "x" * 64}]}, "nodes[0].zone"),
        ({"nodes": [{"id": "a", "max_in_flight": -1}]}, "nodes[0].max_in_flight"),
        ({"nodes": [{"id": "a", "quotas": {"rpm": 1}}]}, "nodes[0].quotas.rpm"),
    ],
)
def test_a_policy_that_cannot_be(policy: dict[str, Any], key: str | None) -> None:
    config = {"nodes": ["a"], **policy}
    with pytest.raises(ConfigError) as error:
        Pool.from_config(config)
    assert key is None or error.value.key == key
    assert error.value.code in (100, 101)
    pool = Pool(["a"])
    with pytest.raises(ConfigError):
        pool.reload(config)
    assert pool.config_version == 1 and pool.pick().success()


@pytest.mark.parametrize(
    "asked, wrong, message",
    [
        ({"zone": 7}, TypeError, "zone must be str"),
        ({"zone": b"eu"}, TypeError, "zone must be str"),
        ({"zone": "\ud800"}, ConfigError, "surrogates"),
        ({"session": 17}, TypeError, "session must be str or bytes"),
        ({"session": "\ud800"}, ConfigError, "session.*surrogates"),
        ({"cost": 1}, TypeError, "cost must be a dict"),
        ({"cost": ["rpm"]}, TypeError, "cost must be a dict"),
        ({"cost": {"rpm": "1"}}, TypeError, "an amount of cost must be int"),
        ({"cost": {"rpm": 1.0}}, TypeError, "an amount of cost must be int"),
        ({"cost": {"rpm": True}}, TypeError, "an amount of cost must be int"),
        ({"cost": {"rpm": -1}}, ConfigError, r"cost\.rpm: must be 0 to"),
        ({"cost": {"rpm": 2**64}}, ConfigError, r"cost\.rpm: must be 0 to"),
        ({"cost": {7: 1}}, TypeError, "a dimension of cost must be str"),
        ({"cost": {"\ud800": 1}}, ConfigError, "surrogates"),
    ],
)
def test_a_request_that_cannot_be(asked: dict[str, Any], wrong: type[Exception], message: str) -> None:
    pool = Pool(["a"], quotas=[{"dimension": "rpm", "limit": 100}], affinity=True, zones=True)
    for call in (pool.pick, pool.acquire, pool.plan):
        with pytest.raises(wrong, match=message):
            call(**asked)
    if "cost" in asked:
        p, usage = pool.pick(), asked["cost"]
        finishes: list[Any] = [p.success, p.failure, p.rate_limited, p.cancel]
        for finish in (*finishes, lambda usage: pool.release(p.ticket, usage=usage)):
            with pytest.raises(wrong, match=message.replace("cost", "usage")):
                finish(usage=usage)
        assert p.success()
    assert in_flight(pool) == 0
    assert pool.stats()["nodes"][0]["quotas"][0]["used"] <= 1


wrong_calls: list[tuple[Any, type[Exception]]] = [
    (lambda pool: pool.affinity(7), TypeError),
    (lambda pool: pool.affinity(), TypeError),
    (lambda pool: pool.set_affinity("s", 7), TypeError),
    (lambda pool: pool.set_affinity("s", "nobody"), StateError),
    (lambda pool: Pool(["a"]).set_affinity("s", "a"), ConfigError),
    (lambda pool: pool.clear_affinity(None), TypeError),
    (lambda pool: pool.rebalance("now"), TypeError),
    (lambda pool: pool.failover(7), TypeError),
    (lambda pool: pool.failover("nobody"), StateError),
    (lambda pool: pool.drain("a", now_ns=-1), OverflowError),
    (lambda pool: pool.drain("a", now_ns="now"), TypeError),
    (lambda pool: pool.report_load("a", requests_per_s=-1, utilization=0.5), ConfigError),
    (lambda pool: pool.report_load("a", requests_per_s=1, utilization=float("nan")), ConfigError),
    (lambda pool: pool.report_load("a", requests_per_s=1, utilization=0.5, errors_per_s=float("inf")), ConfigError),
    (lambda pool: pool.report_load("a", requests_per_s="many"), TypeError),
    (lambda pool: pool.find("region"), TypeError),
    (lambda pool: pool.find({"region": 1}), TypeError),
    (lambda pool: pool.find(["region"]), TypeError),
    (lambda pool: pool.pick(session="s").rate_limited(-1), ConfigError),
    (lambda pool: pool.pick(session="s").rate_limited(float("nan")), ConfigError),
]


@pytest.mark.parametrize("call, wrong", wrong_calls)
def test_a_call_that_cannot_be(call: Any, wrong: type[Exception]) -> None:
    pool = Pool([{"id": "a", "labels": {"region": "eu"}}], affinity=True)
    with pytest.raises(wrong):
        call(pool)
    assert [(n.draining, n.in_flight) for n in pool.nodes()] == [(False, 0)]


def test_outcomes_of_nodes_that_are_gone_and_of_times_that_are_over() -> None:
    pool = Pool(["a", "b"], health={"failure_threshold": 1})
    held = [pool.pick(exclude=["b"]) for _ in range(3)]
    assert held[0].failure() and health_of(pool, "a") == "unhealthy"
    pool.report("a")
    pool.report("a")
    assert held[1].failure() and health_of(pool, "a") == "healthy"
    pool.deregister("a")
    assert held[2].failure() and in_flight(pool) == 0
    with pytest.raises(StateError, match='"a"'):
        pool.report("a", "failure")
    pool.register("a")
    assert health_of(pool, "a") == "healthy"


def test_a_tier_without_nodes_is_passed_over() -> None:
    pool = Pool([{"id": "a", "tier": 2}, {"id": "b", "tier": 7}], tiers={"max_attempts": 1})
    assert set(shares(pool, 100)) == {"a"}


def test_what_a_pick_was_finished_with() -> None:
    pool = Pool(["a"])
    finishes: list[tuple[Any, str, str | None]] = [
        (lambda p: p.success(), "success", None),
        (lambda p: p.failure(), "failure", "other"),
        (lambda p: p.failure("server_error"), "failure", "server_error"),
        (lambda p: p.rate_limited(0), "rate_limited", None),
        (lambda p: p.cancel(), "cancelled", None),
    ]
    for finish, outcome, kind in finishes:
        p = pool.pick()
        assert (p.outcome, p.kind) == (None, None)
        assert finish(p) and not p.success()
        assert (p.outcome, p.kind) == (outcome, kind)
    p = pool.pick()
    assert pool.release(p.ticket) and p.outcome is None
