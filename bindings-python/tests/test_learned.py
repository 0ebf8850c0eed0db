"""What was learned of nodes outlives the pool."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loadwise import ConfigError, Pool, StateError


def experienced(**policy: Any) -> Pool:
    pool = Pool(["a", "b", "c"], health={"failure_threshold": 1}, **policy)
    pool.report("a", "failure")
    return pool


def fresh() -> Pool:
    return Pool(["a", "b", "x"])


def health(pool: Pool) -> dict[str, str]:
    return {node.id: node.health for node in pool.nodes()}


LEARNED = {"a": "unhealthy", "b": "healthy", "x": "healthy"}


class Store:
    """As one over a database would be."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, id: str) -> str | None:
        return self.kept.get(id)

    def put(self, id: str, state: str) -> None:
        self.kept[id] = state

    def remove(self, id: str) -> None:
        self.kept.pop(id, None)

    def list(self) -> Iterator[tuple[str, str]]:
        return iter(self.kept.items())


def test_as_data() -> None:
    learned = experienced().learned()
    assert set(learned["nodes"]) == {"a", "b", "c"}
    again = json.loads(json.dumps(learned))
    pool = fresh()
    assert pool.learn_from(again) == 2
    assert health(pool) == LEARNED


def test_latencies_and_quotas_are_taken_along() -> None:
    policy: dict[str, Any] = {"strategy": "peak_ewma", "quotas": [{"dimension": "rpm", "limit": 100}]}
    now_ns, pool = 10**15, Pool(["a"], **policy)
    pool.pick(now_ns=now_ns, cost={"rpm": 7}).success(0.25, now_ns=now_ns)
    other = Pool(["a"], **policy)
    assert other.learn_from(pool.learned(now_ns=now_ns), now_ns=2 * now_ns) == 1
    assert other.nodes(2 * now_ns)[0].latency == pytest.approx(0.25, rel=0.01)
    assert other.stats(2 * now_ns)["nodes"][0]["quotas"][0]["used"] == 7


@pytest.mark.parametrize("kind", ["str", "path"])
def test_a_file(tmp_path: Path, kind: str) -> None:
    path: Any = tmp_path / "learned.json"
    path = str(path) if kind == "str" else path
    pool = fresh()
    assert pool.restore(path) == 0
    assert experienced().save(path) == 3
    assert set(json.loads(Path(path).read_text())) == {"a", "b", "c"}
    assert pool.restore(path) == 2
    assert health(pool) == LEARNED
    assert [p.name for p in tmp_path.iterdir()] == ["learned.json"]


@pytest.mark.parametrize("make", [dict, Store])
def test_a_store_of_ones_own(make: Any) -> None:
    store, pool = make(), fresh()
    assert pool.restore(store) == 0
    assert experienced().save(store) == 3
    kept = store if isinstance(store, dict) else store.kept
    assert all(isinstance(json.loads(text), dict) for text in kept.values())
    assert pool.restore(store) == 2
    assert health(pool) == LEARNED


def test_a_store_may_list_a_dict() -> None:
    class Listing(Store):
        def list(self) -> Any:
            return dict(self.kept)

    store = Listing()
    assert experienced().save(store) == 3 and fresh().restore(store) == 2


def test_a_store_that_fails() -> None:
    class Broken(Store):
        def put(self, id: str, state: str) -> None:
            raise ConnectionError("no database")

        def list(self) -> Any:
            raise ConnectionError("no database")

    pool = experienced()
    for call in (pool.save, pool.restore):
        with pytest.raises(StateError, match="no database") as error:
            call(Broken())
        assert error.value.code == 204 and isinstance(error.value.__cause__, ConnectionError)
    assert health(pool)["a"] == "unhealthy"


@pytest.mark.parametrize("listed", [7, [7], [("a",)], [("a", 7)], [(7, "{}")], "abc"])
def test_a_store_that_lists_something_else(listed: Any) -> None:
    class Odd(Store):
        def list(self) -> Any:
            return listed

    pool = experienced()
    with pytest.raises(StateError) as error:
        pool.restore(Odd())
    assert error.value.__cause__ is not None and health(pool)["a"] == "unhealthy"


def test_an_interrupt_in_a_store_is_not_contained() -> None:
    class Interrupted(Store):
        def put(self, id: str, state: str) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        experienced().save(Interrupted())


WRONG = ["", "nonsense: [", "[]", "{}", '{"format": 2}', '{"format": 1, "health": "fine"}', '{"format": 1, "failures": -1}']


@pytest.mark.parametrize("text", [*WRONG, '{"format": 1, "hold_ns": 1e300}', '{"format": 1, "wrong": 1}'])
def test_a_state_that_cannot_be_changes_nothing(text: str) -> None:
    pool = experienced()
    with pytest.raises(ConfigError) as error:
        pool.restore({"a": '{"format": 1, "health": "healthy"}', "b": text})
    assert "b" in error.value.key
    assert health(pool) == {"a": "unhealthy", "b": "healthy", "c": "healthy"}


@pytest.mark.parametrize("learned", [{}, {"format": 2, "nodes": {}}, {"format": 1, "nodes": {"a": {"health": "fine"}}}, 7])
def test_what_cannot_have_been_learned(learned: Any) -> None:
    pool = experienced()
    with pytest.raises((ConfigError, TypeError)):
        pool.learn_from(learned)
    assert health(pool)["a"] == "unhealthy"


def test_a_file_that_cannot_be(tmp_path: Path) -> None:
    pool, wrong = experienced(), tmp_path / "wrong.json"
    wrong.write_text("[1, 2")
    for call in (pool.save, pool.restore):
        with pytest.raises(StateError, match="wrong.json"):
            call(wrong)
    assert wrong.read_text() == "[1, 2"
    with pytest.raises(StateError, match="no-such-directory"):
        pool.save(tmp_path / "no-such-directory" / "learned.json")


@pytest.mark.parametrize("wrong", [None, 7, ["a"], object(), frozenset()])
def test_a_store_is_a_path_a_dict_or_has_methods(wrong: Any) -> None:
    pool = fresh()
    for call in (pool.save, pool.restore):
        with pytest.raises(TypeError, match="store must be a path, a dict"):
            call(wrong)
    pool.close()
    for closed in (pool.save, pool.restore, pool.learn_from):
        with pytest.raises(StateError, match="closed"):
            closed({})
