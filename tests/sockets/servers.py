"""A server on loopback that can be told to misbehave, and patience for what must come."""

import http.client
import json
import signal
import socket
import subprocess
import time
from pathlib import Path

SERVER = Path(__file__).parents[2] / "demo" / "server.mjs"
PATIENCE_S = 30


def until(true, what):
    """Waits for something that must come, however busy the machine is."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


class Server:
    def __init__(self, name, median_ms, slots):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.name = name
        self.address = f"127.0.0.1:{self.port}"
        self.command = ["node", SERVER, name, self.port, median_ms, slots]
        self.start()

    def start(self):
        self.process = subprocess.Popen([str(part) for part in self.command])
        until(self.answers, f"server {self.name} listens")

    def answers(self):
        try:
            return self.ask("GET", "/counts") is not None
        except OSError:
            return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body)
            return connection.getresponse().read()
        finally:
            connection.close()

    def mode(self, mode, **more):
        self.ask("POST", "/mode", json.dumps({"mode": mode, **more}))

    def counts(self):
        return json.loads(self.ask("GET", "/counts"))
