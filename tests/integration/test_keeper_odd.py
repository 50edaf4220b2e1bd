"""What a kernel or a link does that is rare: it costs no kernel and no work."""

from __future__ import annotations

import time

import pytest

from tests.support.disks import filled, small_disk
from tests.support.keeper import PATIENCE, Bridge, PodCommands
from tests.support.sshd import can_hide

COUNTING = """
import os, time
caught, end = 0, time.monotonic() + 60
print('begun', flush=True)
while not os.path.exists({gate!r}) and time.monotonic() < end:
    try:
        time.sleep(0.05)
    except KeyboardInterrupt:
        caught += 1
        print('caught', caught, flush=True)
"""
ODD = """
session, socket = get_ipython().kernel.session, get_ipython().kernel.iopub_socket
for odd in (['a'], {'b': 1}, 3, None):
    message = session.msg('stream', {'name': 'stdout', 'text': 'odd'})
    message['parent_header'] = {'msg_id': odd}
    session.send(socket, message)
"""


def test_an_interrupt_that_is_sent_again_after_a_cut_interrupts_once(
    commands: PodCommands, kernel: Bridge
) -> None:
    gate = commands.home / "gate"
    execution = kernel.execute(COUNTING.format(gate=str(gate)))
    kernel.wait(lambda: "begun" in kernel.text(execution))
    kernel.tell(type="interrupt", execution=execution, tag="once")
    kernel.wait(lambda: "caught" in kernel.text(execution))
    # Its answer was lost with the link: the next bridge brings the same again.
    again = commands.bridge(kernel.kernel, client=kernel.client)
    again.tell(type="interrupt", execution=execution, tag="once")
    assert again.control(lambda m: m["type"] == "interrupted")["done"] is True
    gate.touch()
    assert again.record("ended", execution).content["outcome"] == "ok"
    assert again.text(execution) == "begun\ncaught 1\n"
    assert len(again.all("interrupt")) == 1
    again.close()
    kernel.ended = True


def test_odd_parents_cost_no_kernel(kernel: Bridge) -> None:
    assert kernel.run(ODD)["outcome"] == "ok"
    assert kernel.run("print('there')")["outcome"] == "ok"
    assert kernel.text(None).count("odd") == 4


def test_a_kernelspec_can_put_a_folder_before_the_pods_own(commands: PodCommands) -> None:
    kernel = commands.start(env={"PATH": "/opt/of-the-spec:${PATH}", "KEPT": "$no_such"})
    kernel.run("import os; print(os.environ['PATH'], os.environ['KEPT'])")
    path, kept = kernel.text().split()
    assert path.startswith("/opt/of-the-spec:/") and "$" not in path
    assert kept == "$no_such"
    kernel.close()


def test_a_reply_that_comes_late_is_waited_for(kernel: Bridge) -> None:
    """Nobody interrupted it: it is not an interrupted cell."""
    slow = "import time; time.sleep(1.5)"
    code = (
        "kernel = get_ipython().kernel\nsend = kernel.session.send\n"
        "def late(stream, msg, *args, **more):\n"
        "    if msg == 'execute_reply':\n"
        "        kernel.session.send = send\n"
        "        kernel._publish_status('idle', 'shell')\n"
        f"        {slow}\n"
        "    return send(stream, msg, *args, **more)\n"
        "kernel.session.send = late"
    )
    assert kernel.run(code)["outcome"] == "ok"


@pytest.mark.skipif(not can_hide(), reason="only root makes a small disk")
def test_a_log_without_room_for_a_word_costs_no_kernel(commands: PodCommands) -> None:
    gate = commands.home / "gate"
    wait = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.05)"
    with small_disk(commands.state, 4 << 20):
        # One byte: what the cell has said is to make room at its end, which takes room first.
        kernel = commands.start(limits={"journal_bytes": 1})
        first = commands.state / "kernels" / kernel.kernel / "journal" / f"{1:020d}.seg"
        written = {first.stat().st_ino}
        execution = kernel.execute(f"print('x' * 70_000)\n{wait}")  # a whole segment
        end = time.monotonic() + PATIENCE
        while len(written) < 3:  # as written, compacted, and without what belongs to other cells
            assert time.monotonic() < end, "it was not rewritten"
            time.sleep(0.005)
            written.add(first.stat().st_ino)
        with filled(commands.state):
            gate.touch()
            assert kernel.record("ended", execution).content["outcome"] == "ok"
            assert kernel.run("print('after')")["outcome"] == "ok"
        assert kernel.run("print('with room')")["outcome"] == "ok"
        commands.run("stop", {"kernel": kernel.kernel})
        kernel.until_end()
