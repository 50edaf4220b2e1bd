"""The table of what faces can ask of the daemon; see ``docs/architecture.md``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from ..errors import BadInput, Conflict, NotFound
from ..link import keys
from ..models import PodState
from ..wire.records import is_id
from .doctor import examine
from .entry import PodEntry
from .interrupting import interrupt
from .joining import bind, left_alone
from .kernel_link import KernelLink
from .listing import list_kernels
from .opening import Opener
from .pods import Pods
from .restarting import restart
from .shown import execution_info, execution_place, executions_of
from .snapshot import Snapshots

STOP_SECONDS = 20.0
KEY_SECONDS = 30.0
MIN_PREFIX = 4
Args = dict[str, Any]
T = TypeVar("T")


class Operations:
    """Carries out ops on the pods."""

    def __init__(self, pods: Pods, snapshots: Snapshots, stop: Callable[[], None]) -> None:
        self._pods = pods
        self._snapshots = snapshots
        self._stop = stop
        self._opener = Opener(pods)
        self._table: dict[str, Callable[[Args], Awaitable[Args]]] = {
            "snapshot": self._snapshot,
            "pod.add": self._pod_add,
            "pod.remove": self._pod_remove,
            "pod.pin": self._pod_pin,
            "pod.connect": self._pod_connect,
            "pod.disconnect": self._pod_disconnect,
            "pod.retry": self._pod_retry,
            "pod.log": self._pod_log,
            "pod.keys": self._pod_keys,
            "kernel.open": self._kernel_open,
            "kernel.list": self._kernel_list,
            "kernel.bind": self._kernel_bind,
            "kernel.stop": self._kernel_stop,
            "kernel.restart": self._kernel_restart,
            "execution.find": self._execution_find,
            "execution.list": self._execution_list,
            "execution.interrupt": self._execution_interrupt,
            "key.install": self._key_install,
            "key.remove": self._key_remove,
            "doctor": self._doctor,
            "daemon.stop": self._daemon_stop,
        }

    async def perform(self, op: str, args: Args) -> Args:
        """Do `op`.

        Raises
        ------
        RemoteGPUError
            What the face should tell its user.
        """
        work = self._table.get(op)
        if work is None:
            raise BadInput(f"The daemon knows no op {op!r:.60}.", code="unknown-op")
        return await work(args)

    async def _snapshot(self, args: Args) -> Args:
        return self._snapshots.value()

    # -- pods

    async def _pod_add(self, args: Args) -> Args:
        ssh = args.get("ssh")
        words = isinstance(ssh, list) and all(isinstance(w, str) for w in ssh)
        if not isinstance(ssh, (str, list)) or not (isinstance(ssh, str) or words):
            raise BadInput("The ssh command is missing: paste it as the provider shows it.")
        entry = self._pods.add(_text_or_none(args, "name"), ssh, _text_or_none(args, "python"))
        return self._pod(entry)

    async def _pod_remove(self, args: Args) -> Args:
        key = await self._whole(self._pods.remove(_text(args, "name")))
        return {} if key is None else {"key_left": key}

    async def _pod_pin(self, args: Args) -> Args:
        entry = self._pods.entry(args.get("name"))
        await asyncio.to_thread(self._pods.registry.pin, entry.name, _text(args, "key"))
        return {}

    async def _pod_connect(self, args: Args) -> Args:
        accept = _text_or_none(args, "accept_host_key")
        return self._pod(self._pods.connect(_text(args, "name"), accept))

    async def _pod_disconnect(self, args: Args) -> Args:
        return self._pod(await self._whole(self._pods.disconnect(_text(args, "name"))))

    async def _pod_retry(self, args: Args) -> Args:
        entry = self._pods.entry(args.get("name"))
        if entry.state is PodState.DISCONNECTED:
            return self._pod(self._pods.connect(entry.name, None))
        entry.link.retry_now()
        return self._pod(entry)

    async def _pod_log(self, args: Args) -> Args:
        entry = self._pods.entry(args.get("name"))
        return {"lines": [str(line)[:2000] for line in list(entry.link.log_lines)[-400:]]}

    async def _pod_keys(self, args: Args) -> Args:
        return {"keys": self._pods.entry(args.get("name")).link.refused_keys}

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` to its end, also when the face gives up: half of it would be a mess."""
        return await self._pods.shield(asyncio.ensure_future(work))

    def _pod(self, entry: PodEntry) -> Args:
        for info in self._pods.infos():
            if info.name == entry.name:
                info.kernels = []
                return info.to_json()
        raise NotFound(f"Pod {entry.name} was removed.")

    # -- kernels

    async def _kernel_open(self, args: Args) -> Args:
        start, fresh = args.get("start") is not False, bool(args.get("fresh"))
        opened = await self._opener.open(
            _text(args, "pod"),
            client=_text_or_none(args, "client"),
            notebook=_text_or_none(args, "notebook"),
            local_kernel=_text_or_none(args, "local_kernel"),
            folder=_text(args, "folder"),
            fresh=fresh,
            start=start,
        )
        if start and not fresh and not opened["joined"] and not opened["before"]:
            # Its notebook may have been renamed, or its pod removed and added again.
            left = await left_alone(self._pods, self._pods.entry(opened["pod"]))
            opened["left"] = [row for row in left if row["id"] != opened["kernel"]]
        return opened

    async def _kernel_list(self, args: Args) -> Args:
        return await list_kernels(self._pods, _text_or_none(args, "pod") or None)

    async def _kernel_bind(self, args: Args) -> Args:
        entry, kernel = self._pods.entry(args.get("pod")), _kernel_id(args)
        notebook, local = _text_or_none(args, "notebook"), _text_or_none(args, "local_kernel")
        bound = await bind(self._pods, entry, kernel, notebook, local)
        self._snapshots.changed()
        return bound

    async def _kernel_stop(self, args: Args) -> Args:
        entry, kernel = self._pods.entry(args.get("pod")), _kernel_id(args)
        await entry.need().run("stop", {"kernel": kernel}, STOP_SECONDS)
        return {}

    async def _kernel_restart(self, args: Args) -> Args:
        entry, kernel = self._pods.entry(args.get("pod")), self._pods.kernel(args.get("kernel"))
        return {"kernel": await self._whole(restart(self._pods, self._opener, entry, kernel))}

    async def _execution_interrupt(self, args: Args) -> Args:
        kernel, name = self._execution(args)
        return {"done": await interrupt(kernel, name)}

    async def _execution_find(self, args: Args) -> Args:
        kernel, name = self._execution(args)
        mirror = kernel.state.mirror
        told = execution_info(kernel.state, name).to_json()
        return {**execution_place(kernel.state), "newest": mirror.last, "execution": told}

    async def _execution_list(self, args: Args) -> Args:
        states = (kernel.state for kernel in self._pods.kernels.values())
        return {"executions": executions_of(states, _text(args, "notebook"))}

    def _execution(self, args: Args) -> tuple[KernelLink, str]:
        """The execution whose id begins with ``id``, and its kernel."""
        prefix = _text(args, "id").lower()
        if len(prefix) < MIN_PREFIX or not prefix.isalnum():
            raise BadInput(f"Give at least {MIN_PREFIX} digits of the execution's id.")
        found = [
            (kernel, name)
            for kernel in self._pods.kernels.values()
            for name in kernel.state.mirror.executions.all
            if name.startswith(prefix)
        ]
        if not found:
            raise NotFound(f"No execution that this laptop knows begins with {prefix[:40]}.")
        if len(found) > 1:
            raise Conflict(
                f"{len(found)} executions begin with {prefix[:40]}: give more digits.",
                details={"ids": [name for _, name in found[:20]]},
            )
        return found[0]

    # -- keys, doctor, the daemon itself

    async def _key_install(self, args: Args) -> Args:
        entry = self._pods.entry(args.get("name"))
        work = keys.install(entry.need(), self._pods.folder, KEY_SECONDS)
        return {"public_key": await self._whole(work)}

    async def _key_remove(self, args: Args) -> Args:
        entry = self._pods.entry(args.get("name"))
        work = keys.remove(entry.need(), self._pods.folder, KEY_SECONDS)
        return {"public_key": await self._whole(work)}

    async def _doctor(self, args: Args) -> Args:
        return await examine(self._pods)

    async def _daemon_stop(self, args: Args) -> Args:
        asyncio.get_running_loop().call_later(0.05, self._stop)
        return {}


def _kernel_id(args: Args) -> str:
    kernel = args.get("kernel")
    if not is_id(kernel):
        raise BadInput(f"{kernel!r:.60} is not a kernel's id.")
    return str(kernel)


def _text(args: Args, name: str) -> str:
    value = args.get(name)
    if not isinstance(value, str):
        raise BadInput(f"The op needs {name!r} as text.")
    return value


def _text_or_none(args: Args, name: str) -> str | None:
    return None if args.get(name) is None else _text(args, name)
