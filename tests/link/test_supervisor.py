"""The life of a link: first connect, loss, coming back, and what waits for the user."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jupyter_remote_gpu.errors import (
    HostKeyChanged,
    HostKeyUnknown,
    LinkError,
    NotConnected,
    TransportError,
)
from jupyter_remote_gpu.models import PodState
from tests.support.daemon import until
from tests.support.linked import Linked, register, run
from tests.support.login import fingerprint
from tests.support.proxy import Proxy
from tests.support.sshd import Sshd


async def connected(linked: Linked) -> None:
    linked.link.connect()
    await linked.link.wait_connected(30)


def test_the_first_connect_prepares_and_the_next_need_not(folder: Path, sshd: Sshd) -> None:
    async def first(linked: Linked) -> None:
        await connected(linked)
        assert linked.states == ["connecting", "preparing", "connected"]
        assert linked.link.probe is not None and linked.link.probe["kernelspecs"]
        assert await linked.link.run("list", {}) == {"kernels": []}
        await linked.until(lambda: linked.link.status.latency, "a latency")
        await linked.link.disconnect()
        assert linked.link.status.state is PodState.DISCONNECTED
        with pytest.raises(NotConnected):
            await linked.link.run("list", {})

    async def again(linked: Linked) -> None:
        await connected(linked)
        assert linked.states == ["connecting", "connected"]
        assert linked.link.probe is not None

    run(folder, first)
    run(folder, again)
    until(lambda: not sshd.sessions(), "all connections are gone")


def test_a_first_connect_that_fails_is_not_repeated(folder: Path, proxy: Proxy) -> None:
    async def main(linked: Linked) -> None:
        proxy.cut()
        linked.link.connect()
        with pytest.raises(TransportError) as caught:
            await linked.link.wait_connected(30)
        assert linked.link.status.state is PodState.FAILED
        assert linked.link.status.reason == caught.value.message
        tried = proxy.accepted
        proxy.heal()
        await asyncio.sleep(3)  # nothing may happen in this time
        assert proxy.accepted == tried
        linked.link.retry_now()
        await linked.link.wait_connected(30)
        assert linked.states[:2] == ["connecting", "failed"]

    run(folder, main)


def test_a_daemon_that_was_connected_waits_for_the_network(folder: Path, proxy: Proxy) -> None:
    async def main(linked: Linked) -> None:
        proxy.cut()
        linked.link.connect(resume=True)
        await linked.until(lambda: linked.link.status.reason, "a reason")
        assert linked.link.status.state is PodState.RECONNECTING
        assert linked.link.status.next_try is not None
        proxy.heal()
        await linked.link.wait_connected(30)

    run(folder, main)


def test_a_host_key_waits_for_the_users_word(tmp_path: Path, sshd: Sshd) -> None:
    folder = register(tmp_path / "unpinned", sshd, pin=False)
    shown = fingerprint(sshd)

    async def main(linked: Linked) -> None:
        linked.link.connect()
        with pytest.raises(HostKeyUnknown):
            await linked.link.wait_connected(30)
        status = linked.link.status
        assert status.state is PodState.HOST_KEY
        assert status.host_key == {"fingerprint": shown, "type": "ssh-ed25519"}
        linked.link.connect("SHA256:" + "B" * 43)
        await linked.until_state(PodState.HOST_KEY)
        linked.link.connect(shown)
        await linked.link.wait_connected(30)
        assert linked.link.status.host_key is None

    run(folder, main)
    run(folder, connected)  # it is pinned for good


def test_a_changed_host_key_ends_the_tries(folder: Path, sshd: Sshd) -> None:
    async def main(linked: Linked) -> None:
        await connected(linked)
        sshd.stop()
        sshd.new_host_key()
        sshd.start()
        await linked.until_state(PodState.FAILED)
        assert linked.link.status.code == "host-key-changed"
        with pytest.raises(HostKeyChanged):
            await linked.link.run("list", {})

    run(folder, main)


def test_a_key_that_is_refused_later_waits_for_the_user(folder: Path, sshd: Sshd) -> None:
    keys = sshd.home / ".ssh" / "authorized_keys"

    async def main(linked: Linked) -> None:
        await connected(linked)
        good = keys.read_text()
        keys.write_text("")
        sshd.stop()
        sshd.start()
        await linked.until_state(PodState.FAILED)
        assert linked.link.status.code == "key-refused"
        with pytest.raises(LinkError):
            await linked.link.wait_connected(1)
        keys.write_text(good)
        linked.link.retry_now()
        await linked.link.wait_connected(30)

    run(folder, main)
