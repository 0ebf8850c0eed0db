"""Everything at once: threads, event loops, operators, observers and checks on one pool."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from conftest import in_flight
from loadwise import Engine, NoNode, Pick, Pool, StateError

SECONDS = 2.0
NODES: list[dict[str, Any]] = [
    {"id": f"n{i}", "max_in_flight": 3, "zone": ("eu", "us")[i % 2], "tier": i // 6, "labels": {"v": str(i % 2)}}
    for i in range(8)
]
POLICY: dict[str, Any] = {
    "nodes": NODES,
    "health": {"failure_threshold": 2, "recovery_successes": 1, "probe_interval_ms": 20},
    "breaker": {"consecutive_failures": 2, "open_ms": 20},
    "outlier": {"sweep_interval_ms": 20, "ejection_ms": 20, "min_hosts": 2, "min_requests": 5, "failure_min_requests": 5},
    "checks": {"interval_ms": 20, "grace_ms": 0},
    "panic": {"mode": "spread"},
    "tiers": {"failback_ms": 20},
    "zones": True,
    "slow_start": {"duration_ms": 50},
    "splits": [{"labels": {"v": "1"}, "share": 0.3}],
    "affinity": {"entries": 64, "rebalance": "gradual", "rebalance_ms": 100},
    "quotas": [{"dimension": "rpm", "limit": 10_000, "window_ms": 100}],
    "retry": {"base_delay_ms": 0, "max_delay_ms": 1},
    "stats": {"latency": "nodes", "window_ms": 1000},
    "acquire_queue": 16,
    "max_in_flight": 20,
}


def finish(p: Pick, draw: random.Random) -> None:
    match draw.randrange(5):
        case 0:
            p.failure("connect", usage={"rpm": draw.randrange(3)})
        case 1:
            p.rate_limited(0.001)
        case 2:
            p.cancel(usage={"rpm": 1})
        case _:
            p.success(latency=draw.random() / 100)


def client(pool: Pool, draw: random.Random) -> None:
    asked: dict[str, Any] = {"session": f"s{draw.randrange(100)}", "cost": {"rpm": draw.randrange(3)}}
    with suppress(NoNode):
        finish(pool.pick(**asked, zone=draw.choice(["eu", "us"]), timeout=draw.choice([0, 0.001, 0.01])), draw)
    with suppress(NoNode):
        pool.release(pool.acquire(exclude=[f"n{draw.randrange(8)}"], timeout=0.01), "failure")

    def attempt(p: Pick) -> None:
        finish(p, draw)
        if draw.random() < 0.5:
            raise ConnectionResetError

    with suppress(NoNode, ConnectionResetError):
        pool.call(attempt, idempotent=True, timeout=0.01)


def loop(pool: Pool, draw: random.Random) -> None:
    async def one() -> None:
        with suppress(NoNode):
            async with pool.apick(session=f"s{draw.randrange(100)}", timeout=draw.random() / 50) as p:
                await asyncio.sleep(0)
                finish(p, draw)

    async def many() -> None:
        tasks = [asyncio.ensure_future(one()) for _ in range(30)]
        await asyncio.sleep(draw.random() / 200)
        for task in draw.sample(tasks, 10):
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(result is None or isinstance(result, asyncio.CancelledError) for result in results), results

    asyncio.run(many())


def operator(pool: Pool, draw: random.Random) -> None:
    id = f"n{draw.randrange(8)}"
    calls: list[Callable[[], object]] = [
        lambda: pool.drain(id, draw.random() < 0.5),
        lambda: pool.set_weight(id, draw.randrange(4)),
        lambda: pool.deregister(id),
        lambda: pool.register(NODES[draw.randrange(8)]),
        lambda: pool.set_nodes(NODES),
        lambda: pool.set_strategy(draw.choice(["p2c", "maglev", "round_robin", "peak_ewma", "least_request"])),
        lambda: pool.failover(id),
        pool.reset_failover,
        pool.rebalance,
        lambda: pool.report(id, "failure"),
        lambda: pool.report_load(id, 1.0, requests_per_s=1, utilization=0.5),
        lambda: pool.set_affinity("s1", id),
    ]
    with suppress(StateError):
        draw.choice(calls)()


def reader(pool: Pool, draw: random.Random) -> None:
    pool.stats()
    pool.metrics(draw.choice(["prometheus", "openmetrics"]))
    pool.nodes()
    pool.explain(session="s1")
    pool.find({"v": "1"})
    pool.learn_from(pool.learned())
    number = pool.on_event(lambda event: pool.waiting, selections=draw.random() < 0.5)
    with suppress(NoNode):
        pool.plan()
        pool.pick_explained()[0].cancel()
    assert pool.off_event(number)


def test_everything_at_once() -> None:
    engine = Engine({"pools": {"one": POLICY}})
    pool, seen = engine["one"], set()
    ends, failures = time.monotonic() + SECONDS, []
    pool.on_event(lambda event: seen.add(event["kind"]), selections=True)
    engine.start(check=lambda node: random.random() < 0.7)

    def run(role: Callable[[Pool, random.Random], None], seed: int) -> None:
        draw = random.Random(seed)
        try:
            while time.monotonic() < ends:
                role(pool, draw)
        except BaseException as error:
            failures.append(error)

    def reload(_: Pool, draw: random.Random) -> None:
        strategy = draw.choice(["random", "weighted_round_robin", "p2c"])
        engine.reload({"pools": {"one": {**POLICY, "strategy": strategy, "nodes": NODES[draw.randrange(3) :]}}})

    roles = [client, client, client, loop, loop, operator, reader, reload]
    threads = [threading.Thread(target=run, args=(role, seed)) for seed, role in enumerate(roles)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "somebody waits for somebody"
    engine.stop()
    assert failures == []
    assert {"selection", "health", "topology"} <= seen
    assert (in_flight(pool), pool.waiting) == (0, 0)
    told = pool.stats()
    assert told["selections"] > 100 and told["in_flight"] == 0
