"""Many channels to one pod, and pods that are odd: few sessions, chatty shells, no Python."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from jupyter_remote_gpu.errors import LinkError, PodError, RemoteGPUError, TransportError
from jupyter_remote_gpu.link import pulse, ssh
from jupyter_remote_gpu.link.bootstrap import Answer
from jupyter_remote_gpu.link.channel import Bridge, Stderr
from jupyter_remote_gpu.link.connection import Connection
from jupyter_remote_gpu.models import PodState
from jupyter_remote_gpu.pods.command import parse_ssh
from jupyter_remote_gpu.pods.registry import Registry
from tests.support.linked import Linked, register, run
from tests.support.sshd import Sshd


async def connected(linked: Linked) -> None:
    linked.link.connect()
    await linked.link.wait_connected(30)


async def many(linked: Linked, count: int) -> None:
    """Open `count` bridges at once; each must carry bytes, then all are closed."""
    link = linked.link
    bridges = await asyncio.gather(*(link.open_bridge() for _ in range(count)))
    for bridge in bridges:
        bridge.write(b"not a frame of ours")
    # Each answers for itself that this was no hello, and ends.
    answers = await asyncio.gather(*(bridge.read() for bridge in bridges))
    assert len([a for a in answers if b"refused" in a]) == count
    await asyncio.gather(*(bridge.close() for bridge in bridges))
    assert await link.run("list", {}) == {"kernels": []}
    assert linked.link.status.state is PodState.CONNECTED


def test_more_channels_than_sshd_allows_on_one_connection(tmp_path: Path, sshd: Sshd) -> None:
    async def main(linked: Linked) -> None:
        await connected(linked)
        await many(linked, 20)
        before = len(sshd.sessions())
        await many(linked, 20)
        assert len(sshd.sessions()) <= before, "connections are used again"
        assert "reconnecting" not in linked.states

    run(register(tmp_path / "data", sshd), main)


def test_a_server_that_allows_few_sessions(tmp_path: Path) -> None:
    with Sshd(tmp_path / "pod", sys.executable, config=["MaxSessions 3"]) as sshd:

        async def main(linked: Linked) -> None:
            await connected(linked)
            await many(linked, 6)

        run(register(tmp_path / "data", sshd), main)


def test_a_server_that_allows_one_session_only(tmp_path: Path) -> None:
    with Sshd(tmp_path / "pod", sys.executable, config=["MaxSessions 1"]) as sshd:

        async def main(linked: Linked) -> None:
            linked.link.connect()
            with pytest.raises(LinkError) as caught:
                await linked.link.wait_connected(30)
            assert caught.value.code == "max-sessions"
            assert linked.link.status.state is PodState.FAILED

        run(register(tmp_path / "data", sshd), main)


def test_sshds_process_is_killed(tmp_path: Path, sshd: Sshd) -> None:
    async def main(linked: Linked) -> None:
        await connected(linked)
        bridge = await linked.link.open_bridge()
        for pid in sshd.sessions():
            os.kill(pid, signal.SIGKILL)
        assert await bridge.read() == b""
        await bridge.close()
        await linked.until(lambda: linked.states[-2:] == ["reconnecting", "connected"], "back")
        assert await linked.link.run("list", {}) == {"kernels": []}

    run(register(tmp_path / "data", sshd), main)


def test_a_login_shell_that_prints_is_warned_of(tmp_path: Path, sshd: Sshd) -> None:
    sshd.noise("Welcome to your pod!\n")

    async def main(linked: Linked) -> None:
        await connected(linked)
        (warning,) = linked.link.status.warnings
        assert "'Welcome to your pod!'" in warning and "scp" in warning
        await linked.until(lambda: linked.link.status.latency, "a latency")
        await many(linked, 3)
        assert len(linked.link.status.warnings) == 1
        sshd.noise("")
        await many(linked, 1)
        assert linked.link.status.warnings == ()

    run(register(tmp_path / "data", sshd), main)


@pytest.mark.parametrize(
    ("script", "code"),
    [(None, "no-python"), ("echo Python 3.8.1; exit 1", "old-python")],
)
def test_a_pod_without_a_usable_python(
    tmp_path: Path, sshd: Sshd, script: str | None, code: str
) -> None:
    python = tmp_path / "its-python"
    if script is not None:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    pods = Registry(folder)
    pods.add("pod", sshd.words(), str(python))
    pods.pin("pod", sshd.host_key_line)

    async def main(linked: Linked) -> None:
        linked.link.connect()
        with pytest.raises(PodError) as caught:
            await linked.link.wait_connected(30)
        assert caught.value.code == code and str(python) in caught.value.message
        assert linked.link.status.state is PodState.FAILED

    run(folder, main)


def test_a_command_that_takes_too_long_is_given_up(tmp_path: Path, sshd: Sshd) -> None:
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)

    async def main(linked: Linked) -> None:
        await connected(linked)
        for _ in range(10):  # each gives its channel back
            with pytest.raises(TransportError):
                await linked.link.run("probe", {"python": str(slow)}, timeout=0.7)
        await many(linked, 8)

    run(register(tmp_path / "data", sshd), main)


def test_an_answer_that_is_not_ours(tmp_path: Path, sshd: Sshd) -> None:
    async def main(linked: Linked) -> None:
        await connected(linked)
        with pytest.raises(RemoteGPUError) as caught:
            await linked.link.run("stop", {"kernel": "../../etc"})
        assert "not a kernel's id" in caught.value.message

    run(register(tmp_path / "data", sshd), main)


class SlowLine:
    """Passes one way on at a limited rate, with as little buffered as can be."""

    def __init__(self, port: int, rate: float, up: bool = False) -> None:
        self._to, self._rates = port, (rate, 0.0) if up else (0.0, rate)
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> SlowLine:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", self._to)
        ways = ((reader, forth), (back, writer))
        for (source, sink), rate in zip(ways, self._rates, strict=True):
            task = asyncio.ensure_future(self._pass(source, sink, rate))
            self._tasks.add(task)

    @staticmethod
    async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter, rate: float) -> None:
        try:
            while data := await source.read(8192):
                sink.write(data)
                await sink.drain()
                if rate:
                    await asyncio.sleep(len(data) / rate)
        except ConnectionError:
            pass  # the other side is gone
        finally:
            sink.close()


@pytest.mark.parametrize("reads", [True, False])
def test_a_slow_line_full_of_output_is_not_a_dead_one(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch, reads: bool
) -> None:
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 1.0)
    monkeypatch.setattr(pulse, "SILENT_SECONDS", 2.5)
    monkeypatch.setattr(pulse, "_MUCH", 4 << 10)
    size = 4_000_000

    async def main() -> tuple[int, float, list[RemoteGPUError]]:
        faults: list[RemoteGPUError] = []
        async with SlowLine(sshd.port, 600_000) as line:
            trust = ssh.Trust("pod", sshd.host_key_line, None, lambda line: None)
            target = parse_ssh(sshd.words(line.port))
            conn = await ssh.connect(target, trust, Path("/nonexistent"), timeout=15)
            connection = Connection(conn, faults.append, lambda connection: None)
            process = await conn.create_process(f"head -c {size} /dev/zero", encoding=None)
            bridge = Bridge(
                process, Answer({}, b"", ""), Stderr(process), connection.count, lambda: None
            )
            began, got = time.monotonic(), 0
            while not faults and time.monotonic() - began < 30:
                if not reads:
                    await asyncio.sleep(0.1)
                    continue
                data = await bridge.read()
                got += len(data)
                if not data:
                    break
            took = time.monotonic() - began
            await bridge.close()
            await connection.close()
        return got, took, faults

    got, took, faults = asyncio.run(main())
    if reads:
        assert (got, faults) == (size, []) and took > 4
    else:
        # With nothing counted the same silence is a loss.
        assert faults and took < 25


def test_a_slow_line_full_of_what_is_sent_is_not_a_dead_one(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 1.0)
    monkeypatch.setattr(pulse, "SILENT_SECONDS", 2.5)
    size = 6_000_000

    async def main() -> None:
        faults: list[RemoteGPUError] = []
        async with SlowLine(sshd.port, 600_000, up=True) as line:
            trust = ssh.Trust("pod", sshd.host_key_line, None, lambda line: None)
            target = parse_ssh(sshd.words(line.port))
            conn = await ssh.connect(target, trust, Path("/nonexistent"), timeout=15)
            connection = Connection(conn, faults.append, lambda connection: None)
            process = await conn.create_process(f"head -c {size} | wc -c", encoding=None)
            bridge = Bridge(
                process,
                Answer({}, b"", ""),
                Stderr(process),
                connection.count,
                lambda: None,
                connection.count_sent,
            )
            began = time.monotonic()
            bridge.write(bytes(size))
            assert await bridge.read() == b"%d\n" % size
            assert time.monotonic() - began > 5
            await bridge.close()
            await connection.close()
        assert not faults

    asyncio.run(main())
