"""The module under valgrind, and built with AddressSanitizer and UndefinedBehaviorSanitizer: everything once, in one process."""

import os
import random
import re
import shutil
import socket
import subprocess
from pathlib import Path

import loadwise
import pytest

import proxy as proxy_module
from conftest import upstream
from proxy import ROOT
from raw import Raw, answer, read_head
from servers import until
from test_directives import BAD
from test_status import any_body

ONE_PROCESS = "daemon off; master_process off;"
FILE = """
strategy: [{name: maglev, bounded_load: true}, round_robin]
nodes: [{id: "first \\"of\\" all", address: '%s', labels: {version: v1, retry: '{"retry": {'}}]
affinity: true
stats: {latency: nodes}
"""


def exercise(nginx, made, tmp_path, **how):
    """An upstream with all there is, asked in every way."""
    (tmp_path / "pool.yaml").write_text(FILE % made[0].address)
    loadwise = f"""loadwise latency=header shared=STATE; loadwise_config {tmp_path}/pool.yaml;
        loadwise_key $arg_k; loadwise_session $arg_s; loadwise_check http uri=/health interval=50ms;"""
    keys = ["", "weight=3 max_conns=40 max_fails=9 fail_timeout=600s", "backup"]
    cut = Raw(lambda c, _: read_head(c) and c.sendall(answer()[:-3]))
    limits = Raw(lambda c, n: read_head(c) and c.sendall(answer(status="429 x", headers=f"Retry-After: {'x' * (n % 3)}1\r\n")))
    proxy = nginx(
        upstream(made, loadwise, keys=keys, more="zone z 256k;\nkeepalive 4;") + upstream([cut], name="cut") + upstream([limits, made[0]], name="limits"),
        """location / { proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection ""; }
           location /cut { proxy_pass http://cut; } location /limits { proxy_pass http://limits; proxy_next_upstream http_429 error; }""",
        stream=upstream(made, "loadwise shared=STATE;") + "server { listen STREAM_PORT; proxy_pass api; }",
        workers=1,
        directives=ONE_PROCESS,
        **how,
    )
    assert "200" in {str(proxy.get(f"/?k={i}&s={i % 3}").status) for i in range(12)}
    for _ in range(3):
        proxy.get("/limits")
        with pytest.raises(Exception):
            proxy.get("/cut")
    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    with socket.create_connection(("127.0.0.1", proxy.stream_port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(15) == b"HTTP/1.1 200 OK"
    made[1].kill()
    for i in range(8):
        proxy.get(f"/?k={i}")
    made[1].start()
    rng = random.Random(3)
    for _ in range(60):
        assert proxy.get("/status", "POST", any_body(rng, made[1].address)).status in (200, 400, 404)
    # No weight is left that a random form has given.
    for state in ("unhealthy", "healthy", "draining", "active"):
        assert proxy.change(node=made[1].address, state=state, weight=1).status == 200
    for path in ("/status", "/status?format=prometheus", "/status?format=openmetrics"):
        assert proxy.get(path).status == 200
    until(lambda: any(node["checks_ok"] for node in proxy.nodes().values()), "checks are made")
    others_change_nodes(proxy, made)
    until(proxy.settled, "every pick is finished")
    cut.close()
    limits.close()
    return proxy


def others_change_nodes(proxy, made):
    """Nodes that are no servers come, move and go."""
    pool = loadwise.Engine.attach(proxy.state)["api"]

    def is_used(id):
        before = proxy.nodes()[id]["selections"]
        for i in range(20):
            proxy.get(f"/?k={i}")
        return proxy.nodes()[id]["selections"] > before

    pool.register_batch([{"id": "found", "address": made[0].address, "weight": 20}, {"id": "nowhere", "address": "a.name:80", "weight": 9}])
    until(lambda: is_used("found") and is_used("nowhere"), "they are picked")
    pool.update({"id": "found", "address": made[2].address, "weight": 20})
    served = made[2].counts()["requests"]
    until(lambda: is_used("found") and made[2].counts()["requests"] > served, "it has moved")
    pool.deregister("found")
    pool.deregister("nowhere")
    beats = lambda: next(process.heartbeat_ns for process in pool.processes() if not process.is_own)  # noqa: E731
    last = beats()
    until(lambda: beats() > last + 1_500_000_000, "and is forgotten")


def test_valgrind_finds_nothing(servers, nginx, tmp_path):
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        pytest.fail("valgrind is missing: apt-get install valgrind libc6-dbg")
    command = f"{valgrind} -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite"
    command += f" --log-file={tmp_path}/valgrind.log --suppressions={Path(__file__).parent}/valgrind.supp"
    proxy = exercise(nginx, servers("a", "b", "c"), tmp_path, wrapper=command.split())
    code = proxy.quit()
    # It has words on large reservations, too.
    wrong = [line for line in (tmp_path / "valgrind.log").read_text().splitlines() if "Warning: set address range perms" not in line]
    assert code == 0 and not wrong, "\n".join(wrong)


@pytest.fixture(scope="session")
def sanitized():
    """The module, built with sanitizers."""
    build = ROOT / "build" / "nginx-sanitized"
    source = os.environ.get("NGINX_SOURCE", "/usr/share/nginx/src")
    env = {**os.environ, "LOADWISE_CC_OPT": "-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"}
    subprocess.run([ROOT / "hosts" / "nginx" / "build.sh", source, build], env=env, check=True)
    return build


@pytest.fixture
def sanitizer(sanitized, monkeypatch, tmp_path):
    monkeypatch.setattr(proxy_module, "MODULES", sanitized)
    library = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True).stdout.strip()
    # nginx itself frees little of what it has at its end, and all its modules have tables of the same names.
    return {"LD_PRELOAD": library, "ASAN_OPTIONS": f"detect_leaks=0:detect_odr_violation=0:log_path={tmp_path}/asan"}


def reports(tmp_path):
    return "\n".join(path.read_text() for path in tmp_path.glob("asan.*"))


def test_sanitizers_find_nothing(servers, nginx, tmp_path, sanitizer):
    proxy = exercise(nginx, servers("a", "b", "c"), tmp_path, env=sanitizer)
    assert proxy.quit() == 0 and reports(tmp_path) == ""


def test_sanitizers_find_nothing_in_bad_configurations(tmp_path, sanitizer, monkeypatch):
    for key, value in sanitizer.items():
        monkeypatch.setenv(key, value)
    for i, (http, message) in enumerate(BAD.values()):
        folder = tmp_path / str(i)
        folder.mkdir()
        ok, said = proxy_module.Nginx(folder, http).check()
        assert not ok and message in said and not re.search("runtime error|AddressSanitizer", said), said
    assert reports(tmp_path) == ""
