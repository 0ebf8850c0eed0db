"""The demo: six servers of uneven speed, and four programs that balance over them at the same time as one engine: nginx
with two workers, a gateway in Python, a router in Node, and a program in C. All read the same pool.json and share its
state. Each strategy has its turn, and in each turn a server and a worker of nginx are killed.

    DEMO_SECONDS=30     how long the turns last together
    DEMO_RATE=100       requests a second of each program

Ends with 1 if a request failed, if anything is left in flight, or if `loadwise top` does not show all of them.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import nginx
from processes import Ports, Processes, listening
from score import Score
from screen import Screen
from servers import Server
from top import Top, has_settled, in_flight, pool_of

STRATEGIES = ["round_robin", "p2c", "peak_ewma"]
# Name, median ms, how many requests at once. The last is ten times slower than the others.
SERVERS = [("a", 8, 16), ("b", 10, 16), ("c", 10, 16), ("d", 12, 16), ("e", 15, 16), ("f", 100, 12)]
KILLED = "b"
CHECKS = {"interval_ms": 250, "timeout_ms": 2000, "success_threshold": 1}
# Gateways are as slow as their language before its compiler has warmed up.
WARM_UP_S = 2
# Beside the turns: starting, and waiting for the last answers.
PATIENCE_S = 60

HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "demo"


class Demo:
    def __init__(self, seconds, rate, with_nginx):
        self.turn_s = seconds / len(STRATEGIES)
        self.rate = rate
        self.ports = Ports()
        self.processes = Processes(BUILD / "logs")
        self.servers = [Server(self.processes, self.ports.take(), *server) for server in SERVERS]
        self.state = Path(f"/dev/shm/loadwise-demo-{os.getpid()}")
        self.top = Top(BUILD / "loadwise", self.state)
        self.nginx = None
        self.with_nginx = with_nginx
        self.gateways = {}
        self.client = None
        self.warm_up_scores = []
        self.scores = []
        self.left_in_flight = 0
        self.pool = {}
        self.screen = Screen(self.servers, self.scores, self.top)

    async def run(self):
        showing = None
        try:
            self.screen.say(f"starting six servers, and the programs that share {self.state}")
            await self.start()
            if self.screen.console.is_terminal:
                showing = asyncio.create_task(self.top.show(self.processes))
            self.screen.say("warming up")
            self.warm_up_scores = [Score(language, "warm-up") for language in self.gateways]
            await asyncio.gather(*(self.drive(score, WARM_UP_S) for score in self.warm_up_scores))
            for strategy in STRATEGIES:
                await self.turn(strategy)
        finally:
            await self.processes.stop_all()
            if showing:
                await showing
            self.state.unlink(missing_ok=True)
        return self.verdict()

    async def start(self):
        await asyncio.gather(*(server.start() for server in self.servers))
        self.configure(STRATEGIES[0])
        uvicorn = [sys.executable, "-m", "uvicorn", "--no-access-log", "--app-dir", HERE, "gateway:app"]
        await self.start_gateway("Python", *uvicorn)
        await self.start_gateway("Node", "node", HERE / "router.mjs")
        if self.with_nginx:
            port = self.ports.take()
            self.nginx = await nginx.start(self.processes, BUILD, port, self.servers)
            self.add_gateway("nginx", self.nginx, port)

    async def start_gateway(self, language, *command):
        port = self.ports.take()
        asked = {"POOL": str(BUILD / "pool.json"), "PORT": str(port), "UVICORN_PORT": str(port)}
        process = await self.processes.start(f"gateway-{language}", *command, env={**os.environ, **asked})
        await listening(port, process, f"the gateway in {language}")
        self.add_gateway(language, process, port)

    def add_gateway(self, language, process, port):
        """Connections that break say nothing about whether to go on with it: there is no other one."""
        self.gateways[language] = process
        load = {"health": {"passive": False}, "nodes": [f"127.0.0.1:{port}"]}
        (BUILD / f"load-{language}.json").write_text(json.dumps(load))

    def configure(self, strategy):
        """Writes the configuration that all read; gateways are told to read it again."""
        nodes = [{"id": server.name, "address": f"127.0.0.1:{server.port}"} for server in self.servers]
        pool = {"shared": str(self.state), "strategy": strategy, "checks": CHECKS, "nodes": nodes}
        (BUILD / "pool.json").write_text(json.dumps(pool))
        for process in self.gateways.values():
            process.send_signal(signal.SIGHUP)

    async def reconfigure(self, strategy):
        """Returns when the strategy is in force, and nginx has new workers."""
        before = self.workers(await self.top.look())
        self.configure(strategy)
        await self.top.until(
            lambda look: pool_of(look)["strategy"] == strategy and self.has_workers(look, before),
            f"{strategy} is in force, in new workers of nginx",
        )

    def workers(self, look):
        return nginx.workers(self.nginx, look) if self.nginx else set()

    def has_workers(self, look, without=frozenset()):
        workers = self.workers(look)
        return len(workers) == (nginx.WORKERS if self.nginx else 0) and not workers & without

    def shows_all(self, look):
        alive = {process["pid"] for process in look["processes"] if process["alive"]}
        own = {process.pid for process in (self.client, *self.gateways.values()) if process and process is not self.nginx}
        return own <= alive and self.client is not None and self.has_workers(look)

    async def turn(self, strategy):
        """One strategy in all programs, with the same mishaps at the same time."""
        await self.reconfigure(strategy)
        scores = [Score(language, strategy) for language in (*self.gateways, "C")]
        self.scores.extend(scores)
        self.top.expect(self.shows_all)
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self.refresh()), group.create_task(self.top.watch())]
            driving = [group.create_task(self.drive(score, self.turn_s)) for score in scores]
            await self.mishaps(strategy)
            await asyncio.wait(driving)
            for task in beside:
                task.cancel()
        if not (self.top.complete and self.top.agreeing):
            raise RuntimeError(f"{strategy}: `loadwise top` shows not all processes, or not what they have in flight")
        look = await self.top.until(has_settled, "nothing is in flight, and all servers are healthy")
        self.left_in_flight += max(in_flight(look))
        self.pool = pool_of(look)
        self.screen.say(f"{strategy}: all are answered; {self.top.complete} looks showed all processes at work")

    async def mishaps(self, strategy):
        server = next(server for server in self.servers if server.name == KILLED)
        self.screen.say(f"{strategy}: all servers are up")
        await asyncio.sleep(self.turn_s / 4)
        killed = self.nginx and nginx.kill_busiest(self.nginx, await self.top.look())
        if killed:
            self.screen.say(f"{strategy}: worker {killed} of nginx was killed")
        await asyncio.sleep(self.turn_s / 4)
        await server.kill()
        self.screen.say(f"{strategy}: {server.name} was killed")
        await asyncio.sleep(self.turn_s / 4)
        await server.start()
        self.screen.say(f"{strategy}: {server.name} is back")
        await self.top.until(
            lambda look: self.has_workers(look) and all(process["pid"] != killed for process in look["processes"]),
            "another worker of nginx took the place of the one that was killed",
        )

    async def drive(self, score, seconds):
        """Runs the C program to its end: over the servers themselves, or as the load of a gateway."""
        pool = "pool.json" if score.language == "C" else f"load-{score.language}.json"
        process = await self.processes.start(
            f"load-{score.language}", BUILD / "client", BUILD / pool, self.rate, seconds, stdout=asyncio.subprocess.PIPE
        )
        if score.language == "C":
            self.client = process
        async for line in process.stdout:
            text = line.decode().rstrip("\n")
            if text.startswith("in_flight "):
                self.left_in_flight += int(text.split()[1])
            else:
                score.add(text)
        if await process.wait() != 0:
            raise RuntimeError(f"the load of {score.language} ended with {process.returncode}")
        self.processes.running.discard(process)

    async def refresh(self):
        while True:
            self.screen.refresh()
            await asyncio.sleep(0.25)

    def verdict(self):
        scores = self.warm_up_scores + self.scores
        self.screen.console.print(self.screen.table())
        wrong = [f"failed: {score.language}, {score.strategy}: {why}" for score in scores for why in score.failures]
        failed = len(wrong)
        # Only a worker that is killed may take connections with it: requests on them were sent again.
        wrong += [
            f"{score.broken} connections to {score.language} broke"
            for score in scores
            if score.broken and (score.language != "nginx" or score.strategy == "warm-up")
        ]
        requests = sum(score.requests for score in scores)
        sent = int(self.rate * WARM_UP_S) * len(self.gateways) + int(self.rate * self.turn_s) * len(self.scores)
        if requests != sent:
            wrong.append(f"{sent} requests were to be sent")
        answered = sum(len(score.sorted_ms) for score in scores)
        if self.pool["selections"] < answered:
            wrong.append(f"{answered} requests were answered, by {self.pool['selections']} picks")
        if self.pool["config_version"] != len(STRATEGIES):
            wrong.append(f"{len(STRATEGIES)} configurations were put in force {self.pool['config_version']} times")
        for what in wrong[:20]:
            print(f"demo: {what}")
        broken = sum(score.broken for score in scores if score.language == "nginx")
        if self.nginx:
            print(f"demo: {len(STRATEGIES)} workers of nginx were killed, with {broken} requests that were sent again")
        left = f"{self.left_in_flight} left in flight" if self.left_in_flight else "nothing left in flight"
        print(f"demo: {requests} requests, {failed} failed, {left}")
        return int(bool(wrong or self.left_in_flight))


async def main():
    missing = nginx.missing()
    if missing:
        print(f"demo: {missing}")
        if os.environ.get("CI"):
            return 1
    demo = Demo(float(os.environ.get("DEMO_SECONDS") or 30), float(os.environ.get("DEMO_RATE") or 100), not missing)
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
