"""Pick, use, finish."""

from __future__ import annotations

import asyncio
import threading
import time

import loadwise
import pytest
from conftest import NODES, health_of, in_flight
from loadwise import NoNode, Pool


def test_a_pick_tells_its_node() -> None:
    node = {"id": "a", "name": "Anna", "address": "10.0.0.1:80", "user_data": 2**64 - 1}
    pool = Pool([node])
    with pool.pick() as p:
        assert (p.node, p.name, p.address, p.user_data) == ("a", "Anna", "10.0.0.1:80", 2**64 - 1)
        assert 0 < p.ticket < 2**53
        assert (p.index, p.generation > 0) == (0, True)
        assert not p.callback_failed and p.callback_error is None
        assert "a" in repr(p) and str(p.ticket) in repr(p)


def test_a_pick_is_in_flight_until_it_is_left() -> None:
    pool = Pool(NODES)
    with pool.pick() as first:
        with pool.pick():
            assert in_flight(pool) == 2
        assert in_flight(pool) == 1
        assert next(n for n in pool.nodes() if n.id == first.node).in_flight == 1
    assert in_flight(pool) == 0


def test_leaving_normally_is_a_success() -> None:
    pool = Pool(["a"], health={"failure_threshold": 1, "recovery_successes": 1})
    pool.report("a", "failure")
    with pool.pick(health=15):
        pass
    assert health_of(pool, "a") == "healthy"


def test_leaving_by_an_exception_is_a_failure_and_the_exception_goes_on() -> None:
    pool = Pool(["a"], health={"failure_threshold": 1})
    with pytest.raises(ZeroDivisionError):
        with pool.pick():
            1 / 0
    assert health_of(pool, "a") == "unhealthy"
    assert in_flight(pool) == 0


@pytest.mark.parametrize("kind", [KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, SystemExit])
def test_leaving_by_an_interrupt_or_a_cancellation_blames_nobody(kind: type[BaseException]) -> None:
    pool = Pool(["a"], health={"failure_threshold": 1})
    with pytest.raises(kind):
        with pool.pick():
            raise kind
    assert health_of(pool, "a") == "healthy"
    assert in_flight(pool) == 0


def test_what_was_finished_in_the_block_stays() -> None:
    pool = Pool(["a"], health={"failure_threshold": 1})
    with pool.pick() as p:
        assert p.failure("timeout")
    assert health_of(pool, "a") == "unhealthy"
    assert in_flight(pool) == 0


def test_finishing_again_changes_nothing_and_says_so() -> None:
    pool = Pool(["a"], health={"failure_threshold": 1})
    for finish in ("success", "failure", "rate_limited", "cancel"):
        p = pool.pick()
        assert getattr(p, finish)() is True
        assert [p.success(), p.failure("reset"), p.rate_limited(1), p.cancel()] == [False] * 4
        assert not pool.release(p.ticket)
        assert in_flight(pool) == 0
        pool.report("a", "success")
        pool.report("a", "success")
    assert health_of(pool, "a") == "healthy"


def test_a_forgotten_pick_counts_as_cancelled() -> None:
    pool = Pool(["a"], health={"failure_threshold": 1})
    p = pool.pick()
    assert in_flight(pool) == 1
    del p
    assert in_flight(pool) == 0
    assert health_of(pool, "a") == "healthy"


def test_a_rate_limit_says_nothing_about_health() -> None:
    pool = Pool(["a"], health={"failure_threshold": 1})
    for _ in range(3):
        assert pool.pick().rate_limited()
    assert pool.pick().rate_limited(retry_after=30)
    assert health_of(pool, "a") == "healthy"
    with pytest.raises(NoNode) as none:
        pool.pick()
    assert none.value.reason == "rate_limited"


def test_latency_is_in_seconds() -> None:
    pool = Pool(["a"], strategy="peak_ewma")
    assert pool.pick().success(latency=0.25)
    latency = pool.nodes()[0].latency
    assert latency is not None and latency == pytest.approx(0.25)


def test_without_a_latency_the_time_from_pick_to_finish_counts() -> None:
    pool = Pool(["a"], strategy="peak_ewma")
    p = pool.pick(now_ns=5_000_000_000)
    assert p.success(now_ns=7_000_000_000)
    latency = pool.nodes()[0].latency
    assert latency is not None and latency == pytest.approx(2.0)


def test_a_key_is_bytes_or_text() -> None:
    pool = Pool([f"node-{i}" for i in range(50)], strategy="maglev")
    chosen = {pool.pick(key=key).node for key in ("user-ä", "user-ä".encode())}
    assert len(chosen) == 1
    assert len({pool.pick(key=str(i)).node for i in range(1000)}) == 50


def test_exclude_by_id_and_by_pick() -> None:
    pool = Pool(NODES)
    first = pool.pick()
    second = pool.pick(exclude=[first])
    third = pool.pick(exclude=[first, second.node, "no such node"])
    assert {first.node, second.node, third.node} == set(NODES)
    with pytest.raises(NoNode) as none:
        pool.pick(exclude=NODES)
    assert (none.value.reason, none.value.code) == ("all_excluded", 502)


def test_require_labels() -> None:
    pool = Pool([{"id": "a", "labels": {"region": "eu", "gpu": True}}, {"id": "b", "labels": {"region": "us"}}])
    for _ in range(20):
        assert pool.pick(require={"region": "eu"}).node == "a"
        assert pool.pick(require={"region": "eu", "gpu": "true"}).node == "a"
    with pytest.raises(NoNode) as none:
        pool.pick(require={"region": "asia"})
    assert none.value.reason == "no_match"


def test_a_health_mask_by_names_or_as_a_sum() -> None:
    pool = Pool(["a", "b"], health={"failure_threshold": 1})
    pool.report("a", "failure")
    for _ in range(20):
        assert pool.pick().node == "b"
        assert pool.pick(health=["unhealthy"]).node == "a"
        assert pool.pick(health=4).node == "a"
    assert {pool.pick(health=["healthy", "unhealthy"]).node for _ in range(100)} == {"a", "b"}


def test_why_there_is_no_node() -> None:
    def reason(pool: Pool) -> str:
        with pytest.raises(NoNode) as none:
            pool.pick()
        return none.value.reason

    assert reason(Pool()) == "empty"
    assert reason(Pool([])) == "empty"
    assert reason(Pool([{"id": "a", "weight": 0}, {"id": "b", "weight": 0}])) == "draining"
    draining = Pool(["a"])
    draining.drain("a")
    assert reason(draining) == "draining"
    down = Pool(["a"], health={"failure_threshold": 1})
    down.report("a", "failure")
    assert reason(down) == "unhealthy"
    full = Pool(["a"], limits={"max_picks": 64})
    held = [full.pick() for _ in range(64)]
    assert reason(full) == "saturated"
    del held
    assert full.pick().node == "a"


def test_tickets_without_objects() -> None:
    pool = Pool(NODES, health={"failure_threshold": 1})
    ticket = pool.acquire()
    assert type(ticket) is int and 0 < ticket < 2**53
    node = pool.node_of(ticket)
    assert node in NODES and pool.address_of(ticket) == node
    assert in_flight(pool) == 1
    assert pool.release(ticket, "failure", kind="connect", latency=0.1) is True
    assert pool.release(ticket) is False
    assert in_flight(pool) == 0
    assert health_of(pool, node) == "unhealthy"
    with pytest.raises(loadwise.TicketError, match="stale") as stale:
        pool.node_of(ticket)
    assert stale.value.code == 300


@pytest.mark.parametrize("outcome", ["success", "failure", "rate_limited", "cancelled"])
def test_every_outcome_releases(outcome: loadwise.types.Outcome) -> None:
    pool = Pool(["a"])
    assert pool.release(pool.acquire(), outcome)
    assert in_flight(pool) == 0


def test_the_first_token_of_an_answer_is_its_latency() -> None:
    pool = Pool(["a"], "peak_ewma")
    ms = 1_000_000
    with pool.pick(now_ns=5_000 * ms) as p:
        assert p.first_token(now_ns=5_040 * ms)
        assert pool.nodes()[0].latency == pytest.approx(0.040, rel=1e-3)
        assert not p.first_token(now_ns=5_900 * ms)
        assert p.success(latency=9.0, now_ns=14_000 * ms)
        assert not p.first_token()
    assert pool.nodes()[0].latency == pytest.approx(0.040, rel=1e-3)
    ticket = pool.acquire(now_ns=5_000 * ms)
    assert pool.first_token(ticket, now_ns=5_080 * ms) and not pool.first_token(ticket)
    assert pool.nodes()[0].latency == pytest.approx(0.080, rel=1e-3)
    assert pool.release(ticket) and not pool.first_token(ticket)
    with pytest.raises(loadwise.TicketError):
        pool.first_token(0)
    p = pool.pick()
    pool.close()
    assert not p.first_token() and not pool.first_token(p.ticket)


def test_a_ticket_of_a_pick_releases_it() -> None:
    pool = Pool(["a"])
    p = pool.pick()
    assert pool.release(p.ticket)
    assert not p.success()


def test_a_pick_may_be_finished_by_another_thread() -> None:
    pool = Pool(["a"])
    p = pool.pick()
    finished: list[bool] = []
    thread = threading.Thread(target=lambda: finished.append(p.success()))
    thread.start()
    thread.join()
    assert finished == [True] and not p.success()
    assert in_flight(pool) == 0


def test_a_pick_whose_thread_has_ended_is_still_held() -> None:
    pool = Pool(["a"])
    picks: list[loadwise.Pick] = []
    thread = threading.Thread(target=lambda: picks.append(pool.pick()))
    thread.start()
    thread.join()
    assert in_flight(pool) == 1
    assert picks[0].success()
    assert in_flight(pool) == 0


def test_a_pick_outlives_its_node() -> None:
    pool = Pool(["a", "b"], strategy="round_robin")
    picks = [pool.pick() for _ in range(2)]
    pool.set_nodes(["c"])
    assert {p.node for p in picks} == {"a", "b"}
    assert all(p.success() for p in picks)
    assert [(n.id, n.in_flight) for n in pool.nodes()] == [("c", 0)]


def test_a_pick_keeps_its_pool_alive() -> None:
    p = Pool(["a"]).pick()
    assert p.address == "a"
    assert p.success()


def test_forgotten_leases_time_out() -> None:
    pool = Pool(["a"], lease_timeout_ms=1000)
    ticket = pool.acquire(now_ns=10**15)
    assert pool.maintain(10**15 + 999_999_999).leases_expired == 0
    done = pool.maintain(10**15 + 10**9)
    assert done.leases_expired == 1 and done.next_due_ns > 10**15
    assert not pool.release(ticket)


def test_a_seeded_pool_repeats_itself() -> None:
    def run() -> list[str]:
        pool = Pool(NODES, strategy="random", seed=7)
        return [pool.pick().node for _ in range(50)]

    assert run() == run()


def test_asyncio_tasks_hold_their_picks_over_awaits() -> None:
    pool = Pool(NODES, health={"failure_threshold": 1})

    async def request() -> str:
        with pool.pick() as p:
            await asyncio.sleep(0)
            return p.node

    async def cancelled() -> None:
        with pool.pick():
            await asyncio.Event().wait()

    async def main() -> None:
        assert set(await asyncio.gather(*(request() for _ in range(100)))) == set(NODES)
        tasks = [asyncio.create_task(cancelled()) for _ in range(30)]
        await asyncio.sleep(0)
        assert in_flight(pool) == 30
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    assert [(n.in_flight, n.health) for n in pool.nodes()] == [(0, "healthy")] * 3


def test_many_threads_at_once() -> None:
    pool = Pool([f"node-{i}" for i in range(20)])
    stop = time.monotonic() + 1.0
    failures: list[BaseException] = []

    def client() -> None:
        try:
            while time.monotonic() < stop:
                with pool.pick() as p:
                    assert p.node
                assert pool.release(pool.acquire(key=b"k"), "cancelled")
        except BaseException as e:
            failures.append(e)

    def operator() -> None:
        try:
            for i in range(200):
                pool.set_weight(f"node-{i % 20}", i % 5)
                pool.drain(f"node-{i % 20}", i % 2 == 0)
                pool.register(f"extra-{i}")
                pool.set_strategy(["p2c", "round_robin", "maglev", "least_request"][i % 4])
                pool.deregister(f"extra-{i}")
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=t) for t in [client, client, client, operator]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert in_flight(pool) == 0
