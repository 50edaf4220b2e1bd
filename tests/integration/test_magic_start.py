"""A kernel that dies while it starts: what it says is told, and that a next one would too."""

from __future__ import annotations

from tests.support.bench import Bench
from tests.support.daemon import until

REFILLED = """
from jupyter_remote_gpu.client import refill
face = get_ipython()._jupyter_remote_gpu[0].face
async def refilled():
    async with refill.Kernels() as kernels:
        done = await refill.completed(await face._opened(), h.id, kernels)
    return done.outputs[-1]["evalue"]
print(face.submit(refilled()).result())
"""
DIES = "import os, sys\nprint('no CUDA here', file=sys.stderr, flush=True)\nos._exit(3)"


def test_a_kernel_that_does_not_start_is_told_as_such(bench: Bench) -> None:
    profile = bench.home / ".ipython" / "profile_default"
    profile.mkdir(parents=True)
    config = profile / "ipython_kernel_config.py"
    config.write_text(DIES)
    first, second = bench.gpu("1"), bench.gpu("1")
    for cell in (first, second):
        said = cell.reply["evalue"]
        assert said.startswith("The kernel on demo did not start: it ended with status 3. Mend")
        assert "`--python PATH`" in said and said.endswith("no CUDA here")
        assert "while this cell ran" not in said and "variables" not in said
    assert first.text("stderr") == ""
    assert second.text("stderr") == (
        "[gpu] The last kernel on demo did not start; this is another one.\n"
    )
    bench.kernel.run("h = get_ipython().run_cell_magic('gpu', '--detach', '1')")
    until(lambda: bench.kernel.run("h.state").result == "'died'", "the handle's news", 30)
    assert "did not start: it ended with status 3" in str(bench.kernel.run("h.trouble").result)
    attached = bench.kernel.run("h.attach()")
    for evalue in (attached.reply["evalue"], bench.kernel.run(REFILLED).text().rstrip("\n")):
        assert evalue == first.reply["evalue"]
    config.unlink()
    works = bench.gpu("1 + 1")
    assert works.result == "2"
    # One that ran is told as one that died under its cell.
    dies = bench.gpu("import os; os._exit(4)")
    assert "ended with status 4 while this cell ran" in dies.reply["evalue"]
    assert "this is a fresh one, without its variables" in bench.gpu("1").text("stderr")
