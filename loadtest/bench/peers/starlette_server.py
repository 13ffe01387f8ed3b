"""Starlette on uvicorn: the loop over `send_text` of its documentation."""

import sys
from collections import defaultdict

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

channels: dict[str, dict[WebSocket, None]] = defaultdict(dict)


async def door(ws: WebSocket) -> None:
    await ws.accept()
    heard: list[str] = []
    try:
        while True:
            text = await ws.receive_text()
            if text[0] == "S":
                channels[text[1:]][ws] = None
                heard.append(text[1:])
                await ws.send_text("OK")
            else:
                name, _, payload = text[1:].partition(" ")
                for member in list(channels[name]):
                    await member.send_text(payload)
    except WebSocketDisconnect:
        for name in heard:
            channels[name].pop(ws, None)


if __name__ == "__main__":
    uvicorn.run(
        Starlette(routes=[WebSocketRoute("/", door)]),
        port=int(sys.argv[1]),
        loop="uvloop",
        log_level="warning",
        ws_per_message_deflate=False,
        backlog=4096,
    )
