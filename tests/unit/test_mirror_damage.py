"""What does not belong is not taken into a mirror; a damaged mirror stops nothing."""

from __future__ import annotations

import json
import os
import resource
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.daemon.mirror import Mirror
from jupyter_remote_gpu.daemon.mirrors import load_mirrors
from jupyter_remote_gpu.errors import WireError
from jupyter_remote_gpu.wire.frames import WHOLE, encode_frame
from jupyter_remote_gpu.wire.records import RANGE, encode_record
from tests.support.written import CLIENT, IDENTITY, KERNEL, cell, frames, mirrored, note, output

CELL = "e" * 32


def headed(head: bytes, number: int = 2, size: int | None = None) -> bytes:
    """A record with these bytes as its head."""
    length = len(head) if size is None else size
    return encode_frame(WHOLE, RANGE.pack(number, number, length) + head)


def request(**content: Any) -> bytes:
    full = {"execution": CELL, "client": CLIENT, "type": "execute_request", "time": 1.0}
    return note(2, "request", **{**full, **content})


def running(**content: Any) -> bytes:
    return request() + note(3, "running", execution=CELL, **content)


@pytest.mark.parametrize(
    ("bad", "words", "last"),
    [
        (output(3), "does not follow", 1),
        (output(1), "does not follow", 1),
        (encode_record(4, 9, {"channel": "iopub"}, []), "does not follow", 1),
        (output(2, execution="../../etc/passwd"), "32 hex", 1),
        (output(2, client="A" * 32), "32 hex", 1),
        (output(2, client=7), "32 hex", 1),
        (output(2, "y" * (3 << 20), execution="../x"), "32 hex", 1),
        (headed(b'{"channel":"iopub","execution" : "../x","parts":[]}'), "32 hex", 1),
        (headed(b'{"channel":"iopub","\\u0065xecution":"../x","parts":[]}'), "32 hex", 1),
        (headed(b'{"execution":null,"execution":"../x","parts":[]}'), "32 hex", 1),
        (headed(b"[]"), "JSON object", 1),
        (headed(b"{"), "JSON object", 1),
        (headed(b"{}", size=9), "does not fit", 1),
        (encode_frame(WHOLE, b"short"), "shorter", 1),
        (note(2, "request", execution="../x", type="execute_request"), "32 hex", 1),
        (request(client="../x"), "32 hex", 1),
        (request(meta=5), "meta", 1),
        (request(code=["1"]), "code", 1),
        (request(time="soon"), "cannot be 'soon'", 1),
        (request(meta=5, code="x" * (2 << 20)), "meta", 1),
        (running(time=[1]), "cannot be", 2),
    ],
)
def test_what_does_not_belong_fails_with_a_sentence(
    tmp_path: Path, bad: bytes, words: str, last: int
) -> None:
    mirror = Mirror(tmp_path / KERNEL)
    mirror.append(frames(output(1)))
    with pytest.raises(WireError, match=words):
        mirror.append(frames(bad))
    mirror.rollback()
    assert (mirror.last, mirror.executions.last) == (last, last)
    written = mirrored(mirror)
    mirror.append(frames(output(last + 1)))
    assert mirrored(mirror) == written + output(last + 1)
    mirror.log.close()  # as a daemon that is killed
    again = Mirror(tmp_path / KERNEL)
    assert again.last == last + 1
    assert set(again.executions.all) == ({CELL} if last > 1 else set())
    again.close()


def test_a_kernels_own_words_may_be_of_any_type(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / KERNEL)
    mirror.append(frames(output(1) + running(time=2)))
    mirror.append(frames(note(4, "ended", execution=CELL, outcome=7, count="x")))
    found = mirror.executions.all[CELL]
    assert (found.outcome, found.count, found.started) == ("7", None, 2)
    # Only the keeper's own records tell what became of a cell.
    strange = {"channel": "iopub", "a": {"channel": "keeper"}, "type": "request"}
    told = {"execution": "f" * 32, "type": "execute_request", "client": CLIENT}
    parts = [b"{}", b"{}", b"{}", json.dumps(told).encode()]
    assert not mirror.append(frames(encode_record(5, 5, strange, parts)))
    mirror.close()


@pytest.mark.parametrize(
    "change",
    [
        lambda saved: saved.update(died=5),
        lambda saved: saved.update(started="soon"),
        lambda saved: saved.update(compacted=7),
        lambda saved: saved.update(compacted=[[1]]),
        lambda saved: saved.update(last="4"),
        lambda saved: saved.update(executions=[7]),
        lambda saved: saved["executions"][0].update(meta=5),
        lambda saved: saved["executions"][0].update(first="x"),
        lambda saved: saved["executions"][0].update(id="../x"),
        lambda saved: saved["executions"][0].update(requested=True),
        lambda saved: saved["executions"][0].pop("code"),
    ],
)
def test_a_checkpoint_of_another_form_is_read_from_the_log_instead(
    tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    mirror = Mirror(tmp_path / KERNEL)
    mirror.note(pod="p", identity=IDENTITY)
    mirror.append(frames(b"".join(cell(1, CELL)) + note(5, "died", code=0, signal=None)))
    mirror.close()
    path = tmp_path / KERNEL / "executions.json"
    saved = json.loads(path.read_text())
    change(saved)
    path.write_text(json.dumps(saved))
    (again,), _ = load_mirrors(tmp_path, lambda folder, size: 1 << 30)
    assert again.executions.all == mirror.executions.all
    assert again.executions.died == mirror.executions.died
    again.close()


def filled(path: Path, count: int = 1) -> None:
    mirror = Mirror(path)
    mirror.note(pod="p", identity=IDENTITY)
    mirror.append(frames(b"".join(output(n + 1) for n in range(count))))
    mirror.close()


def test_damaged_mirrors_are_set_aside(tmp_path: Path) -> None:
    good, torn, orphan, strange = ("b" * 32, "e" * 32, "d" * 32, "f" * 32)
    filled(tmp_path / good)
    filled(tmp_path / torn, 2)
    filled(tmp_path / strange)
    (tmp_path / strange / "log" / "x.seg").touch()
    other = Mirror(tmp_path / orphan)
    other.append(frames(output(1)))
    other.close()
    segment = next((tmp_path / torn / "log").glob("*.seg"))
    segment.write_bytes(segment.read_bytes()[:-3])
    (tmp_path / "not-an-id").mkdir()
    mirrors, unread = load_mirrors(tmp_path, lambda folder, size: 1 << 30)
    found = {m.id: m for m in mirrors}
    assert set(found) == {good, torn, strange}
    assert not unread
    assert found[torn].last == 1
    aside = {p.name.partition(".damaged-")[0] for p in tmp_path.glob("*.damaged-*")}
    assert aside == {orphan}
    # Whose it is is known: the records come again, and the notebook keeps its kernel.
    again = found[strange]
    assert (again.last, again.pod, again.identity) == (0, "p", IDENTITY)
    assert list((tmp_path / strange).glob("log.damaged-*/x.seg"))
    for mirror in found.values():
        mirror.close()


def test_what_cannot_be_read_now_is_left_where_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log, known = tmp_path / ("b" * 32), tmp_path / ("d" * 32)
    filled(log)
    (log / "log" / f"{2:020d}.seg").mkdir()
    filled(known)
    (known / "kernel.json").unlink()
    (known / "kernel.json").mkdir()
    mirrors, unread = load_mirrors(tmp_path, lambda folder, size: 1 << 30)
    assert mirrors == []
    assert set(unread) == {log.name, known.name}
    assert "cannot be read now" in caplog.text
    assert {p.name for p in tmp_path.iterdir()} == {log.name, known.name}


def test_more_mirrors_than_files_that_may_be_open(tmp_path: Path) -> None:
    for _ in range(70):
        filled(tmp_path / uuid.uuid4().hex)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 10, hard))
    try:
        found, _ = load_mirrors(tmp_path, lambda folder, size: 1 << 30)
        found[0].append(frames(output(2)))
        assert mirrored(found[0]) == output(1) + output(2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(found) == 70
    assert not list(tmp_path.glob("*.damaged-*"))
    for mirror in found:
        mirror.close()
