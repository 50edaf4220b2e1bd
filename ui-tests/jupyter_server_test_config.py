"""The server of the browser tests. It has no login: never use this elsewhere."""

from typing import Any

from jupyterlab.galata import configure_jupyter_server

c: Any = globals()["c"]
configure_jupyter_server(c)
c.ServerApp.allow_root = True
c.ServerApp.ip = "127.0.0.1"
c.Application.log_level = "ERROR"
