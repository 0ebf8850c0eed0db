"""One engine of all workers and of other programs."""

import collections
import threading
import time

import loadwise
import pytest
from prometheus_client.parser import text_string_to_metric_families as prometheus

from conftest import served, upstream
from load import Load
from raw import Raw
from servers import until

WORKERS = 4
SHARED = "loadwise strategy=round_robin shared=STATE;"


@pytest.fixture
def start(nginx):
    """Each worker listens for itself, so that requests come to all of them."""
    return lambda *args, workers=WORKERS, **more: nginx(*args, workers=workers, listen="reuseport", **more)


@pytest.fixture
def attach():
    """Another program."""
    return lambda proxy: loadwise.Engine.attach(proxy.state)


class Requests:
    """Requests under way at one time."""

    def __init__(self, proxy, count):
        self.answers = []
        self.threads = [threading.Thread(target=lambda: self.answers.append(proxy.get(timeout=60))) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join()


@pytest.mark.parametrize("seed, by", [("seed: 7", 1), ("{}", WORKERS)], ids=["exact", "in turns of workers"])
def test_shares_are_those_of_all_workers(servers, start, tmp_path, seed, by):
    made = servers("a", "b", "c")
    (tmp_path / "pool.yaml").write_text(seed)
    loadwise_ = f"loadwise strategy=weighted_round_robin shared=STATE;\nloadwise_config {tmp_path}/pool.yaml;"
    proxy = start(upstream(made, loadwise_, keys=["weight=5"]), "location / { proxy_pass http://api; add_header x-worker $pid; }")
    answers = [proxy.get() for _ in range(70)]
    assert len({answer.headers["x-worker"] for answer in answers}) > 1, "one of four, 70 times"
    order = collections.Counter(answer.node for answer in answers)
    for name, share in zip("abc", (50, 10, 10)):
        assert abs(order[name] - share) <= by, order


def test_in_flight_is_that_of_all_who_share(servers, start, attach):
    made = servers("a", "b")
    for server in made:
        server.mode("stall")
    proxy = start(upstream(made, SHARED, keys=["max_conns=7", "max_conns=6"]))
    requests = Requests(proxy, 12)
    pool = attach(proxy)["api"]
    until(lambda: pool.stats()["in_flight"] == 12, "all are under way")
    node = proxy.nodes()[made[0].address]
    by_process = node["in_flight_by_process"]
    assert 5 <= sum(count for count in by_process.values()) == node["in_flight"] <= 7
    pick = pool.pick()
    assert proxy.pool()["in_flight"] == 13
    shared = proxy.get("/status").json["shared"]
    assert [entry["path"] for entry in shared] == [str(proxy.state)] and shared[0]["error"] is None
    processes = shared[0]["processes"]
    assert len(processes) == WORKERS + 1 and all(process["alive"] for process in processes)
    assert sum(process["in_flight"] for process in processes) == 13
    assert sum(process["own"] for process in processes) == 1
    assert len([process for process in processes if process["command"] == "nginx" and process["in_flight"]]) > 1
    assert proxy.get().status == 502, "full for nginx"
    with pytest.raises(loadwise.NoNode):
        pool.acquire()
    pick.cancel()
    for server in made:
        server.kill()
    requests.join()
    until(lambda: pool.stats()["in_flight"] == 0, "nothing is left")


def rests(server, load):
    """Whether it gets nothing while others do."""
    before = served(server)
    load.goes_on()
    return served(server) == before


def test_what_another_program_does_to_nodes_holds_for_all_workers(servers, start, attach):
    made = servers("a", "b", "c", "d")
    proxy = start(upstream(made[:2], SHARED))
    pool = attach(proxy)["api"]
    a, b, c, _ = (server.address for server in made)
    assert {proxy.try_get() for _ in range(20)} == {"a", "b"}
    with Load(proxy) as load:
        load.goes_on()
        pool.drain(b)
        until(lambda: proxy.nodes()[b]["in_flight"] == 0, "what was under way has ended")
        assert rests(made[1], load)
        pool.register({"id": "third", "address": c})
        load.goes_on()
        assert served(made[2]) > 0
        # A name is for a resolver, which no worker waits for.
        pool.register({"id": "fourth", "address": "somewhere.example:80"})
        load.goes_on()
        until(lambda: 'node "fourth" of "api" gets nothing from nginx' in proxy.log(), "the log says why")
        pool.deregister("fourth")
        pool.update({"id": "third", "address": made[3].address})
        until(lambda: served(made[3]) > 0 and rests(made[2], load), "all workers follow it to another address")
        # The same again, in another place.
        pool.deregister(a)
        pool.register(a)
        pool.drain(b, False)
        pool.deregister("third")
        before = [served(server) for server in made]
        until(lambda: proxy.nodes().keys() == {a, b} and all(served(s) > n for s, n in zip(made[:2], before)), "back again")
    assert load.failed == [] and load.broken == 0
    until(lambda: ("200", "third", "success", "1") in proxy.states(), "the log names it")
    assert {proxy.try_get() for _ in range(20)} == {"a", "b"}


def test_what_fails_fast_is_left_by_all_workers(servers, start):
    made = servers("a", "b")
    made[1].mode("fail")
    proxy = start(upstream(made, SHARED, keys=["max_fails=3 fail_timeout=1h", "max_fails=3 fail_timeout=1h"]))
    assert [proxy.get().status for _ in range(40)].count(500) == 3
    assert served(made[1]) == 3


def test_a_change_by_hand_is_for_all_workers(servers, start, attach):
    made = servers("a", "b")
    proxy = start(upstream(made, SHARED))
    pool = attach(proxy)["api"]
    b = made[1].address
    for fields, nodes in [
        ({"state": "draining"}, {"a"}),
        ({"state": "active"}, {"a", "b"}),
        ({"weight": 0}, {"a"}),
        ({"weight": 1, "state": "unhealthy"}, {"a"}),
        ({"state": "healthy"}, {"a", "b"}),
    ]:
        assert proxy.change(node=b, **fields).status == 200
        assert {proxy.try_get() for _ in range(20)} == nodes, fields
    assert proxy.change(node=b, weight=9).status == 200
    assert pool.node_status(b).weight == 9


def test_a_server_is_checked_by_one_worker_at_a_time(start, tmp_path):
    begun = time.monotonic()
    server = Raw(lambda connection, _: None)
    (tmp_path / "pool.yaml").write_text("checks: {grace_ms: 0, jitter: 0}")
    check = f"{SHARED}\nloadwise_config {tmp_path}/pool.yaml;\nloadwise_check tcp interval=1s;"
    start(upstream([server], check))
    # At once, and once a second; each worker would make four within three seconds.
    until(lambda: server.connections >= 5, "it is checked")
    assert server.connections <= time.monotonic() - begun + 2
    server.close()


def test_upstreams_of_one_path_are_pools_of_one_engine(servers, start, attach):
    made = servers("a", "b")
    proxy = start(
        upstream(made, SHARED) + upstream(made[:1], SHARED, name="search") + upstream(made, "loadwise;", name="alone"),
        "location / { proxy_pass http://api; } location /alone { proxy_pass http://alone; }",
        stream=upstream(made[1:], SHARED) + "server { listen STREAM_PORT; proxy_pass api; }",
        share=False,
    )
    engine = attach(proxy)
    assert set(engine.names()) == {"api", "search", "stream.api"}
    assert [proxy.try_get(path) is not None for path in ("/", "/alone")] == [True, True]
    assert proxy.pools().keys() == {"api", "search", "stream.api", "alone"}
    assert len(proxy.get("/status").json["shared"]) == 1
    families = list(prometheus(proxy.get("/status?format=prometheus").body.decode()))
    assert len({family.name for family in families}) == len(families), "each once"
    assert {sample.labels.get("pool") for family in families for sample in family.samples} == proxy.pools().keys()
    # What another program has there is its own.
    other = loadwise.Engine.from_config({"shared": str(proxy.state), "pools": {"mine": {"nodes": ["x"]}}})
    proxy.write(upstream(made, SHARED.replace("round_robin", "random")), "location / { proxy_pass http://api; }")
    proxy.reload()
    assert "mine" in engine.names() and len(other["mine"].nodes()) == 1
    assert engine["api"].strategy == "random" and proxy.pools().keys() >= {"api", "mine"}


def test_a_file_says_where_the_state_is(servers, start, attach, tmp_path):
    made = servers("a", "b")
    proxy = start("upstream api {\nserver 127.0.0.1:1 down;\n}")
    (tmp_path / "pool.yaml").write_text(f"strategy: random\nshared: {{path: {proxy.state}, mode: '0640', max_processes: 9}}")
    proxy.write(upstream(made, f"loadwise;\nloadwise_config {tmp_path}/pool.yaml;"), "location / { proxy_pass http://api; }")
    assert proxy.check()[0] and not proxy.state.exists(), "nginx -t opens nothing"
    proxy.reload()
    assert proxy.try_get()
    assert attach(proxy)["api"].strategy == "random"
    assert proxy.state.stat().st_mode & 0o777 == 0o640
