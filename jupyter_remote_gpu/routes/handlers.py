"""The endpoints; see ``openapi.json``. At the end is the table of their addresses."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_path_join
from tornado import web

from ..errors import BadInput
from .answers import RemoteGPUHandler
from .document import BASE
from .manager import Manager

__all__ = ["urls"]


class AboutHandler(RemoteGPUHandler):
    """Versions; whether the daemon can be used."""

    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.answer(await self.manager.about())


class SnapshotHandler(RemoteGPUHandler):
    """Everything that is shown, with its revision as ETag."""

    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        snapshot = await self.manager.snapshot()
        self.set_header("Etag", f'"{snapshot["revision"]}"')
        if self.check_etag_header():
            self.set_status(304)
            self.finish()
            return
        self.answer(snapshot)


class PodsHandler(RemoteGPUHandler):
    """The pods."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.answer({"pods": await self.manager.pods()})

    @web.authenticated
    @authorized
    async def post(self) -> None:
        pod = await self.manager.add_pod(self.body())
        where = url_path_join(self.base_url, BASE, "pods", quote(pod["name"]))
        self.set_header("Location", where)
        self.answer(pod, 201)


class PodHandler(RemoteGPUHandler):
    """One pod."""

    @web.authenticated
    @authorized
    async def get(self, pod: str) -> None:
        self.answer(await self.manager.pod(pod))

    @web.authenticated
    @authorized
    async def delete(self, pod: str) -> None:
        self.body()
        self.answer(await self.manager.remove_pod(pod))


class ConnectionHandler(RemoteGPUHandler):
    """A pod's connection, as the user wants it."""

    @web.authenticated
    @authorized
    async def put(self, pod: str) -> None:
        self.answer(await self.manager.connect(pod, self.body()), 202)

    @web.authenticated
    @authorized
    async def delete(self, pod: str) -> None:
        self.body()
        self.answer(await self.manager.disconnect(pod))


class LogHandler(RemoteGPUHandler):
    """What happened with a pod's link."""

    @web.authenticated
    @authorized
    async def get(self, pod: str) -> None:
        self.answer(await self.manager.log(pod))


class RefusedKeysHandler(RemoteGPUHandler):
    """The public halves of the keys that a pod refused."""

    @web.authenticated
    @authorized
    async def get(self, pod: str) -> None:
        self.answer(await self.manager.refused_keys(pod))


class HostsHandler(RemoteGPUHandler):
    """The hosts of ``~/.ssh/config``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.answer({"hosts": await self.manager.hosts()})


class KernelsHandler(RemoteGPUHandler):
    """The kernels on the pods, asked of them."""

    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.answer(await self.manager.kernels(self.get_query_argument("pod", None)))


class KernelHandler(RemoteGPUHandler):
    """One kernel."""

    @web.authenticated
    @authorized
    async def delete(self, pod: str, kernel: str) -> None:
        self.body()
        await self.manager.stop_kernel(pod, kernel)
        self.set_status(204)
        self.finish()


class RestartHandler(RemoteGPUHandler):
    """A fresh kernel in the place of one."""

    @web.authenticated
    @authorized
    async def post(self, pod: str, kernel: str) -> None:
        self.body()
        self.answer(await self.manager.restart_kernel(pod, kernel))


class ExecutionsHandler(RemoteGPUHandler):
    """What a notebook ran."""

    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        path = self.get_query_argument("notebook", "")
        if not path:
            raise BadInput(
                "Say of which notebook: ?notebook=PATH, as the server's contents has it."
            )
        self.answer({"executions": await self.manager.executions(path)})


class ExecutionHandler(RemoteGPUHandler):
    """One execution."""

    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self, execution: str) -> None:
        self.answer(await self.manager.execution(execution))


class InterruptHandler(RemoteGPUHandler):
    """Stop for an execution."""

    @web.authenticated
    @authorized
    async def post(self, execution: str) -> None:
        self.body()
        self.answer(await self.manager.interrupt(execution), 202)


class OutputsHandler(RemoteGPUHandler):
    """What an execution's cell shows."""

    _track_activity = False

    @web.authenticated
    @authorized
    async def get(self, execution: str) -> None:
        outputs, etag = await self.manager.outputs(execution)
        self.set_header("Etag", f'"{etag}"')
        if self.check_etag_header():
            self.set_status(304)
            self.finish()
            return
        await self.answer_in_pieces(outputs, "outputs")


class DemoHandler(RemoteGPUHandler):
    """A pod on this machine, to try everything."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        self.body()
        self.answer(await self.manager.start_demo(), 202)


HANDLERS: tuple[tuple[str, type[RemoteGPUHandler]], ...] = (
    ("/about", AboutHandler),
    ("/snapshot", SnapshotHandler),
    ("/pods", PodsHandler),
    ("/pods/{pod}", PodHandler),
    ("/pods/{pod}/connection", ConnectionHandler),
    ("/pods/{pod}/log", LogHandler),
    ("/pods/{pod}/refused-keys", RefusedKeysHandler),
    ("/pods/{pod}/kernels/{kernel}", KernelHandler),
    ("/pods/{pod}/kernels/{kernel}/restart", RestartHandler),
    ("/hosts", HostsHandler),
    ("/kernels", KernelsHandler),
    ("/executions", ExecutionsHandler),
    ("/executions/{execution}", ExecutionHandler),
    ("/executions/{execution}/interrupt", InterruptHandler),
    ("/executions/{execution}/outputs", OutputsHandler),
    ("/demo", DemoHandler),
)


def urls(manager: Manager) -> list[tuple[str, type[RemoteGPUHandler], dict[str, Any]]]:
    """The table, as tornado wants it."""
    return [
        (BASE + re.sub(r"\{\w+\}", "([^/]+)", path), handler, {"manager": manager, "path": path})
        for path, handler in HANDLERS
    ]
