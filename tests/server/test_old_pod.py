"""The oldest pod: Python 3.10 with ipykernel 6.29."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.server.conftest import Laptop
from tests.server.frontend import PATIENCE

PRINTS = """\
import sys, ipykernel
for i in range(500):
    print("line", i, flush=i % 3 == 0)
print("err", file=sys.stderr, flush=True)
print(sys.version_info[:2], ipykernel.version_info[:2])
7 * 6
"""
WAITS = """\
import time
print("waits", flush=True)
try:
    time.sleep(600)
finally:
    print("ends", flush=True)
"""


def test_prints_an_error_and_an_interrupt_on_the_oldest_pod(old_laptop: Laptop) -> None:
    async def main() -> None:
        async with old_laptop.notebook("old.ipynb") as notebook:
            for code in ("%load_ext jupyter_remote_gpu", "%gpu connect demo"):
                await notebook.ok(code)
            cell = await notebook.ok(f"%%gpu\n{PRINTS}")
            lines = "".join(f"line {i}\n" for i in range(500))
            assert notebook.text(cell) == f"{lines}(3, 10) (6, 29)\n"
            assert notebook.text(cell, "stderr") == "err\n"
            result = cell.outputs[-1]
            assert (result.data, result.execution_count) == ({"text/plain": "42"}, 3)

            failed = await notebook.run("%%gpu\nprint('before')\n[][1]")
            assert notebook.text(failed) == "before\n"
            error = failed.outputs[-1]
            assert (error.ename, error.evalue) == ("IndexError", "list index out of range")
            assert len([o for o in failed.outputs if o.output_type == "error"]) == 1
            assert failed.reply["ename"] == "IndexError"

            begun = asyncio.Event()

            def on(message: dict[str, Any]) -> None:
                if "waits" in message["content"].get("text", ""):
                    begun.set()

            waiting = asyncio.create_task(notebook.run(f"%%gpu\n{WAITS}", on=on))
            await asyncio.wait_for(begun.wait(), PATIENCE)
            await notebook.interrupt()
            stopped = await waiting
            assert notebook.text(stopped) == "waits\nends\n"
            assert stopped.reply["ename"] == stopped.outputs[-1].ename == "KeyboardInterrupt"
            assert (await notebook.ok("%%gpu\ni")).outputs[-1].data["text/plain"] == "499"

    asyncio.run(main())
