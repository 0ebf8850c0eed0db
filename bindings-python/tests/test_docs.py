"""Every block of docs/python.md and of the README runs, against real servers."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Backend(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.address = f"127.0.0.1:{self.server_address[1]}"
        self.paths: list[str] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: Backend

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.paths.append(self.path)
        self.send_response(500 if self.path == "/broken" else 200)
        text = f"{self.command} {self.path} {body.decode()} from {self.server.address}\n".encode()
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = answer

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def backends() -> Iterator[list[Backend]]:
    started = [Backend() for _ in range(3)]
    yield started
    for backend in started:
        backend.stop()


def blocks(path: Path, backends: list[Backend], state: str = "") -> list[str]:
    text = path.read_text().replace("/dev/shm/shop", state)
    for port, backend in zip((8001, 8002, 8003), backends):
        text = text.replace(f"127.0.0.1:{port}", backend.address)
    return BLOCK.findall(text)


@pytest.mark.parametrize("page", ["docs/python.md", "bindings-python/README.md"])
def test_every_block_of_a_page_runs(
    page: str, backends: list[Backend], state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}
    found = [block for block in blocks(ROOT / page, backends, state) if not block.startswith("# gateway.py")]
    assert found
    for block in found:
        exec(compile(block, page, "exec"), names)
    assert "connect to " in capsys.readouterr().out


@contextmanager
def gateway(folder: Path, backends: list[Backend]) -> Iterator[str]:
    source = next(b for b in blocks(ROOT / "docs/python.md", backends) if b.startswith("# gateway.py"))
    (folder / "gateway.py").write_text(source)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "gateway:app", "--port", str(port), "--log-level", "warning"]
    nodes = " ".join(b.address for b in backends)
    process = subprocess.Popen(command, cwd=folder, env={"NODES": nodes, "PATH": ""})
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, "the gateway does not start"
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def test_the_gateway_spreads_retries_recovers_and_gives_up(tmp_path: Path, backends: list[Backend]) -> None:
    def get(path: str, body: bytes | None = None) -> str:
        with urllib.request.urlopen(base + path, data=body, timeout=20) as response:
            return str(response.read().decode())

    with gateway(tmp_path, backends) as base:
        assert get("/echo?a=b", b"hello").startswith("POST /echo?a=b hello from ")
        served = Counter(get("/").split()[-1] for _ in range(60))
        assert set(served) == {b.address for b in backends}
        backends[0].stop()
        after = {get("/").split()[-1] for _ in range(60)}
        assert after == {b.address for b in backends[1:]}
        backends[0] = Backend(backends[0].server_address[1])
        deadline = time.monotonic() + 30
        while get("/").split()[-1] != backends[0].address:
            assert time.monotonic() < deadline, "the node that came back gets no traffic"
        with pytest.raises(urllib.error.HTTPError, match="500"):
            get("/broken")
        for backend in backends:
            backend.stop()
        with pytest.raises(urllib.error.HTTPError, match="503"):
            for _ in range(20):
                get("/")
        backends.clear()
