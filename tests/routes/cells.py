"""Cells for a pod's kernel, as a notebook hands them over."""

from __future__ import annotations

import uuid
from typing import Any

from tests.support.face import KernelFace

CONTENTS = "sub folder/täglich.ipynb"
SLEEP = "import time\nprint('begun', flush=True)\ntime.sleep(120)"


def submit(face: KernelFace, code: str, **meta: Any) -> str:
    execution = uuid.uuid4().hex
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
    face.channel.submit(
        "execute_request", content, msg_id=uuid.uuid4().hex, execution=execution, meta=meta
    )
    return execution
