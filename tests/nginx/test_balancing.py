"""Who gets a request: by weight, by key, by session, by tier, by limits."""

import collections
import socket
import threading

import loadwise
import pytest

from conftest import served, upstream
from proxy import AGREEING, WORKERS
from servers import until

FAST = "health: {probe_interval_ms: 50, max_probe_interval_ms: 100}\n"


def config(tmp_path, text):
    path = tmp_path / "pool.yaml"
    path.write_text(text)
    return f"loadwise_config {path};"


def test_shares_follow_weights(servers, nginx):
    made = servers("a", "b", "c")
    proxy = nginx(upstream(made, "loadwise strategy=weighted_round_robin;", keys=["weight=5"]))
    order = [proxy.try_get() for _ in range(70)]
    # Each worker has whole cycles and a part of one.
    for name, share in zip("abc", (50, 10, 10)):
        assert abs(order.count(name) - share) <= 5 * (WORKERS - 1), order
    if WORKERS == 1:
        assert "".join(order[:7]) in "aabacaaaabacaa", "the order of nginx itself"


def test_a_name_with_several_addresses_is_several_nodes(servers, nginx):
    (a,) = servers("a")
    proxy = nginx("upstream api {\nloadwise;\nserver localhost:%d;\n}" % a.port)
    addresses = {info[4][0] for info in socket.getaddrinfo("localhost", a.port, type=socket.SOCK_STREAM)}
    written = {f"[{address}]:{a.port}" if ":" in address else f"{address}:{a.port}" for address in addresses}
    assert proxy.nodes().keys() == written
    assert {node["name"] for node in proxy.nodes().values()} == {f"localhost:{a.port}"}
    assert proxy.try_get() == "a"


@pytest.mark.parametrize("strategy", ["ring_hash", "maglev", "rendezvous"])
def test_keys_land_where_python_says(servers, nginx, strategy):
    made = servers("a", "b", "c")
    weights = [1, 3, 2]
    proxy = nginx(upstream(made, f"loadwise strategy={strategy};\nloadwise_key $arg_k;", keys=[f"weight={w}" for w in weights]))
    nodes = [{"id": s.address, "weight": w} for s, w in zip(made, weights)]
    names = {s.address: s.name for s in made}
    with loadwise.Pool(nodes, strategy=strategy) as pool:
        for i in range(60):
            key = f"user-{i}"
            assert proxy.try_get(f"/?k={key}") == names[pool.pick(key=key).node], key
    assert len({proxy.try_get("/") for _ in range(30)}) > 1, "no key: a random node, or one of three, 30 times by 3^-29"


def test_keys_stay_where_nginx_puts_them(servers, nginx):
    made = servers("a", "b", "c", "d")
    weights = ["weight=1", "weight=3", "weight=2", ""]
    ours = 'loadwise "strategy={name: ring_hash, compat: nginx}";\nloadwise_key $arg_k;'
    proxy = nginx(
        upstream(made, ours, keys=weights) + upstream(made, "hash $arg_k consistent;", keys=weights, name="before"),
        "location / { proxy_pass http://api; } location /before { proxy_pass http://before; }",
    )
    keys = [f"key-{i}" for i in range(120)]
    assert [proxy.try_get(f"/?k={k}") for k in keys] == [proxy.try_get(f"/before?k={k}") for k in keys]


def test_a_session_stays_on_its_node(servers, nginx, tmp_path):
    made = servers("a", "b", "c")
    loadwise_ = f"loadwise strategy=random;\nloadwise_session $http_x_user;\n{config(tmp_path, 'affinity: true')}"
    proxy = nginx(upstream(made, loadwise_), workers=AGREEING)
    by_user = {user: {proxy.try_get(headers={"x-user": f"u{user}"}) for _ in range(4)} for user in range(30)}
    assert all(len(nodes) == 1 for nodes in by_user.values()), by_user
    assert set().union(*by_user.values()) == {"a", "b", "c"}, "one of three never, by 30 users: 3 · (2/3)^30"
    assert len({proxy.try_get() for _ in range(60)}) == 3, "nobody's requests are kept nowhere"


def test_a_backup_takes_over_and_gives_back(servers, nginx, tmp_path):
    made = servers("a", "b", "c")
    loadwise_ = f"loadwise strategy=round_robin;\n{config(tmp_path, FAST + 'tiers: {failback_ms: 100}')}"
    proxy = nginx(upstream(made, loadwise_, keys=["", "", "backup"]), workers=AGREEING)
    assert {proxy.try_get() for _ in range(20)} == {"a", "b"}
    for server in made[:2]:
        server.kill()
    until(lambda: {proxy.try_get() for _ in range(10)} == {"c"}, "the backup takes over")
    assert proxy.pool()["tier"] == 1
    for server in made[:2]:
        server.start()
    until(lambda: {proxy.try_get() for _ in range(20)} == {"a", "b"}, "back to the primaries")
    assert {status for status, *_ in proxy.states()} == {"200"}, "nobody noticed"


def test_a_full_server_takes_no_more(servers, nginx):
    made = servers("a", "b")
    for server in made:
        server.mode("stall")
    proxy = nginx(upstream(made, keys=["max_conns=2", "max_conns=1"]), workers=AGREEING)
    requests = [threading.Thread(target=lambda: proxy.get(timeout=60)) for _ in range(3)]
    for request in requests:
        request.start()
    until(lambda: proxy.pool()["in_flight"] == 3, "both are full")
    assert proxy.get().status == 502
    until(lambda: ("502", "-", "saturated", "0") in proxy.states(), "the log says why")
    assert {n: node["in_flight"] for n, node in proxy.nodes().items()} == {made[0].address: 2, made[1].address: 1}
    for server in made:
        server.kill()
    for request in requests:
        request.join()


def test_what_is_down_gets_nothing_until_it_is_not(servers, nginx):
    made = servers("a", "b")
    proxy = nginx(upstream(made, keys=["", "down"]), workers=AGREEING)
    assert {proxy.try_get() for _ in range(20)} == {"a"}
    assert proxy.nodes()[made[1].address]["draining"]
    assert proxy.change(node=made[1].address, state="active").status == 200
    assert {proxy.try_get() for _ in range(20)} == {"a", "b"}


def test_parameters_of_servers_and_of_a_file_come_together(servers, nginx, tmp_path):
    made = servers("a", "b")
    text = f"strategy: random\nnodes: [{{id: first, address: '{made[0].address}', labels: {{version: v1}}, weight: 4}}]\n"
    proxy = nginx(
        upstream(made, f"loadwise strategy=weighted_round_robin;\n{config(tmp_path, text)}", keys=["", "weight=2 max_conns=9"]),
    )
    pool = proxy.pool()
    assert pool["strategy"] == "weighted_round_robin"
    first, second = (proxy.nodes()[id] for id in ("first", made[1].address))
    assert (first["weight"], second["weight"], second["max_in_flight"]) == (4, 2, 9)
    count = collections.Counter(proxy.try_get() for _ in range(60))
    assert abs(count["a"] - 40) <= 2 * (WORKERS - 1) and count["a"] + count["b"] == 60
    assert served(made[0]) == count["a"]
    until(lambda: ("200", "first", "success", "1") in proxy.states(), "the log names it")


def test_max_fails_and_fail_timeout(servers, nginx):
    made = servers("a", "b")
    made[1].mode("fail")
    proxy = nginx(upstream(made, keys=["max_fails=5 fail_timeout=1h", "max_fails=5 fail_timeout=1h"]), workers=AGREEING)
    for _ in range(40):
        proxy.get()
    assert served(made[1]) == 5
    assert proxy.nodes()[made[1].address]["health"] == "unhealthy"


def test_max_fails_0_never_takes_a_server_out(servers, nginx):
    made = servers("a", "b")
    made[1].mode("fail")
    proxy = nginx(upstream(made, keys=["max_fails=0", "max_fails=0"]), workers=AGREEING)
    # Each worker may have a turn left.
    assert abs(sum(proxy.get().status == 500 for _ in range(60)) - 30) <= AGREEING - 1
