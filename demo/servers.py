"""The servers of the demo, which can be killed and revived."""

from pathlib import Path

from processes import listening


class Server:
    def __init__(self, processes, port, name, median_ms, slots):
        self.processes = processes
        self.port = port
        self.name = name
        self.up = False
        self.command = ["node", Path(__file__).with_name("server.mjs"), name, port, median_ms, slots]
        self.median_ms = median_ms

    async def start(self):
        self.process = await self.processes.start(f"server-{self.name}", *self.command)
        await listening(self.port, self.process, f"server {self.name}")
        self.up = True

    async def kill(self):
        await self.processes.kill(self.process)
        self.up = False
