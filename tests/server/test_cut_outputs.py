"""The link is cut in the middle of a cell; the browser sees what a local cell shows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.faults.mixed import mixed
from tests.server.conftest import Laptop
from tests.server.frontend import PATIENCE, Notebook
from tests.server.same import shown
from tests.support.daemon import until

CUT_SECONDS = 8.0
BACK_SECONDS = 4.0
"""The worst time from the network's return to the next line (section 8)."""
PAUSE = 0.06
ROUNDS = int((CUT_SECONDS + BACK_SECONDS) / PAUSE)
# The first cell may tell of kernels that others have left.
OPENING = ["%load_ext jupyter_remote_gpu", "%gpu connect demo", "%%gpu\npass"]
LINES = 20_000
WIDTH = 200
"""So wide that the lines, merged as they are, exceed the server's 1 MB/s over its 3 seconds."""
FLOOD = """\
import pathlib, time
home = pathlib.Path.home()
(home / "begun").touch()
while not (home / "go").exists(): time.sleep(0.01)
for i in range({lines}):
    print("line", i, "-" * {width}, flush=True)
(home / "written").touch()
while not (home / "end").exists(): time.sleep(0.01)
print("end")
"""


async def _open(notebook: Notebook) -> None:
    for code in OPENING:
        await notebook.ok(code)


async def _there(path: Path) -> None:
    await asyncio.to_thread(until, path.exists, f"{path.name} on the pod", PATIENCE)


def test_an_8_s_cut_leaves_the_outputs_of_a_local_cell(laptop: Laptop) -> None:
    proxy = laptop.place.proxy

    async def main() -> None:
        async with laptop.notebook("whole.ipynb", "plain") as here:
            for code in ["pass"] * len(OPENING) + [mixed(ROUNDS, 0), "1 + 1"]:
                await here.ok(code)
        loop, healed = asyncio.get_running_loop(), asyncio.Event()

        def heal() -> None:
            proxy.heal()
            healed.set()

        cuts: list[Any] = []

        def on(message: dict[str, Any]) -> None:
            if "out 20\n" in message["content"].get("text", "") and not cuts:
                proxy.cut()
                cuts.append(loop.call_later(CUT_SECONDS, heal))

        async with laptop.notebook("cut.ipynb") as there:
            await _open(there)
            accepted = proxy.accepted
            code = f"%%gpu\n{mixed(ROUNDS, PAUSE)}"
            await there.ok(code, on=on, patience=2 * ROUNDS * PAUSE + 5 * BACK_SECONDS)
            assert healed.is_set(), "the cell ended before the network came back"
            assert proxy.accepted > accepted
            await there.ok("%%gpu\n1 + 1")
        assert shown(there, len(OPENING)) == shown(here, len(OPENING))
        # While it lasted the cell said so; at the end nothing of that is left to be seen.
        assert "reconnecting" in there.notices[0]["data"]["text/plain"]
        assert there.notices[-1]["data"] == {}

    asyncio.run(main())


def test_what_a_cut_leaves_in_a_cell_shows_nothing(laptop: Laptop) -> None:
    proxy = laptop.place.proxy
    code = "import time\nfor i in range(60): print(i, flush=True); time.sleep(0.03)"

    async def main() -> None:
        async with laptop.notebook("leaves.ipynb") as there:
            await _open(there)

            def on(message: dict[str, Any]) -> None:
                if "20\n" in message["content"].get("text", "") and not there.notices:
                    proxy.cut()
                elif len(there.notices) == 1:
                    proxy.heal()

            cell = await there.ok(f"%%gpu\n{code}", on=on)
        left = [o for o in cell.outputs if o.output_type != "stream"]
        assert [(o.output_type, o.data, o.metadata) for o in left] == [("display_data", {}, {})]
        assert [o["text"] for o in shown(there)[-1]["outputs"]] == [
            "".join(f"{i}\n" for i in range(60))
        ]

    asyncio.run(main())


def test_20_000_lines_that_waited_pass_the_servers_limits(laptop: Laptop) -> None:
    place, home = laptop.place, laptop.place.sshd.home

    async def main() -> None:
        async with laptop.notebook("flood.ipynb") as there:
            await _open(there)
            for name in ("begun", "go", "written", "end"):
                (home / name).unlink(missing_ok=True)
            code = FLOOD.format(lines=LINES, width=WIDTH)
            running = asyncio.create_task(there.run(f"%%gpu\n{code}", patience=2 * PATIENCE))
            await _there(home / "begun")
            place.proxy.cut()
            (home / "go").touch()
            await _there(home / "written")
            place.proxy.heal()
            (home / "end").touch()
            cell = await running
        assert cell.reply["status"] == "ok"
        expected = "".join(f"line {i} {'-' * WIDTH}\n" for i in range(LINES)) + "end\n"
        assert there.text(cell) == expected
        assert {o["name"] for o in shown(there)[-1]["outputs"]} == {"stdout"}
        everything = [m["content"].get("text", "") for m in there.messages]
        assert not any("rate exceeded" in text for text in everything)

    asyncio.run(main())
    assert "rate exceeded" not in laptop.server.log()
