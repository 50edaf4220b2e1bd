"""The hosts of ``~/.ssh/config``, and the names that pods get of their hosts."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from jupyter_remote_gpu.models import check_pod_name
from jupyter_remote_gpu.pods.registry import Registry
from jupyter_remote_gpu.routes.hosts import MAX_HOSTS, ssh_hosts

CONFIG = """\
# Host comment
Host gpu  other *.wild !not  # behind
  HostName 203.0.113.7
host=equals
HOST\tquoted "with space" "in quotes"
Host "no end
Match host matched
Include more/*.conf  "named one"
Include config
Host -dash $(x) gpu last
"""


def test_aliases_in_order_and_once(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(CONFIG)
    (tmp_path / "more").mkdir()
    (tmp_path / "more/b.conf").write_text("Host b-conf\n")
    (tmp_path / "more/a.conf").write_text("Host a-conf\nInclude config\n")
    (tmp_path / "named one").write_bytes(b"Host of-named \xff\xfe\n")
    assert ssh_hosts(tmp_path / "config") == [
        *("gpu", "other", "equals", "quoted", "a-conf", "b-conf", "of-named", "last")
    ]


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert ssh_hosts(tmp_path / "none") == []
    (tmp_path / "folder").mkdir()
    assert ssh_hosts(tmp_path / "folder") == []
    (tmp_path / "circle").symlink_to("circle")
    assert ssh_hosts(tmp_path / "circle") == []


def test_a_config_without_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    text = "Include pipe\n" + "".join(f"Host h{i}\n" for i in range(2 * MAX_HOSTS))
    (tmp_path / "config").write_text(text)
    assert ssh_hosts(tmp_path / "config") == [f"h{i}" for i in range(MAX_HOSTS)]


def test_a_file_that_cannot_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "config").write_text("Host a\n")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with caplog.at_level(logging.WARNING):
        assert ssh_hosts(tmp_path / "config") == []
    assert "Permission denied" in caplog.text


@pytest.mark.parametrize(
    ("ssh", "name"),
    [
        ("my-gpu", "my-gpu"),
        ("ssh root@203.0.113.7 -p 40022", "203.0.113.7"),
        ("me@[2001:db8::1]:22", "2001-db8--1"),
        ("_odd..host_", "odd-.host"),
        ("x" * 200, "x" * 56),
    ],
)
def test_a_name_of_the_host(tmp_path: Path, ssh: str, name: str) -> None:
    pods = Registry(tmp_path)
    names = [pods.add(None, ssh).name for _ in range(3)]
    assert names == [name, f"{name}-2", f"{name}-3"]
    assert all(check_pod_name(n) for n in names)


def test_a_name_that_differs_in_case_only_is_taken(tmp_path: Path) -> None:
    pods = Registry(tmp_path)
    pods.add("GPU", "a")
    assert pods.add(None, "gpu").name == "gpu-2"
