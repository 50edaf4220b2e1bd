"""Channels of a pool: counted, given back, waited for; and shell scripts on one of them."""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.errors import LinkError, TransportError
from jupyter_remote_gpu.link import connection, connections, shell, ssh
from jupyter_remote_gpu.link.connections import Pool
from jupyter_remote_gpu.models import PodState
from jupyter_remote_gpu.pods.command import parse_ssh
from tests.link.test_pool import SlowLine
from tests.support.linked import Linked, register, run
from tests.support.proxy import Proxy
from tests.support.sshd import Sshd

PATIENCE = 30.0
SHELLS = [s for s in ("sh", "bash", "dash", "zsh", "fish", "csh", "tcsh") if shutil.which(s)]


async def connected(linked: Linked) -> None:
    linked.link.connect()
    await linked.until_state(PodState.CONNECTED)


async def until(found: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not found():  # noqa: ASYNC110 - other processes have no event
            await asyncio.sleep(0.02)


async def filled(linked: Linked) -> list[Any]:
    """So many bridges that the next one needs a further connection."""
    opening = (linked.link.open_bridge() for _ in range(connection.CHANNELS_PER_CONNECTION))
    return await asyncio.gather(*opening)


def with_pool(sshd: Sshd, connect: Callable[[], Awaitable[Any]], work: Any) -> None:
    async def main() -> None:
        trust = ssh.Trust("pod", sshd.host_key_line, None, lambda line: None)
        first = await ssh.connect(parse_ssh(sshd.words()), trust, Path("/nonexistent"), timeout=15)
        pool = Pool(first, connect)
        try:
            async with asyncio.timeout(PATIENCE):
                await work(pool)
        finally:
            await pool.close()
        assert len(asyncio.all_tasks()) == 1, "tasks are left behind"

    asyncio.run(main())


def test_a_channel_that_ends_is_had_before_a_further_connection(sshd: Sshd) -> None:
    never = asyncio.Event()

    async def work(pool: Pool) -> None:
        count = connection.CHANNELS_PER_CONNECTION
        bridges = await asyncio.gather(*(pool.execute("bridge", {}, None) for _ in range(count)))
        more = [asyncio.create_task(pool.execute("list", {}, None)) for _ in range(2)]
        done, _ = await asyncio.wait(more, timeout=0.3)
        assert not done
        for bridge in bridges[:2]:
            await bridge.close()
        for task in more:
            bridge = await task
            assert bridge.info == {"kernels": []}
            await bridge.close()
        waiting = asyncio.create_task(pool.execute("list", {}, None))
        await waiting

    with_pool(sshd, never.wait, work)


def test_a_further_connection_that_fails_is_told_to_each_who_waits(sshd: Sshd) -> None:
    calls = []

    async def fail() -> None:
        calls.append(1)
        await asyncio.sleep(0.1)
        raise TransportError("the network failed")

    async def work(pool: Pool) -> None:
        opening = (pool.execute("bridge", {}, None) for _ in range(10))
        answers = await asyncio.gather(*opening, return_exceptions=True)
        failed = [str(a) for a in answers if isinstance(a, TransportError)]
        assert failed == ["the network failed"] * 2 and len(calls) == 1
        given_up = asyncio.create_task(pool.execute("list", {}, None))
        await asyncio.sleep(0.01)
        given_up.cancel()
        await until(lambda: pool._growing is None)
        assert len(calls) == 2

    with_pool(sshd, fail, work)


def test_a_further_connection_without_a_session_costs_nobody_else(
    tmp_path: Path, sshd: Sshd
) -> None:
    """As on a pod that can start no process for a moment."""
    with Sshd(tmp_path / "full", sys.executable, config=["MaxSessions 0"]) as full:

        async def connect() -> Any:
            trust = ssh.Trust("pod", full.host_key_line, None, lambda line: None)
            return await ssh.connect(parse_ssh(full.words()), trust, Path("/none"), timeout=15)

        async def work(pool: Pool) -> None:
            count = connection.CHANNELS_PER_CONNECTION
            bridges = await asyncio.gather(
                *(pool.execute("bridge", {}, None) for _ in range(count))
            )
            with pytest.raises(LinkError):
                await pool.execute("list", {}, None)
            await until(lambda: len(pool.connections) == 1)
            assert pool.fault is None
            await bridges.pop().close()
            bridges.append(await pool.execute("list", {}, None))
            for bridge in bridges:
                await bridge.close()

        with_pool(sshd, connect, work)


def test_who_waits_for_a_further_connection_learns_of_the_loss(folder: Path, proxy: Proxy) -> None:
    async def main(linked: Linked) -> None:
        await connected(linked)
        await filled(linked)
        before = proxy.accepted
        proxy.half_open()
        waiting = asyncio.create_task(linked.link.run("list", {}))
        await until(lambda: proxy.accepted > before)
        began = time.monotonic()
        proxy.reset()
        with pytest.raises(TransportError, match="lost"):
            await waiting
        assert time.monotonic() - began < 3
        proxy.heal()
        await linked.until_state(PodState.CONNECTED)

    run(folder, main)


def test_a_link_that_is_lost_is_no_answer_of_a_shell_that_prints(
    sshd: Sshd, tmp_path: Path
) -> None:
    sshd.noise("Welcome to your pod!\n")
    begun, hung, killed = (tmp_path / name for name in ("begun", "hung", "killed"))
    for python, does in (
        (hung, f": > {begun}; exec sleep 60"),
        (killed, r"printf '\036jrg1 %s\n' $6"),
    ):
        python.write_text(f'#!/bin/sh\n[ "$#" -gt 4 ] || exit 0\n{does}\n')
        python.chmod(0o700)

    async def work(pool: Pool) -> None:
        with pytest.raises(TransportError, match="before it answered"):
            await pool.execute("start", {}, str(killed))
        asked = asyncio.create_task(pool.execute("start", {}, str(hung)))
        await until(begun.exists)
        pool.connections[0]._end(TransportError("The pod does not answer any more."))
        with pytest.raises(TransportError):
            await asked

    with_pool(sshd, asyncio.Event().wait, work)


def test_further_connections_are_closed_when_they_are_empty(
    tmp_path: Path, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "EMPTY_SECONDS", 0.3)

    async def main(linked: Linked) -> None:
        await connected(linked)
        await until(sshd.sessions)
        one = len(sshd.sessions())
        bridges = await filled(linked) + await filled(linked)
        assert len(sshd.sessions()) > one
        for bridge in bridges:
            await bridge.close()
        await until(lambda: len(sshd.sessions()) == one)
        assert await linked.link.run("list", {}) == {"kernels": []}
        assert "reconnecting" not in linked.states

    run(register(tmp_path / "data", sshd), main)


def test_a_connection_that_was_full_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "EMPTY_SECONDS", 0.2)
    monkeypatch.setattr(connection, "FULL_SECONDS", 0.5)
    settings = ["MaxSessions 2"]
    pod = Sshd(tmp_path / "pod", sys.executable, config=settings)
    with pod as sshd, Proxy(sshd.port) as proxy:

        async def main(linked: Linked) -> None:
            await connected(linked)
            with pytest.raises(TransportError):
                await linked.link.run_shell("echo $$ > pid; exec sleep 600", timeout=0.7)
            one = proxy.accepted
            assert await linked.link.run("list", {}) == {"kernels": []}
            assert proxy.accepted == one + 1, "what was given up holds its session"
            os.kill(int((sshd.home / "pid").read_text()), 9)
            await until(lambda: proxy.connections == 1)
            await asyncio.sleep(0.5)  # so long it is spared
            assert await linked.link.run("list", {}) == {"kernels": []}
            assert proxy.accepted == one + 1

        run(register(tmp_path / "data", sshd, port=proxy.port), main)


def test_scripts_are_bounded_and_give_their_channel_back(tmp_path: Path, sshd: Sshd) -> None:
    async def main(linked: Linked) -> None:
        await connected(linked)
        assert await linked.link.run_shell("cat; echo more", b"given\n") == "given\nmore\n"
        with pytest.raises(LinkError, match=r"failed: it's wrong\\x07$"):
            await linked.link.run_shell('printf "it\'s wrong\\a" >&2; exit 3')
        for _ in range(10):
            with pytest.raises(LinkError, match="without end"):
                await linked.link.run_shell("yes")
        await filled(linked)

    run(register(tmp_path / "data", sshd), main)


@pytest.mark.parametrize("name", SHELLS)
def test_a_script_in_each_login_shell(name: str, tmp_path: Path) -> None:
    line = shell.line("""printf '%s' "it's $((1 + 1))!" """)
    command = [shutil.which(name) or name, "-c", line]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, "it's 2!")
    (tmp_path / "sh").symlink_to(shutil.which("sh") or "/bin/sh")
    env = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=env)
    assert done.returncode != 0 and "base64" in done.stderr


LINE_RATE = 1_250_000


def test_a_line_beside_a_long_catch_up(sshd: Sshd) -> None:
    async def main() -> list[int]:
        async with SlowLine(sshd.port, LINE_RATE) as line:
            trust = ssh.Trust("pod", sshd.host_key_line, None, lambda line: None)
            target = parse_ssh(sshd.words(line.port))
            conn = await ssh.connect(target, trust, Path("/nonexistent"), timeout=15)
            one = connection.Connection(conn, lambda error: None, lambda connection: None)
            bulk, live = await one.open("exec cat /dev/zero"), await one.open("exec cat")
            ahead: list[int] = []
            got = 0

            async def drain() -> None:
                nonlocal got
                while data := await bulk.stdout.read(65536):
                    got += len(data)

            reading = asyncio.create_task(drain())
            await until(lambda: got > 3 << 20)
            for _ in range(5):
                before = got
                live.stdin.write(b"line\n")
                await live.stdout.readline()
                ahead.append(got - before)
            reading.cancel()
            await asyncio.wait([reading])
            await one.close()
            return ahead

    # What went in front of the line: bytes, which do not depend on what else the machine does.
    assert 0 < statistics.median(asyncio.run(main())) < 0.7 * LINE_RATE
