"""The status location: what it shows, what it changes, and whom it lets."""

import random

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from conftest import served, upstream
from proxy import AGREEING
from servers import until


def test_json(servers, nginx):
    made = servers("a", "b")
    proxy = nginx(upstream(made) + upstream(made[:1], "loadwise strategy=maglev;", name="search"), workers=AGREEING)
    assert abs([proxy.try_get() for _ in range(4)].count("a") - 2) <= AGREEING - 1
    answer = proxy.get("/status")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["pid"] in proxy.worker_pids()
    assert [pool["name"] for pool in answer.json["pools"]] == ["api", "search"]
    api = answer.json["pools"][0]
    assert (api["selections"], api["successes"], api["in_flight"]) == (4, 4, 0)
    assert [node["id"] for node in api["nodes"]] == [server.address for server in made]
    assert proxy.get("/status", "HEAD").body == b""


def test_metrics(servers, nginx):
    made = servers("a", "b")
    proxy = nginx(
        upstream(made) + upstream(made[:1], name="search"),
        "location / { proxy_pass http://api; } location = /metrics { loadwise_status prometheus; } location = /open { loadwise_status openmetrics; }",
        workers=AGREEING,
    )
    for _ in range(4):
        proxy.get()
    for path in ("/metrics", "/status?format=prometheus", "/open?format=prometheus"):
        answer = proxy.get(path)
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        samples = [s for family in prometheus(answer.body.decode()) for s in family.samples]
        picks = {s.labels["pool"]: s.value for s in samples if s.name == "loadwise_pool_selections_total"}
        assert picks == {"api": 4, "search": 0}, {s.name for s in samples}
    for path in ("/open", "/status?format=openmetrics"):
        answer = proxy.get(path)
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert list(openmetrics(answer.body.decode()))
    assert "pools" in proxy.get("/metrics?format=json").json
    assert proxy.get("/status?format=xml").status == 400


def test_a_node_is_drained_and_weighed(servers, nginx):
    made = servers("a", "b")
    proxy = nginx(upstream(made, "loadwise strategy=weighted_round_robin;"), workers=AGREEING)
    a, b = (server.address for server in made)
    assert proxy.change(node=b, weight=3).status == 200
    assert abs([proxy.try_get() for _ in range(8)].count("b") - 6) <= AGREEING - 1
    answer = proxy.change(node=b, state="draining")
    assert answer.status == 200 and answer.json["nodes"][1]["draining"] and answer.json["nodes"][1]["weight"] == 3
    assert {proxy.try_get() for _ in range(8)} == {"a"}
    assert proxy.change(node=b, state="active", weight=0).status == 200
    assert {proxy.try_get() for _ in range(8)} == {"a"}
    assert proxy.change(node=b.replace(":", "%3A"), weight="+1".strip("+")).status == 200
    assert {proxy.try_get() for _ in range(8)} == {"a", "b"}


def test_a_node_is_called_unhealthy_and_healthy(servers, nginx):
    made = servers("a", "b")
    proxy = nginx(upstream(made), workers=AGREEING)
    b = made[1].address
    assert proxy.change(node=b, state="unhealthy").json["nodes"][1]["health"] == "unhealthy"
    assert {proxy.try_get() for _ in range(8)} == {"a"}
    assert proxy.change(node=b, state="healthy").json["nodes"][1]["health"] == "healthy"
    until(lambda: "b" in {proxy.try_get() for _ in range(4)}, "it takes part again")
    made[1].kill()
    until(lambda: proxy.try_get() and proxy.nodes()[b]["health"] == "unhealthy", "found out")
    made[1].start()
    before = served(made[1])
    proxy.change(node=b, state="healthy")
    until(lambda: {proxy.try_get() for _ in range(4)} == {"a", "b"}, "told that it is repaired")
    assert served(made[1]) > before


def test_what_cannot_be_is_refused_and_changes_nothing(servers, nginx):
    made = servers("a", "b")
    proxy = nginx(upstream(made), workers=AGREEING)
    a = made[0].address
    before = proxy.nodes()
    for status, body, words in [
        (400, "", "upstream and node are needed"),
        (400, "x", "without a value"),
        (400, "upstream=api&node=" + a, "weight or state"),
        (400, f"upstream=api&node={a}&colour=red", "unknown field"),
        (400, f"upstream=api&node={a}&weight=1&weight=2", "twice"),
        (400, f"upstream=api&node={a}&weight=-1", "weight is a number"),
        (400, f"upstream=api&node={a}&weight=4294967296", "weight is a number"),
        (400, f"upstream=api&node={a}&weight=99999999999999999999999", "weight is a number"),
        (400, f"upstream=api&node={a}&weight=4294967295", "weights"),
        (400, f"upstream=api&node={a}&weight=5&state=gone", "state is one of"),
        (404, f"upstream=ap&node={a}&weight=1", "no such upstream"),
        (404, "upstream=api&node=b&weight=1", "no such node"),
        (404, "upstream=api&node=%22%00%ff&state=unhealthy", "no such node"),
    ]:
        answer = proxy.get("/status", "POST", body)
        assert answer.status == status and words in answer.json["error"], (body, answer.body)
    assert proxy.get("/status", "POST", "x" * 5000).status == 413
    assert proxy.get("/status", "PUT", "x").status == 405 and proxy.get("/status", "DELETE").status == 405
    assert proxy.nodes() == before


def test_several_workers_are_not_told_one_by_one(servers, nginx):
    made = servers("a", "b")
    proxy = nginx(upstream(made), workers=2, share=False)
    answer = proxy.change(node=made[0].address, weight=3)
    assert answer.status == 409 and "several workers" in answer.json["error"]
    until(lambda: len(proxy.worker_pids()) == 2, "both are there")


def test_who_may_is_for_nginx_to_say(servers, nginx):
    made = servers("a", "b")
    proxy = nginx(
        upstream(made),
        """location = /closed { loadwise_status; deny all; }
           location = /shown { loadwise_status; limit_except GET { deny all; } }
           location = /small { loadwise_status; client_body_buffer_size 16; client_max_body_size 1k; }""",
        workers=AGREEING,
    )
    form = f"upstream=api&node={made[0].address}&weight=3"
    assert proxy.get("/closed").status == 403 and proxy.get("/closed", "POST", form).status == 403
    assert proxy.get("/shown").status == 200 and proxy.get("/shown", "POST", form).status == 403
    assert proxy.nodes()[made[0].address]["weight"] == 1
    assert proxy.get("/small", "POST", form).status == 200, "a body that nginx has put into a file"
    assert proxy.nodes()[made[0].address]["weight"] == 3
    chunks = [form[:20].encode(), form[20:].replace("weight=3", "weight=2").encode()]
    assert proxy.get("/small", "POST", chunks).status == 200, "and one that comes in parts"
    assert proxy.nodes()[made[0].address]["weight"] == 2


def any_body(rng, address):
    """Bytes, or a form with something wrong in it."""
    if rng.random() < 0.3:
        return rng.randbytes(rng.randrange(200))
    words = ["upstream", "node", "weight", "state", "api", address, "draining", "unhealthy", "1", "%", "%0", "%00", "&", "=", "=&", "+", '"', "\\", "\n", "{", "\xff", "9" * 30]
    body = f"upstream=api&node={address}&weight={rng.randrange(-1, 9)}" if rng.random() < 0.5 else ""
    for _ in range(rng.randrange(8)):
        at = rng.randrange(len(body) + 1)
        body = body[:at] + rng.choice(words) + body[at + rng.randrange(3) :]
    return body.encode("latin-1")


def test_any_body_is_answered(servers, nginx):
    made = servers("a", "b")
    proxy = nginx(upstream(made), workers=AGREEING)
    before = proxy.worker_pids()
    rng = random.Random(17)
    for i in range(400):
        body = any_body(rng, made[0].address)
        answer = proxy.get("/status", "POST", body)
        assert answer.status in (200, 400, 404), (i, body, answer.body)
        assert answer.json, (i, body)
    assert proxy.worker_pids() == before, "the same worker has answered all"
    assert proxy.change(node=made[0].address, state="active", weight=1).status == 200
    proxy.change(node=made[0].address, state="healthy")
    assert {proxy.try_get() for _ in range(8)} == {"a", "b"}
