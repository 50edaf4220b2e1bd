"""Whose remote kernel it is: after a rename, a restart, another notebook, the kernel's end."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.server.conftest import Laptop
from tests.server.frontend import PATIENCE, Notebook
from tests.server.same import shown
from tests.support.daemon import until

OPENING = ["%load_ext jupyter_remote_gpu", "%gpu connect demo"]


async def _open(notebook: Notebook) -> None:
    for code in OPENING:
        await notebook.ok(code)


def _alive(laptop: Laptop) -> set[Any]:
    return {k["id"] for k in laptop.kernels() if k["alive"]}


def test_renamed_then_restarted_it_joins_its_kernel(laptop: Laptop) -> None:
    async def main() -> None:
        async with laptop.notebook("before.ipynb") as notebook:
            await _open(notebook)
            await notebook.ok("%%gpu\nkept = [1, 2, 3]\nimport os; print(os.getpid())")
            pid = notebook.text(notebook.fold.nb.cells[-1])
            alive = await asyncio.to_thread(_alive, laptop)
            await notebook.rename("after.ipynb")
            await notebook.restart()
            await _open(notebook)
            cell = await notebook.ok("%%gpu\nprint(os.getpid())\nkept")
            joined = notebook.text(cell, "stderr")
            # What is ours are `kept` and `os`.
            assert joined.startswith("[gpu] joined the kernel of ")
            assert " with 2 names; `%gpu restart` for a fresh one." in joined
            assert notebook.text(cell) == pid
            assert cell.outputs[-1].data["text/plain"] == "[1, 2, 3]"
            assert cell.outputs[-1].execution_count == cell.execution_count == 3
            assert notebook.text(await notebook.ok("%%gpu\nlen(kept)"), "stderr") == ""
            assert await asyncio.to_thread(_alive, laptop) == alive

    asyncio.run(main())


def test_a_new_notebook_of_an_old_name_has_a_kernel_of_its_own(laptop: Laptop) -> None:
    """The notebook that had the name was renamed, and its kernel was not restarted since."""

    async def main() -> None:
        async with laptop.notebook("name.ipynb") as old:
            await _open(old)
            await old.ok("%%gpu\nkept = 1")
            await old.rename("other.ipynb")
            async with laptop.notebook("name.ipynb") as new:
                await _open(new)
                cell = await new.ok("%%gpu\n'kept' in globals()")
                assert cell.outputs[-1].data["text/plain"] == "False"
                assert new.text(cell, "stderr") == ""
                await new.ok("%%gpu\nkept = 2")
                assert (await old.ok("%%gpu\nkept")).outputs[-1].data["text/plain"] == "1"
                for notebook, value in ((old, "1"), (new, "2")):
                    await notebook.restart()
                    await _open(notebook)
                    cell = await notebook.ok("%%gpu\nkept")
                    assert cell.outputs[-1].data["text/plain"] == value

    asyncio.run(main())


def test_another_notebook_has_another_kernel_which_outlives_its_local_one(laptop: Laptop) -> None:
    async def main() -> None:
        one, two = laptop.notebook("one.ipynb"), laptop.notebook("two.ipynb")
        before = await asyncio.to_thread(_alive, laptop)
        async with one, two:
            await asyncio.gather(_open(one), _open(two))
            await asyncio.gather(*(n.ok(f"%%gpu\nwho = {n.path!r}") for n in (one, two)))
            for notebook in (one, two):
                cell = await notebook.ok("%%gpu\nwho")
                assert shown(notebook)[-1]["outputs"][0]["data"] == {
                    "text/plain": repr(notebook.path)
                }
                assert notebook.text(cell, "stderr") == ""
            opened = await asyncio.to_thread(_alive, laptop) - before
            assert len(opened) == 2
            await two.ok("%%gpu --detach\nwho += '!'")
            await two.ok("%%gpu\nwho")
            await two.shut_down()
            await asyncio.to_thread(
                until, lambda: two.kernel not in _local(laptop), "the local kernel's end"
            )
            assert await asyncio.to_thread(_alive, laptop) - before == opened
            listed = one.text(await one.ok("%gpu kernels"))
            rows = [line for line in listed.splitlines() if line[:6] in {k[:6] for k in opened}]
            assert len(rows) == 2 and all(" alive " in row for row in rows), listed
            assert sum("one.ipynb (this one)" in row for row in rows) == 1
            assert sum("two.ipynb" in row for row in rows) == 1
        async with laptop.notebook("two.ipynb") as again:
            await _open(again)
            cell = await again.ok("%%gpu\nwho")
            assert "joined the kernel of" in again.text(cell, "stderr")
            assert cell.outputs[-1].data["text/plain"] == "'two.ipynb!'"
        assert await asyncio.to_thread(_alive, laptop) - before == opened

    asyncio.run(main())


LONG = """\
import pathlib, time
home = pathlib.Path.home()
(home / "begun").touch()
while not (home / "go").exists(): time.sleep(0.01)
print("to the end", flush=True)
"""


def test_restarted_in_mid_cell_the_remote_cell_runs_on(laptop: Laptop) -> None:
    home = laptop.place.sshd.home
    for name in ("begun", "go"):
        (home / name).unlink(missing_ok=True)

    async def main() -> None:
        async with laptop.notebook("mid.ipynb") as notebook:
            await _open(notebook)
            notebook.begin(f"%%gpu\n{LONG}")
            await asyncio.to_thread(until, (home / "begun").exists, "its begin", PATIENCE)
            await notebook.restart()
            await _open(notebook)
            (home / "go").touch()
            assert notebook.text(await notebook.ok("%gpu attach")) == "to the end\n"

    asyncio.run(main())


def _local(laptop: Laptop) -> set[str]:
    return {k["id"] for k in laptop.server.rest("GET", "kernels")}
