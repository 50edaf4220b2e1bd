"""Which kernel on a pod belongs to which notebook and to which local kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..wire.records import is_id
from . import store

KEPT = 2000
"""Bindings kept of each kind; the oldest go first."""


class Bindings:
    """(pod, notebook path) and (pod, local kernel's id) → kernel, on disk.

    The local kernel's id is tried first, because it survives a rename of the notebook.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "bindings.json"
        data = store.load(self._path)
        self._notebooks = _table(data.get("notebooks"))
        self._locals = _table(data.get("locals"))

    def find(self, pod: str, notebook: str | None, local_kernel: str | None) -> str | None:
        """The kernel bound to either key; None if there is none."""
        by_local = self._locals.get((pod, local_kernel)) if local_kernel else None
        return by_local or (self._notebooks.get((pod, notebook)) if notebook else None)

    def bind(
        self,
        pod: str,
        kernel: str,
        notebook: str | None,
        local_kernel: str | None,
        *,
        renamed: bool = False,
    ) -> None:
        """Set both keys.

        Parameters
        ----------
        renamed : bool
            Forget the kernel's other notebook paths: a new notebook of the old name must
            not join this kernel.
        """
        if renamed and notebook:
            for key in [k for k, v in self._notebooks.items() if v == kernel and k[0] == pod]:
                del self._notebooks[key]
        for table, name in ((self._notebooks, notebook), (self._locals, local_kernel)):
            if name:
                table.pop((pod, name), None)
                table[pod, name] = kernel
                while len(table) > KEPT:
                    del table[next(iter(table))]
        self._save()

    def of(self, pod: str, kernel: str) -> tuple[list[str], list[str]]:
        """The notebooks and the local kernels that are bound to a kernel, newest last."""
        tables = (self._notebooks, self._locals)
        notebooks, local = (
            [n for (p, n), k in t.items() if (p, k) == (pod, kernel)] for t in tables
        )
        return notebooks, local

    def move(self, pod: str, old: str, new: str) -> None:
        """Whatever is bound to `old` belongs to `new` from here on."""
        for table in (self._notebooks, self._locals):
            for key in [k for k, v in table.items() if (k[0], v) == (pod, old)]:
                table[key] = new
        self._save()

    def forget_pod(self, pod: str) -> None:
        """Drop what is bound to kernels on `pod`."""
        for table in (self._notebooks, self._locals):
            for key in [k for k in table if k[0] == pod]:
                del table[key]
        self._save()

    def _save(self) -> None:
        tables = {"notebooks": self._notebooks, "locals": self._locals}
        store.save(
            self._path,
            {name: [[p, n, k] for (p, n), k in t.items()] for name, t in tables.items()},
            sync=True,
        )


def _table(rows: Any) -> dict[tuple[str, str], str]:
    table = {}
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, list) and len(row) == 3 and is_id(row[2]):
            table[str(row[0]), str(row[1])] = str(row[2])
    return table
