"""python-socketio on uvicorn, JSON by orjson."""

import sys
from types import SimpleNamespace

import orjson
import socketio
import uvicorn

json = SimpleNamespace(
    dumps=lambda value, **_: orjson.dumps(value).decode(), loads=lambda text, **_: orjson.loads(text)
)
server = socketio.AsyncServer(
    async_mode="asgi", json=json, transports=["websocket"], cors_allowed_origins=[], logger=False
)


@server.on("join")
async def join(sid: str, name: str) -> None:
    await server.enter_room(sid, name)
    await server.emit("joined", to=sid)


@server.on("pub")
async def pub(_sid: str, name: str, payload: dict) -> None:
    await server.emit("e", payload, room=name)


if __name__ == "__main__":
    uvicorn.run(
        socketio.ASGIApp(server),
        port=int(sys.argv[1]),
        loop="uvloop",
        log_level="warning",
        ws_per_message_deflate=False,
        backlog=4096,
    )
