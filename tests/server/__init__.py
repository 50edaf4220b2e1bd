"""The product as JupyterLab uses it: through a real Jupyter Server's REST and websocket."""
