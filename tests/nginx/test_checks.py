"""Active checks: without any traffic, a server that is down is found, and one that is back, too."""

import pytest

from conftest import served, upstream
from proxy import AGREEING
from raw import Raw, answer, read_head
from servers import until

OFTEN = "interval=100ms timeout=5s fails=1 passes=1"


def config(tmp_path, text="health: {passive: false, live_probes: false}\nchecks: {grace_ms: 0, jitter: 0}"):
    (tmp_path / "pool.yaml").write_text(text)
    return f"loadwise strategy=round_robin;\nloadwise_config {tmp_path}/pool.yaml;\n"


@pytest.mark.parametrize("check", ["tcp", "http uri=/health"])
def test_a_server_that_goes_and_comes_back(servers, nginx, tmp_path, check):
    made = servers("a", "b")
    proxy = nginx(upstream(made, config(tmp_path) + f"loadwise_check {check} {OFTEN};"), workers=AGREEING)
    health = lambda: [node["health"] for node in proxy.nodes().values()]  # noqa: E731
    until(lambda: all(node["checks_ok"] for node in proxy.nodes().values()), "both are checked")
    assert health() == ["healthy", "healthy"] and served(made[0]) == 0
    made[1].kill()
    until(lambda: health() == ["healthy", "unhealthy"], "the check has found out")
    assert proxy.try_get() == "a"
    made[1].start()
    until(lambda: health() == ["healthy", "healthy"], "and that it is back")
    assert proxy.pool()["selections"] == 1, "no request was spent on it"


def test_http_asks_for_what_it_is_told(nginx, tmp_path):
    heads = []

    def serve(connection, number):
        heads.append(read_head(connection))
        connection.sendall(answer(status="503 Not now") if number % 2 else b"HTTP/1.1 20")
        if number % 2 == 0:
            connection.sendall(b"4 Well\r\n\r\n")

    server = Raw(serve)
    proxy = nginx(upstream([server], config(tmp_path) + f"loadwise_check http uri=/ok?now host=example.com {OFTEN};"), workers=AGREEING)
    until(lambda: next(iter(proxy.nodes().values()))["checks_failed"] >= 1, "503 is no")
    until(lambda: next(iter(proxy.nodes().values()))["checks_ok"] >= 1, "204 is yes, in two parts")
    assert heads[0] == b"GET /ok?now HTTP/1.1\r\nHost: example.com\r\nUser-Agent: loadwise\r\nConnection: close\r\n\r\n"
    server.close()


def test_who_does_not_answer_in_time_fails(nginx, tmp_path):
    server = Raw(lambda connection, _: read_head(connection) and connection.recv(1))
    proxy = nginx(upstream([server], config(tmp_path) + "loadwise_check http interval=100ms timeout=200ms fails=1;"), workers=AGREEING)
    until(lambda: next(iter(proxy.nodes().values()))["health"] == "unhealthy", "no answer is no")
    assert server.connections >= 1
    # A worker that ends waits for no check.
    assert proxy.quit() == 0
    server.close()


def test_a_file_alone_is_checked_by_connecting(nginx, tmp_path):
    server = Raw(lambda connection, _: None)
    proxy = nginx(upstream([server], config(tmp_path, "checks: {interval_ms: 100, grace_ms: 0}")), workers=AGREEING)
    until(lambda: next(iter(proxy.nodes().values()))["checks_ok"] >= 1, "a connection is enough")
    server.close()
