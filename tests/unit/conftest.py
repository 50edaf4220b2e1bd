"""What a process has once: the tests of one process must not find what another one left."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from jupyter_remote_gpu.magic.control import widget_control
from jupyter_remote_gpu.magic.execution import Execution
from jupyter_remote_gpu.magic.runner import Runner
from jupyter_remote_gpu.magic.session import Session
from jupyter_remote_gpu.magic.sink import KernelSink
from tests.support.magic import Setup
from tests.support.opening import Pod


@pytest.fixture(autouse=True)
def no_kernels_widgets_are_left() -> Iterator[None]:
    """The kernels that a test opened and did not close answer for no widgets in the next one."""
    yield
    for hub in list(widget_control._hubs):
        hub.close()


@pytest.fixture
def setup() -> Setup:
    return Setup()


@pytest.fixture
def execution(setup: Setup) -> Execution:
    execution = setup.execution()
    assert setup.kernel is not None
    execution.sink = KernelSink(setup.kernel, setup.kernel.get_parent()["header"])
    return execution


@pytest.fixture
def runner(setup: Setup, execution: Execution) -> Runner:
    return Runner(setup.shell, setup.remote, execution)


@pytest.fixture
def pod() -> Pod:
    return Pod()


@pytest.fixture
def session(pod: Pod) -> Session:
    session = Session(SimpleNamespace())
    session._face = pod  # type: ignore[assignment]
    return session
