"""How a face on an asyncio loop talks to the daemon."""

from __future__ import annotations

from .channel import Channel
from .control import Control
from .identity import client_id

__all__ = ["Channel", "Control", "client_id"]
