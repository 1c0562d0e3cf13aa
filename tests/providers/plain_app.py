"""An ASGI app without a framework, which tells about its process: quick to start under the real server."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

FACTS = {"pid": os.getpid(), "guard": os.getppid(), "path": sys.path, "color": os.environ.get("COLOR")}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = json.dumps(FACTS).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
