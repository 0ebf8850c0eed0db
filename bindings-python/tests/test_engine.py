"""Pools by name, under one configuration that is replaced while picks go on."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest
from conftest import NODES, in_flight
from loadwise import CheckDue, ConfigError, Engine, NoNode, Pool, Reloaded, StateError
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

TWO = """
pools:
  shop: {strategy: round_robin, nodes: [a, b]}
  search: {strategy: maglev, nodes: [c]}
"""


def until(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never comes true"
        time.sleep(0.002)


def test_pools_by_name() -> None:
    engine = Engine(TWO)
    assert engine.names() == list(engine) == ["shop", "search"] and len(engine) == 2
    assert engine.pools() == [engine["shop"], engine["search"]]
    assert "shop" in engine and "mail" not in engine and 7 not in engine
    assert (engine["shop"].name, engine["search"].strategy) == ("shop", "maglev")
    assert engine["shop"] is engine["shop"] is engine.get("shop")
    assert engine.get("mail") is None and engine.get("mail", 7) == 7
    with pytest.raises(KeyError, match="mail"):
        engine["mail"]
    with engine["search"].pick(key="k") as p:
        assert p.node == "c"
    assert repr(engine) == "<loadwise.Engine shop, search>"


def test_a_configuration_as_text_dict_or_path(tmp_path: Path) -> None:
    path = tmp_path / "engine.yaml"
    path.write_text(TWO)
    as_dict = {"pools": {"shop": {"strategy": "round_robin", "nodes": ["a", "b"]}, "search": {"nodes": ["c"]}}}
    for engine in (Engine(TWO), Engine(TWO.encode()), Engine(path), Engine.open(path), Engine.open(str(path))):
        assert engine["search"].strategy == "maglev"
    assert Engine.from_config(as_dict)["shop"].strategy == "round_robin"
    assert Engine("nodes: [a]").names() == ["default"]


def test_a_reload_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "engine.yaml"
    path.write_text(TWO)
    engine = Engine.open(path)
    shop, search = engine["shop"], engine["search"]
    assert engine.reload() == Reloaded([], [], [], 2)
    held = shop.pick()
    path.write_text("pools:\n  shop: {strategy: random, nodes: [b, c, d]}\n  mail: {nodes: [m]}\n")
    assert engine.reload() == Reloaded(added=["mail"], removed=["search"], changed=["shop"], version=3)
    assert engine["shop"] is shop and shop.strategy == "random" and len(shop) == 3
    assert held.success() and in_flight(shop) == 0
    assert "search" not in engine and search.pick().success()
    assert engine.version == engine.config["version"] == 3
    path.write_text("pools:\n  shop:\n    nodes: [b]\n    wrong: 1\n")
    with pytest.raises(ConfigError) as error:
        engine.reload()
    assert (error.value.key, error.value.line) == ("pools.shop.wrong", 4) and "engine.yaml" in str(error.value)
    assert engine.version == 3 and shop.strategy == "random"
    path.unlink()
    with pytest.raises(ConfigError, match="engine.yaml"):
        engine.reload()


def test_a_reload_from_anything_else(tmp_path: Path) -> None:
    engine = Engine(TWO)
    with pytest.raises(ConfigError, match="not opened from a file"):
        engine.reload()
    path = tmp_path / "other.yaml"
    path.write_text("pools: {shop: {nodes: [x]}}")
    assert engine.reload(path).removed == ["search"]
    assert engine.reload({"pools": {"shop": {"nodes": ["x"]}, "mail": {"nodes": ["m"]}}}).added == ["mail"]
    assert engine.reload(TWO).removed == ["mail"]
    assert engine.reload(TWO.encode()) == Reloaded([], [], [], 5)
    with pytest.raises(ConfigError, match="no-such-file"):
        engine.reload(tmp_path / "no-such-file")
    for wrong in (7, ["a"], None):
        with pytest.raises((TypeError, ConfigError)):
            engine.reload(wrong)  # type: ignore[arg-type]
    assert engine.version == 5


def test_the_configuration_in_force_can_be_loaded_again() -> None:
    engine = Engine(TWO)
    config = engine.config
    assert list(config["pools"]) == ["shop", "search"]
    assert config["pools"]["shop"]["retry"]["max_attempts"] == 3
    pools = {name: {key: pool[key] for key in pool if key != "version"} for name, pool in config["pools"].items()}
    assert engine.reload({"pools": pools}).changed == []


def test_one_setting_is_told_as_all_are() -> None:
    pool = Engine({"pools": {"shop": {"nodes": ["a", {"id": "b", "weight": 3}], "strategy": "maglev"}}})["shop"]
    config = pool.config
    assert pool.setting("retry.max_attempts") == config["retry"]["max_attempts"] == 3
    assert pool.setting("strategy[0].name") == "maglev"
    assert pool.setting("health") == config["health"] and pool.setting("nodes") == config["nodes"]
    assert pool.setting("breaker") is False
    pool.set_weight("b", 8)
    assert pool.setting("nodes[1].weight") == 8
    pool.reload({"nodes": ["a"], "breaker": {"open_ms": 7}})
    assert pool.setting("breaker.open_ms") == 7
    for nothing in ("", "retry.attempts", "outlier.ejection_ms", "nodes[1]"):
        with pytest.raises(ConfigError, match="no such setting") as none:
            pool.setting(nothing)
        assert none.value.key == nothing
    wrong: Any = 7
    with pytest.raises(TypeError):
        pool.setting(wrong)
    pool.close()
    with pytest.raises(StateError, match="closed"):
        pool.setting("retry.max_attempts")


def test_health_outlives_a_reload_by_the_id_of_its_node() -> None:
    engine = Engine({"pools": {"shop": {"nodes": ["a", "b"], "health": {"failure_threshold": 1}}}})
    engine["shop"].report("a", "failure")
    engine.reload({"pools": {"shop": {"nodes": ["c", "b", "a"], "health": {"failure_threshold": 2}}}})
    assert [(n.id, n.health) for n in engine["shop"].nodes()] == [("c", "healthy"), ("b", "healthy"), ("a", "unhealthy")]


def test_a_pool_that_is_reloaded_alone() -> None:
    pool = Pool(["a", "b"], health={"failure_threshold": 1})
    pool.report("a", "failure")
    pool.reload("{nodes: [a, c], strategy: random, health: {failure_threshold: 1}}")
    assert (pool.strategy, pool.config_version) == ("random", 2)
    assert [(n.id, n.health) for n in pool.nodes()] == [("a", "unhealthy"), ("c", "healthy")]
    assert pool.config["version"] == 2 and pool.config["health"]["failure_threshold"] == 1
    pool.set_own_strategy(lambda candidates, key: 0)
    pool.reload({"nodes": ["x", "y"], "strategy": "random"})
    assert pool.strategy == "custom" and {pool.pick().node for _ in range(50)} == {"x"}
    pool.set_strategy("p2c")
    impossible: list[Any] = ["nodes: [a", {"nodes": ["a", "a"]}, {"limits": {"max_nodes": 4096}}]
    for wrong in impossible:
        with pytest.raises(ConfigError):
            pool.reload(wrong)
    no_configurations: list[Any] = [7, None, ["a"]]
    for wrong in no_configurations:
        with pytest.raises(TypeError):
            pool.reload(wrong)
    assert (pool.config_version, len(pool)) == (3, 2)
    pool.close()
    with pytest.raises(StateError):
        pool.reload({"nodes": ["a"]})


def test_picks_go_on_while_the_configuration_is_replaced() -> None:
    engine, stop, failures = Engine(TWO), threading.Event(), []

    def client() -> None:
        try:
            pool = engine["shop"]
            while not stop.is_set():
                with pool.pick() as p:
                    assert p.node in "abcd"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=client) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(50):
        nodes = ["a", "b", "c", "d"][i % 3 :]
        strategy = ["p2c", "maglev", "random", "round_robin"][i % 4]
        engine.reload({"pools": {"shop": {"nodes": nodes, "strategy": strategy}}})
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == [] and in_flight(engine["shop"]) == 0


def test_figures_of_all_pools() -> None:
    engine = Engine(TWO)
    engine["shop"].pick().success()
    assert [(told["name"], told["selections"]) for told in engine.stats()] == [("shop", 1), ("search", 0)]
    families = {family.name: family for family in parse_prometheus(engine.metrics())}
    assert {s.labels["pool"] for s in families["loadwise_pool_selections"].samples} == {"shop", "search"}
    assert engine.metrics("openmetrics").endswith("# EOF\n")
    with pytest.raises(ConfigError, match="format"):
        engine.metrics("json")  # type: ignore[arg-type]
    done = engine.maintain(10**15)
    assert done.next_due_ns > 10**15 and done.leases_expired == 0


def test_one_thread_for_all_pools() -> None:
    checks = {"interval_ms": 20, "grace_ms": 0, "failure_threshold": 1, "success_threshold": 1}
    engine = Engine({"pools": {"one": {"nodes": ["a"], "checks": checks}}})
    seen: set[str] = set()

    def check(node: CheckDue) -> bool:
        seen.add(node.id)
        return node.id != "b"

    engine.start(check=check)
    until(lambda: "a" in seen)
    engine.reload({"pools": {"one": {"nodes": ["a"], "checks": checks}, "two": {"nodes": ["b"], "checks": checks}}})
    until(lambda: engine["two"].nodes()[0].health == "unhealthy")
    assert engine["one"].nodes()[0].health == "healthy"
    engine.stop()
    engine.stop()
    with pytest.raises(TypeError, match="check must be callable"):
        engine.start(check=7)  # type: ignore[arg-type]


def test_an_engine_that_is_started_ends_with_its_last_reference() -> None:
    engine = Engine(TWO)
    engine.start()
    gone = weakref.ref(engine)
    del engine
    until(lambda: gc.collect() is not None and gone() is None)
    until(lambda: not any(t.name.startswith("loadwise <loadwise.Engine") for t in threading.enumerate()))


def test_a_pool_of_an_engine_outlives_it_and_is_made_anew_when_closed() -> None:
    engine = Engine(TWO)
    pool = engine["shop"]
    pool.close()
    with pytest.raises(StateError):
        pool.pick()
    again = engine["shop"]
    assert again is not pool and again.pick().success()
    del engine
    gc.collect()
    assert again.pick().success()


def test_an_engine_in_a_cycle_with_an_observer_is_collected() -> None:
    class Owner:
        def __init__(self) -> None:
            self.engine = Engine(TWO)
            self.engine["shop"].on_event(self.told)
            self.engine["search"].set_own_strategy(self.told)

        def told(self, *_: Any) -> None:
            pass

    owner = Owner()
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    "config, key",
    [
        ({"pools": {"a b": {"nodes": ["a"]}}}, None),
        ({"pools": {"": {"nodes": ["a"]}}}, None),
        ({"pools": {"x" * 64: {}}}, None),
        ({"pools": {"shop": {"nodes": ["a", "a"]}}}, "pools.shop.nodes[1].id"),
        ({"pools": {"shop": {"breaker": {"open_ms": 0}}}}, "pools.shop.breaker.open_ms"),
        ({"pools": ["shop"]}, "pools"),
        ({"pools": {}, "nodes": []}, None),
    ],
)
def test_a_configuration_that_cannot_be(config: dict[str, Any], key: str | None) -> None:
    with pytest.raises(ConfigError) as error:
        Engine(config)
    assert key is None or error.value.key == key
    engine = Engine(TWO)
    with pytest.raises(ConfigError):
        engine.reload(config)
    assert engine.names() == ["shop", "search"] and engine.version == 1


def test_arguments_of_the_wrong_type(tmp_path: Path) -> None:
    no_configurations: list[Any] = [7, None, ["a"]]
    for wrong in no_configurations:
        for make in (Engine, Engine.from_config, Engine.open):
            with pytest.raises(TypeError):
                make(wrong)
    engine = Engine(TWO)
    no_names: list[Any] = [7, b"shop", None]
    for name in no_names:
        with pytest.raises(TypeError):
            engine[name]
        with pytest.raises(TypeError):
            engine.get(name)
    with pytest.raises(ConfigError, match="no-such-file"):
        Engine.open(tmp_path / "no-such-file")
    with pytest.raises(NoNode):
        Engine({"pools": {"empty": {}}})["empty"].pick()
    assert not Engine({"pools": {}}).names() and Engine({"pools": {}})
    assert len(NODES) == 3


def test_an_engine_that_is_closed() -> None:
    with Engine(TWO) as engine:
        shop, pick = engine["shop"], engine["shop"].pick()
        engine.start()
        assert not engine.closed and in_flight(shop) == 1
    assert engine.closed and shop.closed and not pick.success()
    calls: list[Any] = [
        lambda: engine["shop"],
        lambda: engine.get("shop"),
        lambda: "shop" in engine,
        engine.names,
        engine.pools,
        engine.__iter__,
        engine.__len__,
        engine.__enter__,
        lambda: engine.reload(TWO),
        lambda: engine.remove("shop"),
        lambda: engine.config,
        lambda: engine.version,
        lambda: engine.differences,
        lambda: engine.shared_path,
        lambda: engine.private_because,
        engine.processes,
        engine.stats,
        engine.metrics,
        engine.maintain,
        engine.start,
    ]
    for call in calls:
        with pytest.raises(StateError, match="closed") as error:
            call()
        assert error.value.code == 203
    engine.stop()
    engine.close()
    assert engine and "shop" in repr(engine)
