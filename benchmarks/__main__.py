"""``python -m benchmarks``: measure, print the table, keep the raw samples."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from . import connect, cuts, flood, latency, memory, sampling
from .measure import HEADER, Book, Row, load, machine
from .stage import ROOT, Stage

Measure = Callable[[Stage, bool], tuple[list[Row], dict[str, Any]]]

ROWS: dict[str, Measure] = {
    "latency": latency.run,
    "flood": flood.run,
    "next-line": cuts.next_line,
    "memory": memory.run,
    "connect": connect.run,
    "cuts": cuts.lost_and_doubled,
    "sampling": sampling.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; all")
    parser.add_argument("--quick", action="store_true", help="few repetitions: does it run at all?")
    parser.add_argument(
        "--pod-python",
        default=str(ROOT / ".venv-pod" / "bin" / "python"),
        help="the pod's Python (with PyMC for the row 'sampling')",
    )
    args = parser.parse_args()
    unknown = [r for r in args.rows if r not in ROWS]
    if unknown:
        parser.error(f"there is no row {unknown[0]!r}; there are {', '.join(ROWS)}")
    book = Book()
    rows: list[Row] = []
    failed: list[str] = []
    for name in args.rows or ROWS:
        print(f"[{time.strftime('%H:%M:%S')}] {name}, load {load()['load1']:.2f}", flush=True)
        before = load()
        try:
            # A stage for each row: none finds what another has left.
            with Stage(args.pod_python) as stage:
                found, samples = ROWS[name](stage, args.quick)
        except Exception:  # noqa: BLE001
            # The other rows are measured all the same; this one fails the whole at the end.
            traceback.print_exc()
            failed.append(name)
            continue
        book.keep(name, samples, found, [before, load()])
        rows += found
        for row in found:
            print(row.markdown(), flush=True)
    _tell(rows, failed, book)
    return 1 if failed or not all(r.ok for r in rows) else 0


def _tell(rows: list[Row], failed: list[str], book: Book) -> None:
    lines = [HEADER, *(r.markdown() for r in rows)]
    lines += [f"| {name} | **could not be measured** | | | **no** |" for name in failed]
    lines += ["", ", ".join(f"{k} {v}" for k, v in machine().items())]
    for row in rows:
        if row.notes:
            lines += ["", f"{row.what}:", *(f"- {note}" for note in row.notes)]
    text = "\n".join(lines) + "\n"
    (book.folder / "table.md").write_text(text)
    print(f"\n{text}\nraw samples: {book.folder}")


if __name__ == "__main__":
    sys.exit(main())
