"""A mixed-output notebook shows the same by `%%gpu` as in a local kernel of that Python."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.server.cells import MIXED
from tests.server.conftest import Laptop
from tests.server.same import shown, widgets

# The first cell may tell of kernels that others have left.
OPENING = ["%load_ext jupyter_remote_gpu", "%gpu connect demo", "%%gpu\npass"]


def test_a_mixed_notebook_shows_what_a_local_kernel_shows(laptop: Laptop) -> None:
    async def main() -> None:
        async with laptop.notebook("here.ipynb", "plain") as here:
            for code in ["pass"] * len(OPENING) + MIXED:
                await here.run(code)
        async with laptop.notebook("there.ipynb") as there:
            for code in OPENING:
                await there.ok(code)
            for code in MIXED:
                await there.run(f"%%gpu\n{code}")
        pairs = zip(shown(there, len(OPENING)), shown(here, len(OPENING)), strict=True)
        different: list[Any] = [(MIXED[n], *p) for n, p in enumerate(pairs) if p[0] != p[1]]
        assert different == []
        ours, theirs = widgets(there), widgets(here)
        assert list(ours) == list(theirs)
        different = [(n, ours[n], theirs[n]) for n in ours if ours[n] != theirs[n]]
        assert different == []
        assert len(ours) > 50
        assert not there.notices

    asyncio.run(main())
    assert "rate exceeded" not in laptop.server.log()
