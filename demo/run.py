"""The demo: six servers of uneven speed, and three programs that balance over them with loadwise at the same time: one
in C, a gateway in Python, a router in Node. All three read the same pool.json. Each strategy has its turn, and in each
turn a server is killed and revived.

    DEMO_SECONDS=30     how long the turns last together
    DEMO_RATE=200       requests a second of each program

Ends with 1 if a request failed, or if anything is left in flight.
"""

import asyncio
import json
import os
import signal
import sys
import urllib.request
from pathlib import Path

from processes import Ports, Processes, listening
from score import Score
from screen import Screen

STRATEGIES = ["round_robin", "p2c", "peak_ewma"]
# Name, median ms, how many requests at once. The last is ten times slower than the others.
SERVERS = [("a", 8, 16), ("b", 10, 16), ("c", 10, 16), ("d", 12, 16), ("e", 15, 16), ("f", 100, 12)]
KILLED = "b"
# Gateways are as slow as their language before its compiler has warmed up.
WARM_UP_S = 2
SETTLE_S = 10
# Beside the turns: starting, and waiting for the last answers.
PATIENCE_S = 60

HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "demo"


class Server:
    def __init__(self, processes, port, name, median_ms, slots):
        self.processes = processes
        self.port = port
        self.name = name
        self.up = False
        self.command = ["node", HERE / "server.mjs", name, port, median_ms, slots]
        self.median_ms = median_ms

    async def start(self):
        self.process = await self.processes.start(f"server-{self.name}", *self.command)
        await listening(self.port, self.process, f"server {self.name}")
        self.up = True

    async def kill(self):
        await self.processes.kill(self.process)
        self.up = False


class Demo:
    def __init__(self, seconds, rate):
        self.turn_s = seconds / len(STRATEGIES)
        self.rate = rate
        self.ports = Ports()
        self.processes = Processes(BUILD / "logs")
        self.servers = [Server(self.processes, self.ports.take(), *server) for server in SERVERS]
        self.gateways = {}
        self.gateway_ports = {"Python": self.ports.take(), "Node": self.ports.take()}
        self.warm_up_scores = []
        self.scores = []
        self.left_in_flight = 0
        self.screen = Screen(self.servers, self.scores)

    async def run(self):
        try:
            with self.screen:
                self.screen.say("starting six servers, a gateway and a router")
                await self.start()
                self.screen.say("warming up")
                self.warm_up_scores = [Score(language, "warm-up") for language in self.gateways]
                await asyncio.gather(*(self.drive(score, WARM_UP_S) for score in self.warm_up_scores))
                for strategy in STRATEGIES:
                    await self.turn(strategy)
                self.screen.say("done")
        finally:
            await self.processes.stop_all()
        return self.verdict()

    async def start(self):
        await asyncio.gather(*(server.start() for server in self.servers))
        self.configure(STRATEGIES[0])
        uvicorn = [sys.executable, "-m", "uvicorn", "--no-access-log", "--app-dir", HERE, "gateway:app"]
        await self.start_gateway("Python", *uvicorn)
        await self.start_gateway("Node", "node", HERE / "router.mjs")

    async def start_gateway(self, language, *command):
        port = self.gateway_ports[language]
        asked = {"POOL": str(BUILD / "pool.json"), "PORT": str(port), "UVICORN_PORT": str(port)}
        process = await self.processes.start(f"gateway-{language}", *command, env={**os.environ, **asked})
        await listening(port, process, f"the gateway in {language}")
        self.gateways[language] = process
        (BUILD / f"load-{language}.json").write_text(json.dumps({"nodes": [f"127.0.0.1:{port}"]}))

    def configure(self, strategy):
        """Writes the configuration that all three read; gateways are told to read it again."""
        nodes = [f"127.0.0.1:{server.port}" for server in self.servers]
        (BUILD / "pool.json").write_text(json.dumps({"strategy": strategy, "nodes": nodes}))
        for process in self.gateways.values():
            process.send_signal(signal.SIGHUP)

    async def turn(self, strategy):
        """One strategy in all three programs, with the same mishap at the same time."""
        self.configure(strategy)
        scores = [Score(language, strategy) for language in ("C", "Python", "Node")]
        self.scores.extend(scores)
        async with asyncio.TaskGroup() as group:
            refreshing = group.create_task(self.refresh())
            driving = [group.create_task(self.drive(score, self.turn_s)) for score in scores]
            await self.mishap(strategy)
            await asyncio.wait(driving)
            refreshing.cancel()
        self.screen.say(f"{strategy}: all are answered")
        for language in self.gateways:
            self.left_in_flight += await self.settle(language)

    async def mishap(self, strategy):
        server = next(server for server in self.servers if server.name == KILLED)
        self.screen.say(f"{strategy}: all servers are up")
        await asyncio.sleep(self.turn_s / 3)
        await server.kill()
        self.screen.say(f"{strategy}: {server.name} was killed")
        await asyncio.sleep(self.turn_s / 3)
        await server.start()
        self.screen.say(f"{strategy}: {server.name} is back")

    async def drive(self, score, seconds):
        """Runs the C program to its end: over the servers themselves, or as the load of a gateway."""
        pool = "pool.json" if score.language == "C" else f"load-{score.language}.json"
        process = await self.processes.start(
            f"load-{score.language}", BUILD / "client", BUILD / pool, self.rate, seconds, stdout=asyncio.subprocess.PIPE
        )
        async for line in process.stdout:
            text = line.decode().rstrip("\n")
            if text.startswith("in_flight "):
                self.left_in_flight += int(text.split()[1])
            else:
                score.add(text)
        if await process.wait() != 0:
            raise RuntimeError(f"the load of {score.language} ended with {process.returncode}")
        self.processes.running.discard(process)

    async def settle(self, language):
        """Waits until a pool has nothing in flight and found all its servers healthy; what is left in flight if not."""
        for _ in range(SETTLE_S * 20):
            nodes = await asyncio.to_thread(nodes_of, self.gateway_ports[language])
            if all(node["in_flight"] == 0 and node["health"] == "healthy" for node in nodes):
                return 0
            await asyncio.sleep(0.05)
        raise RuntimeError(f"after {SETTLE_S} s the pool of {language} has not settled: {nodes}")

    async def refresh(self):
        while True:
            self.screen.refresh()
            await asyncio.sleep(0.25)

    def verdict(self):
        scores = self.warm_up_scores + self.scores
        failures = [f"{score.language}, {score.strategy}: {why}" for score in scores for why in score.failures]
        for failure in failures[:20]:
            print(f"demo: failed: {failure}")
        requests = sum(score.requests for score in scores)
        sent = int(self.rate * WARM_UP_S) * len(self.gateways) + int(self.rate * self.turn_s) * len(self.scores)
        if requests != sent:
            print(f"demo: {sent} requests were to be sent")
        left = f"{self.left_in_flight} left in flight" if self.left_in_flight else "nothing left in flight"
        print(f"demo: {requests} requests, {len(failures)} failed, {left}")
        return int(bool(failures or self.left_in_flight or requests != sent))


def nodes_of(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/loadwise/nodes", timeout=5) as answer:
        return json.load(answer)


async def main():
    demo = Demo(float(os.environ.get("DEMO_SECONDS") or 30), float(os.environ.get("DEMO_RATE") or 200))
    running = asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    try:
        async with asyncio.timeout(demo.turn_s * len(STRATEGIES) + PATIENCE_S):
            return await demo.run()
    except asyncio.CancelledError:
        print("demo: stopped")
        return 130
    except Exception as error:
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        print(f"demo: {error!r}; its processes have written to {BUILD / 'logs'}")
        return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
