"""JupyterLab for the browser tests, on the port that is named, until SIGTERM.

Every folder of Jupyter's is one of this run, and goes with it; so does the daemon that the
server started.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

CONFIG = Path(__file__).with_name("jupyter_server_test_config.py")
FOLDERS = (
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "IPYTHONDIR",
    "XDG_RUNTIME_DIR",
    "JUPYTERLAB_GALATA_ROOT_DIR",
    # Where Galata's configuration makes folders that nobody removes.
    "TMPDIR",
)
SECONDS = 15.0


def stop(*_: object) -> None:
    raise SystemExit(0)


def main(port: str) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    # A short path: sockets lie in it, whose paths may have about 100 bytes.
    with tempfile.TemporaryDirectory(prefix="jrg-ui", ignore_cleanup_errors=True) as folder:
        env = dict(os.environ)
        for name in FOLDERS:
            env[name] = str(Path(folder, name.lower()))
            Path(env[name]).mkdir(mode=0o700)
        words = [f"--config={CONFIG}", f"--ServerApp.port={port}"]
        lab = subprocess.Popen([sys.executable, "-m", "jupyterlab", *words], env=env)
        try:
            return lab.wait()
        finally:
            lab.terminate()
            try:
                lab.wait(SECONDS)
            except subprocess.TimeoutExpired:
                lab.kill()
                lab.wait()
            daemon = [sys.executable, "-m", "jupyter_remote_gpu.cli", "daemon", "stop"]
            subprocess.run(daemon, env=env, timeout=60, check=False)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
