"""Widgets of a real kernel in a local one that comes later."""

from __future__ import annotations

from typing import Any

from tests.support.bench import Bench

BAR = """
import ipywidgets, time
from pathlib import Path
bar = ipywidgets.IntProgress(value=1, max=5)
print("begun")
display(bar)
bar.value = 2
end = time.monotonic() + 60
while not Path.home().joinpath("go").exists() and time.monotonic() < end: time.sleep(0.02)
for bar.value in range(3, 6): time.sleep(0.05)
print("finished")
"""


def is_model(name: str, message: dict[str, Any]) -> bool:
    if message["msg_type"] != "comm_open":
        return False
    return bool(message["content"]["data"]["state"].get("_model_name") == name)


def test_after_a_restart_an_attached_bar_is_there_and_moves(bench: Bench) -> None:
    """Restart, attach, watch the bar."""
    started = bench.kernel.run(
        f"h = get_ipython().run_cell_magic('gpu', '--detach', {BAR!r})\n"
        "import time\nend = time.monotonic() + 30\n"
        "while not h.last_lines and time.monotonic() < end: time.sleep(0.02)\nh.last_lines"
    )
    assert started.result == "['begun']", started
    bench.kernel.restart()
    before: list[dict[str, Any]] = []

    def on(kind: str, content: dict[str, Any]) -> None:
        if kind == "display_data" and "application/vnd.jupyter.widget-view+json" in content["data"]:
            before.extend(bench.kernel.others)
            bench.home.joinpath("go").touch()

    cell = bench.kernel.run("%gpu attach", on=on)
    assert cell.reply["status"] == "ok", cell
    assert cell.text() == "begun\nfinished\n"
    [opened] = [m for m in before if is_model("IntProgressModel", m)]
    bar = opened["content"]
    assert bar["data"]["state"]["value"] in (1, 2)
    moved = [
        content["data"]["state"]["value"]
        for content in cell.all("comm_msg")
        if content["comm_id"] == bar["comm_id"] and "value" in content["data"].get("state", {})
    ]
    assert moved[-3:] == [3, 4, 5]
    assert bench.gpu("bar.value").result == "5"


def test_what_a_callback_put_into_an_output_is_there_after_a_restart(bench: Bench) -> None:
    cell = bench.gpu(
        "button, out = ipywidgets.Button(), ipywidgets.Output()\n"
        "box = ipywidgets.VBox()\nbox.children = [button, out]\n"
        "@button.on_click\ndef clicked(_):\n    with out: print('clicked')\n"
        "with out: print('in the cell')\nbutton.comm.comm_id, out.comm.comm_id"
    )
    button, out = (part.strip("'") for part in str(cell.result).strip("()").split(", "))
    msg_id = bench.kernel.send_comm(button, {"method": "custom", "content": {"event": "click"}})
    bench.kernel.message(
        lambda m: m["msg_type"] == "stream" and m["parent_header"].get("msg_id") == msg_id
    )
    bench.kernel.restart()
    bench.kernel.others.clear()
    assert bench.gpu("1").result == "1"
    opened = [m["content"] for m in bench.kernel.others if m["msg_type"] == "comm_open"]
    [state] = [c["data"]["state"] for c in opened if c["comm_id"] == out]
    assert state["outputs"] == [
        {"output_type": "stream", "name": "stdout", "text": "in the cell\nclicked\n"}
    ]
    order = [c["comm_id"] for c in opened]
    [box] = [c for c in opened if c["data"]["state"].get("_model_name") == "VBoxModel"]
    assert max(order.index(button), order.index(out)) < order.index(box["comm_id"])


def test_a_page_that_is_loaded_again_gets_local_and_remote_widgets(bench: Bench) -> None:
    bench.gpu("import ipywidgets; remote = ipywidgets.IntSlider(value=3)")
    bench.gpu("remote.value = 8")
    made = bench.kernel.run("import ipywidgets; local = ipywidgets.IntSlider(value=4)")
    assert made.reply["status"] == "ok"
    bench.kernel.others.clear()
    session, shell = bench.kernel.client.session, bench.kernel.client.shell_channel
    target = {"comm_id": "c" * 32, "target_name": "jupyter.widget.control", "data": {}}
    shell.send(session.msg("comm_open", target, metadata={"version": "1.0.0"}))
    bench.kernel.send_comm(target["comm_id"], {"method": "request_states"})
    answer = bench.kernel.message(lambda m: m["content"].get("comm_id") == target["comm_id"])
    assert answer["content"]["data"]["method"] == "update_states"
    states = [model["state"] for model in answer["content"]["data"]["states"].values()]
    assert {4, 8} <= {s["value"] for s in states if s["_model_name"] == "IntSliderModel"}
