"""The demo's processes: started here, and ended here by their own ids, whatever happens."""

import asyncio
import contextlib
import shutil
import socket
from pathlib import Path


def with_parent(number="KILL"):
    """What gets a child this signal even if the demo itself is killed."""
    return ["setpriv", "--pdeathsig", number] if shutil.which("setpriv") else []


class Ports:
    """Free ports on 127.0.0.1, kept for the demo: bound but not listening, so that connecting is refused while a server
    is down, and nobody else is given its port."""

    def __init__(self):
        self.held = []

    def take(self):
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        self.held.append(held)
        return held.getsockname()[1]


class Processes:
    def __init__(self, logs: Path):
        self.logs = logs
        self.running = set()
        logs.mkdir(parents=True, exist_ok=True)
        for log in logs.glob("*.log"):
            log.unlink()

    async def start(self, name, *command, env=None, stdout=None, parent_signal="KILL"):
        """Starts a process in a session of its own: Ctrl-C reaches the demo alone, which then ends its processes."""
        with open(self.logs / f"{name}.log", "ab") as log:
            process = await asyncio.create_subprocess_exec(
                *with_parent(parent_signal),
                *map(str, command),
                env=env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout or log,
                stderr=log,
                start_new_session=True,
            )
        self.running.add(process)
        return process

    async def start_in_front(self, *command):
        """Starts a process that has the terminal."""
        process = await asyncio.create_subprocess_exec(*with_parent(), *map(str, command))
        self.running.add(process)
        return process

    async def stop(self, *processes):
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for process in processes:
            try:
                await asyncio.wait_for(process.wait(), 3)
            except TimeoutError:
                await self.kill(process)
            self.running.discard(process)

    async def kill(self, process):
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        self.running.discard(process)

    async def stop_all(self):
        await self.stop(*self.running)


async def listening(port, process, name, patience=20):
    """Waits until a process accepts connections at its port."""
    async with asyncio.timeout(patience):
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"{name} ended with {process.returncode} before it took connections")
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
