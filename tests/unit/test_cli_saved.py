"""A notebook's file: what is taken for one, and how it is replaced."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nbformat.sign import NotebookNotary

from jupyter_remote_gpu.cli.saved import SavedNotebook, trouble
from jupyter_remote_gpu.errors import Conflict, NotFound, RemoteGPUError

Json = dict[str, Any]


def code(**more: Any) -> Json:
    made = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    return {**made, "source": ["a\n", "b"], **more}


def notebook(*cells: Any, **more: Any) -> Json:
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more}


def save(folder: Path, value: Any) -> str:
    path = folder / "n.ipynb"
    path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    return str(path)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"", "not a notebook"),
        (b"\xff\xfe", "not a notebook"),
        (b'{"nbformat": 4, "cells": [', "damaged"),
        (b"[" * 100_000, "damaged"),
        ([], "nbformat"),
        ({"cells": []}, "nbformat"),
        (notebook(nbformat=True), "nbformat"),
        (notebook(nbformat=3), "Open it in JupyterLab and save it"),
        (notebook(nbformat=5), "upgrade"),
        (notebook(cells=None), "damaged"),
        (notebook(metadata=None), "damaged"),
        (notebook(1), "damaged"),
        (notebook({}), "damaged"),
        (notebook(code(source=1)), "damaged"),
        (notebook(code(outputs={})), "damaged"),
        (notebook(code(outputs=[{"output_type": "stream"}])), "damaged"),
        (notebook(code(metadata=[])), "damaged"),
    ],
)
def test_what_is_no_notebook_gets_a_sentence(tmp_path: Path, value: Any, says: str) -> None:
    path = save(tmp_path, value)
    before = Path(path).read_bytes()
    with pytest.raises(RemoteGPUError, match=says) as told:
        SavedNotebook(path)
    assert path in told.value.message and len(told.value.message) < 800
    assert Path(path).read_bytes() == before


def test_what_is_no_file_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no\.ipynb"):
        SavedNotebook(str(tmp_path / "no.ipynb"))
    with pytest.raises(RemoteGPUError, match="not a file"):
        SavedNotebook(str(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RemoteGPUError, match="not a file"):
        SavedNotebook(str(tmp_path / "pipe"))
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(RemoteGPUError, match="cannot be read"):
        SavedNotebook(str(loop))


@pytest.mark.filterwarnings("error")
def test_odd_ones_are_kept_as_they_are(tmp_path: Path) -> None:
    """No ids, an id that two share, a field of somebody else's, half a character, no newline."""
    odd = notebook(
        code(),
        code(id="same"),
        code(id="same", theirs=1),
        {"cell_type": "markdown", "metadata": {}, "source": "\udcff"},
        metadata={"b": 1, "a": {"ä": "ö"}},
    )
    saved = SavedNotebook(save(tmp_path, odd))
    assert saved.notebook["cells"][0]["source"] == "a\nb"
    saved.replace({**saved.notebook, "nbformat_minor": 4})
    text = saved.file.read_text("utf-8")
    assert json.loads(text) == {
        **odd,
        "nbformat_minor": 4,
        "cells": [*odd["cells"][:3], {**odd["cells"][3], "source": ["\udcff"]}],
    }
    assert text.startswith('{\n "cells": [\n  {\n   "cell_type"') and text.endswith("\n}\n")
    assert '"ä": "ö"' in text and text.index('"a": {') < text.index('"b": 1')


def test_it_is_replaced_whole_and_never_signed(tmp_path: Path) -> None:
    path = save(tmp_path, notebook(code(id="a")))
    os.chmod(path, 0o604)
    other, link = tmp_path / "hard", tmp_path / "link"
    os.link(path, other)
    link.symlink_to(path)
    saved = SavedNotebook(str(link))
    made = notebook(code(id="a", outputs=[]), metadata={"new": 1})
    saved.replace(made)
    assert json.loads(Path(path).read_bytes()) == made
    assert json.loads(other.read_bytes()) == notebook(code(id="a"))  # the old one, untouched
    assert link.is_symlink() and os.stat(path).st_mode & 0o777 == 0o604
    assert sorted(os.listdir(tmp_path)) == ["hard", "link", "n.ipynb"]
    assert not NotebookNotary().check_signature(SavedNotebook(path).notebook)


def changed(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


@pytest.mark.parametrize("how", [changed, Path.unlink])
def test_a_file_that_changed_meanwhile_is_not_replaced(
    tmp_path: Path, how: Callable[[Path], None]
) -> None:
    saved = SavedNotebook(save(tmp_path, notebook()))
    how(saved.file)
    left = [p.read_bytes() for p in tmp_path.iterdir()]
    with pytest.raises(RemoteGPUError) as told:
        saved.replace(notebook(metadata={"new": 1}))
    assert isinstance(told.value, Conflict) is (how is changed)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == left


@pytest.mark.parametrize("fails", ["replace", "fsync"])
def test_a_disk_that_fails_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    saved = SavedNotebook(save(tmp_path, notebook()))
    before = saved.file.read_bytes()
    monkeypatch.setattr(os, fails, full)
    with pytest.raises(RemoteGPUError, match=r"No space left.*as it was"):
        saved.replace(notebook(metadata={"new": 1}))
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [before]


def test_one_that_is_read_only_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = SavedNotebook(save(tmp_path, notebook()))
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # root may always
    with pytest.raises(RemoteGPUError, match="read-only"):
        saved.replace(notebook(metadata={"new": 1}))
    assert json.loads(saved.file.read_bytes()) == notebook()


def test_what_is_put_into_a_cell_is_looked_at() -> None:
    good = {"output_type": "display_data", "data": {"text/plain": "x"}, "metadata": {}}
    assert trouble(notebook(code(outputs=[good])), strict=True) is None
    for bad in ({**good, "data": {"text/plain": 5}}, {**good, "output_type": "odd"}):
        assert trouble(notebook(code(outputs=[bad])), strict=True)
