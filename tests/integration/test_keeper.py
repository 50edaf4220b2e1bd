"""Keeper, journal and bridge with a real kernel (no ssh in between)."""

from __future__ import annotations

import json
import os
import resource
import signal
import time
import uuid
from pathlib import Path
from typing import Any

import psutil

from tests.support.keeper import PATIENCE, Bridge, PodCommands


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def journal_bytes(bridge: Bridge) -> bytes:
    folder = bridge.pod.state / "kernels" / bridge.kernel / "journal"
    return b"".join(p.read_bytes() for p in sorted(folder.glob("*.seg")))


def test_a_cell_from_request_to_end(kernel: Bridge) -> None:
    ended = kernel.run("print('hello'); 6 * 7")
    execution = ended["execution"]
    assert (ended["outcome"], ended["count"]) == ("ok", 1)
    kinds = [r.type for r in kernel.records if r.execution == execution]
    assert kinds[:4] == ["request", "status", "running", "execute_input"]
    # The reply comes on another socket than the rest: its place is not given.
    assert sorted(kinds[4:-1]) == ["execute_reply", "execute_result", "status", "stream"]
    assert kinds[-1] == "ended"
    assert kernel.text(execution) == "hello\n"
    assert kernel.record("started").first == 1
    assert [r.first for r in kernel.records] == list(range(1, kernel.cursor + 1))


def test_what_is_read_is_the_journal_byte_for_byte(kernel: Bridge) -> None:
    kernel.run("for i in range(3000): print(i, flush=True)")
    kernel.run("print('x' * 3_000_000)")
    assert kernel.text() == "".join(f"{i}\n" for i in range(3000)) + "x" * 3_000_000 + "\n"
    assert kernel.raw == journal_bytes(kernel)


def lines(count: int) -> list[str]:
    return [str(i) for i in range(count)]


def test_nothing_is_lost_while_nobody_reads(commands: PodCommands, kernel: Bridge) -> None:
    execution = kernel.execute("for i in range(8_000): print(i, flush=True)")
    kernel.control(lambda m: m["type"] == "ack")
    kernel.kill()
    late = commands.bridge(kernel.kernel, identity=commands.kernel_info(kernel.kernel)["identity"])
    assert late.record("ended", execution).content["outcome"] == "ok"
    assert late.text(execution).split() == lines(8_000)
    late.close()
    kernel.ended = True


def test_nothing_is_lost_while_the_keeper_is_kept_waiting(
    commands: PodCommands, kernel: Bridge
) -> None:
    """The kernel's own socket would drop what exceeds 1000 waiting messages."""
    mark = commands.home / "printed"
    code = f"for i in range(8_000): print(i, flush=True)\nopen({str(mark)!r}, 'w').close()"
    keeper = commands.kernel_info(kernel.kernel)["keeper_pid"]
    kernel.run("1")
    execution = kernel.execute(code)
    kernel.record("stream", execution)
    os.kill(keeper, signal.SIGSTOP)
    end = time.monotonic() + PATIENCE
    while not mark.exists():
        assert time.monotonic() < end, "the kernel waits for its keeper"
        time.sleep(0.02)
    os.kill(keeper, signal.SIGCONT)
    kernel.record("ended", execution)
    assert kernel.text(execution).split() == lines(8_000), "the kernel dropped what it printed"


def test_a_request_sent_twice_runs_once(kernel: Bridge) -> None:
    execution, msg_id = uuid.uuid4().hex, uuid.uuid4().hex
    kernel.run("n = 0")
    for _ in range(3):
        kernel.execute("n += 1", execution=execution, number=7, msg_id=msg_id)
    kernel.record("ended", execution)
    kernel.wait(lambda: len([m for m in kernel.controls if m.get("number") == 7]) == 3)
    acks = [m for m in kernel.controls if m.get("number") == 7]
    assert [m["duplicate"] for m in acks] == [False, True, True]
    assert {m["record"] for m in acks} == {kernel.record("request", execution).first}
    assert {m["execution"] for m in acks} == {execution}
    shown = kernel.execute("print(n)", number=8)
    kernel.record("ended", shown)
    assert kernel.text(shown) == "1\n"


def test_two_cells_of_one_message_are_two_executions(kernel: Bridge) -> None:
    msg_id = uuid.uuid4().hex
    first = kernel.execute("print('first')", msg_id=msg_id)
    second = kernel.execute("print('second')", msg_id=msg_id)
    kernel.record("ended", second)
    assert kernel.text(first) == "first\n"
    assert kernel.text(second) == "second\n"


def test_cells_wait_for_each_other_and_an_error_does_not_stop_them(kernel: Bridge) -> None:
    failing = kernel.execute("1 / 0")
    following = kernel.execute("print('still here')")
    assert kernel.record("ended", failing).content["ename"] == "ZeroDivisionError"
    assert kernel.record("ended", following).content["outcome"] == "ok"
    assert kernel.text(following) == "still here\n"


def test_an_error_whose_text_is_not_utf8_is_an_error(kernel: Bridge) -> None:
    ended = kernel.run("raise ValueError('caf\\udce9.csv')")
    assert (ended["outcome"], ended["ename"]) == ("error", "ValueError")
    assert ended["evalue"] == "caf\udce9.csv"


def test_an_interrupt_names_its_execution(kernel: Bridge) -> None:
    sleeping = kernel.execute("import time; print('up', flush=True); time.sleep(60)")
    waiting = kernel.execute("print('never')")
    kernel.record("stream", sleeping)
    kernel.tell(type="interrupt", execution=uuid.uuid4().hex, tag="alien")
    kernel.tell(type="interrupt", execution=waiting, tag="waiting")
    kernel.tell(type="interrupt", execution=sleeping, tag="running")
    assert kernel.record("ended", sleeping).content["ename"] == "KeyboardInterrupt"
    assert kernel.record("ended", waiting).content["outcome"] == "aborted"
    assert kernel.run("print('next')")["outcome"] == "ok"
    assert kernel.text(waiting) == ""
    done = {m["tag"]: m["done"] for m in kernel.controls if m["type"] == "interrupted"}
    assert done == {"alien": False, "waiting": True, "running": True}


def test_an_interrupt_right_behind_its_request_is_not_lost(kernel: Bridge) -> None:
    kernel.run("import time")
    for _ in range(30):
        execution = kernel.execute("time.sleep(60)")
        kernel.tell(type="interrupt", execution=execution, tag="t")
        ended = kernel.record("ended", execution).content
        assert ended["ename"] == "KeyboardInterrupt"
        assert ended["outcome"] in ("error", "aborted")


def acks(kernel: Bridge, number: int) -> list[dict[str, Any]]:
    return [m for m in kernel.controls if m.get("number") == number]


def test_input_is_answered_once_and_its_value_is_never_written(kernel: Bridge) -> None:
    execution = kernel.execute("import getpass; print('got', getpass.getpass('key? '))")
    question = kernel.record("input_request", execution)
    numbers = [
        kernel.request("input_reply", {"value": value}, channel="stdin", answers=question.first)
        for value in ("sesame-one", "sesame-two")
    ]
    late = {"channel": "stdin", "answers": question.first, "number": numbers[1]}
    kernel.request("input_reply", {"value": "sesame-two"}, **late)
    kernel.wait(lambda: len(acks(kernel, numbers[1])) == 2)
    assert [m["record"] for m in acks(kernel, numbers[1])] == [None, None]
    assert kernel.record("ended", execution).content["outcome"] == "ok"
    assert kernel.text(execution) == "got sesame-one\n"
    answers = [r.content for r in kernel.all("request") if r.content["type"] == "input_reply"]
    assert [a["answers"] for a in answers] == [question.first]
    assert b"sesame-two" not in journal_bytes(kernel)
    assert journal_bytes(kernel).count(b"sesame-one") == 1  # what the cell itself printed


def test_a_subshell_id_of_the_local_kernel_is_not_passed_on(kernel: Bridge) -> None:
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": "s"}
    header |= {"subshell_id": "local-only", "username": "u", "date": "", "version": "5.3"}
    execution = uuid.uuid4().hex
    head = {"channel": "shell", "type": "execute_request", "client": kernel.client}
    content = {"code": "print('ok')", "silent": False}
    from jupyter_remote_gpu.wire.records import encode_record

    parts = [json.dumps(p).encode() for p in (header, {}, {}, content)]
    kernel.write(encode_record(1, 1, {**head, "execution": execution}, parts))
    assert kernel.record("ended", execution).content["outcome"] == "ok"


def test_a_kernel_that_is_killed_ends_its_cell(kernel: Bridge) -> None:
    execution = kernel.execute("import time; print('before', flush=True); time.sleep(60)")
    kernel.record("stream", execution)
    os.kill(kernel.pod.kernel_info(kernel.kernel)["pid"], signal.SIGKILL)
    assert kernel.record("died").content["signal"] == "SIGKILL"
    assert kernel.record("ended", execution).content["outcome"] == "died"
    assert kernel.text(execution) == "before\n"
    kernel.until_end()


def test_a_keeper_that_is_killed_leaves_its_journal(commands: PodCommands, kernel: Bridge) -> None:
    execution = kernel.execute("import time; print('before', flush=True); time.sleep(60)")
    kernel.record("stream", execution)
    info = commands.kernel_info(kernel.kernel)
    os.kill(info["keeper_pid"], signal.SIGKILL)
    late = commands.bridge(
        kernel.kernel, identity=info["identity"], cursor=kernel.cursor, client=kernel.client
    )
    assert late.welcome["type"] == "welcome", "its readers had more than its journal"
    assert late.welcome["alive"] is False
    assert "keeper" in late.record("died").content["stderr"]
    assert late.record("ended", execution).content["outcome"] == "died"
    assert not Path(info["socket"]).exists()
    # The cell that ran is sent again, as after a lost ack; another one is new.
    late.execute("1", number=1, execution=execution)
    late.execute("1", number=2)
    rejected = late.control(lambda m: m["type"] == "rejected")
    assert (rejected["number"], rejected["error"]["code"]) == (2, "kernel-ended")
    ack = late.control(lambda m: m["type"] == "ack")
    assert (ack["number"], ack["execution"], ack["duplicate"]) == (1, execution, True)
    assert ack["record"] == kernel.record("request", execution).first
    late.close()
    whole = commands.bridge(kernel.kernel)
    whole.record("ended", execution)
    assert whole.text(execution) == "before\n"
    assert not is_alive(info["pid"])
    whole.close()


def test_stopped_by_the_users_word(commands: PodCommands, kernel: Bridge) -> None:
    kernel.run("1")
    kernel.tell(type="stop")
    died = kernel.record("died").content
    assert (died["asked"], died["code"], died["ready"]) == (True, 0, True)
    (listed,) = commands.run("list")["kernels"]
    assert (listed["alive"], listed["orphan"]) == (False, False)


def test_a_kernel_that_dies_in_start_up_shows_its_stderr(commands: PodCommands) -> None:
    argv = [commands.python, "-c", "raise SystemExit('no such GPU library')", "{connection_file}"]
    bridge = commands.start(argv=argv)
    died = bridge.record("died").content
    assert "no such GPU library" in died["stderr"]
    assert died["ready"] is False
    bridge.close()


def test_a_program_that_is_not_there_is_named(commands: PodCommands) -> None:
    bridge = commands.start(argv=["/no/such/python", "{connection_file}"])
    assert bridge.answer["ok"] is False
    assert "/no/such/python" in bridge.answer["error"]["message"]


def test_who_comes_back_supersedes_his_predecessor(kernel: Bridge) -> None:
    kernel.run("1")
    identity = kernel.answer["identity"]
    again = kernel.pod.bridge(
        kernel.kernel, client=kernel.client, cursor=kernel.cursor, identity=identity
    )
    kernel.until_end()
    assert again.run("1", number=9)["outcome"] == "ok"
    again.close()


def test_a_full_disk_under_the_journal_stops_nothing(kernel: Bridge) -> None:
    kernel.run("1")
    keeper = kernel.pod.kernel_info(kernel.kernel)["keeper_pid"]
    free = resource.prlimit(keeper, resource.RLIMIT_FSIZE)
    resource.prlimit(keeper, resource.RLIMIT_FSIZE, (0, free[1]))
    ended = kernel.run("for i in range(2000): print(i, flush=True)")
    assert ended["outcome"] == "ok"
    assert kernel.text() == "".join(f"{i}\n" for i in range(2000))
    trouble = kernel.control(lambda m: m["type"] == "trouble")
    assert trouble["where"] == "pod"
    assert trouble["message"]
    resource.prlimit(keeper, resource.RLIMIT_FSIZE, free)
    kernel.control(lambda m: m["type"] == "trouble" and m["message"] is None)
    kernel.run("print('after')")
    assert kernel.raw == journal_bytes(kernel)


def test_start_sent_twice_is_one_kernel(commands: PodCommands, kernel: Bridge) -> None:
    argv = [commands.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"kernel": kernel.kernel, "spec": {"argv": argv}, "folder": "work"}
    answer = commands.run("start", spec)
    assert answer["identity"] == kernel.answer["identity"]
    assert len(commands.run("list")["kernels"]) == 1


def test_folders_and_files_are_the_users_alone(commands: PodCommands, kernel: Bridge) -> None:
    kernel.run("1")
    for path in (commands.state / "kernels").rglob("*"):
        mode = path.lstat().st_mode & 0o777
        assert mode & 0o077 == 0 or path.name.startswith("k-"), f"{path} {mode:o}"
