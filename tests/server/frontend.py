"""A notebook's front end: REST to open it, the kernel's websocket, nbclient's fold."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any

from jupyter_server.services.kernels.connection.base import (
    deserialize_msg_from_ws_v1,
    serialize_msg_to_ws_v1,
)
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete
from nbformat import v4
from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.server.server import JupyterServer

PATIENCE = 60.0
"""Seconds after which a wait fails."""
_V1 = "v1.kernel.websocket.jupyter.org"
_SHOWS = ("stream", "display_data", "execute_result", "error", "clear_output")
On = Callable[[dict[str, Any]], None]


class Notebook:
    """A notebook that is open: what Lab does, without a browser. Use it with ``async with``.

    Messages are folded by nbclient as they come, its `ipywidgets.Output` included: what that
    captures goes back to the kernel, as a browser's does.

    Parameters
    ----------
    kernel : str
        Name of the kernelspec.

    Attributes
    ----------
    path : str
        Of the notebook, in the server's contents.
    messages : list of dict
        All that came on iopub.
    notices : list of dict
        Those of them that are sentences of `%%gpu` itself about the link (its displays have
        ids that begin with ``jrg-``).
    """

    def __init__(self, server: JupyterServer, path: str, kernel: str) -> None:
        self._server, self.path, self._kernel = server, path, kernel
        self.messages: list[dict[str, Any]] = []
        self.notices: list[dict[str, Any]] = []
        self._session = uuid.uuid4().hex
        self._cells: dict[str, int] = {}
        self._idle: dict[str, asyncio.Event] = {}
        self._replies: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._on: dict[str, On] = {}
        self._new_fold()

    async def __aenter__(self) -> Notebook:
        body = {"type": "notebook", "content": v4.new_notebook()}
        await self._rest("PUT", f"contents/{self.path}", body)
        name = PurePosixPath(self.path).name
        body = {"path": self.path, "name": name, "type": "notebook"}
        opened = await self._rest("POST", "sessions", body | {"kernel": {"name": self._kernel}})
        self.session, self.kernel = str(opened["id"]), str(opened["kernel"]["id"])
        await self._connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._disconnect()

    # -- what the user does

    async def run(self, code: str, *, on: On | None = None, patience: float = PATIENCE) -> Any:
        """Run a cell to its end; its outputs by nbclient's rules, and its ``reply``."""
        msg_id = self.begin(code, on)
        cell = self.fold.nb.cells[self._cells[msg_id]]
        ended = asyncio.create_task(self._ended(msg_id))
        await asyncio.wait((ended, self._reading), timeout=patience, return_when="FIRST_COMPLETED")
        if not ended.done():
            ended.cancel()
            if self._reading.done():
                self._reading.result()
            raise AssertionError(
                f"not ended in {patience:g} s, or the websocket was closed: {code[:200]!r} showed "
                f"{json.dumps(cell.outputs)[-2000:]}; {self._server.log()[-2000:]}"
            )
        cell.reply = ended.result()
        return cell

    async def _ended(self, msg_id: str) -> dict[str, Any]:
        await self._idle[msg_id].wait()
        return await self._replies[msg_id]

    def begin(self, code: str, on: On | None = None, **metadata: Any) -> str:
        """Send a cell (with ``cellId``, as Lab does) and do not wait for it; its msg_id."""
        msg_id, index = uuid.uuid4().hex, len(self.fold.nb.cells)
        self.fold.nb.cells.append(v4.new_code_cell(code))
        self.fold.clear_before_next_output = False  # as nbclient begins a cell
        self._cells[msg_id], self._idle[msg_id] = index, asyncio.Event()
        self._replies[msg_id] = asyncio.get_running_loop().create_future()
        if on is not None:
            self._on[msg_id] = on
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
        self._send(
            "execute_request", content | {"allow_stdin": False}, metadata=metadata, msg_id=msg_id
        )
        return msg_id

    async def ok(self, code: str, **more: Any) -> Any:
        """`run`, for a cell that must not fail."""
        cell = await self.run(code, **more)
        assert cell.reply["status"] == "ok", (code, cell)
        return cell

    async def rename(self, path: str) -> None:
        """Another path for the file and for its session."""
        await self._rest("PATCH", f"contents/{self.path}", {"path": path})
        await self._rest("PATCH", f"sessions/{self.session}", {"path": path})
        self.path = path

    async def restart(self) -> None:
        """Restart the local kernel; the page stays, its widgets and counts begin anew."""
        await self._disconnect()
        await self._rest("POST", f"kernels/{self.kernel}/restart")
        self._new_fold()
        await self._connect()

    async def shut_down(self) -> None:
        """End the local kernel; the session goes with it."""
        await self._disconnect()
        await self._rest("DELETE", f"kernels/{self.kernel}")

    async def interrupt(self) -> None:
        """The Stop button."""
        await self._rest("POST", f"kernels/{self.kernel}/interrupt")

    def text(self, cell: Any, name: str = "stdout") -> str:
        """All text of one stream that a cell shows."""
        return "".join(o.text for o in cell.outputs if o.get("name") == name)

    # -- the websocket

    async def _rest(self, method: str, path: str, body: Any = None) -> Any:
        return await asyncio.to_thread(self._server.rest, method, path, body)

    def _new_fold(self) -> None:
        self.fold = NotebookClient(v4.new_notebook(), record_timing=False)
        self.fold.reset_execution_trackers()
        # nbclient answers by a kernel client; ours speaks through the websocket.
        self.fold.kc = SimpleNamespace(
            session=SimpleNamespace(msg=self._message),
            shell_channel=SimpleNamespace(send=self._post),
        )
        self._cells.clear()

    async def _connect(self) -> None:
        url = f"ws{self._server.url.removeprefix('http')}/api/kernels/{self.kernel}/channels"
        async with asyncio.timeout(PATIENCE):
            self._socket: WebSocketClientConnection = await websocket_connect(
                f"{url}?session_id={self._session}&token={self._server.token}",
                subprotocols=[_V1],
                max_message_size=1 << 28,
            )
        assert self._socket.selected_subprotocol == _V1
        self._sessions: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def _disconnect(self) -> None:
        self._socket.close()
        async with asyncio.timeout(PATIENCE):
            await self._reading

    def _message(
        self, kind: str, content: Any, parent: Any = None, metadata: Any = None, **more: Any
    ) -> dict[str, Any]:
        header = {
            "msg_id": more.get("msg_id") or uuid.uuid4().hex,
            "msg_type": kind,
            "session": self._session,
            "username": "",
            "date": datetime.now(UTC).isoformat(),
            "version": "5.4",
        }
        parts = {"header": header, "parent_header": parent or {}, "metadata": metadata or {}}
        return {**parts, "content": content}

    def _send(self, kind: str, content: Any, **more: Any) -> None:
        self._post(self._message(kind, content, **more))

    def _post(self, message: dict[str, Any]) -> None:
        def pack(part: Any) -> bytes:
            return json.dumps(part).encode()

        self._socket.write_message(serialize_msg_to_ws_v1(message, "shell", pack), binary=True)

    async def _read(self) -> None:
        while (frame := await self._socket.read_message()) is not None:
            assert isinstance(frame, bytes)
            channel, parts = deserialize_msg_from_ws_v1(frame)
            keys = ("header", "parent_header", "metadata", "content")
            message = {k: json.loads(p) for k, p in zip(keys, parts[:4], strict=True)}
            message |= {"msg_type": message["header"]["msg_type"], "buffers": parts[4:]}
            self._look_at(message["header"]["session"], message["content"])
            parent = message["parent_header"].get("msg_id")
            if channel == "shell" and parent in self._replies:
                self._replies[parent].set_result(message["content"])
            elif channel == "iopub":
                self.messages.append(message)
                self._fold(message, parent)

    def _look_at(self, session: str, content: Any) -> None:
        # Lab drops what is not of the session of the message that came last: the kernel that
        # said it is gone.
        if session not in self._sessions[-1:]:
            # (What the server itself says, that a rate is exceeded, is of no kernel's session.)
            assert "rate exceeded" not in str(content), content
            assert session not in self._sessions, "two sessions speak for one kernel"
            self._sessions.append(session)

    def _fold(self, message: dict[str, Any], parent: str | None) -> None:
        index = self._cells.get(parent or "")
        if index is None or parent is None:
            return
        if self._idle[parent].is_set():
            late = message["msg_type"]
            assert late not in _SHOWS, f"{late} came after the end of its cell: {message}"
            return
        transient = message["content"].get("transient") or {}
        if str(transient.get("display_id")).startswith("jrg-"):
            self.notices.append(message["content"])
        try:
            self.fold.process_message(message, self.fold.nb.cells[index], index)
        except CellExecutionComplete:
            self._idle[parent].set()
        if parent in self._on:
            self._on[parent](message)
