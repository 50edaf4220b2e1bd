"""The beginning of a kernel: what the keeper asks of it, and what it says when that fails."""

from __future__ import annotations

import pytest

from tests.support.keeper import Bridge, PodCommands

WRAPPER = """
import sys
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp

class Kernel(IPythonKernel):
    refuses = {refuses}

    async def do_execute(self, code, silent, *args, **kwargs):
        if silent and self.refuses:
            content = {{"status": "error", "ename": "Odd", "evalue": "no", "traceback": []}}
            return {{**content, "execution_count": 0}}
        return await super().do_execute(code, silent, *args, **kwargs)

IPKernelApp.launch_instance(kernel_class=Kernel, argv=["-f", sys.argv[1]])
"""
BOUND = "import zmq; print(get_ipython().kernel.iopub_thread.socket.getsockopt(zmq.SNDHWM))"


def wrapped(commands: PodCommands, refuses: bool) -> Bridge:
    """A kernel begun by somebody's own script: nothing in its argv says that it is ipykernel."""
    script = commands.home / "wrapper.py"
    script.write_text(WRAPPER.format(refuses=refuses))
    return commands.start(argv=[commands.python, str(script), "{connection_file}"])


def test_a_kernel_is_known_by_what_it_answers(commands: PodCommands) -> None:
    kernel = wrapped(commands, refuses=False)
    kernel.run(BOUND)
    assert kernel.text() == "0\n"
    assert not [m for m in kernel.controls if m["type"] == "trouble"]
    kernel.close()


def test_a_kernel_that_keeps_its_bounded_queue_is_spoken_of(commands: PodCommands) -> None:
    kernel = wrapped(commands, refuses=True)
    kernel.run("1")
    told = kernel.control(lambda m: m["type"] == "trouble")["message"]
    assert "Odd: no" in told
    assert "can be lost" in told
    late = commands.bridge(kernel.kernel)
    assert late.welcome["trouble"] == told
    late.close()
    log = commands.state / "kernels" / kernel.kernel / "keeper.log"
    assert told in log.read_text()
    kernel.close()


@pytest.mark.parametrize("answers", [True, False])
def test_a_kernel_that_does_not_answer_is_spoken_of(commands: PodCommands, answers: bool) -> None:
    go = commands.home / "go"
    argv = [commands.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    code = f"echo looking for a GPU; until [ -e {go} ]; do sleep 0.05; done; exec {' '.join(argv)}"
    kernel = commands.start({"ready_seconds": 1}, argv=["sh", "-c", code])
    execution = kernel.execute("print('at last')")
    told = kernel.control(lambda m: m["type"] == "trouble")["message"]
    assert "has not answered for 1 s" in told
    assert "looking for a GPU" in told
    if answers:
        go.touch()
        assert kernel.record("ended", execution).content["outcome"] == "ok"
        kernel.control(lambda m: m["type"] == "trouble" and m["message"] is None)
    else:
        kernel.tell(type="stop")
        assert kernel.record("ended", execution).content["outcome"] == "died"
    kernel.close()
