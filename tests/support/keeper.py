"""Talks to a real keeper through real pod commands, without ssh in between."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_remote_gpu.link import archive
from jupyter_remote_gpu.wire.frames import CONTROL, FrameDecoder, decode_control, encode_control
from jupyter_remote_gpu.wire.records import Record, RecordAssembler, encode_record

PATIENCE = 60.0
"""Seconds after which a test that waits fails."""


class PodCommands:
    """Runs pod commands from the archive, as the loader does.

    Parameters
    ----------
    python : str
        The pod's Python.
    folder : Path
        Becomes the pod's home and holds its state.
    """

    def __init__(self, python: str, folder: Path) -> None:
        self.python = python
        self.home = folder
        self.state = folder / "state"
        self.state.mkdir(mode=0o700)
        self._archive = folder / "code.zip"
        self._archive.write_bytes(archive.build().data)
        self._processes: list[subprocess.Popen[bytes]] = []

    def popen(
        self, command: str, spec: dict[str, Any], stdout: int = subprocess.PIPE
    ) -> subprocess.Popen[bytes]:
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "IPYTHON"))},
            "JRG_STATE": str(self.state),
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
        }
        process = subprocess.Popen(
            [self.python, "-S", str(self._archive), command, json.dumps(spec)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=stdout,
            cwd=self.home,
        )
        self._processes.append(process)
        return process

    def close(self) -> None:
        """End the commands that still run, and close their streams."""
        for process in self._processes:
            process.kill()
            process.wait(PATIENCE)
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()

    def run(self, command: str, spec: dict[str, Any] | None = None) -> dict[str, Any]:
        """The command's JSON answer."""
        process = self.popen(command, spec or {})
        out, _ = process.communicate(timeout=PATIENCE)
        answer: dict[str, Any] = json.loads(out)
        return answer

    def kernel_info(self, kernel: str) -> dict[str, Any]:
        """What the keeper wrote about its kernel (pids among it)."""
        text = (self.state / "kernels" / kernel / "kernel.json").read_text()
        info: dict[str, Any] = json.loads(text)
        return info

    def start(self, limits: dict[str, int] | None = None, **spec: Any) -> Bridge:
        """Start a kernel and go on as a bridge to it, in one command."""
        kernel = uuid.uuid4().hex
        argv = [self.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        kernelspec = {"argv": argv, "display_name": "Test", "python": self.python, **spec}
        request: dict[str, Any] = {
            "kernel": kernel,
            "spec": kernelspec,
            "folder": "work",
            "bridge": True,
        }
        request["limits"] = limits or {}
        return Bridge(self, self.popen("start", request), kernel)

    def bridge(self, kernel: str, **hello: Any) -> Bridge:
        """Another connection to a kernel."""
        return Bridge(self, self.popen("bridge", {}), kernel, **hello)


class Bridge:
    """One client of a keeper.

    Attributes
    ----------
    answer : dict
        The JSON line of the command.
    welcome : dict
        The keeper's answer to our hello (perhaps a refusal).
    records, controls : list
        All that has come so far.
    """

    def __init__(
        self,
        pod: PodCommands,
        process: subprocess.Popen[bytes],
        kernel: str,
        *,
        client: str | None = None,
        cursor: int = 0,
        identity: str | None = None,
        **hello: Any,
    ) -> None:
        self.pod = pod
        self.kernel = kernel
        self.client = client or uuid.uuid4().hex
        self.cursor = cursor
        self.records: list[Record] = []
        self.controls: list[dict[str, Any]] = []
        self.ended = False
        self.raw = b""
        self._process = process
        self._number = 0
        self._decoder, self._assembler = FrameDecoder(verify=True), RecordAssembler()
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        self.answer = self._line()
        self.welcome: dict[str, Any] = {}
        if self.answer.get("ok"):
            full = {
                "service": f"kernel:{kernel}",
                "protocol": 1,
                "client": self.client,
                "identity": identity,
                "cursor": cursor,
            }
            self.write(encode_control({**full, **hello}))
            self.welcome = self.control(lambda m: m.get("type") in ("welcome", "refused"))

    def _line(self) -> dict[str, Any]:
        line = b""
        while not line.endswith(b"\n"):
            piece = os.read(self._stdout.fileno(), 1)
            if not piece:
                raise AssertionError(f"the command ended after {line!r}")
            line += piece
        answer: dict[str, Any] = json.loads(line)
        return answer

    def write(self, data: bytes) -> None:
        self._stdin.write(data)
        self._stdin.flush()

    def close(self) -> None:
        self._stdin.close()
        self._process.wait(PATIENCE)
        self._stdout.close()

    def kill(self) -> None:
        """End the bridge as a cut link does."""
        self._process.kill()
        self._process.wait(PATIENCE)
        self._stdin.close()
        self._stdout.close()

    # -- reading

    def read(self, wait: float = PATIENCE) -> bool:
        """Take what comes within `wait` seconds; False at the end or when nothing came."""
        ready, _, _ = select.select([self._stdout], [], [], wait)
        if not ready:
            return False
        data = os.read(self._stdout.fileno(), 1 << 20)
        if not data:
            self.ended = True
            return False
        for kind, frame in self._decoder.feed_raw(data):
            payload = frame[9:]
            if kind == CONTROL:
                self.controls.append(decode_control(payload))
                continue
            self.raw += frame
            record = self._assembler.feed(kind, payload)
            if record is not None:
                assert record.first <= self.cursor + 1 <= record.last, "the numbers have a gap"
                self.cursor = record.last
                self.records.append(record)
        return True

    def wait(self, found: Callable[[], Any]) -> Any:
        """Read until `found()` is true; its value."""
        end = time.monotonic() + PATIENCE
        while not (value := found()):
            if not self.read(max(0.0, end - time.monotonic())):
                raise AssertionError(f"it did not come; the last was {self.records[-3:]}")
        return value

    def until_end(self) -> None:
        """Read until the other side ends the connection."""
        end = time.monotonic() + PATIENCE
        while not self.ended:
            assert time.monotonic() < end, "the connection goes on"
            self.read(0.5)

    def control(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first control message that fits."""
        found: dict[str, Any] = self.wait(lambda: next((m for m in self.controls if fits(m)), None))
        return found

    def record(self, kind: str, execution: str | None = None) -> Record:
        """The first record of this type (of this execution)."""
        at = 0

        def find() -> Record | None:
            nonlocal at
            while at < len(self.records):
                record = self.records[at]
                at += 1
                if record.type == kind and execution in (None, record.execution):
                    return record
            return None

        found: Record = self.wait(find)
        return found

    def all(self, kind: str, execution: str | None = None) -> list[Record]:
        return [
            r
            for r in self.records
            if r.type == kind and (execution is None or r.execution == execution)
        ]

    def text(self, execution: str | None = None, name: str = "stdout") -> str:
        """The stream text that has come so far."""
        contents = (r.content for r in self.all("stream", execution))
        return "".join(c["text"] for c in contents if c["name"] == name)

    # -- asking

    def request(
        self,
        kind: str,
        content: dict[str, Any],
        *,
        number: int | None = None,
        channel: str = "shell",
        msg_id: str | None = None,
        **head: Any,
    ) -> int:
        """Send a request; its number."""
        if number is None:
            self._number += 1
            number = self._number
        header = {"msg_id": msg_id or uuid.uuid4().hex, "msg_type": kind, "session": "s"}
        header |= {"username": "u", "date": "2026-01-01T00:00:00Z", "version": "5.3"}
        parts = [json.dumps(p).encode() for p in (header, {}, {}, content)]
        full = {"channel": channel, "type": kind, "client": self.client, **head}
        self.write(encode_record(number, number, full, parts))
        return number

    def execute(self, code: str, **more: Any) -> str:
        """Ask for an execution; its id."""
        execution = str(more.pop("execution", uuid.uuid4().hex))
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": True}
        self.request(
            "execute_request",
            {**content, "user_expressions": {}, **more.pop("content", {})},
            execution=execution,
            **more,
        )
        return execution

    def run(self, code: str, **more: Any) -> dict[str, Any]:
        """Execute and wait for the end; the content of its ``ended`` record."""
        return self.record("ended", self.execute(code, **more)).content

    def tell(self, **message: Any) -> None:
        self.write(encode_control(message))
