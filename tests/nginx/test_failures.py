"""What goes wrong with servers, clients and connections; what is learned of it, and who gets the request instead."""

import socket
import threading
import time
from email.utils import formatdate

import pytest

from conftest import served, upstream
from proxy import AGREEING
from raw import Raw, answer, read_head
from servers import until

QUICK = "health: {probe_interval_ms: 50, max_probe_interval_ms: 100, failure_threshold: 2}\n"
PATIENT = "location / { proxy_pass http://api; proxy_next_upstream error timeout http_500 http_503 http_429; proxy_read_timeout 1s; }"


@pytest.fixture
def config(tmp_path):
    def write(text, loadwise="loadwise strategy=round_robin;"):
        (tmp_path / "pool.yaml").write_text(text)
        return f"{loadwise}\nloadwise_config {tmp_path}/pool.yaml;"

    return write


@pytest.fixture
def raw():
    made = []

    def make(serve):
        made.append(Raw(serve))
        return made[-1]

    yield make
    for server in made:
        server.close()


def kinds(node):
    return {kind: count for kind, count in node["failures_by_kind"].items() if count}


def test_a_killed_server_costs_no_request(servers, nginx, config):
    made = servers("a", "b", "c")
    proxy = nginx(upstream(made, config(QUICK)))
    made[1].kill()
    assert {proxy.try_get() for _ in range(60)} == {"a", "c"}
    node = proxy.nodes()[made[1].address]
    assert node["health"] in ("unhealthy", "recovering") and kinds(node).keys() == {"connect"}
    made[1].start()
    until(lambda: proxy.try_get() and proxy.nodes()[made[1].address]["health"] == "healthy", "it is back")
    until(lambda: any(attempts == "2" for *_, attempts in proxy.states()), "the log tells of second attempts")


def test_a_stalled_server_is_left_out(servers, nginx, config):
    made = servers("a", "b")
    made[1].mode("stall")
    proxy = nginx(upstream(made, config("health: {failure_threshold: 1, probe_interval_ms: 3600000, max_probe_interval_ms: 3600000}")), PATIENT, workers=AGREEING)
    until(lambda: served(made[1]) == 1 or not proxy.get(), "it was asked")
    until(lambda: proxy.nodes()[made[1].address]["health"] == "unhealthy", "it is out")
    assert kinds(proxy.nodes()[made[1].address]) == {"timeout": 1}
    assert {proxy.try_get() for _ in range(20)} <= {"a", None} and served(made[1]) == 1


@pytest.mark.parametrize("latency", ["response", "header"])
def test_a_slow_server_takes_less(servers, nginx, latency):
    made = servers("a", "b", "c", median_ms=5)
    made[2].mode("slow")
    proxy = nginx(upstream(made, f"loadwise strategy=peak_ewma latency={latency};"), workers=AGREEING)

    def client():
        for _ in range(40):
            assert proxy.try_get()

    threads = [threading.Thread(target=client) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = [served(s) for s in made]
    assert counts[2] < min(counts[:2]), counts
    assert sum(counts) == 240


@pytest.mark.parametrize("strategy", ["p2c", "least_request", "peak_ewma"])
def test_a_server_that_fails_fast_attracts_nothing(servers, nginx, strategy):
    made = servers("a", "b", "c", "d")
    made[3].mode("fail")
    proxy = nginx(upstream(made, f"loadwise strategy={strategy};"), workers=AGREEING)
    for _ in range(120):
        proxy.get()
    assert served(made[3]) <= 1.5 * 120 / 4


def test_a_server_that_breaks_connections(servers, nginx, config):
    made = servers("a", "b")
    made[1].mode("reset")
    proxy = nginx(upstream(made, config("health: {passive: false}")), workers=AGREEING)
    assert {proxy.try_get() for _ in range(20)} == {"a"}
    assert kinds(proxy.nodes()[made[1].address]) == {"reset": served(made[1])}


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_for_time_gets_it(servers, nginx, status):
    made = servers("a", "b")
    made[0].mode("limit", retryAfterS=300, status=status)
    proxy = nginx(upstream(made), PATIENT, workers=AGREEING)
    assert {proxy.try_get() for _ in range(40)} == {"b"}, "the first went on to the other server"
    assert served(made[0]) == 1
    node = proxy.nodes()[made[0].address]
    assert node["rate_limited"] == 1 and node["failures"] == 0 and node["health"] == "healthy"
    made[1].mode("limit", retryAfterS=300, status=status)
    assert proxy.get().status == status, "what the last server said, not what nginx makes of it"
    until(lambda: "limited" in [state for _, _, state, _ in proxy.states()], "the log says so")
    assert proxy.get().status == 502
    until(lambda: ("502", "-", "rate_limited", "0") in proxy.states(), "nobody is left")


def test_a_server_comes_back_when_its_time_is_over(servers, nginx):
    made = servers("a", "b")
    made[0].mode("limit", retryAfterS=1)
    proxy = nginx(upstream(made), PATIENT, workers=AGREEING)
    until(lambda: served(made[0]) == 1 or not proxy.try_get(), "it has said so")
    made[0].mode("ok")
    until(lambda: proxy.try_get() == "a", "it is back")


def test_a_server_may_name_a_date(servers, nginx):
    made = servers("a", "b")
    made[0].mode("limit", retryAfterS=formatdate(time.time() + 250, usegmt=True))
    proxy = nginx(upstream(made), PATIENT, workers=AGREEING)
    assert {proxy.try_get() for _ in range(20)} == {"b"} and served(made[0]) == 1
    made[1].mode("limit", retryAfterS="soon")
    proxy.get()
    assert proxy.nodes()[made[1].address]["rate_limited"] == 1
    made[1].mode("ok")
    assert proxy.try_get() == "b", "a date that is none asks for nothing"


def test_503_alone_is_a_failure(servers, nginx, config, raw):
    broken = raw(lambda c, _: read_head(c) and c.sendall(answer(status="503 No", headers="Connection: close\r\n")))
    made = [*servers("a"), broken]
    proxy = nginx(upstream(made, config("health: {passive: false}")), PATIENT, workers=AGREEING)
    assert [proxy.get().status for _ in range(10)] == [200] * 10
    node = proxy.nodes()[broken.address]
    assert kinds(node) == {"server_error": broken.connections} and node["rate_limited"] == 0


def test_retries_have_a_budget(servers, nginx, config):
    made = servers("a", "b", "c")
    for server in made:
        server.mode("fail")
    text = "health: {passive: false}\nretry: {budget_share: 0, budget_min_per_s: %d}"
    proxy = nginx(upstream(made, config(text % 0)), PATIENT, workers=AGREEING)
    assert {proxy.get().status for _ in range(10)} == {500}, "how the attempt ended, not that there is no other"
    pool = proxy.pool()
    assert (pool["selections"], pool["retries"], pool["retries_denied"]) == (10, 0, 10)
    assert proxy.get("/", "POST", "x").status == 500
    assert proxy.pool()["retries_denied"] == 10, "nobody asked: what was posted is not posted again"
    proxy = nginx(upstream(made, config(text % 1000)), PATIENT, workers=AGREEING)
    assert {proxy.get().status for _ in range(10)} == {500}
    pool = proxy.pool()
    assert (pool["selections"], pool["retries"], pool["retries_denied"]) == (30, 20, 0)


def test_attempts_are_as_many_as_nginx_and_the_engine_allow(servers, nginx, config):
    made = servers("a", "b", "c")
    for server in made:
        server.mode("fail")
    text = "health: {passive: false}\nretry: {max_attempts: %d}"
    for allowed, more, attempts in [(2, "", 2), (16, "proxy_next_upstream_tries 1;", 1), (16, "", 3)]:
        proxy = nginx(upstream(made, config(text % allowed)), PATIENT.replace("}", more + "}"), workers=AGREEING)
        assert b"served by" in proxy.get().body, "the answer of the last attempt is passed on"
        assert proxy.pool()["selections"] == attempts
        assert len({n["id"] for n in proxy.nodes().values() if n["selections"]}) == attempts, "each at another node"


def test_a_missing_page_is_looked_for_elsewhere(servers, nginx, raw):
    empty = raw(lambda c, _: read_head(c) and c.sendall(answer(status="404 No", headers="Connection: close\r\n")))
    proxy = nginx(upstream([*servers("a"), empty]), PATIENT.replace("http_500", "http_404"), workers=AGREEING)
    assert {proxy.try_get() for _ in range(10)} == {"a"}
    node = proxy.nodes()[empty.address]
    assert node["successes"] == empty.connections > 0 and node["failures"] == 0, "that is no failure of the server"


def test_a_client_that_leaves_is_nobodys_fault(servers, nginx):
    (a,) = servers("a")
    a.mode("stall")
    proxy = nginx(upstream([a]), workers=AGREEING)
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", proxy.port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            until(lambda: proxy.pool()["in_flight"] == 1, "its request is under way")
        until(lambda: proxy.pool()["in_flight"] == 0, "nobody waits for it any more")
    node = proxy.nodes()[a.address]
    assert (node["cancelled"], node["failures"], node["health"]) == (5, 0, "healthy")


@pytest.mark.parametrize("buffering", ["on", "off"])
def test_an_answer_that_stops_in_the_middle_is_a_failure(nginx, config, raw, buffering):
    cut = raw(lambda c, _: read_head(c) and c.sendall(answer()[:-3]))
    proxy = nginx(
        upstream([cut], config("health: {passive: false}")),
        f"location / {{ proxy_pass http://api; proxy_buffering {buffering}; }}",
        workers=AGREEING,
    )
    with pytest.raises(Exception):
        proxy.get()
    assert kinds(proxy.nodes()[cut.address]) == {"reset": 1}


def test_what_is_no_answer_is_a_failure(nginx, config, raw):
    babble = raw(lambda c, _: read_head(c) and c.sendall(b"HTTP/1.1 200 OK\r\nx\0y: z\r\n\r\n"))
    proxy = nginx(upstream([babble], config("health: {passive: false}")), workers=AGREEING)
    assert proxy.get().status == 502
    assert kinds(proxy.nodes()[babble.address]) == {"other": 1}


def test_an_idle_connection_that_was_closed_counts_for_nothing(nginx, raw):
    """The server takes one request a connection and closes it with the second, which nginx cannot see coming."""

    def serve(connection, _):
        read_head(connection)
        connection.sendall(answer())
        read_head(connection)

    once = raw(serve)
    keep = 'location / { proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection ""; }'
    proxy = nginx(upstream([once], more="keepalive 4;"), keep, workers=1)
    assert [proxy.get().status for _ in range(6)] == [200] * 6
    node = proxy.nodes()[once.address]
    assert once.connections == 6 and node["failures"] == 0 and node["successes"] == 6 and node["cancelled"] == 5
    assert proxy.pool()["retries"] == 0


def test_a_redirect_inside_nginx_tells_of_its_last_upstream(servers, nginx, config):
    made = servers("a", "b")
    made[0].mode("fail")
    proxy = nginx(
        upstream(made[:1], config("health: {passive: false}")) + upstream(made[1:], name="other"),
        """location / { proxy_pass http://api; proxy_intercept_errors on; error_page 500 = @other;
           add_header x-tells "$loadwise_node $loadwise_state $loadwise_attempts"; }
           location @other { proxy_pass http://other; }
           location /none { return 200 "$loadwise_node$loadwise_state$loadwise_attempts"; }""",
        workers=AGREEING,
    )
    assert proxy.try_get() == "b"
    until(lambda: ("200", made[1].address, "success", "1") in proxy.states(), "the log")
    assert proxy.get("/none").body == b"", "no upstream, nothing to tell"
