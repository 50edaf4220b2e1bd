"""A network that is as slow as wanted and can go away: a TCP proxy in a process of its own.

``python -m benchmarks.network PORT`` takes commands as JSON lines on standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import subprocess
import sys
import time
from typing import Any

from .measure import median

_RESET = struct.pack("ii", 1, 0)


class _Proxy:
    def __init__(self) -> None:
        self.delay = 0.0
        self.up = asyncio.Event()
        self.up.set()
        self.writers: set[asyncio.StreamWriter] = set()

    async def join(self, port: int, near: Any, out: asyncio.StreamWriter) -> None:
        await self.up.wait()
        far, back = await asyncio.open_connection("127.0.0.1", port)
        self.writers |= {out, back}
        try:
            await asyncio.gather(self._copy(near, back), self._copy(far, out))
        except OSError:
            pass  # one side is gone; so is the other, below
        finally:
            for writer in (out, back):
                self.writers.discard(writer)
                writer.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(1024)

        async def deliver() -> None:
            while True:
                at, data = await queue.get()
                if at > loop.time():
                    await asyncio.sleep(at - loop.time())
                await self.up.wait()
                if not data:
                    break
                writer.write(data)
                await writer.drain()
            with contextlib.suppress(OSError):
                writer.write_eof()

        task = loop.create_task(deliver())
        try:
            while True:
                data = await reader.read(65536)
                await queue.put((loop.time() + self.delay, data))
                if not data:
                    break
            await task
        finally:
            task.cancel()

    def heal(self, reset: bool) -> None:
        if reset:
            for writer in list(self.writers):
                sock = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()
        self.up.set()


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
    writer.close()


async def _main(port: int) -> None:
    proxy = _Proxy()
    echo = await asyncio.start_server(_echo, "127.0.0.1", 0)
    echo_port = echo.sockets[0].getsockname()[1]

    async def serve(to: int) -> int:
        server = await asyncio.start_server(
            lambda r, w: proxy.join(to, r, w), "127.0.0.1", 0, backlog=128
        )
        return int(server.sockets[0].getsockname()[1])

    ports = {"port": await serve(port), "echo": await serve(echo_port)}
    print(json.dumps(ports), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        if "delay" in command:
            proxy.delay = command["delay"]
        elif command["do"] == "cut":
            proxy.up.clear()
        else:
            proxy.heal(command["do"] == "reset")
        print(json.dumps({"at": time.time()}), flush=True)


class Network:
    """The way to a port of this machine.

    Attributes
    ----------
    port : int
        Where to connect instead.
    """

    def __init__(self, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.network", str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        ports = self._answer()
        self.port = int(ports["port"])
        self._echo = int(ports["echo"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the benchmark's network has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _tell(self, **command: Any) -> float:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return float(self._answer()["at"])

    def set_round_trip(self, seconds: float) -> float:
        """Make it so slow; the round trip (s) as an echo at its other end finds it."""
        self._tell(delay=seconds / 2)
        with socket.create_connection(("127.0.0.1", self._echo)) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            found = []
            for _ in range(15):
                start = time.perf_counter()
                s.sendall(b"?")
                s.recv(10)
                found.append(time.perf_counter() - start)
                time.sleep(0.01)
        return median(found)

    def cut(self) -> float:
        """Take it away: silence, nobody is told. When (epoch)."""
        return self._tell(do="cut")

    def heal(self, *, reset: bool) -> float:
        """Bring it back; what stood before is reset, or goes on. When (epoch)."""
        return self._tell(do="reset" if reset else "resume")

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.terminate()
        self._process.wait(10)
        self._process.stdout.close()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
