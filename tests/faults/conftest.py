"""Fixtures of the fault tests: a laptop and a pod that share nothing but the network."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_remote_gpu.client.threaded import Face
from tests.faults.mixed import Plain
from tests.support.daemon import own_daemon
from tests.support.disks import disks, small_disk
from tests.support.notebook import LocalKernel
from tests.support.place import Place
from tests.support.proxy import Proxy
from tests.support.sshd import Sshd, laptops

OpenPlace = Callable[..., Place]


@pytest.fixture(scope="session")
def plain(pod_python: str) -> Plain:
    """A kernel without us, to compare with."""
    return Plain(pod_python)


@pytest.fixture
def open_place(
    short_tmp: Path, pod_python: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OpenPlace]:
    """Opens the place, connected, with what the daemon shall find in ``settings.json``.

    With `small` journals and mirrors lie on disks of their own with so many bytes (as root only).
    Where a mount namespace can be had (as root) the pod cannot see the laptop's files: the
    data folder, the sockets, our code. Elsewhere it has only another home.
    """
    with contextlib.ExitStack() as stack:

        def open_it(small: int = 0, **settings: float) -> Place:
            daemon = stack.enter_context(own_daemon(short_tmp, monkeypatch))
            daemon.settings(**settings)
            for folder in disks(daemon, short_tmp / "pod") if small else ():
                stack.enter_context(small_disk(folder, small))
            sshd = Sshd(short_tmp / "pod", pod_python, hide=laptops(daemon))
            stack.enter_context(sshd)
            proxy = stack.enter_context(Proxy(sshd.port))
            face = Face(kind="test")
            stack.callback(face.close)
            face.request("pod.add", name="pod", ssh=sshd.words(proxy.port), python=pod_python)
            face.request("pod.pin", name="pod", key=sshd.host_key_line)
            place = Place(daemon, sshd, proxy, face)
            place.connect()
            return place

        yield open_it


@pytest.fixture
def place(open_place: OpenPlace) -> Place:
    return open_place()


@pytest.fixture
def other(place: Place) -> Iterator[Face]:
    """A face of another process would have another client id; so has this one.

    Two channels of one client to one kernel supersede each other.
    """
    face = Face(kind="test")
    face.client = uuid.uuid4().hex
    yield face
    face.close()


@pytest.fixture
def notebook(place: Place, tmp_path: Path) -> Iterator[LocalKernel]:
    """A real local kernel with the extension, beside `place`."""
    kernel = LocalKernel({**os.environ, **place.daemon.env}, tmp_path)
    try:
        yield kernel
    finally:
        kernel.close()
