"""The limit of batched steps on one WebSocket: FastAPI, pydantic, JSON, and nothing else.

No sessions, episodes, errors or arrays: each entry of a frame is validated as an action and echoed. What
a server does beyond this is what it costs.
"""

from __future__ import annotations

import msgspec
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict


class EchoAction(BaseModel):
    """Something to say."""

    model_config = ConfigDict(extra="forbid")

    message: str


app = FastAPI()


@app.get("/health")
async def health() -> dict[str, str]:
    """Tell the provider that the server is up."""
    return {"status": "healthy"}


@app.websocket("/ws")
async def steps(socket: WebSocket) -> None:
    """Answer ``[[session, action], ...]`` with ``[[session, reply], ...]``, frame by frame."""
    await socket.accept()
    encode, decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode
    try:
        while True:
            replies = [(session, echo(action)) for session, action in decode(await socket.receive_bytes())]
            await socket.send_bytes(encode(replies))
    except WebSocketDisconnect:
        return


def echo(action: object) -> dict[str, object]:
    """Validate one action and build its reply."""
    message = EchoAction.model_validate(action).message
    observation = {"echoed_message": message, "message_length": len(message)}
    return {"observation": observation, "reward": len(message) / 10, "done": False}
