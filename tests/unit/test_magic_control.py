"""A page is loaded again: one answer brings back the widgets of all kernels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from comm import get_comm_manager
from comm.base_comm import BaseComm
from ipywidgets.widgets.widget import Widget

from jupyter_remote_gpu.magic.control import CONTROL
from tests.support.magic import Setup

ids = [c * 32 for c in "abcd"]


@pytest.fixture
def setups() -> Iterator[list[Setup]]:
    """Two kernels in one local one, each with a widget that has a buffer."""
    setups = [Setup(), Setup()]
    for setup, comm_id in zip(setups, ids, strict=False):
        state = {"_model_name": "ImageModel", "_model_module": "m", "value": 1}
        data = {"state": state, "buffer_paths": [["picture"]]}
        content = {"comm_id": comm_id, "target_name": "jupyter.widget", "data": data}
        update = {"comm_id": comm_id, "data": {"method": "update", "state": {"value": 2}}}
        setup.feed(
            setup.log.iopub("comm_open", content, "e" * 32, buffers=[comm_id[:1].encode()]),
            setup.log.iopub("comm_msg", update, "e" * 32),
        )
    yield setups
    for setup in setups:
        setup.remote.close()
    assert CONTROL not in get_comm_manager().targets


class Front(BaseComm):
    """The local end of a front end's comm; keeps what is said to the front end."""

    def __init__(self, **keys: Any) -> None:
        self.said: list[tuple[str, Any, list[bytes]]] = []
        super().__init__(**keys)

    def publish_msg(
        self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **_: Any
    ) -> None:
        self.said.append((msg_type, data, list(buffers or ())))


def ask() -> tuple[Any, list[bytes]]:
    """As the widget manager does when a page is loaded; the one answer that it takes."""
    opened = {"metadata": {"version": "1.0.0"}, "content": {"comm_id": "x", "data": {}}}
    front = Front(target_name=CONTROL, comm_id="x", primary=False)
    get_comm_manager().targets[CONTROL](front, opened)
    front.handle_msg({"content": {"comm_id": "x", "data": {"method": "request_states"}}})
    [(kind, data, buffers)] = front.said
    assert (kind, data["method"]) == ("comm_msg", "update_states")
    return data, buffers


def test_the_widgets_of_two_kernels_come_back(setups: list[Setup]) -> None:
    data, buffers = ask()
    assert {i: s["state"]["value"] for i, s in data["states"].items()} == {ids[0]: 2, ids[1]: 2}
    assert data["states"][ids[0]]["model_name"] == "ImageModel"
    paths = [[i, "state", "picture"] for i in ids[:2]]
    assert (data["buffer_paths"], buffers) == (paths, [b"a", b"b"])
    assert [s.face.channel.submitted for s in setups] == [[], []]  # a busy kernel is not needed


def test_after_one_kernel_has_ended_the_other_ones_come_back(setups: list[Setup]) -> None:
    setups[0].remote.close()
    assert list(ask()[0]["states"]) == [ids[1]]
    died = setups[1].log.keeper("died", code=None, signal="SIGKILL", asked=False, stderr="")
    setups[1].feed(died)
    assert ask()[0]["states"] == {}


def test_local_widgets_come_back_beside_them(setups: list[Setup]) -> None:
    """What `import ipywidgets` in a local cell registers, after us."""
    local = Front(target_name="jupyter.widget", comm_id=ids[3], primary=False)
    get_comm_manager().register_comm(local)
    widget = Widget(comm=local)
    targets = get_comm_manager().targets
    targets[CONTROL] = Widget.handle_control_comm_opened
    try:
        assert list(ask()[0]["states"]) == [ids[3]]
        assert setups[0].kernel is not None
        setups[0].kernel.shell.events.trigger("post_run_cell", None)
        assert sorted(ask()[0]["states"]) == [ids[0], ids[1], ids[3]]
        for setup in setups:
            setup.remote.close()
        assert targets.pop(CONTROL) == Widget.handle_control_comm_opened
    finally:
        targets.pop(CONTROL, None)
        widget.close()


def test_a_local_target_that_fails_costs_nothing(setups: list[Setup]) -> None:
    def fails(comm: Any, msg: Any) -> None:
        raise ValueError("another protocol")

    get_comm_manager().targets[CONTROL] = fails
    assert setups[0].kernel is not None
    setups[0].kernel.shell.events.trigger("post_run_cell", None)
    assert sorted(ask()[0]["states"]) == ids[:2]
    for setup in setups:
        setup.remote.close()
    assert get_comm_manager().targets.pop(CONTROL) is fails
