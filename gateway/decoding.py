"""Decoding: a file of somebody → a picture of ours, in a process that ends with it (decision 11).

What always holds: nothing of a file is looked at in this process; at most `picture_decoders_max` children run at once, each
for at most `picture_decode_s`, with the bounds that `gateway/picture_worker.py` puts on itself; what they answer is read up to a bound.
"""

from __future__ import annotations

import asyncio
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import structlog

from channels.pictures import Made
from realtime.errors import Refusal
from realtime.settings import Limits

log = structlog.get_logger("pictures")
WORKER = str(Path(__file__).with_name("picture_worker.py"))
BUSY_MS = 2_000
HEAD_BYTES_MAX = 1_024
PART_BYTES = 256 * 1024
# Nothing of ours; and however many cores there are, no address space is set aside for threads that allocate.
ENVIRONMENT = {"MALLOC_ARENA_MAX": "1"}
TYPES = frozenset({"image/webp"})


class Decoders:
    """The children of one node."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._turns = asyncio.Semaphore(limits.picture_decoders_max)
        self._here = 0
        self.begun = 0
        self.failed = 0

    async def picture(self, data: bytes) -> Made:
        """Decode and encode. Errors: `bad_picture`, `too_large`, `unavailable` (too many wait)."""
        limits = self._limits
        if self._here >= limits.picture_decoders_max + limits.picture_decoders_waiting_max:
            raise Refusal("unavailable", "Too many pictures are on their way.", retry_ms=BUSY_MS)
        self._here += 1
        try:
            async with self._turns:
                self.begun += 1
                told, body = await self._child(data)
        finally:
            self._here -= 1
        return self._made(told, body)

    async def _child(self, data: bytes) -> tuple[dict[str, Any], bytes]:
        limits = self._limits
        order = {
            "pixels": limits.picture_pixels_max,
            "edge": limits.picture_edge_max,
            "preview_edge": limits.picture_preview_edge_max,
            "space_bytes": limits.picture_decode_bytes_max,
            "cpu_s": max(1, int(limits.picture_decode_s)),
        }
        child = Child(orjson.dumps(order) + b"\n", limits.picture_decode_s, self._answer_bytes_max())
        try:
            return await asyncio.to_thread(child.run, data)
        finally:
            child.end()

    def _answer_bytes_max(self) -> int:
        """Pixels that were not compressed at all would not be more."""
        return 8 * self._limits.picture_edge_max**2 + HEAD_BYTES_MAX

    def _made(self, told: dict[str, Any], body: bytes) -> Made:
        match told:
            case {"error": "too_large", "pixels": int(used)}:
                self.failed += 1
                limit = self._limits.picture_pixels_max
                raise Refusal(
                    "too_large", "The picture has too many pixels.", limit=limit, used=used, unit="pixels"
                )
            case {
                "type": str(kind),
                "width": int(width),
                "height": int(height),
                "sizes": [int(whole), int(preview)],
            } if kind in TYPES and whole > 0 and preview >= 0 and whole + preview == len(body):
                return Made(kind, width, height, body[:whole], body[whole:])
        self.failed += 1
        log.info("picture refused", why=str(told.get("why", "no answer")))
        raise Refusal("bad_picture")


class Child:
    """One process for one picture: run in a thread, ended from anywhere."""

    def __init__(self, order: bytes, wait_s: float, answer_bytes_max: int) -> None:
        self._order = order
        self._wait_s = wait_s
        self._limit = answer_bytes_max
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False

    def end(self) -> None:
        """It is of no use any more; nothing happens if it has ended."""
        self._ended = True
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    def run(self, data: bytes) -> tuple[dict[str, Any], bytes]:
        """What the child says: its head, and the bytes behind it. Of one that dies, lies or is late, only `why`."""
        # A file in memory: the child may read it or not, and nobody waits for it.
        with os.fdopen(os.memfd_create("picture"), "w+b") as file:
            file.write(self._order)
            file.write(data)
            file.seek(0)
            # -I: neither the environment nor the working directory has a say in what is loaded.
            process = self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and file
                [sys.executable, "-I", WORKER],
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=ENVIRONMENT,
                cwd="/",
            )
        assert process.stdout is not None
        try:
            return ({"why": "hung up"}, b"") if self._ended else self._heard(process.stdout.fileno())
        finally:
            process.kill()
            process.stdout.close()
            process.wait()

    def _heard(self, pipe: int) -> tuple[dict[str, Any], bytes]:
        """Everything until the child closes its end, within the time and the size."""
        due = time.monotonic() + self._wait_s
        poll = select.poll()
        poll.register(pipe, select.POLLIN | select.POLLHUP)
        answer = bytearray()
        while poll.poll(max(0.0, due - time.monotonic()) * 1000):
            part = os.read(pipe, PART_BYTES)
            if not part:
                return _parsed(bytes(answer))
            answer += part
            if len(answer) > self._limit:
                return {"why": "too much"}, b""
        return {"why": "time"}, b""


def _parsed(answer: bytes) -> tuple[dict[str, Any], bytes]:
    head, found, body = answer.partition(b"\n")
    if not found or len(head) > HEAD_BYTES_MAX:
        return {"why": "died"}, b""
    try:
        told = orjson.loads(head)
    except orjson.JSONDecodeError:
        return {"why": "no answer"}, b""
    return (told, body) if isinstance(told, dict) else ({"why": "no answer"}, b"")
