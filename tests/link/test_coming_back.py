"""Coming back: slow logins, pods that lose each link at once, and a user in between."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import re
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from jupyter_remote_gpu.link import retrying
from jupyter_remote_gpu.models import PodState
from tests.support.linked import Linked, register, run
from tests.support.proxy import Proxy
from tests.support.sshd import Sshd

PAUSE = retrying.BUSY_SECONDS


async def connected(linked: Linked) -> None:
    linked.link.connect()
    await linked.until_state(PodState.CONNECTED)


def times(linked: Linked, state: PodState) -> list[float]:
    return [when for when, which in linked.history if which is state]


def test_a_pod_whose_login_takes_long_comes_back(folder: Path, proxy: Proxy) -> None:
    async def main(linked: Linked) -> None:
        await connected(linked)
        proxy.latency(0.4)
        proxy.reset()
        await linked.until_state(PodState.RECONNECTING)
        await linked.until_state(PodState.CONNECTED)
        (lost,), (*_, back) = (
            times(linked, PodState.RECONNECTING),
            times(linked, PodState.CONNECTED),
        )
        assert back - lost > 4, "its logins are not slow: this shows nothing"

    run(folder, main)


def test_a_link_that_dies_at_once_is_not_made_anew_at_once(tmp_path: Path, sshd: Sshd) -> None:
    async def main(linked: Linked) -> None:
        await connected(linked)
        (sshd.folder / "session").write_text("#!/bin/sh\nexit 0\n")
        await linked.link.disconnect()
        linked.history.clear()
        linked.link.connect()
        await linked.until(lambda: len(times(linked, PodState.CONNECTED)) > 4, "in again")
        _, *later = times(linked, PodState.CONNECTED)
        between = [b - a for a, b in itertools.pairwise(later)]
        assert sum(between) > 0.9 * PAUSE * len(between), between

    run(register(tmp_path / "data", sshd), main)


def test_a_good_link_that_is_lost_is_made_anew_at_once(
    folder: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "BUSY_SECONDS", 600.0)
    monkeypatch.setattr(retrying, "SLOW_SECONDS", 600.0)
    monkeypatch.setattr(retrying, "STEADY_SECONDS", 0.5)

    async def main(linked: Linked) -> None:
        await connected(linked)
        for _ in range(2):
            await asyncio.sleep(0.5)  # it has to stand for so long
            proxy.reset()
            await linked.until_state(PodState.RECONNECTING)
            await linked.until_state(PodState.CONNECTED)

    run(folder, main)


def test_a_pod_that_starts_no_process_for_a_while_is_waited_for(folder: Path, sshd: Sshd) -> None:
    async def main(linked: Linked) -> None:
        await connected(linked)
        sshd.stop()
        sshd._lines.append("MaxSessions 0")
        sshd.start()
        try:
            await linked.until(
                lambda: linked.link.status.code == "max-sessions", "that no session is had"
            )
            assert linked.link.status.state is PodState.RECONNECTING
        finally:
            sshd.stop()
            sshd._lines.clear()
            sshd.start()
        await linked.until(
            lambda: linked.link._pool and linked.link._pool.latency, "a pulse that is answered"
        )
        assert PodState.FAILED not in linked.states

    run(folder, main)


def test_what_is_waited_for_is_never_tried_later(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(retrying.time, "monotonic", lambda: now)
    waited, idle = (retrying.Clock(lambda b=b: b, lambda: None) for b in (True, False))  # type: ignore[misc]
    for clock in (waited, idle):
        assert clock.left <= 0
        clock.begin(0.0)
    for _ in range(2000):
        waited.tried()
        idle.tried()
        assert 0 < waited.left <= idle.left <= 60
        now += 1.0
        assert waited.left <= idle.left


@pytest.mark.parametrize("words", [b"HTTP/1.1 502 Bad Gateway\r\n\r\n", b"\r\n", b"SS"])
def test_something_that_answers_in_the_pods_place_is_waited_out(
    folder: Path, sshd: Sshd, proxy: Proxy, words: bytes
) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        writer.close()
        await writer.wait_closed()

    async def main(linked: Linked) -> None:
        await connected(linked)
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
            proxy.target = other.sockets[0].getsockname()
            proxy.reset()
            await linked.until(lambda: heard(linked) > 1, "answered twice by the other")
        proxy.target = (sshd.host, sshd.port)
        await linked.until_state(PodState.CONNECTED)
        assert "failed" not in linked.states

    def heard(linked: Linked) -> int:
        """How many tries have met the other (the log counts what is said again)."""
        said = [line for line in linked.link.log_lines if "not of ssh" in line or "login" in line]
        return sum(int((re.findall(r"\((\d+) times\)", line) or [1])[0]) for line in said)

    run(folder, main)


@pytest.mark.parametrize("what", ["host key", "user key"])
def test_a_file_that_cannot_be_read_for_a_while_is_waited_for(
    folder: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def fails(*_: object, **__: object) -> Any:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async def main(linked: Linked) -> None:
        await connected(linked)
        with monkeypatch.context() as patch:
            if what == "host key":
                patch.setattr(Path, "read_bytes", fails)
            else:
                patch.setattr(asyncssh, "load_keypairs", fails)
            proxy.reset()
            await linked.until_state(PodState.RECONNECTING)
            await linked.until(lambda: "open files" in (linked.link.status.reason or ""), "said")
        await linked.until_state(PodState.CONNECTED)
        assert "failed" not in linked.states

    run(folder, main)


def test_what_was_won_is_undone_if_nobody_wants_it_any_more() -> None:
    async def main() -> None:
        undone: asyncio.Queue[str] = asyncio.Queue()
        begun, dropped, may_end = 0, asyncio.Event(), asyncio.Event()

        async def attempt() -> str:
            nonlocal begun
            begun += 1
            if begun > 1:
                return "won"
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                dropped.set()
                await may_end.wait()  # as a login that is being closed
            return "late"

        clock = retrying.Clock(lambda: True, lambda: None)
        race = retrying.Race(clock, attempt, undone.put_nowait, lambda *_: None)
        first = asyncio.create_task(race.first())
        await asyncio.wait(
            [first, asyncio.create_task(dropped.wait())], return_when="FIRST_COMPLETED"
        )
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled() and undone.get_nowait() == "won"
        may_end.set()
        async with asyncio.timeout(10):
            assert await undone.get() == "late"

    asyncio.run(main())


@pytest.mark.parametrize("at", ["at once", "while it is being closed"])
def test_connect_during_disconnect_counts(tmp_path: Path, sshd: Sshd, at: str) -> None:
    async def main(linked: Linked) -> None:
        await connected(linked)
        leaving = asyncio.create_task(linked.link.disconnect())
        if at != "at once":
            await linked.until_state(PodState.DISCONNECTED)
            assert not leaving.done()
        else:
            await asyncio.sleep(0)
        linked.link.connect()
        assert linked.link.status.state is PodState.CONNECTING
        await leaving
        await linked.until_state(PodState.CONNECTED)
        assert await linked.link.run("list", {}) == {"kernels": []}
        again = asyncio.create_task(linked.link.disconnect())
        await asyncio.sleep(0)
        await linked.link.close()  # waits for it too
        await again
        assert linked.link.status.state is PodState.DISCONNECTED

    run(register(tmp_path / "data", sshd), main)


def test_the_code_goes_with_the_reason_at_each_try(tmp_path: Path, sshd: Sshd) -> None:
    """By it the panel knows that a demo pod is gone."""

    async def main(linked: Linked) -> None:
        await connected(linked)
        sshd.stop()
        await linked.until(lambda: linked.link.status.code == "refused", "the code")
        assert linked.link.status.state is PodState.RECONNECTING
        assert "refuses connections" in (linked.link.status.reason or "")

    run(register(tmp_path / "data", sshd), main)
