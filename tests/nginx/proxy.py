"""nginx with the module, in a folder of its own: started, asked, reloaded and ended by a test."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

from servers import PATIENCE_S, until

ROOT = Path(__file__).parents[2]
MODULES = Path(os.environ.get("LOADWISE_NGINX_MODULES", ROOT / "build" / "nginx"))
BINARY = os.environ.get("LOADWISE_NGINX", "/usr/sbin/nginx")
# Debian builds stream as a module, too; elsewhere it may be part of the binary.
STREAM = Path(os.environ.get("LOADWISE_NGINX_STREAM", "/usr/lib/nginx/modules/ngx_stream_module.so"))
WORKERS = int(os.environ.get("LOADWISE_NGINX_WORKERS", "1"))
# Where a test looks at what one worker knows, or expects of all together what one would do.
AGREEING = int(os.environ.get("LOADWISE_NGINX_AGREEING", "1"))
# Whether all upstreams that do not say otherwise are shared.
SHARED = bool(os.environ.get("LOADWISE_NGINX_SHARED"))
TEMP_PATHS = "client_body proxy fastcgi uwsgi scgi".split()


def shared(text, path):
    """The upstreams of `text` with their state at `path`, but for those that say where it is."""
    return re.sub(r"\bloadwise(?=[ ;])(?![^;]*shared=)", f"loadwise shared={path}", text)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def node(self):
        return self.headers["x-node"]

    @property
    def json(self):
        return json.loads(self.body)


class Nginx:
    """`http` stands in http {}, `server` in its server {}, `stream` in stream {}; PORT and STREAM_PORT are to listen on, and
    STATE is a path for what is shared."""

    def __init__(self, folder, http="", server="", stream="", workers=WORKERS, main="", share=SHARED, listen=""):
        self.folder = folder
        self.port, self.stream_port = free_port(), free_port()
        self.workers, self.share, self.listen = workers, share, listen
        # In memory, where it belongs.
        self.state = Path("/dev/shm") / f"loadwise-nginx-test-{os.getpid()}-{self.port}"
        # What may be in the log although nothing went wrong.
        self.expected = re.compile("(?!)")
        self.write(http, server, stream, main)
        self.process = self.pid = None

    def write(self, http="", server="", stream="", main=""):
        http, stream = (text.replace("=STATE", f"={self.state}") for text in (http, stream))
        if self.share:
            http, stream = shared(http, self.state), shared(stream, self.state)
        stream = stream and f"stream {{\n{stream}\n}}"
        temp_paths = "\n".join(f"{name}_temp_path {self.folder}/{name};" for name in TEMP_PATHS)
        text = f"""
load_module {MODULES}/ngx_http_loadwise_module.so;
{f"load_module {STREAM};" if stream and STREAM.exists() else ""}
{f"load_module {MODULES}/ngx_stream_loadwise_module.so;" if stream else ""}
{"user root;" if os.geteuid() == 0 else ""}
worker_processes {self.workers};
pid {self.folder}/nginx.pid;
error_log {self.folder}/error.log info;
{main}
events {{ worker_connections 1024; }}
http {{
log_format state '$status $loadwise_node $loadwise_state $loadwise_attempts';
access_log {self.folder}/access.log state;
{temp_paths}
{http}
server {{
listen PORT {self.listen};
location = /status {{ loadwise_status; }}
{server}
}}
}}
{stream}
"""
        text = text.replace("STREAM_PORT", f"127.0.0.1:{self.stream_port}").replace("PORT", f"127.0.0.1:{self.port}")
        (self.folder / "nginx.conf").write_text(text)

    def command(self, *more):
        return [BINARY, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", str(self.folder / "error.log"), *more]

    def check(self):
        """What `nginx -t` says, and whether it is content."""
        done = subprocess.run(self.command("-t"), capture_output=True, text=True, timeout=PATIENCE_S)
        return done.returncode == 0, done.stderr

    def start(self, wrapper=(), directives="daemon off;", env=None):
        process = subprocess.Popen([*wrapper, *self.command("-g", directives)], env={**os.environ, **(env or {})})
        if "daemon off" in directives:
            self.process, self.pid = process, process.pid
        else:
            # It goes on in a process that is nobody's child.
            assert process.wait(PATIENCE_S) == 0
            until(self.pid_in_file, "there is a process")
            self.pid = self.pid_in_file()
        until(self.listens, "nginx listens")
        return self

    def pid_in_file(self):
        """0 while it is being written."""
        path = self.folder / "nginx.pid"
        try:
            return int(path.read_text() or 0)
        except FileNotFoundError:  # nginx moves it while it upgrades
            return 0

    def running(self):
        if self.process is not None:
            return self.process.poll() is None
        return self.pid is not None and Path(f"/proc/{self.pid}").exists()

    def send(self, number):
        os.kill(self.pid, number)

    def listens(self):
        assert self.running(), self.log()
        try:
            return self.get("/status").status == 200
        except OSError:
            return False

    def log(self):
        return (self.folder / "error.log").read_text()

    def states(self):
        """(status, node, state, attempts) of each request to an upstream that has ended."""
        lines = (self.folder / "access.log").read_text().split("\n")
        return [tuple(line.split(" ")) for line in lines if line and not line.split(" ")[3] in ("-", "")]

    def get(self, path="/", method="GET", body=None, headers=None, timeout=PATIENCE_S):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def try_get(self, path="/", **more):
        """The node that answered well, or None."""
        answer = self.get(path, **more)
        return answer.node if answer.status == 200 else None

    def pools(self):
        """The figures of all pools by name, of the worker that answers."""
        return {pool["name"]: pool for pool in self.get("/status").json["pools"]}

    def pool(self, name="api"):
        return self.pools()[name]

    def nodes(self, name="api"):
        return {node["id"]: node for node in self.pool(name)["nodes"]}

    def change(self, upstream="api", **fields):
        body = "&".join(f"{key}={value}" for key, value in {"upstream": upstream, **fields}.items())
        return self.get("/status", "POST", body)

    def worker_pids(self):
        """Of the master that was started."""
        out = subprocess.run(["ps", "-o", "pid=,stat=", "--ppid", str(self.pid)], capture_output=True, text=True).stdout
        return [int(line.split()[0]) for line in out.splitlines() if "Z" not in line.split()[1]]

    def reload(self):
        """Puts what was written in force; returns when no worker of before is left."""
        before = set(self.worker_pids())
        self.send(signal.SIGHUP)
        until(lambda: len(self.worker_pids()) == self.workers and not before & set(self.worker_pids()), "new workers took over")

    def quit(self, number=signal.SIGQUIT):
        """Ends it; the code that it ends with, where that can be known."""
        self.send(number)
        until(lambda: not self.running(), "nginx has ended")
        return self.process.returncode if self.process is not None else 0

    def settled(self):
        """Whether every pick of every pool has been finished, and counted once."""
        for pool in self.pools().values():
            ended = sum(pool[key] for key in ("successes", "failures", "rate_limited", "cancelled"))
            if pool["in_flight"] != 0 or pool["selections"] != ended or sum(n["in_flight"] for n in pool["nodes"]) != 0:
                return False
        return True

    def end(self):
        if self.running():
            until(self.settled, "every pick is finished, and counted once")
            assert self.quit() == 0
        wrong = [line for line in re.findall(r".*\[(?:alert|emerg|crit)\].*", self.log()) if not self.expected.search(line)]
        assert not wrong, wrong
