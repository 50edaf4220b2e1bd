"""What ``make demo`` runs, in a folder that goes with it and on the port that is named."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = """\
c.ServerApp.port = {port}
c.ServerApp.port_retries = 0
c.LabApp.expose_app_in_browser = True
c.JupyterNotebookApp.expose_app_in_browser = True
c.SQLiteYStore.db_path = {store!r}
c.Application.log_level = "ERROR"
"""
SECONDS = 50.0


def stop(*_: object) -> None:
    raise SystemExit(0)


def main(name: str, port: str) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    folder = Path(name)
    try:
        (folder / "run").mkdir(mode=0o700)
        (folder / "config").mkdir(mode=0o700)
        # jupyter-collaboration's would lie where the server is started, and stay.
        config = CONFIG.format(port=port, store=str(folder / "ystore.db"))
        (folder / "config" / "jupyter_config.py").write_text(config)
        pod = os.environ.get("JRG_POD_PYTHON") or str(ROOT / ".venv-pod" / "bin" / "python")
        if not os.path.exists(pod):
            sys.exit(f"{pod} is not there: `make environments` makes it")
        words = ["-m", "jupyter_remote_gpu.demo.lab", f"--folder={folder}", f"--pod-python={pod}"]
        env = {**os.environ, "XDG_RUNTIME_DIR": str(folder / "run"), "BROWSER": "true"}
        demo = subprocess.Popen([sys.executable, *words], env=env)
        try:
            return demo.wait()
        finally:
            demo.terminate()
            try:
                demo.wait(SECONDS)
            except subprocess.TimeoutExpired:
                demo.kill()
                demo.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
