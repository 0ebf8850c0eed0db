"""The module beside nginx's other ways to an upstream: kept connections, TLS, WebSocket, HTTP/2, gRPC, TCP and UDP."""

import contextlib
import http.client
import socket
import ssl
import subprocess
import threading
from concurrent import futures

import grpc
import pytest

from conftest import served, upstream
from proxy import AGREEING, free_port
from raw import Raw, answer, read_head
from servers import PATIENCE_S, until

KEEP = 'location / { proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection ""; }'


@pytest.fixture
def raw():
    made = []

    def make(serve, context=None):
        made.append(Raw(serve, context))
        return made[-1]

    yield make
    for server in made:
        server.close()


def talk(connection, _):
    while read_head(connection):
        connection.sendall(answer())


@pytest.mark.parametrize("more", ["keepalive 8;", "zone z 256k;\nkeepalive 8;", "zone z 256k;"], ids=["keepalive", "both", "zone"])
def test_connections_are_kept(nginx, raw, more):
    made = [raw(talk), raw(talk)]
    proxy = nginx(upstream(made, more=more), KEEP, workers=1)
    assert [proxy.get().status for _ in range(40)] == [200] * 40
    if "keepalive" in more:
        assert [server.connections for server in made] == [1, 1]
    assert sorted(node["successes"] for node in proxy.nodes().values()) == [20, 20]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out cert.pem"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def test_tls_to_the_servers_resumes_sessions(nginx, raw, certificate):
    resumed = []

    def serve(connection, _):
        if read_head(connection):
            resumed.append(connection.session_reused)
            connection.sendall(answer(headers="Connection: close\r\n"))

    made = [raw(serve, certificate), raw(serve, certificate)]
    proxy = nginx(upstream(made), "location / { proxy_pass https://api; proxy_ssl_session_reuse on; proxy_ssl_protocols TLSv1.2; }", workers=1)
    assert [proxy.get().status for _ in range(6)] == [200] * 6
    assert resumed == [False, False, True, True, True, True], "each server's own session"


def test_a_handshake_that_fails_is_a_failure_to_connect(nginx, raw, tmp_path):
    plain = raw(lambda c, _: c.sendall(b"hello"))
    (tmp_path / "pool.yaml").write_text("health: {passive: false}")
    loadwise = f"loadwise;\nloadwise_config {tmp_path}/pool.yaml;"
    proxy = nginx(upstream([plain], loadwise), "location / { proxy_pass https://api; }", workers=AGREEING)
    assert proxy.get().status == 502
    (node,) = proxy.nodes().values()
    assert node["failures_by_kind"]["connect"] == 1


def test_a_websocket_lasts_and_counts_as_long(nginx, raw):
    """nginx looks at the upgrade alone, and so does this: what follows are bytes."""

    def serve(connection, _):
        if b"upgrade: websocket" in read_head(connection).lower():
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
            while data := connection.recv(4096):
                connection.sendall(data.upper())

    made = [raw(serve), raw(serve)]
    proxy = nginx(
        upstream(made, "loadwise strategy=least_request;"),
        'location / { proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "Upgrade"; }',
        workers=AGREEING,
    )
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_S)) for _ in range(6)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            assert read_head(client).startswith(b"HTTP/1.1 101")
            client.sendall(b"frame")
            assert client.recv(5) == b"FRAME"
        assert [node["in_flight"] for node in proxy.nodes().values()] == [3, 3], "the least busy, with those that are open"
    until(lambda: proxy.pool()["in_flight"] == 0, "all have ended")
    pool = proxy.pool()
    assert (pool["successes"], pool["failures"], pool["cancelled"]) == (6, 0, 0)


def wait_for_the_end(_, context):
    ended = threading.Event()
    # Not where it is over already.
    if context.add_callback(ended.set):
        ended.wait()


class Echo(grpc.GenericRpcHandler):
    def __init__(self, name):
        self.name = name

    def service(self, details):
        if details.method == "/test/echo":
            return grpc.unary_unary_rpc_method_handler(lambda request, context: self.name + b" " + request)
        if details.method == "/test/fail":
            return grpc.unary_unary_rpc_method_handler(lambda request, context: context.abort(grpc.StatusCode[request.decode()], "no"))
        if details.method == "/test/wait":
            return grpc.unary_unary_rpc_method_handler(wait_for_the_end)
        if details.method == "/test/count":
            return grpc.unary_stream_rpc_method_handler(lambda request, context: iter([b"1", b"2", b"3"]))
        return None


@pytest.fixture
def grpc_servers():
    started = []

    def start(*names):
        made = []
        for name in names:
            server = grpc.server(futures.ThreadPoolExecutor(4))
            server.add_generic_rpc_handlers((Echo(name.encode()),))
            server.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
            server.start()
            made.append(server)
        started.extend(made)
        return made

    yield start
    for server in started:
        server.stop(None)


@pytest.fixture
def grpc_proxy(nginx):
    """nginx with a channel to it. It tells HTTP/2 without TLS by the listener alone, so there is one of its own."""
    channels = []

    def start(http):
        port = free_port()
        server = "listen 127.0.0.1:%d http2; location /test { grpc_pass grpc://api; }" % port
        proxy = nginx(http, server, workers=AGREEING)
        channels.append(grpc.insecure_channel(f"127.0.0.1:{port}"))
        return proxy, channels[-1]

    yield start
    for channel in channels:
        channel.close()


def test_grpc_and_http2(grpc_proxy, grpc_servers):
    made = grpc_servers("a", "b", "c")
    proxy, channel = grpc_proxy(upstream(made, more="keepalive 8;"))
    echo, count = channel.unary_unary("/test/echo"), channel.unary_stream("/test/count")
    calls = [echo.future(b"x", timeout=PATIENCE_S) for _ in range(30)]
    answers = [call.result() for call in calls]
    assert sorted(answers) == sorted([b"a x", b"b x", b"c x"] * 10)
    assert list(count(b"", timeout=PATIENCE_S)) == [b"1", b"2", b"3"]
    until(proxy.settled, "all calls have ended")
    assert proxy.pool()["successes"] == 31
    made[0].stop(None).wait()
    until(lambda: [echo(b"x", timeout=PATIENCE_S)[:1] for _ in range(6)].count(b"a") == 0, "the others take over")


def test_a_call_of_grpc_tells_how_it_ended(grpc_proxy, grpc_servers, tmp_path):
    made = grpc_servers("a")
    (tmp_path / "pool.yaml").write_text("health: {passive: false}")
    proxy, channel = grpc_proxy(upstream(made, f"loadwise;\nloadwise_config {tmp_path}/pool.yaml;"))
    fail = channel.unary_unary("/test/fail")
    for code, counts in [("UNAVAILABLE", (1, 0, 0)), ("NOT_FOUND", (1, 0, 1)), ("RESOURCE_EXHAUSTED", (1, 1, 1))]:
        with pytest.raises(grpc.RpcError) as error:
            fail(code.encode(), timeout=PATIENCE_S)
        assert error.value.code() == grpc.StatusCode[code]
        until(proxy.settled, "it has ended")
        pool = proxy.pool()
        assert (pool["failures"], pool["rate_limited"], pool["successes"]) == counts, code


def test_a_call_that_is_cancelled_is_nobodys_fault(grpc_proxy, grpc_servers):
    proxy, channel = grpc_proxy(upstream(grpc_servers("a")))
    wait = channel.unary_unary("/test/wait")
    for _ in range(5):
        call = wait.future(b"", timeout=PATIENCE_S)
        until(lambda: proxy.pool()["in_flight"] == 1, "it is under way")
        call.cancel()
        until(proxy.settled, "it has ended")
    pool = proxy.pool()
    assert (pool["cancelled"], pool["failures"], pool["nodes"][0]["health"]) == (5, 0, "healthy")


def test_tcp(servers, nginx, raw, tmp_path):
    def echo(connection, _):
        while data := connection.recv(4096):
            connection.sendall(data.upper())

    made = [raw(echo), raw(echo), raw(echo)]
    proxy = nginx(
        stream=f"log_format state '$status $loadwise_node $loadwise_state $loadwise_attempts'; access_log {tmp_path}/stream.log state;\n"
        + upstream(made)
        + "server { listen STREAM_PORT; proxy_pass api; }",
        server="",
        workers=AGREEING,
    )

    def connection():
        return socket.create_connection(("127.0.0.1", proxy.stream_port), PATIENCE_S)

    with connection() as first, connection() as second:
        for client in (first, second):
            client.sendall(b"hello")
            assert client.recv(5) == b"HELLO"
        nodes = proxy.nodes("stream.api")
        assert sorted(node["in_flight"] for node in nodes.values()) == [0, 1, 1]
    until(lambda: proxy.pool("stream.api")["in_flight"] == 0, "both have ended")
    made[0].close()
    for _ in range(9):
        with connection() as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"HELLO"
    until(lambda: proxy.pool("stream.api")["in_flight"] == 0, "all have ended")
    pool = proxy.pool("stream.api")
    assert pool["failures_by_kind"]["connect"] == pool["failures"] >= 3 and pool["successes"] == 11
    lines = (tmp_path / "stream.log").read_text().splitlines()
    assert f"200 {made[1].address} success 2" in lines or f"200 {made[2].address} success 2" in lines, lines


class UdpEcho:
    def __init__(self):
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while (received := self.socket.recvfrom(4096))[0] != b"end":
            self.socket.sendto(received[0].upper(), received[1])

    def close(self):
        self.socket.sendto(b"end", self.socket.getsockname())
        self.thread.join()
        self.socket.close()


def test_udp(nginx):
    made = [UdpEcho(), UdpEcho()]
    try:
        stream = upstream(made) + "server { listen STREAM_PORT udp; proxy_pass api; proxy_responses 1; }"
        proxy = nginx(stream=stream, server="", workers=AGREEING)
        for _ in range(4):
            with socket.socket(type=socket.SOCK_DGRAM) as client:
                client.settimeout(PATIENCE_S)
                client.sendto(b"hello", ("127.0.0.1", proxy.stream_port))
                assert client.recv(5) == b"HELLO"
        until(lambda: proxy.pool("stream.api")["in_flight"] == 0, "all have ended")
        assert [node["successes"] for node in proxy.nodes("stream.api").values()] == [2, 2]
    finally:
        for server in made:
            server.close()


def test_many_requests_over_one_http_connection(servers, nginx):
    made = servers("a", "b")
    proxy = nginx(upstream(made), workers=AGREEING)
    client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=PATIENCE_S)
    for _ in range(30):
        client.request("GET", "/")
        response = client.getresponse()
        response.read()
        assert response.status == 200
    client.close()
    assert [served(s) for s in made] == [15, 15]
