"""`%%gpu` from a real local kernel to a real one behind a real sshd."""

from __future__ import annotations

import os
from typing import Any

from tests.faults.mixed import Plain, mixed, without_notices
from tests.support.bench import Bench
from tests.support.notebook import Cell

MIXED = """
import sys
from IPython.display import HTML, clear_output, display, update_display
print("out"); print("err", file=sys.stderr)
display(HTML("<b>1</b>"), display_id="one"); display("two")
update_display(HTML("<b>changed</b>"), display_id="one")
clear_output(wait=True)
print("last")
"""


def test_the_same_messages_as_a_local_cell(bench: Bench) -> None:
    for code in (MIXED, "6 * 7", "'x' * 1000", "None", "import warnings; warnings.warn('w')"):
        local = bench.kernel.run(code.lstrip())
        remote = bench.gpu(code.lstrip())
        assert _joined(remote) == _joined(local)
        assert remote.reply["status"] == local.reply["status"] == "ok"


def _joined(cell: Cell) -> list[Any]:
    """Messages with adjacent texts joined, without counts and places that must differ."""
    out: list[Any] = []
    for kind, content in cell.shown:
        if kind == "stream":
            text = content["text"].split("UserWarning")[-1]
            if out and out[-1][0] == ("stream", content["name"]):
                out[-1][1] += text
            else:
                out.append([("stream", content["name"]), text])
        else:
            out.append([kind, {k: v for k, v in content.items() if k != "execution_count"}])
    return out


def test_the_count_is_the_local_one_also_in_tracebacks(bench: Bench) -> None:
    good = bench.gpu("1")
    assert good.all("execute_result")[0]["execution_count"] == good.reply["execution_count"]
    bad = bench.gpu("def f():\n    return 1 / 0\nf()")
    assert len(bad.all("error")) == 1
    assert bad.reply["ename"] == "ZeroDivisionError"
    trace = "\n".join(bad.all("error")[0]["traceback"])
    assert f"In[{bad.reply['execution_count']}]" in trace
    usage = bench.gpu("%no_such_magic")
    assert usage.all("error") == []
    assert "no_such_magic" in usage.text("stderr")
    assert usage.reply["ename"] == "UsageError"


def test_two_equal_remote_cells_in_one_local_cell(bench: Bench) -> None:
    run = "get_ipython().run_cell_magic('gpu', '', 'print(1)')"
    cell = bench.kernel.run(f"print(0)\n{run}\n{run}\nprint(2)")
    assert cell.text() == "0\n1\n1\n2\n"
    caught = "try:\n    get_ipython().run_cell_magic('gpu', '', '1/0')\nexcept Exception as e:\n"
    cell = bench.kernel.run(f"{caught}    print(type(e).__name__)")
    assert (cell.text(), cell.all("error")) == ("ZeroDivisionError\n", [])


def test_what_is_captured_locally_is_not_shown(bench: Bench) -> None:
    code = "get_ipython().run_cell_magic('gpu', '', \"print(1); display('d'); 5\")"
    assert bench.kernel.run(f"%%capture caught\n{code}").shown == []
    cell = bench.kernel.run("print(caught.stdout, [o.data['text/plain'] for o in caught.outputs])")
    assert cell.text() == "1\n [\"'d'\", '5']\n"


def test_input_and_getpass(bench: Bench) -> None:
    code = "import getpass\nprint(input('who? '), getpass.getpass('pw? '))"
    cell = bench.gpu(code, answer=lambda c: "secret" if c["password"] else "bob")
    assert cell.text() == "bob secret\n"
    assert [(c["prompt"], c["password"]) for c in cell.asked] == [("who? ", False), ("pw? ", True)]
    # Rule 10: who shows it again is not asked again.
    again = bench.kernel.run("%gpu attach", answer=lambda c: "again")
    assert (again.text(), again.asked) == ("bob secret\n", [])
    refused = bench.gpu("input()")
    assert refused.reply["ename"] == "StdinNotImplementedError"


def test_stop_interrupts_and_twice_gives_control_back(bench: Bench) -> None:
    def stop(kind: str, content: dict[str, Any]) -> None:
        if kind == "stream":
            bench.kernel.stop()

    cell = bench.gpu("import time\nprint('a', flush=True)\ntime.sleep(60)", on=stop)
    assert cell.reply["ename"] == "KeyboardInterrupt"
    go_on = bench.home / "stubborn-goes-on"
    stubborn = (
        "import os\nprint('a', flush=True)\n"
        "try:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('no', flush=True)\n"
        f"    while not os.path.exists({str(go_on)!r}): time.sleep(0.01)\n    print('end')"
    )
    cell = bench.gpu(stubborn, on=stop)
    assert cell.reply["ename"] == "ControlBack"
    assert cell.text() == "a\nno\n"
    attach = cell.reply["evalue"].split("`")[1]
    assert attach.startswith("%gpu attach ")
    go_on.touch()
    assert bench.kernel.run(attach).text() == "a\nno\nend\n"


def test_a_detached_cell_is_looked_at_and_fetched(bench: Bench) -> None:
    code = "import time\\nfor i in range(5): print(i, flush=True); time.sleep(0.1)\\n1/0"
    start = bench.kernel.run(f"h = get_ipython().run_cell_magic('gpu', '--detach', '{code}')\nh")
    assert start.reply["status"] == "ok"
    assert "on demo" in (start.result or "")
    cell = bench.kernel.run("h.result()")
    assert cell.text() == "0\n1\n2\n3\n4\n"
    assert cell.reply["ename"] == "ZeroDivisionError"
    again = bench.kernel.run("h.attach()\nprint('not reached')")
    assert again.text() == cell.text()
    assert bench.kernel.run("h.state, h.last_lines").result == "('error', ['2', '3', '4'])"


def test_widgets_live_on_after_their_cell(bench: Bench) -> None:
    cell = bench.gpu(
        "import ipywidgets\ns = ipywidgets.IntSlider()\n"
        "s.observe(lambda c: print('changed to', c['new']), 'value')\ns"
    )
    opened = cell.all("comm_open")
    slider = next(c for c in opened if c["data"]["state"].get("_model_name") == "IntSliderModel")
    update = {"method": "update", "state": {"value": 7}, "buffer_paths": []}
    msg_id = bench.kernel.send_comm(slider["comm_id"], update)
    said = bench.kernel.message(
        lambda m: m["msg_type"] == "stream" and m["parent_header"].get("msg_id") == msg_id
    )
    assert said["content"]["text"] == "changed to 7\n"
    assert bench.gpu("s.value").result == "7"


def test_an_output_widget_catches_under_the_local_cell(bench: Bench) -> None:
    cell = bench.gpu("out = ipywidgets.Output()\nwith out:\n    print('in')\nprint('after')")
    toggles = [
        c["data"]["state"]["msg_id"]
        for c in cell.all("comm_msg")
        if "msg_id" in c["data"].get("state", {})
    ]
    header = bench.kernel.run("get_ipython().kernel.get_parent()['header']['session']")
    assert len(toggles) == 2
    assert toggles[0].startswith(str(header.result).strip("'"))
    assert toggles[1] == ""
    kinds = [k for k, _ in cell.shown if k in ("comm_msg", "stream")]
    assert kinds == ["comm_msg", "stream", "comm_msg", "stream"]


def test_a_flood_arrives_whole(bench: Bench) -> None:
    cell = bench.gpu("for i in range(5000): print(i, flush=True)\nprint('x' * 1_500_000)")
    lines = "".join(f"{i}\n" for i in range(5000))
    assert cell.text() == lines + "x" * 1_500_000 + "\n"


def test_a_cell_outlives_a_cut_and_the_daemon(bench: Bench, plain: Plain) -> None:
    fired: list[str] = []
    go_on = bench.home / "outlives-goes-on"

    def on(kind: str, content: dict[str, Any]) -> None:
        text = content.get("text", "")
        if "out 5\n" in text and "cut" not in fired:
            fired.append("cut")
            bench.proxy.cut()
        elif "reconnecting" in str(content.get("data")) and "healed" not in fired:
            fired.append("healed")
            bench.proxy.heal()
        elif "out 40\n" in text and "killed" not in fired:
            fired.append("killed")
            bench.daemon.kill()
            go_on.touch()  # the cell ends while there is no daemon

    gate = f"import os\nwhile not os.path.exists({str(go_on)!r}): time.sleep(0.01)\n"
    cell = bench.gpu(mixed(80, 0.02, gate), on=on)
    assert fired == ["cut", "healed", "killed"]
    assert cell.reply["status"] == "ok"
    plain.check(without_notices(cell.shown), 80, paced=True)


def test_disconnect_gives_control_back_and_the_cell_runs_on(bench: Bench) -> None:
    disconnect = (
        "from jupyter_remote_gpu.client.threaded import Face\n"
        "face = Face(kind='test'); face.request('pod.disconnect', name='demo'); face.close()"
    )
    asked = []
    go_on = bench.home / "disconnected-goes-on"

    def on(kind: str, content: dict[str, Any]) -> None:
        if kind == "stream" and not asked:
            asked.append(bench.daemon.python(disconnect))

    cell = bench.gpu(
        "import os, time\nfor i in range(15): print(i, flush=True)\n"
        f"while not os.path.exists({str(go_on)!r}): time.sleep(0.01)\n"
        "for i in range(15, 30): print(i, flush=True)",
        on=on,
    )
    go_on.touch()  # with the link gone
    assert asked[0].communicate(timeout=30)[1] == ""
    assert cell.reply["ename"] == "ControlBack"
    assert "On demo the cell runs on" in cell.reply["evalue"]
    refused = bench.gpu("1")
    assert refused.reply["ename"] == "NotConnected"
    assert "%gpu connect demo" in refused.reply["evalue"]
    assert bench.kernel.run("%gpu connect demo").reply["status"] == "ok"
    attached = bench.kernel.run("%gpu attach")
    assert attached.text() == "".join(f"{i}\n" for i in range(30))


def test_after_a_local_restart_the_kernel_is_joined(bench: Bench) -> None:
    made = bench.gpu("import ipywidgets; kept = 12; w = ipywidgets.IntSlider(value=3)")
    assert made.reply["status"] == "ok"
    bench.kernel.restart()
    cell = bench.gpu("kept")
    assert cell.result == "12"
    assert "joined the kernel of" in cell.text("stderr")
    assert "`%gpu restart` for a fresh one" in cell.text("stderr")
    comms = "from comm import get_comm_manager; len(get_comm_manager().comms) > 2"
    assert bench.kernel.run(comms).result == "True"
    assert bench.kernel.run("%gpu restart").reply["status"] == "ok"
    fresh = bench.gpu("'kept' in globals()")
    assert (fresh.result, fresh.text("stderr")) == ("False", "")


def test_a_dead_kernel_ends_its_cell_and_the_next_one_is_fresh(bench: Bench) -> None:
    def kill(kind: str, content: dict[str, Any]) -> None:
        if "kept" in content.get("text", ""):
            os.kill(int(content["text"].split()[1]), 9)

    code = "import os, time\nprint('kept', os.getpid(), flush=True)\ntime.sleep(600)"
    cell = bench.gpu(code, on=kill)
    assert cell.text().startswith("kept ")
    assert cell.reply["ename"] == "KernelDied"
    assert "SIGKILL" in cell.reply["evalue"]
    after = bench.gpu("print('on')")
    assert after.text() == "on\n"
    said = after.text("stderr")
    assert "was killed by SIGKILL" in said and "this is a fresh one" in said
    # Who restarts the local kernel in between is told as well.
    bench.gpu(code, on=kill)
    bench.kernel.restart()
    assert "was killed by SIGKILL" in bench.gpu("'x'").text("stderr")
