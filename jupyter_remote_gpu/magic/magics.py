"""`%%gpu` and `%gpu`, as IPython finds them."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class

from ..errors import BadInput
from .arguments import HELP_CELL, HELP_LINE, Shown, parse_cell, parse_line
from .commands import run_command
from .raised import without_frames
from .session import Session

__all__ = ["GPUMagics"]


@magics_class
class GPUMagics(Magics):
    """Run cells on a rented GPU.

    Parameters
    ----------
    session : Session
        What this process has open.
    """

    def __init__(self, shell: Any, session: Session) -> None:
        super().__init__(shell)
        self.session = session

    @line_cell_magic
    def gpu(self, line: str, cell: str | None = None) -> Any:
        with without_frames():
            try:
                if cell is None:
                    run_command(self.session, parse_line(line))
                    return None
                args = parse_cell(line)
            except Shown as e:
                print(e)
                return None
            if not cell.strip():
                raise BadInput("The cell is empty: write what should run on the pod.")
            # IPython has added a newline. The cell's source file, which tracebacks and warnings
            # name, is called after its text: it is that of the same cell without `%%gpu`.
            return self.session.run(args.pod, cell.removesuffix("\n"), detach=args.detach)

    gpu.__doc__ = f"{HELP_CELL}\n{HELP_LINE}"
