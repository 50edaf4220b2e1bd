"""What the handlers ask for: each a request or two to the daemon. No state of links lives here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from .._version import __version__
from ..client import refill
from ..errors import NotFound
from ..models import no_such_pod
from ..wire.records import is_id
from .demo import Demo
from .face import DaemonFace, about_daemon
from .hosts import ssh_hosts
from .magics import load_code
from .readings import Readings

__all__ = ["Manager"]

LIST_SECONDS = 60.0
REMOVE_SECONDS = 60.0
RESTART_SECONDS = 120.0
Json = dict[str, Any]


class Manager:
    """The server's one face of the daemon, and the demo pod if it runs as our child.

    Parameters
    ----------
    on_snapshot : callable
        Called with each new snapshot.
    idle_seconds : float
        See `DaemonFace`.
    folder_of : callable
        The folder on this machine of a contents path, as the server gives it to its kernels.
    """

    def __init__(
        self,
        on_snapshot: Callable[[Json], None],
        idle_seconds: float,
        folder_of: Callable[[str], str],
    ) -> None:
        self.face = DaemonFace(on_snapshot, idle_seconds)
        self.demo = Demo()
        self._readings = Readings(self.face)
        self._folder_of = folder_of

    async def close(self, seconds: float) -> None:
        """Let go of the daemon and end the demo pod; about so long."""
        await self._readings.close()
        await asyncio.gather(self.face.close(), self.demo.stop(seconds))

    async def about(self) -> Json:
        daemon, error = await about_daemon()
        told = None if error is None else {"code": error.code, "message": error.message}
        load = await asyncio.to_thread(load_code)
        return {"version": __version__, "daemon": daemon, "error": told, "load_magics": load}

    # -- pods

    async def snapshot(self) -> Json:
        return await self.face.snapshot()

    async def pods(self) -> list[Json]:
        return [_bare(pod) for pod in (await self.snapshot())["pods"]]

    async def pod(self, name: str) -> Json:
        pods = {pod["name"]: pod for pod in await self.pods()}
        if name not in pods:
            raise no_such_pod(name, pods)
        return pods[name]

    async def add_pod(self, body: Json) -> Json:
        return _bare(await self.face.change("pod.add", **body))

    async def remove_pod(self, name: str) -> Json:
        told = await self.face.change("pod.remove", timeout=REMOVE_SECONDS, name=name)
        return {"key_left": told.get("key_left")}

    async def connect(self, name: str, body: Json) -> Json:
        # One that is on its way tries at once, one that failed begins anew.
        return _bare(await self.face.change("pod.connect", name=name, **body))

    async def disconnect(self, name: str) -> Json:
        return _bare(await self.face.change("pod.disconnect", name=name))

    async def log(self, name: str) -> Json:
        return await self.face.request("pod.log", name=name)

    async def refused_keys(self, name: str) -> Json:
        return await self.face.request("pod.keys", name=name)

    async def hosts(self) -> list[str]:
        return await asyncio.to_thread(ssh_hosts)

    async def start_demo(self) -> Json:
        """Start the demo pod; the pod, which is not connected yet."""
        name = await self.demo.start()
        self.face.changed()
        return await self.pod(name)

    # -- kernels

    async def kernels(self, pod: str | None) -> Json:
        args = {} if pod is None else {"pod": pod}
        return await self.face.request("kernel.list", timeout=LIST_SECONDS, **args)

    async def stop_kernel(self, pod: str, kernel: str) -> None:
        await self.face.change("kernel.stop", timeout=LIST_SECONDS, pod=pod, kernel=kernel)

    async def restart_kernel(self, pod: str, kernel: str) -> Json:
        args = {"pod": pod, "kernel": kernel}
        return await self.face.change("kernel.restart", timeout=RESTART_SECONDS, **args)

    # -- executions

    async def executions(self, path: str) -> list[Json]:
        """All that the notebook of that contents path ran, in order."""
        folder = await asyncio.to_thread(self._folder_of, path)
        # As Jupyter Server names the notebook to its kernel (JPY_SESSION_NAME).
        name = os.path.join(folder, path.rpartition("/")[2])
        async with self.face.use() as control:
            return await refill.executions_of(control, name)

    async def execution(self, id: str) -> Json:
        async with self.face.use() as control:
            return await refill.find(control, _whole_id(id))

    async def interrupt(self, id: str) -> Json:
        return await self.face.request("execution.interrupt", id=_whole_id(id))

    async def outputs(self, id: str) -> tuple[Json, str]:
        """What an execution's cell shows, folded from the log; and its ETag."""
        done, etag = await self._readings.outputs(_whole_id(id))
        return vars(done).copy(), etag


def _bare(pod: Json) -> Json:
    """A pod without its kernels: those are in the snapshot."""
    return {name: value for name, value in pod.items() if name != "kernels"}


def _whole_id(id: str) -> str:
    if not is_id(id):
        raise NotFound(f"{id!r:.60} is not the id of an execution.")
    return id
