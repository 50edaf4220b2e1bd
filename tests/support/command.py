"""The command line in processes of its own, as a user types it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.daemon import until

CLI = [sys.executable, "-m", "jupyter_remote_gpu.cli"]
PATIENCE = 60.0


@dataclass
class Said:
    """What a command answered."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


def cli(*words: str, status: int | None = 0, patience: float = PATIENCE) -> Said:
    """Run one command; with `status` the exit status that it must have."""
    done = subprocess.run(
        [*CLI, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=patience,
        cwd="/",
    )
    said = Said(done.returncode, done.stdout, done.stderr)
    assert "--debug" in words or "\nTraceback (" not in f"\n{said.err}", said
    assert status is None or said.status == status, said
    return said


def refused(*words: str, status: int, patience: float = PATIENCE) -> str:
    """Run a command that must fail with a sentence on stderr, and nothing on stdout."""
    said = cli(*words, status=status, patience=patience)
    assert not said.out and said.err.startswith("jupyter remote-gpu: "), said
    sentence = said.err.removeprefix("jupyter remote-gpu: ").strip()
    assert len(sentence) > 20 and "should not" not in sentence, said
    return sentence


class Terminal:
    """A command on a terminal of its own; use it with ``with``."""

    def __init__(self, *words: str) -> None:
        self._words = [*CLI, *words]
        self.text = ""

    def __enter__(self) -> Terminal:
        self._fd, other = pty.openpty()
        self._process = subprocess.Popen(
            self._words, stdin=other, stdout=other, stderr=other, start_new_session=True, cwd="/"
        )
        os.close(other)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE)
        os.close(self._fd)

    def expect(self, part: str) -> None:
        """Read on until `part` was shown."""
        end = time.monotonic() + PATIENCE
        while part not in self.text:
            assert time.monotonic() < end, self.text
            if select.select([self._fd], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self._fd, 4096).decode()
                except OSError as e:  # the other end is closed
                    raise AssertionError(f"it ended: {self.text}") from e

    def type(self, line: str) -> None:
        os.write(self._fd, line.encode() + b"\n")

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def wait(self) -> int:
        """Read to the end; the exit status."""
        end = time.monotonic() + PATIENCE
        while self._process.poll() is None or select.select([self._fd], [], [], 0)[0]:
            assert time.monotonic() < end, self.text
            if select.select([self._fd], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self._fd, 4096).decode()
                except OSError:
                    break
        return self._process.wait(PATIENCE)


class DemoRun:
    """``jupyter remote-gpu demo`` in a process below a shell that can be killed."""

    def __init__(self, data: Path, python: str) -> None:
        self.folder = data / "remote-gpu" / "demo"
        self.out = data / "demo.out"
        self._python = python

    def start(self) -> None:
        command = [*CLI, "demo", "--python", self._python]
        # The shell stays: it is the parent with which the demo ends.
        with open(self.out, "wb") as out:
            self.shell = subprocess.Popen(
                ["sh", "-c", '"$@" & echo "pid $!"; wait $!; exit $?', "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",
                start_new_session=True,
            )
        try:
            until(lambda: "switches it off." in self.said() or not self.runs(), "the demo", 30)
            assert self.runs(), self.said()
        except BaseException:
            self.stop()
            raise

    def runs(self) -> bool:
        return self.shell.poll() is None

    def said(self) -> str:
        return self.out.read_text("utf-8")

    @property
    def pid(self) -> int:
        return int(self.said().split("pid ", 1)[1].split()[0])

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def ssh(self) -> list[str]:
        """The words with which the pod was registered."""
        words: list[str] = json.loads((self.folder / "registered.json").read_text())["ssh"]
        return words

    def end(self) -> int:
        """Ctrl-C in its terminal; the exit status."""
        os.kill(self.pid, signal.SIGINT)
        return self.shell.wait(PATIENCE)

    def stop(self) -> None:
        """End what is left, after a test that failed too."""
        if self.runs():
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(self.pid, signal.SIGTERM)
            try:
                self.shell.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.shell.pid, signal.SIGKILL)
                self.shell.wait(5)
                raise


@contextlib.contextmanager
def running_demo(data: Path, python: str) -> Iterator[DemoRun]:
    """A demo that runs, of the data folder `data`."""
    demo = DemoRun(data, python)
    demo.start()
    try:
        yield demo
    finally:
        demo.stop()
