"""The fold against nbclient in a kernel of today, not only in the recorded run."""

from __future__ import annotations

import sys

from jupyter_remote_gpu.wire.compact import compact
from tests.support.recorded import CELLS, Notebook, records_of, run


def test_streams_displays_and_captures() -> None:
    sources = CELLS[:3]
    result = run(sys.executable, sources)
    raw = records_of(result["messages"])
    Notebook(len(sources)).feed(raw).check(result)
    Notebook(len(sources)).feed(compact(raw)).check(result)
