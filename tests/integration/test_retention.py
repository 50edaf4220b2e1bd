"""A journal within its bound: what goes, in which order, and that the counts are exact."""

from __future__ import annotations

import time
from pathlib import Path

from jupyter_remote_gpu.wire.compact import trim
from jupyter_remote_gpu.wire.records import Record
from tests.support.keeper import PATIENCE, Bridge, PodCommands

BOUND = 512 << 10
LINE = "x" * 99


def wait_for_size(bridge: Bridge, most: int) -> int:
    """Until the journal takes no more; it may take long at the lowest priority, but not stop."""
    folder = bridge.pod.state / "kernels" / bridge.kernel / "journal"
    begin = changed = time.monotonic()
    before: dict[Path, int] = {}
    while sum((sizes := {p: p.stat().st_size for p in folder.glob("*.seg")}).values()) > most:
        now = time.monotonic()
        if sizes != before:
            before, changed = sizes, now
        assert now < changed + PATIENCE, f"the journal stays at {sum(sizes.values())} bytes"
        assert now < begin + 5 * PATIENCE, "the journal takes too long to become smaller"
        time.sleep(0.1)
    return sum(sizes.values())


def whole(commands: PodCommands, kernel: str, cursor: int = 0) -> Bridge:
    identity = commands.kernel_info(kernel)["identity"]
    reader = commands.bridge(kernel, cursor=cursor, identity=identity)
    reader.wait(lambda: reader.cursor >= reader.welcome["next"] - 1)
    return reader


def counted(records: list[Record], execution: str) -> tuple[int, int]:
    """Lines that are there, and messages that the gaps say are missing."""
    lines = missing = 0
    for r in records:
        if r.execution == execution and r.type == "stream":
            lines += r.content["text"].count("\n")
        elif r.execution == execution and r.type == "gap":
            missing += r.content["messages"]
    return lines, missing


def test_the_oldest_finished_cell_goes_first_and_the_newest_stays(
    commands: PodCommands, short_tmp: Path
) -> None:
    kernel = commands.start(limits={"journal_bytes": BOUND})
    kernel.run(
        "import sys\ndef say(lines):\n"
        f"    for i in range(lines): sys.stdout.write('{LINE}\\n'); sys.stdout.flush()"
    )
    cells = {}
    for lines in (4000, 3000, 2000):
        cells[kernel.run(f"say({lines})")["execution"]] = lines
        kernel.run("1")
        wait_for_size(kernel, BOUND)
    reader = whole(commands, kernel.kernel)
    first, second, third = (counted(reader.records, cell) for cell in cells)
    assert third == (2000, 0)
    assert second[0] > 0
    assert second[1] > 0
    assert first[0] == 0, "the second cell lacks something, and the first is still there"
    for (there, missing), lines in zip((first, second), cells.values(), strict=False):
        # status, execute_input, execute_reply and status are messages too
        assert lines <= there + missing <= lines + 4
    assert len(reader.all("ended")) == 7
    reader.close()
    kernel.close()


def test_a_cell_that_closes_no_segment_makes_room_when_it_ends(commands: PodCommands) -> None:
    kernel = commands.start(limits={"journal_bytes": 100 << 10})
    first = kernel.pod.state / "kernels" / kernel.kernel / "journal" / f"{1:020d}.seg"
    written = first.stat().st_ino
    old = kernel.run("print('x' * 70_000)")["execution"]  # this one does: they are of 64 KiB
    end = time.monotonic() + PATIENCE
    while first.stat().st_ino == written:
        assert time.monotonic() < end, "it is not compacted"
        time.sleep(0.05)
    new = kernel.run("print('y' * 50_000)")["execution"]
    wait_for_size(kernel, 100 << 10)
    reader = whole(commands, kernel.kernel)
    assert counted(reader.records, old)[1] > 0
    assert counted(reader.records, new) == (1, 0)
    reader.close()
    kernel.close()


def test_the_middle_of_a_running_cell_goes_last_and_is_counted(commands: PodCommands) -> None:
    kernel = commands.start(limits={"journal_bytes": BOUND})
    # Half of the bound: it would have to go before anything of the cell that runs.
    said = f"for i in range(250): sys.stdout.write('{LINE}\\n'); sys.stdout.flush()"
    finished = kernel.run(f"import sys\n{said}")["execution"]
    execution = kernel.execute(
        "import sys\n"
        f"for i in range(12_000): sys.stdout.write(f'{{i:5}} {LINE}\\n'); sys.stdout.flush()\n"
        "input('wait')"
    )
    kernel.record("input_request", execution)
    wait_for_size(kernel, BOUND)
    reader = whole(commands, kernel.kernel)
    there, gone = counted(reader.records, finished)
    assert there == 0, "a running cell lacks something, and a finished one is still there"
    assert 250 <= gone <= 254
    lines, missing = counted(reader.records, execution)
    assert missing > 4_000
    assert lines + missing == 12_000
    texts = "".join(r.content["text"] for r in reader.all("stream", execution))
    numbers = [int(line[:5]) for line in texts.splitlines()]
    assert numbers[0] == 0, "the beginning stays"
    assert numbers[-1] == 11_999, "the end stays"
    assert numbers == sorted(numbers)
    (reason,) = {r.content["reason"] for r in reader.all("gap", execution)}
    assert "bound" in reason
    reader.close()
    kernel.tell(type="stop")
    kernel.until_end()


def test_a_long_progress_bar_stays_small_and_a_reader_in_its_middle_is_exact(
    commands: PodCommands,
) -> None:
    kernel = commands.start(limits={"journal_bytes": BOUND})
    ended = kernel.run(
        "from IPython.display import display\n"
        "h = display('0', display_id=True)\n"
        "for i in range(6000):\n"
        # So often that a segment has several: their texts are joined over what was superseded.
        "    if i % 10 == 0: print('line', i, flush=True)\n"
        "    h.update(f'{i} ' + 'x' * 500)\n"
    )
    execution = ended["execution"]
    kernel.run("1")
    raw = sum(len(p) for r in kernel.records for p in r.parts)
    size = wait_for_size(kernel, raw // 3)
    assert size < raw // 3
    for cursor in (0, 1000, 3333, kernel.cursor - 1):
        reader = whole(commands, kernel.kernel, cursor)
        expected = "".join(
            r.content["text"] for r in kernel.all("stream", execution) if r.first > cursor
        )
        kept = [trim(r, cursor) for r in reader.all("stream", execution)]
        assert "".join(r.content["text"] for r in kept if r is not None) == expected
        if cursor == 0:
            assert not reader.all("gap")
            newest = reader.all("update_display_data", execution)[-1]
            assert newest.content["data"]["text/plain"].startswith("'5999 ")
        reader.close()
    kernel.close()
