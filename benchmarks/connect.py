"""Connecting a prepared pod and running `1`, against ssh and a kernel started there by hand."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient

from .kernels import LocalKernel, ask
from .measure import Row, median
from .stage import FAR, Stage

PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


def run(stage: Stage, quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """One row."""
    times = 2 if quick else 7
    round_trip = stage.network.set_round_trip(0.05)
    ours: list[float] = []
    theirs: list[float] = []
    with LocalKernel() as local:
        local.run("%load_ext jupyter_remote_gpu")
        local.run(f"%gpu connect {FAR}")
        local.gpu("1")  # from here on the pod is prepared
        for _ in range(times):
            local.run("%gpu restart")
            local.run(f"%gpu disconnect {FAR}")
            stage.wait_for(FAR, "disconnected")
            start = time.perf_counter()
            local.run(f"%gpu connect {FAR}")
            if local.gpu("1").results != ["1"]:
                raise RuntimeError("the cell did not answer 1")
            ours.append(time.perf_counter() - start)
            theirs.append(_by_hand(stage))
    stage.network.set_round_trip(0.0)
    limit = median(theirs) + 6 * round_trip + 0.4
    row = Row(
        what=f"connect a prepared pod and run `1` (round trip {round_trip * 1e3:.1f} ms)",
        found=f"{median(ours):.2f} s",
        against=f"ssh + starting ipykernel: {median(theirs):.2f} s",
        must=f"≤ that + 6 round trips + 0.4 s = {limit:.2f} s",
        ok=median(ours) <= limit,
        notes=[f"each: {[round(s, 2) for s in ours]} against {[round(s, 2) for s in theirs]}"],
    )
    return [row], {"ours": ours, "by hand": theirs, "round_trip": round_trip}


def _by_hand(stage: Stage) -> float:
    """ssh with forwarded ports, ipykernel started by it, `1` over the forwarded ports."""
    info: dict[str, Any] = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
    info |= {"ip": "127.0.0.1", "transport": "tcp", "key": "0" * 32}
    info |= {"signature_scheme": "hmac-sha256", "kernel_name": ""}
    local = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
    forward = [f"-L{local[p]}:127.0.0.1:{info[p]}" for p in PORTS]
    start = time.perf_counter()
    command = (
        f"umask 77; cat > by-hand.json; exec {stage.python} -m ipykernel_launcher -f by-hand.json"
    )
    ssh = subprocess.Popen(
        stage.openssh(stage.network.port, *forward, command),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    client = BlockingKernelClient()
    try:
        assert ssh.stdin is not None
        ssh.stdin.write(json.dumps(info).encode())
        ssh.stdin.close()
        client.load_connection_info({**info, **local})  # type: ignore[typeddict-item]
        client.start_channels()
        _until_ready(client, ssh)
        if ask(client, "1").results != ["1"]:
            raise RuntimeError("the cell did not answer 1")
        return time.perf_counter() - start
    finally:
        client.shutdown()
        client.stop_channels()
        try:
            ssh.wait(10)
        except subprocess.TimeoutExpired:
            ssh.kill()
            ssh.wait(10)


def _until_ready(client: BlockingKernelClient, ssh: subprocess.Popen[bytes]) -> None:
    """As `wait_for_ready`, without its pauses of a second."""
    deadline = time.monotonic() + 60
    client.kernel_info()
    while not client.shell_channel.msg_ready() or not client.iopub_channel.msg_ready():
        if ssh.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the kernel started by hand did not answer (ssh: {ssh.poll()})")
        time.sleep(0.002)
        if not client.iopub_channel.msg_ready() and client.shell_channel.msg_ready():
            client.shell_channel.get_msg(timeout=1)
            client.kernel_info()  # answered before our subscription was there


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(s.getsockname()[1]) for s in sockets]
    for s in sockets:
        s.close()
    return ports
