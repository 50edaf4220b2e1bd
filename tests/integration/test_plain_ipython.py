"""`%%gpu` in plain ipython: no kernel, no front end."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from tests.support.bench import Bench

CELLS = [
    "%load_ext jupyter_remote_gpu",
    """%%gpu demo
import sys
from IPython.display import HTML, display
for i in range(3): print("line", i, flush=True)
print("to stderr", file=sys.stderr)
display(HTML("<b>bold</b>"))
6 * 7""",
    """%%gpu demo
files = sys.stdout, sys.stderr
for i in range(20_000): print(i, file=files[i % 2], flush=True)""",
    "%%gpu demo\n1 / 0",
    "print('still', 'here')",
    "exit",
]
# With a simple prompt two empty lines end a cell magic.
SESSION = "".join(f"{cell}\n\n\n" for cell in CELLS)


def test_streams_text_and_errors_are_printed(bench: Bench) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--simple-prompt", "--colors=NoColor", "--no-banner"],
        input=SESSION,
        env={**os.environ, **bench.daemon.env, "JPY_SESSION_NAME": ""},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
    )
    out, err = (re.sub(r"\x1b\[[\d;]*m", "", text) for text in (done.stdout, done.stderr))
    assert "line 0\nline 1\nline 2\n" in out, (out, err)
    assert "to stderr\n" in err
    assert "<IPython.core.display.HTML object>" in out
    assert "Out[2]: 42\n" in out
    for first, text in enumerate((out, err)):
        assert "".join(f"{i}\n" for i in range(first, 20_000, 2)) in text
    assert (out + err).count("ZeroDivisionError: division by zero") == 1
    assert "still here" in out
    assert done.returncode == 0
