"""What a client of ours costs: memory of many that are idle, processor time of a frame. `python -m loadtest.weigh`.

A server of its own, as another process, plays the life of a connection from WIRE §3 and then sends frames of a busy
room as fast as they are taken, so that only clients are measured.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import sys
import time
from pathlib import Path
from typing import Any

import orjson
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from loadtest.bench.machine import allow_files
from loadtest.client import Client, Options
from loadtest.rules import PROTOCOL

CLIENTS = 2_000
FRAMES = 200_000
BATCH = 50
PORT = 21_777
TALKER = "talker"
TEXT = "着いたよ、いつもの場所にいる"


class Scripted(asyncio.Protocol):
    """One connection of the playing server: hello, ok, live; then frames, if the client's name asks for them."""

    def connection_made(self, transport: Any) -> None:
        """Accepted."""
        self._transport = transport
        self._wire = ServerProtocol(subprotocols=[Subprotocol(PROTOCOL)])
        self._drained = asyncio.Event()
        self._drained.set()

    def pause_writing(self) -> None:
        """The client takes no more."""
        self._drained.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._drained.set()

    def data_received(self, data: bytes) -> None:
        """The handshake, then frames."""
        self._wire.receive_data(data)
        for event in self._wire.events_received():
            if isinstance(event, Request):
                self._wire.send_response(self._wire.accept(event))
                hello = {"protocol": PROTOCOL, "server_time": 0, "epoch": "e", "reconnect_jitter_ms": 500}
                self._say({"ev": "hello", "d": hello})
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self._answer(orjson.loads(event.data))
        self._transport.write(b"".join(self._wire.data_to_send()))

    def _say(self, frame: dict[str, Any]) -> None:
        self._wire.send_text(orjson.dumps(frame))

    def _answer(self, frame: dict[str, Any]) -> None:
        if frame["op"] != "connect":
            return
        channels = [{"ch": f"room:{n:026}", "seq": 0, "recovered": False} for n in range(20)]
        ok = {"account": {"id": "me"}, "session": "s", "badges": {}, "channels": channels}
        self._say({"id": frame["id"], "ok": ok})
        self._say({"ev": "live", "d": {}})
        if frame["d"]["client"]["name"] == TALKER:
            asyncio.get_running_loop().create_task(self._talk())

    async def _talk(self) -> None:
        for begin in range(1, FRAMES + 1, BATCH):
            for seq in range(begin, begin + BATCH):
                message = {
                    "id": f"{seq:026}",
                    "room": f"{0:026}",
                    "seq": seq,
                    "author": f"{1:026}",
                    "text": TEXT,
                }
                push = {
                    "ch": f"room:{0:026}",
                    "seq": seq,
                    "ev": "message.created",
                    "at": 0,
                    "d": {"message": message},
                }
                self._say(push)
            self._transport.write(b"".join(self._wire.data_to_send()))
            await self._drained.wait()
            await asyncio.sleep(0)


def serve() -> None:
    """The playing server, until it is ended."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Scripted, "127.0.0.1", PORT, backlog=1024)
        await server.serve_forever()

    _loop(run())


def resident_bytes() -> int:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def processor_s() -> float:
    """Processor time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def weigh() -> dict[str, float]:
    """Bytes of an idle client, microseconds of a frame."""
    url = f"ws://127.0.0.1:{PORT}/gateway"
    options = Options(told=lambda item: None)
    first = Client(url, "t", options=options)
    await first.open()
    before = resident_bytes()
    clients = [Client(url, "t", options=options) for _ in range(CLIENTS)]
    for begin in range(0, CLIENTS, 100):
        await asyncio.gather(*(client.open() for client in clients[begin : begin + 100]))
    idle_bytes = (resident_bytes() - before) / CLIENTS
    done = asyncio.get_running_loop().create_future()

    def count(item: tuple[Any, ...]) -> None:
        if item[0] == "event" and item[1]["seq"] == FRAMES:
            done.set_result(None)

    begun, used = time.monotonic(), processor_s()
    talk = Client(url, "t", options=Options(told=count, name=TALKER))
    await talk.open()
    await done
    frame_us = (processor_s() - used) / FRAMES * 1e6
    rate = FRAMES / (time.monotonic() - begun)
    for client in (first, talk, *clients):
        await client.close()
    return {
        "idle_client_bytes": round(idle_bytes),
        "frame_us": round(frame_us, 2),
        "frames_per_s": round(rate),
    }


def _loop(work: Any) -> Any:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def main() -> None:
    """Print the figures as JSON."""
    allow_files()
    server = multiprocessing.get_context("spawn").Process(target=serve, daemon=True)
    server.start()
    time.sleep(1.5)
    sys.stdout.buffer.write(orjson.dumps(_loop(weigh())) + b"\n")
    server.terminate()


if __name__ == "__main__":
    main()
