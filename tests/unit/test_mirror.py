"""The mirror is the journal's bytes; executions are folded from them once."""

from __future__ import annotations

import errno
import os
import uuid
from pathlib import Path

import pytest

from jupyter_remote_gpu.daemon import store
from jupyter_remote_gpu.daemon.executions import CODE_CHARS, RECENT, Executions
from jupyter_remote_gpu.daemon.mirror import Mirror
from jupyter_remote_gpu.errors import WireError
from jupyter_remote_gpu.wire.frames import HEAD, FrameDecoder
from jupyter_remote_gpu.wire.records import RecordAssembler, encode_record
from tests.support.written import CLIENT, IDENTITY, KERNEL, cell, frames, mirrored, note, output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mirrors" / KERNEL


def test_bytes_are_copied_whatever_the_cuts_between_reads(folder: Path) -> None:
    journal = b"".join([output(1), output(2, "y" * (3 << 20)), output(3), output(4)])
    mirror = Mirror(folder)
    woken = []
    mirror.watchers.add(lambda: woken.append(mirror.last))
    decoder = FrameDecoder()
    for at in range(0, len(journal), 70_001):
        mirror.append(list(decoder.feed_raw(journal[at : at + 70_001])))
    assert mirrored(mirror) == journal
    assert woken[-1] == 4
    mirror.close()


def test_a_journal_compacted_across_our_cursor_is_not_copied_twice(folder: Path) -> None:
    def line(number: int) -> bytes:
        return output(number, f'{{"name": "stdout", "text": "{number}\\n"}}')

    head = {"channel": "iopub", "type": "stream", "execution": None, "client": None}
    text = "".join(f"{n}\\n" for n in range(3, 9))
    parts = [b"{}", b"{}", b"{}", f'{{"name": "stdout", "text": "{text}"}}'.encode()]
    mirror = Mirror(folder)
    mirror.append(frames(b"".join(line(n) for n in range(1, 6))))
    mirror.append(frames(encode_record(3, 8, {**head, "pieces": [2] * 6}, parts) + line(9)))
    assembler = RecordAssembler()
    records = [assembler.feed(kind, raw[HEAD.size :]) for kind, raw in frames(mirrored(mirror))]
    found = [(r.first, r.last, r.content["text"]) for r in records if r is not None]
    lines = [(n, n, f"{n}\n") for n in range(1, 6)]
    assert found == [*lines, (6, 8, "6\n7\n8\n"), (9, 9, "9\n")]
    with pytest.raises(WireError, match="follow"):
        mirror.append(frames(encode_record(3, 9, {**head, "pieces": [2] * 7}, parts)))
    mirror.close()


def test_a_reopened_mirror_goes_on_at_its_end(folder: Path) -> None:
    mirror = Mirror(folder)
    mirror.append(frames(output(1) + output(2)))
    mirror.close()
    mirror = Mirror(folder)
    assert mirror.last == 2
    mirror.append(frames(output(3)))
    assert mirrored(mirror) == output(1) + output(2) + output(3)
    mirror.close()


def test_a_cut_inside_a_record_leaves_nothing_of_it(folder: Path) -> None:
    large = note(2, "request", execution="e" * 32, client=CLIENT, type="execute_request",
                 code="x" * (2 << 20), msg_id="m")  # fmt: skip
    mirror = Mirror(folder)
    pieces = frames(output(1) + large)
    assert len(pieces) == 4
    mirror.append(pieces[:-1])
    assert mirror.last == 1
    mirror.rollback()
    mirror.append(frames(large))
    assert mirrored(mirror) == output(1) + large
    info = mirror.executions.all["e" * 32]
    assert len(info.code) == CODE_CHARS
    mirror.close()


def test_a_compacted_record_may_overlap_the_end(folder: Path) -> None:
    mirror = Mirror(folder)
    mirror.append(frames(output(1) + output(2)))
    wide = encode_record(2, 5, {"channel": "iopub", "execution": None, "client": None}, [b"x"])
    mirror.append(frames(wide + output(6)))
    assert mirror.last == 6
    mirror.close()


def test_executions_are_folded_and_survive_a_restart(folder: Path) -> None:
    one, two = uuid.uuid4().hex, uuid.uuid4().hex
    mirror = Mirror(folder)
    mirror.note(pod="p", identity="1" * 32)
    assert mirror.append(frames(note(1, "started", display_name="Python", time=0.5)))
    assert mirror.append(frames(b"".join(cell(2, one, "first"))))
    assert mirror.append(frames(b"".join(cell(6, two)[:2])))
    assert not mirror.append(frames(output(8) + output(9)))
    done, running = mirror.executions.recent()
    assert (done.id, done.state, done.outcome, done.code) == (one, "ended", "ok", "first")
    assert (done.first, done.last, done.started, done.ended) == (2, 5, 2.0, 3.0)
    assert (running.state, running.last) == ("running", 9)
    assert mirror.executions.running() == two
    mirror.save()
    mirror.append(frames(note(10, "ended", execution=two, outcome="error", count=2)))
    # Not closed: a daemon that is killed leaves its last checkpoint, and the log.
    again = Mirror(folder)
    assert again.executions.all[one] == done
    assert again.executions.all[two].outcome == "error"
    assert again.executions.running() is None
    assert not again.finished
    again.append(frames(note(11, "died", code=0, signal=None, asked=True)))
    assert again.finished
    again.close()
    mirror.log.close()


@pytest.mark.parametrize("later", ["a new bridge", "a record", "the end"])
def test_whose_it_is_is_written_down_when_there_is_room_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, later: str
) -> None:
    def full(*args: object, **how: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    mirror = Mirror(folder)
    with monkeypatch.context() as patch:
        patch.setattr(store, "dump", full)
        mirror.note(pod="p", identity=IDENTITY)
        mirror.append(frames(output(1)))
    if later == "a new bridge":
        mirror.note(identity=IDENTITY)
    elif later == "a record":
        mirror.append(frames(note(2, "started", display_name="Python")))
    else:
        mirror.close()
    again = Mirror(folder)
    assert (again.pod, again.identity) == ("p", IDENTITY)
    again.close()
    mirror.log.close()


def test_a_checkpoint_of_another_journal_is_not_believed(folder: Path) -> None:
    one = uuid.uuid4().hex
    mirror = Mirror(folder)
    mirror.note(pod="p", identity="1" * 32)
    mirror.append(frames(b"".join(cell(1, one))))
    path = folder / "executions.json"
    mirror.executions.save(path, "2" * 32)
    mirror.log.close()
    again = Mirror(folder)
    assert list(again.executions.all) == [one]
    again.executions.last = 10_000
    again.executions.save(path, "1" * 32)
    again.log.close()
    assert Executions.load(path, "1" * 32, 4).last == 0


def test_many_executions_keep_little_of_their_code(folder: Path) -> None:
    mirror = Mirror(folder)
    for n in range(3 * RECENT):
        mirror.append(frames(b"".join(cell(1 + 4 * n, uuid.uuid4().hex, "x" * CODE_CHARS))))
    assert len(mirror.executions.recent()) == RECENT
    kept = sum(len(e.code) for e in mirror.executions.all.values())
    assert kept < (RECENT + 1) * CODE_CHARS + 2 * RECENT * 200
    mirror.close()
