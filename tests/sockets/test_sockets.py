"""What docs/policies.md promises, once on real sockets. Nothing here depends on how fast the machine is: tests look at
counts, states and shares, and wait for what must come."""

import threading
import time

import loadwise
import pytest

from conftest import ServerFailed, in_threads, nodes, request, try_request, until


def state(pool, id):
    return next(n for n in pool.nodes() if n.id == id)


def test_a_node_that_fails_half_its_requests_is_taken_out(servers):
    made = servers("a", "b", "c")
    made[1].mode("half")
    with loadwise.Pool(nodes(made), strategy="round_robin", health={"failure_threshold": 200}) as pool:
        for _ in range(150):
            try_request(pool)
        assert state(pool, "b").health == "unhealthy", "never three failures in a row, but half of them"
        before = made[1].counts()["requests"]
        assert {try_request(pool) for _ in range(30)} == {"a", "c"}
        assert made[1].counts()["requests"] == before


@pytest.mark.parametrize("strategy", ["p2c", "least_request", "peak_ewma", "adaptive"])
def test_a_node_that_fails_fast_attracts_nothing(servers, strategy):
    made = servers("a", "b", "c", "d")
    made[3].mode("fail")
    with loadwise.Pool(nodes(made), strategy=strategy) as pool:
        rounds = 50
        in_threads(8, lambda _: [try_request(pool) for _ in range(rounds)])
        assert made[3].counts()["requests"] <= 1.5 * 8 * rounds / 4


def test_a_node_that_stalls_is_probed_by_one_request_at_a_time_and_comes_back(servers):
    made = servers("a", "b")
    health = {"probe_interval_ms": 50, "max_probe_interval_ms": 100, "probe_timeout_ms": 5000}
    with loadwise.Pool(nodes(made), strategy="round_robin", health=health) as pool:
        made[1].mode("stall")
        while state(pool, "b").health != "unhealthy":
            try_request(pool, timeout=0.05)
        assert pool.stats()["nodes"][1]["timeouts"] >= 3
        time.sleep(0.2)
        held = [pool.pick() for _ in range(20)]
        assert [p.node for p in held].count("b") == 1, "one probe, whoever asks"
        for p in held:
            p.cancel()
        made[1].mode("ok")
        until(lambda: try_request(pool) and state(pool, "b").health == "healthy", "b is back")
        assert pool.stats()["probes"] >= 2


@pytest.mark.parametrize("strategy", ["peak_ewma", "adaptive", "fastest"])
def test_a_slow_node_takes_less(servers, strategy):
    made = servers("a", "b", "c", median_ms=5)
    made[2].mode("slow")
    with loadwise.Pool(nodes(made), strategy=strategy, stats={"latency": "nodes"}) as pool:
        in_threads(6, lambda _: [try_request(pool, timeout=10) for _ in range(50)])
        served = [s.counts()["requests"] for s in made]
        assert served[2] < min(served[:2]), served


def test_a_node_that_asks_for_time_gets_it(servers):
    made = servers("a", "b")
    made[0].mode("limit", retryAfterS=300)
    with loadwise.Pool(nodes(made), strategy="round_robin") as pool:
        assert {try_request(pool) for _ in range(2)} == {None, "b"}
        assert {try_request(pool) for _ in range(40)} == {"b"}
        assert made[0].counts()["requests"] == 1
        assert state(pool, "a").health == "healthy", "a rate limit says nothing of its health"
        made[1].mode("limit", retryAfterS=100)
        try_request(pool)
        with pytest.raises(loadwise.NoNode) as none:
            pool.pick()
        assert none.value.reason == "rate_limited"
        wait_s = (none.value.retry_at_ns - time.monotonic_ns()) / 1e9
        assert 50 < wait_s <= 100, "the nearer of the two"


def test_a_breaker_opens_half_opens_and_closes(servers):
    made = servers("a", "b")
    breaker = {"consecutive_failures": 4, "open_ms": 100, "max_open_ms": 200, "half_open_successes": 2}
    with loadwise.Pool(nodes(made), strategy="round_robin", health={"passive": False}, breaker=breaker) as pool:
        seen = []
        pool.on_event(lambda event: seen.append(event["kind"]))
        made[0].mode("reset")
        while state(pool, "a").breaker == "closed":
            try_request(pool)
        assert made[0].counts()["requests"] == 4
        until(lambda: state(pool, "a").breaker == "half_open", "its time is over")
        made[0].mode("ok")
        until(lambda: try_request(pool) and state(pool, "a").breaker == "closed", "two probes succeeded")
        assert seen.count("breaker") == 2


def test_backups_take_over_and_primaries_come_back(servers):
    made = servers("a", "b", "backup")
    described = nodes(made[:2]) + nodes(made[2:], tier=1)
    health = {"probe_interval_ms": 20, "max_probe_interval_ms": 40}
    with loadwise.Pool(described, strategy="round_robin", health=health, tiers={"failback_ms": 300}) as pool:
        assert {try_request(pool) for _ in range(20)} == {"a", "b"}
        for server in made[:2]:
            server.kill()
        until(lambda: try_request(pool) == "backup" and pool.stats()["failovers"] == 1, "the backup takes over")
        assert pool.stats()["tier"] == 1
        for server in made[:2]:
            server.start()
        until(lambda: {try_request(pool) for _ in range(20)} == {"a", "b"}, "back to the primaries")
        pool.failover("backup")
        assert {try_request(pool) for _ in range(20)} == {"backup"}
        assert pool.reset_failover()
        until(lambda: {try_request(pool) for _ in range(20)} == {"a", "b"}, "back by hand")


def test_sessions_stay_while_their_node_drains(servers):
    made = servers("a", "b", "c")
    with loadwise.Pool(nodes(made), affinity=True, drain_timeout_ms=60_000) as pool:
        homes = {f"user-{i}": try_request(pool, session=f"user-{i}") for i in range(30)}
        assert set(homes.values()) == {"a", "b", "c"}
        pool.drain("b")
        for session, home in homes.items():
            assert try_request(pool, session=session) == home
        assert "b" not in {try_request(pool, session=f"new-{i}") for i in range(30)}
        pool.deregister("b")
        for session, home in homes.items():
            answered = try_request(pool, session=session)
            assert answered == home if home != "b" else answered in ("a", "c")


def test_retries_stay_under_their_budget_in_a_storm(servers):
    made = servers("a", "b", "c")
    for server in made:
        server.mode("fail")
    retry = {"max_attempts": 5, "base_delay_ms": 1, "max_delay_ms": 2, "budget_share": 0.2, "budget_min_per_s": 1}
    with loadwise.Pool(nodes(made), health={"passive": False}, retry=retry) as pool:
        calls = 200
        for _ in range(calls):
            with pytest.raises(ServerFailed):
                pool.call(request, idempotent=True)
        attempts = sum(s.counts()["requests"] for s in made)
        allowed = 0.2 * calls + 1 * 10
        assert calls < attempts <= calls + allowed
        stats = pool.stats()
        # A retry that was granted may still find no node that was not tried.
        assert attempts - calls <= stats["retries"] <= allowed and stats["retries_denied"] > 0


def test_calls_survive_a_node_that_dies(servers):
    made = servers("a", "b", "c")
    with loadwise.Pool(nodes(made)) as pool:
        made[1].kill()
        answered = in_threads(4, lambda _: [pool.call(request, idempotent=True) for _ in range(25)])
        assert {node for some in answered for node in some} == {"a", "c"}
        assert pool.stats()["in_flight"] == 0


def test_an_engine_is_reloaded_under_load(servers, tmp_path):
    made = servers("a", "b", "c", "d")
    path = tmp_path / "engine.yaml"

    def write(strategy, *names):
        wanted = [s for s in made if s.name in names]
        listed = "".join(f"\n      - {{id: {s.name}, address: '{s.address}'}}" for s in wanted)
        path.write_text(f"pools:\n  api:\n    strategy: {strategy}\n    nodes:{listed}\n")

    write("p2c", "a", "b")
    engine = loadwise.Engine.open(path)
    pool = engine["api"]
    done = threading.Event()
    failed = []

    def load(_):
        while not done.is_set():
            if try_request(pool, timeout=10) is None:
                failed.append(1)

    def reload():
        for i in range(20):
            write(["p2c", "maglev", "peak_ewma"][i % 3], *["abc", "bcd", "cda", "dab"][i % 4])
            engine.reload()
            time.sleep(0.02)
        path.write_text("pools:\n  api:\n    strategy: nonsense\n")
        with pytest.raises(loadwise.ConfigError, match="nonsense"):
            engine.reload()
        done.set()

    reloading = threading.Thread(target=reload)
    reloading.start()
    in_threads(6, load)
    reloading.join()
    assert not failed and engine.version == 21
    assert pool.stats()["in_flight"] == 0 and pool.strategy == "maglev"
    assert all(s.counts()["requests"] > 0 for s in made)


def test_checks_bring_a_restarted_server_back(servers):
    made = servers("a", "b")
    checks = {"interval_ms": 20, "grace_ms": 0, "timeout_ms": 2000}

    def check(due):
        server = next(s for s in made if s.name == due.id)
        return server.ask("GET", "/health") is not None

    health = {"live_probes": False}
    with loadwise.Pool(nodes(made), strategy="round_robin", checks=checks, health=health) as pool:
        pool.start(check=check)
        made[0].kill()
        until(lambda: state(pool, "a").health == "unhealthy", "the checks fail")
        assert {try_request(pool) for _ in range(20)} == {"b"}
        made[0].start()
        until(lambda: state(pool, "a").health == "healthy", "the checks succeed")
        until(lambda: {try_request(pool) for _ in range(20)} == {"a", "b"}, "both take requests")
        pool.stop()


def test_no_server_gets_more_than_its_quota(servers):
    made = servers("a", "b")
    quotas = [{"dimension": "rpm", "limit": 25, "window_ms": 3_600_000, "buckets": 1}]
    with loadwise.Pool(nodes(made), quotas=quotas) as pool:

        def ask(_):
            answered = 0
            for _ in range(20):
                try:
                    answered += request(pool.pick(), timeout=10) is not None
                except loadwise.NoNode as none:
                    assert none.reason == "rate_limited"
            return answered

        assert sum(in_threads(8, ask)) == 50
        assert [s.counts()["requests"] for s in made] == [25, 25]


def test_a_server_never_has_more_at_once_than_its_limit(servers):
    made = servers("a", "b", median_ms=5)
    with loadwise.Pool(nodes(made, max_in_flight=3)) as pool:
        ask = lambda _: [request(pool.pick(timeout=60), timeout=30) for _ in range(15)]
        assert all(all(some) for some in in_threads(16, ask)), "everybody's turn came"
        assert max(s.counts()["peak"] for s in made) <= 3
        assert pool.stats()["waiting"] == 0
