"""What a process has once: the tests of one process must not find what another one left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jupyter_remote_gpu.magic.control import widget_control


@pytest.fixture(autouse=True)
def no_kernels_widgets_are_left() -> Iterator[None]:
    """The kernels that a test opened and did not close answer for no widgets in the next one."""
    yield
    for hub in list(widget_control._hubs):
        hub.close()
