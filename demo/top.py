"""What `loadwise top` shows of the shared state: it looks at it from outside, and is none of those that share it."""

import asyncio
import json
from pathlib import Path

INTERVAL_S = 0.25
PATIENCE_S = 10


class Top:
    def __init__(self, command: Path, state: Path):
        self.command = command
        self.state = state
        self.is_shown = False
        self.expect(lambda look: True)

    def expect(self, is_complete):
        """Begins to count anew: looks that show all who share the state, and looks whose sums of requests in flight agree."""
        self.is_complete = is_complete
        self.complete = self.agreeing = 0

    async def look(self):
        process = await asyncio.create_subprocess_exec(
            self.command, "top", self.state, "--once", "--json", stdout=asyncio.subprocess.PIPE
        )
        text, _ = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"loadwise top ended with {process.returncode}")
        look = json.loads(text)
        self.complete += self.is_complete(look)
        # Nothing stands still while it is looked at: not every look agrees with itself.
        self.agreeing += sum(in_flight(look)) > 0 and len(set(in_flight(look))) == 1
        return look

    async def until(self, holds, what):
        """Looks until `holds(look)`."""
        for _ in range(int(PATIENCE_S / 0.05)):
            look = await self.look()
            if holds(look):
                return look
            await asyncio.sleep(0.05)
        raise RuntimeError(f"after {PATIENCE_S} s `loadwise top` does not show that {what}: {json.dumps(look)}")

    async def watch(self):
        while True:
            await self.look()
            await asyncio.sleep(INTERVAL_S)

    async def show(self, processes):
        """As it is on a terminal, until somebody leaves it by `q`."""
        process = await processes.start_in_front(self.command, "top", self.state, "--interval-ms", 250)
        self.is_shown = True
        await process.wait()
        self.is_shown = False


def pool_of(look):
    [pool] = look["pools"]
    return pool


def in_flight(look):
    """The same sum in four ways: as the pool, its nodes, the processes at its nodes, and the processes say."""
    pool = pool_of(look)
    return (
        pool["in_flight"],
        sum(node["in_flight"] for node in pool["nodes"]),
        sum(sum(node["in_flight_by_process"].values()) for node in pool["nodes"]),
        sum(process["in_flight"] for process in look["processes"]),
    )


def has_settled(look):
    return not any(in_flight(look)) and all(node["health"] == "healthy" for node in pool_of(look)["nodes"])
