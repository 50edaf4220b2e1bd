"""A link whose path fails: cut, half-open, dead one way, asleep; and how soon it is back."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import asyncssh
import pytest

from jupyter_remote_gpu.errors import TransportError
from jupyter_remote_gpu.link import pulse, retrying
from jupyter_remote_gpu.models import PodState
from tests.support.daemon import until
from tests.support.linked import Linked, run
from tests.support.proxy import DOWN, UP, Proxy
from tests.support.sshd import Sshd

AT_ONCE = 1.0
"""What needs nobody's answer, on a machine with little to do."""
BACK_SECONDS = 4.0
"""The worst time from the network's return to a link that is there again."""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pulse that is six times as fast."""
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.5)
    monkeypatch.setattr(pulse, "SILENT_SECONDS", 2.0)
    monkeypatch.setattr(pulse, "LATE_SECONDS", 1.0)


async def connected(linked: Linked) -> None:
    linked.link.connect()
    await linked.link.wait_connected(30)


def test_a_cut_is_noticed_at_once_and_healed_soon(folder: Path, proxy: Proxy) -> None:
    async def main(linked: Linked) -> None:
        await connected(linked)
        bridge = await linked.link.open_bridge()
        proxy.cut()
        cut = time.monotonic()
        assert await bridge.read() == b"", "the bridge sees the end"
        assert time.monotonic() - cut < 5 * AT_ONCE
        await bridge.close()
        await linked.until_state(PodState.RECONNECTING)
        with pytest.raises(TransportError):
            await linked.link.open_bridge()
        await asyncio.sleep(5)
        proxy.heal()
        healed = time.monotonic()
        await linked.link.wait_connected(30)
        assert time.monotonic() - healed < 5 * BACK_SECONDS
        assert await linked.link.run("list", {}) == {"kernels": []}
        assert "preparing" not in linked.states[linked.states.index("reconnecting") :]

    run(folder, main)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("way", ["both", UP, DOWN])
def test_a_dead_path_is_found_also_when_it_is_dead_one_way(
    folder: Path, proxy: Proxy, way: str
) -> None:
    run(folder, lambda linked: dead_path(linked, proxy, way, 2.5))


@pytest.mark.long
@pytest.mark.parametrize("way", ["both", UP, DOWN])
def test_a_dead_path_is_found_in_15_seconds(folder: Path, proxy: Proxy, way: str) -> None:
    run(folder, lambda linked: dead_path(linked, proxy, way, 15))


async def dead_path(linked: Linked, proxy: Proxy, way: str, limit: float) -> None:
    await connected(linked)
    await linked.until(lambda: linked.link.status.latency, "a latency")
    bridge = await linked.link.open_bridge()
    if way == "both":
        proxy.half_open()
    else:
        proxy.dead(way)
    began = time.monotonic()
    assert await bridge.read() == b""
    assert time.monotonic() - began < limit + 5 * AT_ONCE
    await bridge.close()
    await linked.until_state(PodState.RECONNECTING, 2)
    # Tries hang in the dead path; the one that starts after the heal must not wait for them.
    await asyncio.sleep(3)
    proxy.heal()
    healed = time.monotonic()
    await linked.link.wait_connected(30)
    assert time.monotonic() - healed < 5 * BACK_SECONDS


def test_a_connection_on_which_no_session_is_opened_is_a_dead_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "OPEN_SECONDS", 0.5)

    async def never(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    async def main(linked: Linked) -> None:
        await connected(linked)
        await linked.link.disconnect()
        with monkeypatch.context() as patch:
            patch.setattr(asyncssh.SSHClientConnection, "create_process", never)
            linked.link.connect()
            await linked.until_state(PodState.RECONNECTING)
            assert "no session" in (linked.link.status.reason or "")
        await linked.link.wait_connected(30)

    run(folder, main)


@pytest.mark.usefixtures("impatient")
def test_a_silence_that_ends_in_time_is_no_loss(folder: Path, proxy: Proxy) -> None:
    async def main(linked: Linked) -> None:
        await connected(linked)
        bridge = await linked.link.open_bridge()
        proxy.half_open()
        await asyncio.sleep(1)
        proxy.heal()
        assert await linked.link.run("list", {}) == {"kernels": []}
        assert "reconnecting" not in linked.states
        await bridge.close()

    run(folder, main)


def test_on_wake_the_link_is_looked_at_at_once(folder: Path, proxy: Proxy) -> None:
    async def main(linked: Linked) -> None:
        await connected(linked)
        bridge = await linked.link.open_bridge()
        proxy.half_open()
        time.sleep(7)  # noqa: ASYNC251 - a laptop asleep: its whole loop stands still
        woke = time.monotonic()
        assert await bridge.read() == b""
        assert time.monotonic() - woke < 6
        await bridge.close()
        assert any("woke up" in line for line in linked.link.log_lines)

    run(folder, main)


@pytest.mark.usefixtures("impatient")
def test_a_sleep_that_the_connection_survived_is_no_loss(folder: Path) -> None:
    async def main(linked: Linked) -> None:
        await connected(linked)
        time.sleep(5)  # noqa: ASYNC251
        await asyncio.sleep(4)
        assert "reconnecting" not in linked.states
        assert await linked.link.run("list", {}) == {"kernels": []}

    run(folder, main)


async def long_pause(linked: Linked, seconds: float) -> float:
    """Wait for a pause that has so many seconds to go; when it ends (`time.time`)."""
    due = 0.0

    def found() -> bool:
        nonlocal due
        due = linked.link.status.next_try or 0.0
        return due - time.time() > seconds

    await linked.until(found, "a long pause")
    return due


def test_try_now_does_not_wait_for_the_pause(
    folder: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "BUSY_SECONDS", 5 * BACK_SECONDS)

    async def main(linked: Linked) -> None:
        await connected(linked)
        proxy.cut()
        due = await long_pause(linked, 4 * BACK_SECONDS)
        proxy.heal()
        linked.link.retry_now()
        await linked.link.wait_connected(30)
        assert time.time() < due

    run(folder, main)


def test_who_begins_to_wait_is_not_kept_by_the_pause(folder: Path, proxy: Proxy) -> None:
    async def main(linked: Linked) -> None:
        linked.busy = False
        await connected(linked)
        proxy.cut()
        # Without anybody who waits the pauses grow.
        due = await long_pause(linked, 5)
        proxy.heal()
        linked.busy = True
        await linked.link.wait_connected(30)
        assert time.time() < due

    run(folder, main)


def test_disconnect_in_the_midst_of_tries(folder: Path, proxy: Proxy, sshd: Sshd) -> None:
    async def main(linked: Linked) -> None:
        await connected(linked)
        proxy.cut()
        await linked.until_state(PodState.RECONNECTING)
        proxy.half_open()
        proxy.heal()
        proxy.half_open()
        await asyncio.sleep(2)
        began = time.monotonic()
        await linked.link.disconnect()
        assert time.monotonic() - began < 5 * AT_ONCE
        assert linked.link.status.state is PodState.DISCONNECTED
        proxy.heal()
        linked.link.connect()
        await linked.link.wait_connected(30)

    run(folder, main)
    until(lambda: not sshd.sessions(), "all connections are gone")
