"""What a pod's command is told comes by its standard input, and by nothing that others can read."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import pytest

from jupyter_remote_gpu.errors import PodError
from jupyter_remote_gpu.link import bootstrap
from tests.unit.test_bootstrap import SHELLS, Pod, Spec, failure


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


@pytest.mark.parametrize("shell", SHELLS)
def test_nobody_there_reads_what_a_command_is_told(pod: Pod, shell: str, tmp_path: Path) -> None:
    """Its environment has keys in it, and command lines are everybody's."""
    pod.shell = shutil.which(shell) or shell
    seen = tmp_path / "seen"
    probe = pod.fake("probed", "", 0)
    probe.write_text(f"#!/bin/sh\nfor p in /proc/[0-9]*; do /bin/cat $p/cmdline; done > {seen}\n")
    secret = "s3cret" * 5
    spec: Spec = {"python": str(probe), "spec": {"env": {"KEY": secret}}}
    for _ in range(2):  # with the archive behind it, and without
        with pytest.raises(PodError):
            pod.run("probe", spec)
        lines = seen.read_bytes()
        assert b"probe" in lines
        for form in (secret.encode(), base64.b64encode(json.dumps(spec).encode())):
            assert form not in lines


def test_a_login_script_that_reads_its_input(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = base64.b64decode(bootstrap._loader()).replace(b"_SECONDS = 20.0", b"_SECONDS = 0.5")
    monkeypatch.setattr(bootstrap, "_loader", lambda: base64.b64encode(loader).decode())
    pod.before = "read line; "
    error = failure(pod, PodError, command="probe", spec={"python": "x"})
    assert error.code == "no-words" and "login script" in error.message
