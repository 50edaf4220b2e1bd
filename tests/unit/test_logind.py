"""What the files of systemd's logind say about processes that a session leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_remote_gpu.pod import logind

YES = "[Login]\nKillUserProcesses=yes\n"


@pytest.mark.parametrize(
    ("files", "user", "kills"),
    [
        ({}, "me", False),
        ({"etc/logind.conf": YES}, "me", True),
        ({"etc/logind.conf": "#KillUserProcesses=yes\n"}, "me", False),
        ({"usr/logind.conf": YES}, "me", True),
        ({"usr/logind.conf": YES, "etc/logind.conf": "[Login]\n"}, "me", False),
        # root is excluded unless that is taken back.
        ({"etc/logind.conf": YES}, "root", False),
        ({"etc/logind.conf": YES + "KillExcludeUsers=\n"}, "root", True),
        ({"etc/logind.conf": YES + "KillExcludeUsers=you\n"}, "root", True),
        ({"etc/logind.conf": YES + "KillExcludeUsers=you me\n"}, "me", False),
        ({"etc/logind.conf": YES + "KillExcludeUsers=you\nKillExcludeUsers=me\n"}, "me", False),
        ({"etc/logind.conf": "KillOnlyUsers=me\n"}, "me", True),
        ({"etc/logind.conf": YES + "KillOnlyUsers=you\n"}, "me", False),
        ({"etc/logind.conf": "KillOnlyUsers=me\nKillExcludeUsers=me\n"}, "me", False),
        # Further files, in the order of their names, wherever they lie.
        ({"run/logind.conf.d/50-kill.conf": YES}, "me", True),
        (
            {
                "etc/logind.conf.d/10-not.conf": "KillUserProcesses=no\n",
                "run/logind.conf.d/50-kill.conf": YES,
            },
            "me",
            True,
        ),
        (
            {
                "usr/logind.conf.d/50-kill.conf": YES,
                "etc/logind.conf.d/50-kill.conf": "KillUserProcesses=no\n",
            },
            "me",
            False,
        ),
    ],
)
def test_whose_processes_are_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], user: str, kills: bool
) -> None:
    monkeypatch.setattr(logind, "FOLDERS", [str(tmp_path / n) for n in ("usr", "run", "etc")])
    monkeypatch.setattr(logind, "_user", lambda: user)
    monkeypatch.setattr(logind, "RUNS", tmp_path)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert logind.kills_user_processes() is kills
