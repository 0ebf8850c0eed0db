"""One state for all processes that open the same file."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import in_flight
from loadwise import ConfigError, Difference, Engine, NoNode, Pool, StateError
from processes import Process, Told, maintained_in_flight, until


def forms(state: str) -> list[Any]:
    """A pool that is shared, said in every way."""
    return [
        lambda: Pool(["a", "b"], shared=state),
        lambda: Pool(["a", "b"], shared=Path(state)),
        lambda: Pool(["a", "b"], shared={"path": Path(state), "mode": "0600"}),
        lambda: Pool.from_config({"nodes": ["a", "b"], "shared": {"path": state}}),
        lambda: Pool.from_config(f"{{nodes: [a, b], shared: '{state}'}}"),
        lambda: Engine({"shared": state, "nodes": ["a", "b"]})["default"],
        lambda: Engine({"shared": {"path": state}, "pools": {"default": {"nodes": ["a", "b"]}}})["default"],
        lambda: Engine(f"shared: {{path: '{state}', on_bad_segment: fail}}\npools: {{default: {{nodes: [a, b]}}}}")["default"],
        lambda: Engine.attach(state)["default"],
        lambda: Engine.attach(Path(state))["default"],
    ]


def test_a_state_is_shared_however_it_is_said(state: str, tmp_path: Path) -> None:
    document = tmp_path / "engine.yaml"
    document.write_text(f"shared: '{state}'\nnodes: [a, b]\n")
    pools = [make() for make in forms(state)] + [Engine.open(document)["default"], Pool.from_config(document)]
    picks = [pool.pick() for pool in pools]
    assert {pool.stats()["in_flight"] for pool in pools} == {len(pools)}
    assert {pool.shared_path for pool in pools} == {state}
    assert [pool.differences for pool in pools] == [[]] * len(pools)
    assert all(pick.success() for pick in picks) and in_flight(pools[0]) == 0


def test_pools_of_a_state_have_names(state: str) -> None:
    shop, mail = Pool(["a"], shared=state, name="shop"), Pool(["b"], shared=state, name="mail")
    engine = Engine.attach(state)
    assert engine.names() == ["shop", "mail"] and engine.shared_path == state
    with shop.pick(), engine["mail"].pick():
        assert (in_flight(engine["shop"]), in_flight(mail)) == (1, 1)
    # One that another process makes is there as soon as it is asked for, and one that it takes out is not.
    with Process(f"engine = Engine.attach({state!r})") as other:
        other.do("engine.reload({'pools': {'shop': {'nodes': ['a']}, 'more': {'nodes': ['c']}}})")
        assert engine.names() == ["shop", "more"] and engine["more"].pick().node == "c"
        with pytest.raises(KeyError):
            engine["mail"]
        assert mail.pick().success()


def test_a_pool_that_others_took_out_is_let_go_of(state: str) -> None:
    engine = Engine(f"shared: '{state}'\npools: {{shop: {{nodes: [a]}}, mail: {{nodes: [b]}}}}")
    assert engine["mail"].pick().success()
    with Process(f"engine = Engine.attach({state!r})") as other:
        # There are 256 places, which are used again once nobody has what was there.
        for i in range(300):
            other.do(f"engine.reload({{'pools': {{'shop': {{'nodes': ['a']}}, 'new-{i}': {{'nodes': ['c']}}}}}})")
            if i % 20 == 0:
                assert engine[f"new-{i}"].pick().success()
                engine.maintain()
    assert engine.names() == ["shop", "new-299"]


def test_processes_see_the_same(state: str) -> None:
    pool = Pool(["a", "b", "c"], strategy="least_request", shared=state)
    with Process(f"pool = Pool(['a', 'b', 'c'], strategy='least_request', shared={state!r})") as other:
        other.do("tickets = [pool.acquire() for _ in range(2)]")
        pick = pool.pick()
        # Three picks, three nodes: each goes where nobody is, whoever makes it.
        assert {pick.node, *other.ask("[pool.node_of(ticket) for ticket in tickets]")} == {"a", "b", "c"}
        assert [node.in_flight for node in pool.nodes()] == [1, 1, 1]
        other.do("pool.set_health('b', 'unhealthy')")
        assert "b" not in {pool.pick().node for _ in range(50)}
        pool.set_weight("a", 0)
        assert set(other.ask("[pool.pick().node for _ in range(50)]")) == {"c"}
        pool.register("d")
        assert other.ask("len(pool)") == 4
        assert other.ask("[pool.release(ticket) for ticket in tickets]") == [True, True]
        assert pick.success() and in_flight(pool) == 0


def test_round_robin_is_one_cycle(state: str) -> None:
    make = f"pool = Pool(['a', 'b', 'c', 'd'], strategy='round_robin', seed=1, shared={state!r})"
    with Process(make) as one, Process(make) as two, Process(make) as three:
        turns = [process.ask("pool.pick().node") for _ in range(20) for process in (one, two, three)]
    assert turns == ["a", "b", "c", "d"] * 15


def test_choices_of_processes_are_not_alike(state: str) -> None:
    nodes = [f"n{i}" for i in range(10)]
    make = f"pool = Pool({nodes!r}, strategy='random', shared={state!r})"
    with Process(make) as one, Process(make) as two:
        runs = [process.ask("[pool.pick().node for _ in range(40)]") for process in (one, two)]
    # Two runs of 40 fair draws of 10 are alike with a probability of 1e-40.
    assert runs[0] != runs[1] and all(set(run) <= set(nodes) for run in runs)


def test_a_ticket_is_of_its_process(state: str) -> None:
    pool = Pool(["a"], shared=state)
    ticket = pool.acquire()
    with Process(f"pool = Engine.attach({state!r})['default']") as other:
        assert other.ask(f"pool.release({ticket})") is False
        with pytest.raises(Told, match="TicketError"):
            other.ask(f"pool.node_of({ticket})")
    assert in_flight(pool) == 1 and pool.release(ticket)


def test_what_a_killed_process_held_is_given_back(state: str) -> None:
    pool = Pool(["a", "b"], shared=state)
    mine = pool.pick()
    with Process(f"pool = Engine.attach({state!r})['default']", "held = [pool.pick() for _ in range(7)]") as other:
        assert in_flight(pool) == 8
        other.kill()
        until(lambda: maintained_in_flight(pool) == 1)
    assert [process.pid for process in pool.processes()] == [os.getpid()]
    assert mine.success()


def test_a_process_that_ends_leaves_nothing(state: str) -> None:
    pool = Pool(["a"], shared=state)
    with Process(f"pool = Engine.attach({state!r})['default']", "held = [pool.acquire() for _ in range(3)]") as other:
        other.end()
    # At once: it gave back its row itself.
    assert in_flight(pool) == 0 and len(pool.processes()) == 1


def test_the_thread_of_one_gives_back_what_others_held(state: str) -> None:
    pool = Pool(["a"], shared=state)
    looking = Engine.view(state)["default"]
    with Process(f"pool = Engine.attach({state!r})['default']", "held = [pool.pick() for _ in range(7)]") as other:
        pool.start()
        other.kill()
        until(lambda: looking.stats()["in_flight"] == 0)
    pool.stop()


# Who has what


def test_who_shares_it_and_what_they_hold(state: str) -> None:
    engine = Engine({"shared": state, "pools": {"shop": {"nodes": ["a"], "lease_timeout_ms": 60_000}, "mail": {"nodes": ["b"]}}})
    before_ns = time.monotonic_ns()
    with Process(f"engine = Engine.attach({state!r})", "held = [engine['shop'].pick(), engine['shop'].pick()]") as other:
        mine = [engine["shop"].pick(), engine["mail"].pick()]
        processes = engine.processes()
        assert [(p.row, p.pid, p.is_own, p.in_namespace, p.alive) for p in processes] == [
            (0, os.getpid(), True, True, True),
            (1, other.pid, False, True, True),
        ]
        assert [p.in_flight for p in processes] == [2, 2]
        assert [p.in_flight for p in engine["shop"].processes()] == [1, 2]
        assert processes[0].command and processes[1].repeats == 0
        assert before_ns <= processes[1].since_ns <= processes[1].heartbeat_ns <= time.monotonic_ns()
        told = engine["shop"].stats()
        assert told["processes"] == 2
        assert told["nodes"][0]["in_flight_by_process"] == {str(os.getpid()): 1, str(other.pid): 2}

        now_ns = time.monotonic_ns()
        picks = engine["shop"].open_picks(10, now_ns=now_ns)
        # The oldest first.
        assert [(p.pid, p.node) for p in picks] == [(other.pid, "a"), (other.pid, "a"), (os.getpid(), "a")]
        for p in picks:
            assert p.started_ns is not None and p.age == pytest.approx((now_ns - p.started_ns) / 1e9)
        assert picks[2].ticket == mine[0].ticket
        assert [p.pid for p in engine["shop"].open_picks(2)] == [other.pid, other.pid]
        # Nothing in the configuration of this one needs the time of picks.
        assert [(p.started_ns, p.age) for p in engine["mail"].open_picks()] == [(None, None)]
        assert all(pick.success() for pick in mine)


def test_a_private_pool_has_no_others() -> None:
    engine = Engine({"nodes": ["a"]})
    pool = engine["default"]
    assert (engine.shared_path, engine.private_because, engine.processes(), engine.differences) == (None, None, [], [])
    assert (pool.shared_path, pool.processes(), pool.differences) == (None, [], [])
    with pool.pick() as p:
        assert [(o.ticket, o.pid, o.node) for o in pool.open_picks()] == [(p.ticket, os.getpid(), "a")]
        assert pool.stats()["nodes"][0]["in_flight_by_process"] == {}
    assert pool.open_picks() == []


def test_who_looks_changes_nothing(state: str) -> None:
    pool = Pool(["a", "b"], shared=state, checks={"interval_ms": 1, "grace_ms": 0})
    held = pool.pick()
    looking = Engine.view(Path(state))
    seen = looking["default"]
    assert len(looking.processes()) == 1 and not looking.processes()[0].is_own
    assert seen.stats()["in_flight"] == 1 and seen.explain()["chosen"] and len(seen.open_picks()) == 1
    pool.set_health("a", "unhealthy")
    assert seen.nodes()[0].health == "unhealthy" and looking.config["shared"]["path"] == state
    changes: list[Any] = [
        lambda: seen.set_nodes(["x"]),
        lambda: seen.register("x"),
        lambda: seen.update({"id": "a", "weight": 3}),
        lambda: seen.deregister("a"),
        lambda: seen.drain("a"),
        lambda: seen.set_weight("a", 3),
        lambda: seen.set_health("a", "healthy"),
        lambda: seen.set_strategy("random"),
        lambda: seen.report("a", "failure"),
        lambda: seen.report_load("a", 1.0),
        lambda: seen.report_check("a", True),
        lambda: seen.reload({"nodes": ["x"]}),
        lambda: looking.reload({"nodes": ["x"]}),
        lambda: looking.reload({"nodes": ["x"]}, if_new=True),
        lambda: looking.remove("default"),
    ]
    for change in changes:
        with pytest.raises(StateError) as error:
            change()
        assert error.value.code == 207 and "look" in str(error.value)
    with pytest.raises(NoNode):
        seen.pick()
    assert seen.checks_due() == []
    looking.start(check=lambda node: pytest.fail("who looks checks nothing"))
    looking.stop()
    assert [(n.id, n.weight, n.health) for n in pool.nodes()] == [("a", 1, "unhealthy"), ("b", 1, "healthy")]
    assert held.success() and seen.stats()["in_flight"] == 0


def test_a_pool_is_taken_out_for_all(state: str) -> None:
    config: Any = {"shared": state, "pools": {"api": {"nodes": ["a"]}, "mail": {"nodes": ["b"]}}}
    one, other = Engine(config), Engine(config)
    mail = other["mail"]
    pick = mail.pick()
    assert one.remove("nobody") is False and one.version == 1
    assert one.remove("mail") is True and one.version == other.version == 2
    assert other.names() == ["api"] and "mail" not in other and other.remove("mail") is False
    assert pick.success() and mail.pick().success(), "who holds it goes on with it"
    assert one.reload(config).added == ["mail"] and other["mail"] is not mail
    with pytest.raises(TypeError):
        one.remove(7)  # type: ignore[arg-type]


# What is configured and what is in force


def test_attaching_changes_nothing_and_tells_what_differs(state: str) -> None:
    first = Pool(["a", {"id": "b", "weight": 2}], shared=state)
    second = Pool(["a", "b", "c"], strategy="p2c", health={"failure_threshold": 9}, shared=state)
    assert first.differences == [] and len(second) == 2
    told = second.differences
    assert told[0] == Difference("default", "nodes.b.weight", "1", "2")
    assert [(d.key, d.in_force) for d in told[1:]] == [("nodes.c", ""), ("health.failure_threshold", "3")]
    assert json.loads(told[1].configured)["id"] == "c" and json.loads(told[2].configured) == 9
    engine = Engine({"shared": state, "nodes": ["a"]})
    assert [d.key for d in engine.differences] == ["nodes.b"]
    second.reload({"nodes": ["a", "b", "c"], "health": {"failure_threshold": 9}})
    assert first.config["health"]["failure_threshold"] == 9 and len(first) == 3


def test_workers_that_read_the_same_file_replace_it_once(state: str, tmp_path: Path) -> None:
    path = tmp_path / "engine.yaml"
    path.write_text(f"shared: '{state}'\nnodes: [a, b]\n")
    engine = Engine.open(path)
    with Process(f"engine = Engine.open({str(path)!r})") as other:
        path.write_text(f"shared: '{state}'\nnodes: [a, b, c]\n")
        assert engine.reload(if_new=True).changed == ["default"]
        engine["default"].set_weight("c", 5)
        assert other.ask("engine.reload(if_new=True).changed") == []
        assert other.ask(f"engine.reload({path.read_text()!r}, if_new=True).changed") == []
        assert other.ask("engine.reload({'nodes': ['a', 'b', 'c']}, if_new=True).changed") == []
        assert engine["default"].nodes()[2].weight == 5
        # One that is started again changes nothing of what was set by hand, either.
        with Process(f"engine = Engine.open({str(path)!r})") as again:
            assert again.ask("(engine.reload(if_new=True).changed, engine['default'].nodes()[2].weight)") == [[], 5]
        assert other.ask("engine.reload().changed") == ["default"]
        assert engine["default"].nodes()[2].weight == 1
        assert engine.reload(path, if_new=True).changed == []


def test_a_pool_that_is_reloaded_if_it_is_new() -> None:
    pool = Pool(["a", "b"])
    pool.set_weight("a", 5)
    assert pool.reload({"nodes": ["a", "b"]}, if_new=True) is False and pool.nodes()[0].weight == 5
    assert pool.reload({"nodes": ["a", "b"]}) is True and pool.nodes()[0].weight == 1
    assert pool.reload({"nodes": ["a"]}, if_new=True, now_ns=10**15) is True and len(pool) == 1
    with pytest.raises(ConfigError):
        pool.reload({"nodes": ["a", "a"]}, if_new=True)
    with pytest.raises(TypeError):
        pool.reload({"nodes": ["a"]}, True)  # type: ignore[call-arg]


def test_what_is_read_back_can_be_put_in_force_again(state: str) -> None:
    engine = Engine({"shared": state, "pools": {"shop": {"nodes": ["a", "b"]}}})
    assert engine.reload(engine.config).changed == []
    shop = engine["shop"]
    assert shop.reload(shop.config) and Engine(engine.config)["shop"].differences == []


# Nodes by hand


def test_a_node_is_described_anew(state: str) -> None:
    pool = Pool(["a", "b"], shared=state)
    pool.set_health("a", "unhealthy")
    pool.update({"id": "a", "address": "x:1", "weight": 3, "tier": 1, "labels": {"k": "v"}, "max_in_flight": 9})
    a = pool.node_status("a")
    assert a and (a.address, a.weight, a.tier, a.labels, a.max_in_flight, a.health) == ("x:1", 3, 1, {"k": "v"}, 9, "unhealthy")
    pool.update("a")
    a = pool.node_status("a")
    assert a and (a.address, a.weight, a.tier) == ("a", 1, 0)
    with pytest.raises(StateError, match='"x"') as error:
        pool.update("x")
    assert error.value.code == 200
    wrong: list[tuple[Any, str]] = [({"id": "a", "weight": -1}, "weight"), ({"weight": 1}, "id"), ({"id": "a", "wieght": 1}, "weight")]
    for node, told in wrong:
        with pytest.raises(ConfigError, match=told):
            pool.update(node)
    for node in (7, None, ["a"]):
        with pytest.raises((TypeError, ConfigError)):
            pool.update(node)  # type: ignore[arg-type]
    assert a == pool.node_status("a")


def test_health_by_hand() -> None:
    pool = Pool(["a", "b"], breaker={"consecutive_failures": 1})
    pool.report("a", "failure")
    a = pool.node_status("a")
    assert a and a.breaker == "open"
    assert pool.set_health("a", "unhealthy") is True and pool.set_health("a", "unhealthy") is False
    assert pool.set_health("a", "healthy", now_ns=time.monotonic_ns()) is True
    a = pool.node_status("a")
    assert a and (a.health, a.breaker, a.available) == ("healthy", "closed", True)
    for status in ("degraded", "recovering", "healthy"):
        pool.set_health("a", status)
        told = pool.node_status("a", now_ns=time.monotonic_ns())
        assert told and told.health == status and told == pool.nodes()[0]
    with pytest.raises(ConfigError, match="status: must be one of healthy, degraded, unhealthy, recovering"):
        pool.set_health("a", "well")  # type: ignore[arg-type]
    with pytest.raises(StateError, match='"x"'):
        pool.set_health("x", "healthy")
    assert pool.node_status("x") is None
    for arguments in [(7, "healthy"), ("a", 7), ("a",)]:
        with pytest.raises(TypeError):
            pool.set_health(*arguments)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        pool.node_status(7)  # type: ignore[arg-type]


# What cannot be


def test_there_is_nothing_where_nothing_is(state: str, tmp_path: Path) -> None:
    for opened in (Engine.attach, Engine.view):
        with pytest.raises(StateError, match="no such file") as error:
            opened(state)
        assert error.value.code == 205 and state in str(error.value)
        for wrong in (7, None, {"path": state}):
            with pytest.raises(TypeError, match="path must be str or a pathlib.Path"):
                opened(wrong)  # type: ignore[arg-type]
    assert not os.path.exists(state)
    with pytest.raises(StateError) as error:
        Pool(["a"], shared=tmp_path / "no-such-folder" / "state")
    assert error.value.code == 205


def test_a_file_that_is_something_else(state: str) -> None:
    Path(state).write_text("not a state at all")
    for opened in (Engine.attach, Engine.view, lambda path: Pool(["a"], shared=path)):
        with pytest.raises(StateError) as error:
            opened(state)
        assert error.value.code == 205 and "no shared state" in str(error.value)
    assert Path(state).read_text() == "not a state at all"
    alone = Engine({"shared": {"path": state, "on_bad_segment": "private"}, "nodes": ["a"]})
    assert alone.shared_path is None and "no shared state" in (alone.private_because or "")
    assert alone["default"].pick().success() and alone["default"].processes() == []
    anew = Engine({"shared": {"path": state, "on_bad_segment": "recreate"}, "nodes": ["a"]})
    assert anew.shared_path == state and anew.private_because is None


@pytest.mark.parametrize(
    "shared, key",
    [
        ("", "shared"),
        ({}, "shared"),
        ({"path": 7}, "shared.path"),
        ({"path": "/x", "mode": "0999"}, "shared.mode"),
        ({"path": "/x", "max_processes": 1}, "shared.max_processes"),
        ({"path": "/x", "on_bad_segment": "panic"}, "shared.on_bad_segment"),
        ({"path": "/x", "wrong": 1}, "shared.wrong"),
        (7, "shared"),
        (b"/x", "shared"),
        (Path("/x\0y"), "shared"),
    ],
)
def test_a_place_that_cannot_be(shared: Any, key: str) -> None:
    for make in (lambda: Pool(["a"], shared=shared), lambda: Engine({"shared": shared, "nodes": ["a"]})):
        with pytest.raises(ConfigError) as error:
            make()
        assert error.value.key == key


def test_as_many_processes_as_may(state: str) -> None:
    shared = {"path": state, "max_processes": 2}
    pool = Pool(["a"], shared=shared)
    with Process(f"pool = Pool(['a'], shared={shared!r})") as other, Process() as third:
        for make in (f"pool = Engine.attach({state!r})['default']", f"pool = Pool(['a'], shared={shared!r})"):
            with pytest.raises(Told) as told:
                third.do(make)
            assert (told.value.kind, told.value.code) == ("StateError", 206)
        # Who looks needs no place.
        assert third.ask(f"len(Engine.view({state!r}).processes())") == 2
        other.kill()
        # Its place is free as soon as somebody asks for one.
        third.do(f"pool = Engine.attach({state!r})['default']")
        assert third.ask("pool.pick().node") == "a"
    with pytest.raises(ConfigError, match="max_processes"):
        Pool(["a"], shared={"path": state, "max_processes": 9})
    assert pool.pick().success()


def test_a_pool_that_is_closed_gives_back_its_picks(state: str) -> None:
    staying, going = Pool(["a"], shared=state), Pool(["a"], shared=state)
    pick, ticket = going.pick(), going.acquire()
    forgotten = going.pick()
    going.close()
    assert in_flight(staying) == 3
    assert not pick.success() and not going.release(ticket) and not pick.success()
    del forgotten
    gc.collect()
    assert in_flight(staying) == 0
    assert staying.stats()["cancelled"] == 3 and staying.stats()["successes"] == 0


def test_events_of_what_others_do(state: str) -> None:
    pool = Pool(["a", "b"], shared=state)
    told: list[Any] = []
    pool.on_event(told.append)
    with Process(f"pool = Engine.attach({state!r})['default']") as other:
        other.do("pool.set_health('a', 'unhealthy')")
        other.do("pool.register('c')")
        pool.maintain()
    assert [(e["kind"], e.get("to"), e.get("added")) for e in told] == [("topology", None, ["c"]), ("health", "unhealthy", None)]


def test_checks_are_made_once_for_all(state: str) -> None:
    checks = {"interval_ms": 20, "grace_ms": 0, "jitter": 0.0}
    looking = Pool(["a", "b"], checks=checks, shared=state)
    make = f"pool = Pool(['a', 'b'], checks={checks!r}, shared={state!r}); made = []"
    start = "pool.start(check=lambda node: made.append(node.id) or True)"

    def ok() -> int:
        return min(node["checks_ok"] for node in looking.stats()["nodes"])

    with Process(make) as one, Process(make) as two, Process(make) as three:
        began = time.monotonic()
        for process in (one, two, three):
            process.do(start)
        until(lambda: ok() >= 30)
        made = Counter(id for process in (one, two, three) for id in process.ask("made"))
        intervals = (time.monotonic() - began) / 0.02
    # Three that do not know of each other would make three times as many.
    assert all(30 <= made[id] <= intervals + 2 for id in "ab")
    assert {n.health for n in looking.nodes()} == {"healthy"}


def test_threads_of_two_processes(state: str) -> None:
    pool = Pool(["a", "b"], shared=state)
    stop, failures = threading.Event(), []

    def client() -> None:
        try:
            while not stop.is_set():
                with pool.pick():
                    pass
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=client) for _ in range(2)]
    for thread in threads:
        thread.start()
    with Process(f"pool = Engine.attach({state!r})['default']") as other:
        for i in range(20):
            other.do(f"pool.reload({{'nodes': ['a', 'b', 'c'][:{2 + i % 2}], 'strategy': ['p2c', 'maglev'][{i % 2}]}})")
            other.do("[pool.pick().success() for _ in range(500)]")
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == [] and maintained_in_flight(pool) == 0


def test_the_worker_that_is_killed_at_any_instant(state: str) -> None:
    calm = {"failure_threshold": 255, "min_success_rate": 0}
    pool = Pool(["a", "b"], name="hot", health=calm, shared=state)
    worker = Path(__file__).parents[2] / "tests/kill/worker.py"
    command = [sys.executable, str(worker), state, "hot"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin and process.stdout and process.stdout.readline() == "ready\n"
        picks = 0
        for _ in range(3):
            process.stdin.write("pause\n")
            told = json.loads(process.stdout.readline())
            assert told["held"] == in_flight(pool) <= 8 and told["errors"] == 0 and told["picks"] > picks
            picks = told["picks"]
            process.stdin.write("go\n")
        process.stdin.write("quit\n")
        assert process.wait(60) == 0
    assert in_flight(pool) == 0 and pool.stats()["selections"] >= picks
    assert [process.pid for process in pool.processes()] == [os.getpid()]
