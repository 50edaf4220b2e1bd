"""What this process has open: the face, one remote kernel a pod, and its cells."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from ..client.threaded import Face
from ..errors import RemoteGPUError
from . import place
from .execution import Execution
from .follower import Follower
from .handles import Handle
from .kernels import DOWN, RemoteKernel
from .lookup import pod_meant
from .opening import open_kernel
from .pacing import Pacer
from .raised import ENDED, GONE
from .reopen import Reopening
from .runner import Runner, refuse_if_down
from .sink import KernelSink, choose_sink, running_kernel
from .standins import plain_header

__all__ = ["Session"]


class Session:
    """The magics' side of the daemon; one a process.

    Parameters
    ----------
    shell : InteractiveShell

    Attributes
    ----------
    kernels : dict
        This notebook's kernel on each pod, by the pod's name.
    others : dict
        Kernels that are only read, by their id.
    last_pod : str or None
        The pod of the newest cell.
    fresh : set of str
        Pods on which the next cell gets a new kernel.
    listeners : list of callable
        Get each new snapshot, in the background thread.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.pacer = Pacer()
        self.kernels: dict[str, RemoteKernel] = {}
        self.others: dict[str, RemoteKernel] = {}
        self.listeners: list[Callable[[dict[str, Any]], None]] = []
        self._face: Face | None = None
        self.last_pod: str | None = None
        self.fresh: set[str] = set()

    @property
    def face(self) -> Face:
        """The connection to the daemon, made at first use."""
        if self._face is None:
            self._face = Face(kind="magic")
            self._face.watch(self._on_snapshot)
        return self._face

    def _on_snapshot(self, snapshot: dict[str, Any]) -> None:
        for listener in list(self.listeners):
            listener(snapshot)

    def close(self, *, tell: bool = False) -> None:
        """Let go of everything; the kernels on the pods go on.

        With `tell` the front ends lose the widgets. Not when this process only ends: the
        next one opens them again.
        """
        for remote in [*self.kernels.values(), *self.others.values()]:
            remote.close(tell=tell)
        self.kernels.clear()
        self.others.clear()
        if self._face is not None:
            self._face.close()
            self._face = None

    # -- pods

    def pods(self, *, now: bool = False) -> dict[str, dict[str, Any]]:
        """The pods of the latest snapshot by name; with `now` of one asked for at once."""
        snapshot = None if now else self.face.latest_snapshot()
        if snapshot is None:
            snapshot = self.face.request("snapshot")
        return {str(p["name"]): p for p in snapshot.get("pods", [])}

    def pod(self, name: str | None) -> str:
        """The pod that is meant; see `lookup.pod_meant`."""
        return pod_meant(self, name)

    def refuse_if_down(self, pod: str) -> None:
        """`refuse_if_down`, by a snapshot that is asked for if the one at hand says so."""
        if self.pods().get(pod, {}).get("state") in DOWN:
            refuse_if_down(pod, self.pods(now=True).get(pod, {}))

    # -- kernels

    def kernel(self, pod: str) -> tuple[RemoteKernel, str]:
        """This notebook's kernel on `pod`, and what to say about it; see `open_kernel`."""
        return open_kernel(self, pod)

    def sink_for_notices(self) -> Any:
        """Where this process's own sentences are shown before a cell has its sink."""
        return choose_sink(self.shell, Execution("", "", 0, {}))

    def adopt(self, opened: dict[str, Any]) -> RemoteKernel:
        """Take the kernel of which `opened` tells as this notebook's one on its pod."""
        remote = self.others.pop(str(opened["kernel"]), None)
        if remote is None:  # a second channel of this client would supersede the first
            remote = RemoteKernel(self.face, self.shell, self.pacer, opened)
        self.kernels[remote.pod] = remote
        return remote

    def remote_of(self, found: dict[str, Any]) -> RemoteKernel:
        """The kernel that `execution.find` told of, followed from its newest record on."""
        id = str(found["kernel"])
        mine = next((r for r in self.kernels.values() if r.id == id), None) or self.others.get(id)
        if mine is not None:
            return mine
        known = self.pods(now=True).get(found["pod"], {}).get("kernels") or []
        last = next((k.get("last") for k in known if k.get("id") == id), None)
        opened = {**found, "last": found["execution"]["last"] if last is None else last}
        remote = self.reader(opened)
        if remote.hub is not None and remote.seen > 0:
            try:
                Reopening(remote).wait()
            except BaseException:
                self.release(remote)
                raise
        return remote

    def reader(self, opened: dict[str, Any]) -> RemoteKernel:
        """A kernel that is not opened for this notebook's cells; `release` it."""
        id = str(opened["kernel"])
        if id not in self.others:
            self.others[id] = RemoteKernel(self.face, self.shell, self.pacer, opened)
        return self.others[id]

    def release(self, remote: RemoteKernel) -> None:
        """Let go of a kernel that was only read: who follows it keeps it from ending as idle.

        Not while widgets of it are open here.
        """
        if self.others.get(remote.id) is remote and not (remote.hub and remote.hub.open):
            self.forget(remote)

    def forget(self, remote: RemoteKernel) -> None:
        """Let go of a kernel; if it is this notebook's one, the next cell gets a fresh one."""
        self.others.pop(remote.id, None)
        if self.kernels.get(remote.pod) is remote:
            del self.kernels[remote.pod]
            self.fresh.add(remote.pod)
        remote.close(tell=True)

    # -- cells

    def run(
        self, pod: str | None, code: str, *, detach: bool = False, again: bool = False
    ) -> Handle | None:
        """Run `code` on a pod and wait for it, or return a handle at once."""
        name = self.pod(pod)
        remote, said = self.kernel(name)
        self.refuse_if_down(name)
        self.last_pod = name
        if said:
            print(f"[gpu] {said}", file=sys.stderr)
        request = place.cell_request(self.shell)
        execution = self._execution(remote, request)
        if detach:
            execution.let_go()
        else:
            execution.sink = choose_sink(self.shell, execution)
        execution.comm_sink = self._comm_sink(execution, request)
        remote.add(execution)

        def submit() -> int:
            return self._submit(remote, execution, code, request)

        if detach:
            submit()
            return Handle(self, remote, execution, code)
        try:
            Runner(self.shell, remote, execution).wait(submit)
        except RemoteGPUError as e:
            if again or e.code not in (ENDED, GONE) or e.details.get("sent"):
                raise
            # It ended while nobody looked, so the cell did not run: it gets a fresh kernel.
            remote.lose({"gone": True})
            return self.run(name, code, again=True)
        return None

    def follow(self, remote: RemoteKernel, info: dict[str, Any]) -> None:
        """Show an execution here from its first line, and wait until it ends.

        Parameters
        ----------
        info : dict
            `ExecutionInfo` as JSON.
        """
        request = place.cell_request(self.shell)
        header = request.get("header") or {}
        known = info.get("meta", {}).get("msg_id")
        execution = Execution(
            info["id"],
            str(header.get("msg_id") or ""),
            place.cell_count(self.shell),
            remote.counts,
            catch_up=max(int(info.get("last") or 0), remote.seen),
        )
        if isinstance(known, str) and known and execution.msg_id:
            execution.swap = known.encode(), execution.msg_id.encode()
        suffix = f"-{uuid.uuid4().hex[:8]}"
        execution.sink = choose_sink(self.shell, execution, suffix)
        execution.comm_sink = self._comm_sink(execution, request)
        execution.accept(int(info["first"]))
        follower = Follower(remote, execution, int(info["first"]), int(info.get("last") or 0))
        try:
            watching = not self._own(remote, info)
            Runner(self.shell, remote, execution, follower.channel, watching=watching).wait()
        finally:
            follower.close()
            self.release(remote)

    def _own(self, remote: RemoteKernel, info: dict[str, Any]) -> bool:
        """Whether this notebook, or this process, has asked for the execution."""
        meta = info.get("meta") or {}
        mine = {"local_kernel": place.local_kernel(self.shell), "notebook": place.notebook()}
        same = any(value and meta.get(name) == value for name, value in mine.items())
        return same or info["id"] in remote.executions

    def _execution(self, remote: RemoteKernel, request: dict[str, Any]) -> Execution:
        header = request.get("header") or {}
        msg_id = str(header.get("msg_id") or uuid.uuid4().hex)
        return Execution(uuid.uuid4().hex, msg_id, place.cell_count(self.shell), remote.counts)

    def _comm_sink(self, execution: Execution, request: dict[str, Any]) -> KernelSink | None:
        if isinstance(execution.sink, KernelSink):
            return execution.sink
        kernel = running_kernel(self.shell)
        return None if kernel is None else KernelSink(kernel, request.get("header") or {})

    def _submit(
        self,
        remote: RemoteKernel,
        execution: Execution,
        code: str,
        request: dict[str, Any],
    ) -> int:
        asked = request.get("content") or {}
        # A kernel refuses a message that equals an earlier one, and two runs of one local
        # cell may have the same code: the date makes them differ.
        header = plain_header(request.get("header") or {})
        header["date"] = datetime.now(timezone.utc).isoformat()
        content = {
            "code": code,
            "silent": False,
            "store_history": bool(asked.get("store_history", True)),
            "user_expressions": {},
            "allow_stdin": bool(asked.get("allow_stdin", True)),
            "stop_on_error": False,
        }
        meta = {
            "notebook": place.notebook(),
            "cell": (request.get("metadata") or {}).get("cellId"),
            "local_kernel": place.local_kernel(self.shell),
            "msg_id": execution.msg_id,
            "count": execution.count,
            "asked": execution.requested_at,  # of a pod's clock nobody knows how wrong it is
        }
        return remote.submit(execution, content, meta=meta, header=header)
