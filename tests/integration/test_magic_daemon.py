"""`daemon stop` while a notebook is open."""

from __future__ import annotations

import time

from tests.support.bench import Bench
from tests.support.daemon import until


def test_a_daemon_that_was_stopped_comes_back_with_the_next_cell(bench: Bench) -> None:
    """Until then not: whoever stops it wants another one, with the agent of another terminal."""
    assert bench.gpu("kept = 12").reply["status"] == "ok"
    first = bench.daemon.pid
    stop = "import sys; from jupyter_remote_gpu.cli import main; main(['daemon', 'stop'])"
    done = bench.daemon.python(stop)
    assert "Kernels on pods run on" in done.communicate(timeout=30)[0]
    time.sleep(3.0)
    assert not bench.daemon.processes()
    after = bench.gpu("kept")
    assert (after.result, after.text("stderr")) == ("12", "")
    assert bench.daemon.pid != first
    # Killed, it is had back at once: the kernel would have no reader.
    bench.daemon.kill()
    until(bench.daemon.processes, "another daemon")
    assert bench.gpu("kept").result == "12"
