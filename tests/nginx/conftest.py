"""nginx with the module in front of real servers on loopback, which can be told to misbehave."""

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "sockets"))

from proxy import Nginx  # noqa: E402
from servers import Server  # noqa: E402


class Pool:
    """Servers that tests take in turn: starting one takes longer than most tests."""

    def __init__(self):
        self.all = []

    def take(self, names, median_ms):
        taken = []
        for name in names:
            server = next((s for s in self.all if s.name == name and s.command[-2] == median_ms), None)
            if server is None:
                server = Server(name, median_ms, 64)
                self.all.append(server)
            elif server.process.poll() is not None:
                server.start()
            server.mode("ok")
            server.before = server.counts()["requests"]
            taken.append(server)
        return taken


@pytest.fixture(scope="session")
def server_pool():
    pool = Pool()
    yield pool
    for server in pool.all:
        server.process.kill()
        server.process.wait()


@pytest.fixture
def servers(server_pool):
    """Servers by name, well at first; `served(server)` is how many requests it had in this test."""
    return lambda *names, median_ms=2: server_pool.take(names, median_ms)


def served(server):
    return server.counts()["requests"] - server.before


@pytest.fixture
def nginx(tmp_path):
    """Starts nginx, with what stands in http {}, in its server {} and in stream {}."""
    started = []

    def start(http="", server="location / { proxy_pass http://api; }", stream="", wrapper=(), directives="daemon off;", env=None, **more):
        folder = tmp_path / str(len(started))
        folder.mkdir()
        # Workers may run as somebody else.
        tmp_path.chmod(0o755)
        proxy = Nginx(folder, http, server, stream, **more)
        started.append(proxy)
        return proxy.start(wrapper, directives, env)

    yield start
    failed = []
    for proxy in started:
        try:
            proxy.end()
        except AssertionError as e:
            failed.append(e)
        finally:
            if proxy.running():
                proxy.quit(signal.SIGKILL)
            proxy.state.unlink(missing_ok=True)
    assert not failed, failed


def upstream(servers, loadwise="loadwise strategy=round_robin;", *, keys=(), name="api", more=""):
    """An upstream of servers; `keys` are what stands after the address of each."""
    keys = [*keys, *[""] * (len(servers) - len(keys))]
    lines = "\n".join(f"server {server.address} {key};" for server, key in zip(servers, keys))
    return f"upstream {name} {{\n{loadwise}\n{lines}\n{more}\n}}\n"
