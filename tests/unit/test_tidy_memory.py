"""Tidying takes no memory that the kernel may need: not even for a figure of hundreds of MB."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

from jupyter_remote_gpu.wire.log import Log
from jupyter_remote_gpu.wire.records import Record, decode_records, encode_record, keeper_record
from jupyter_remote_gpu.wire.retention import LARGE_BYTES, Retention, Task
from jupyter_remote_gpu.wire.rewriting import Rewriting

PATIENCE = 60.0
LARGE = 64 << 20
GOES, STAYS = "a" * 32, "b" * 32
_CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from jupyter_remote_gpu.wire.tidy import main
status = main()
print([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")][0])
print(open("/proc/self/oom_score_adj").read())
sys.exit(status)
"""


def large(number: int, execution: str, size: int = LARGE) -> bytes:
    head = {"channel": "iopub", "type": "display_data", "execution": execution}
    return encode_record(number, number, head, [b"{}", b"{}", b"{}", b"x" * size])


def test_large_messages_are_thinned_out_in_little_memory(tmp_path: Path) -> None:
    source, target = tmp_path / "1.seg", tmp_path / "1.new"
    note = encode_record(3, 3, *keeper_record("ended", {"code": "y" * (2 << 20)}, execution=GOES))
    with source.open("wb") as f:
        for data in (large(1, GOES), large(2, GOES, 10), note, large(4, STAYS), large(5, GOES)):
            f.write(data)
    spec = {"source": str(source), "target": str(target), "spared": [STAYS], "reason": "why"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", _CHILD, str(Path(__file__).resolve().parents[2])],
        input=json.dumps(spec),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    kilobytes, score = done.stdout.split()
    assert int(kilobytes) << 10 < LARGE
    assert score == "1000"
    written = target.read_bytes()
    assert note in written
    assert large(4, STAYS) in written
    found = list(decode_records(written))
    assert [(r.first, r.last) for r in found] == [(1, 2), (3, 3), (4, 4), (5, 5)]
    counts = [(r.content["messages"], r.content["bytes"]) for r in (found[0], found[3])]
    assert counts == [(2, LARGE + 6 + 16), (1, LARGE + 6)]


def test_what_one_record_made_large_is_not_compacted(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.append(large(1, GOES, LARGE_BYTES), 1, 1)
    head = {"channel": "iopub", "type": "stream", "execution": STAYS, "class": "durable"}
    for number in range(2, 10):
        log.append(encode_record(number, number, head, [b"x" * (2 << 20)]), number, number)
    retention = Retention(log, 1 << 30)
    assert retention.next() == Task(log.segments[1])
    assert retention.is_compacted(log.segments[0])
    # To keep the bound it goes all the same.
    tight = Retention(log, 1 << 20)
    task = tight.next()
    assert task is not None
    assert task.segment is log.segments[0]
    work = Rewriting(log, task)
    work.wait()
    assert work.finish() is None
    assert log.segments[0].size < 1000


def test_a_large_record_is_copied_twice_when_it_is_written() -> None:
    record = Record(1, 1, {"channel": "iopub", "type": "x"}, [b"x" * LARGE, b"y" * 10])
    tracemalloc.start()
    data = record.encode()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.5 * LARGE
    (again,) = decode_records(data)
    assert again.parts == record.parts
