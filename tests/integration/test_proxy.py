"""The tests' own network does what it says: a fault test is worth no more than this."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.daemon import until
from tests.support.flow import DOWN, UP
from tests.support.proxy import Proxy

PATIENCE = 10.0
QUIET = 0.3
"""Seconds in which nothing may come."""


class Target:
    """Takes connections and keeps them; `peers` in order."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.peers: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            peer, _ = self._listener.accept()
            peer.settimeout(PATIENCE)
            self.peers.append(peer)
            if peer.getpeername()[1] == self._last:
                return

    _last = -1

    def peer(self, index: int) -> socket.socket:
        until(lambda: len(self.peers) > index, f"connection {index} at the target")
        return self.peers[index]

    def close(self) -> None:
        with socket.socket() as last:
            last.bind(("127.0.0.1", 0))
            self._last = last.getsockname()[1]
            last.connect(("127.0.0.1", self.port))
            self._thread.join(PATIENCE)
        for s in (*self.peers, self._listener):
            s.close()


def exactly(s: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = s.recv(size - len(data))
        assert more, f"ended after {len(data)} of {size} bytes"
        data += more
    return data


def quiet(s: socket.socket) -> None:
    """Assert that neither bytes nor an end come for a while."""
    s.settimeout(QUIET)
    with pytest.raises(TimeoutError):
        s.recv(1)
    s.settimeout(PATIENCE)


def was_reset(s: socket.socket) -> None:
    with pytest.raises(ConnectionResetError):
        while s.recv(65536):
            pass
        pytest.fail("it ended well instead")


@pytest.fixture
def target() -> Iterator[Target]:
    with contextlib.closing(Target()) as target:
        yield target


@pytest.fixture
def proxy(target: Target) -> Iterator[Proxy]:
    with Proxy(target.port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator[Callable[[], socket.socket]]:
    with contextlib.ExitStack() as stack:

        def connect() -> socket.socket:
            s = socket.create_connection(("127.0.0.1", proxy.port), PATIENCE)
            return stack.enter_context(s)

        yield connect


Client = Callable[[], socket.socket]


def test_bytes_and_ends_pass(proxy: Proxy, target: Target, client: Client) -> None:
    a = client()
    b = target.peer(0)
    big = bytes(range(256)) * 40_000
    threading.Thread(target=a.sendall, args=(big,)).start()
    assert exactly(b, len(big)) == big
    b.sendall(b"down")
    assert exactly(a, 4) == b"down"
    assert (proxy.sent(UP), proxy.sent(DOWN)) == (len(big), 4)
    a.shutdown(socket.SHUT_WR)
    assert b.recv(1) == b""
    b.sendall(b"after the client's end")
    assert exactly(a, 22) == b"after the client's end"
    b.close()
    assert a.recv(1) == b""
    until(lambda: proxy.connections == 0, "the end of the connection")


def test_a_reset_passes(proxy: Proxy, target: Target, client: Client) -> None:
    a = client()
    b = target.peer(0)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    a.close()
    was_reset(b)
    until(lambda: proxy.connections == 0, "the end of the connection")


def test_a_cut_resets_and_refuses(proxy: Proxy, target: Target, client: Client) -> None:
    a = client()
    b = target.peer(0)
    proxy.cut()
    was_reset(a)
    was_reset(b)
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            client()
    proxy.heal()
    c = client()
    c.sendall(b"again")
    assert exactly(target.peer(1), 5) == b"again"


def test_half_open_says_nothing_and_then_flows_on(
    proxy: Proxy, target: Target, client: Client
) -> None:
    a = client()
    b = target.peer(0)
    proxy.half_open()
    a.sendall(b"up")
    b.sendall(b"down")
    late = client()
    late.sendall(b"late")
    for s in (a, b, late):
        quiet(s)
    assert len(target.peers) == 1 and (proxy.sent(UP), proxy.sent(DOWN)) == (0, 0)
    proxy.heal()
    assert (exactly(b, 2), exactly(a, 4)) == (b"up", b"down")
    assert exactly(target.peer(1), 4) == b"late"


def test_half_open_with_a_reset_at_its_end_loses_what_was_sent(
    proxy: Proxy, target: Target, client: Client
) -> None:
    a = client()
    b = target.peer(0)
    proxy.half_open()
    a.sendall(b"never")
    late = client()
    late.sendall(b"late")
    quiet(b)
    proxy.heal(reset=True)
    was_reset(a)
    was_reset(b)
    assert proxy.sent(UP) in (0, 4)
    assert exactly(target.peer(1), 4) == b"late"


def test_nobody_learns_of_an_end_while_it_is_silent(
    proxy: Proxy, target: Target, client: Client
) -> None:
    a = client()
    b = target.peer(0)
    proxy.half_open()
    b.close()
    quiet(a)
    proxy.heal()
    assert a.recv(1) == b""


@pytest.mark.parametrize("direction", [UP, DOWN])
def test_dead_in_one_direction_only(
    direction: str, proxy: Proxy, target: Target, client: Client
) -> None:
    a = client()
    b = target.peer(0)
    proxy.dead(direction)
    good, bad = ((b, a), (a, b)) if direction == UP else ((a, b), (b, a))
    good[0].sendall(b"passes")
    assert exactly(good[1], 6) == b"passes"
    bad[0].sendall(b"hangs")
    quiet(bad[1])
    good[0].sendall(b"still")
    assert exactly(good[1], 5) == b"still"
    proxy.heal()
    assert exactly(bad[1], 5) == b"hangs"


def test_a_silent_network_fills_the_senders_buffers(
    proxy: Proxy, target: Target, client: Client
) -> None:
    a = client()
    b = target.peer(0)
    proxy.half_open()
    a.setblocking(False)
    sent = 0
    with pytest.raises(BlockingIOError):
        while sent < 1 << 26:
            sent += a.send(bytes(65536))
            time.sleep(0.001)
    proxy.heal()
    a.setblocking(True)
    a.shutdown(socket.SHUT_WR)
    received = 0
    while data := b.recv(1 << 20):
        received += len(data)
    assert received == sent


@pytest.mark.parametrize("direction", [UP, DOWN])
@pytest.mark.parametrize("nbytes", [1, 65_536, 100_001])
def test_dropped_after_an_exact_count(
    nbytes: int, direction: str, proxy: Proxy, target: Target, client: Client
) -> None:
    a = client()
    b = target.peer(0)
    source, sink = (a, b) if direction == UP else (b, a)
    proxy.drop_after(direction, nbytes)
    assert not proxy.wait_dropped(0)
    with contextlib.suppress(ConnectionError):
        source.sendall(bytes(300_000))
    assert proxy.wait_dropped(PATIENCE)
    received = 0
    with contextlib.suppress(ConnectionResetError):
        while data := sink.recv(65536):
            received += len(data)
        pytest.fail("it ended well instead")
    assert received == proxy.sent(direction) == nbytes
    c = client()
    c.sendall(b"new")
    assert exactly(target.peer(1), 3) == b"new"


def test_dropped_into_silence_or_into_a_cut(proxy: Proxy, target: Target, client: Client) -> None:
    a = client()
    b = target.peer(0)
    proxy.drop_after(UP, 3, then="half_open")
    a.sendall(b"abcdef")
    assert proxy.wait_dropped(PATIENCE)
    assert exactly(b, 3) == b"abc"
    quiet(b)
    proxy.heal()
    assert exactly(b, 3) == b"def"
    proxy.drop_after(DOWN, 2, then="cut")
    b.sendall(b"xyz")
    assert proxy.wait_dropped(PATIENCE)
    assert exactly(a, 2) == b"xy"
    was_reset(a)
    with pytest.raises(ConnectionRefusedError):
        client()


def test_latency_is_that_of_each_direction(proxy: Proxy, target: Target, client: Client) -> None:
    a = client()
    b = target.peer(0)
    proxy.latency(0.1)
    began = time.monotonic()
    a.sendall(b"ping")
    assert exactly(b, 4) == b"ping"
    one_way = time.monotonic() - began
    b.sendall(b"pong")
    assert exactly(a, 4) == b"pong"
    both = time.monotonic() - began
    assert 0.1 <= one_way < 5 * 0.1 and 0.2 <= both < 5 * 0.2
    # Latency is no bandwidth: one chunk after the other would take it sixteen times.
    began = time.monotonic()
    a.sendall(bytes(1_000_000))
    exactly(b, 1_000_000)
    assert time.monotonic() - began < 0.8 * 0.1 * 1_000_000 / (1 << 16)


def test_a_target_that_is_not_there(proxy: Proxy, target: Target, client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        proxy.target = ("127.0.0.1", gone.getsockname()[1])
    with pytest.raises(ConnectionResetError):
        exactly(client(), 1)
