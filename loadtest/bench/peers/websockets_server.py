"""The websockets library on uvloop with its own `broadcast`."""

import asyncio
import sys
from collections import defaultdict

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

channels: dict[str, dict[ServerConnection, None]] = defaultdict(dict)


async def door(ws: ServerConnection) -> None:
    heard: list[str] = []
    try:
        async for text in ws:
            if text[0] == "S":
                channels[text[1:]][ws] = None
                heard.append(text[1:])
                await ws.send("OK")
            else:
                name, _, payload = text[1:].partition(" ")
                broadcast(channels[name], payload)
    finally:
        for name in heard:
            channels[name].pop(ws, None)


async def main() -> None:
    async with serve(door, "127.0.0.1", int(sys.argv[1]), compression=None, backlog=4096):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(main())
