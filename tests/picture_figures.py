"""What a picture costs those who write messages: the figures of decision 11. Not a test; run by hand:

python -m tests.picture_figures [postgresql://…]

Messages are sent at an even pace, first alone, then while pictures are kept beside them; last, how long the event loop was held
while pictures were decoded in children of a process that holds much memory.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from PIL import Image

from channels import accounts, messages, pictures, rooms
from channels.desk import Actor, Desk
from channels.pictures import Made
from gateway.decoding import Decoders
from realtime.ids import IdMaker, of_bits
from realtime.requests import RoomCreate, RoomSend
from realtime.settings import Limits, Settings
from storage.database import Means
from storage.open import database_of
from tests.support.pictures import file_of

PER_S, SECONDS, ROUNDS = 300, 8, 100
SIZES = (150_000, 600_000, 1_300_000)
PREVIEW = 40_000
HELD_BYTES = 1024 * 1024 * 1024


async def main(url: str) -> None:
    """Print everything."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as place:
        limits = Limits(picture_unclaimed_max=1_000_000)
        settings = Settings(database_url=url, data=Path(place), limits=limits)
        means = Means("figures", lambda: time.time_ns() // 1_000_000, IdMaker(random.getrandbits))
        db = database_of(settings, means)
        await asyncio.to_thread(db.migrate)
        await db.open(lambda parcels: None)
        desk = Desk(db, settings, "secret")
        handle = f"u{random.getrandbits(40):x}"
        new = await db.write(lambda tx: accounts.create_account(tx, handle, handle, "figures"))
        actor = Actor(new.account.id, new.session)
        room = (await rooms.create(desk, actor, RoomCreate(title="x", nonce="r"))).id
        await one_by_one(desk, actor, room)
        tell("alone", await sending(desk, actor, room, 0, 0))
        for size in SIZES:
            for each_s in (1, 4):
                tell(
                    f"{each_s} picture/s of {size // 1000} KB", await sending(desk, actor, room, size, each_s)
                )
        await db.close()
    await lag()


async def one_by_one(desk: Desk, actor: Actor, room: str) -> None:
    """How long the writer is busy with one: what is sent meanwhile waits so long for its own commit."""

    async def times(work: Callable[[int], Awaitable[object]]) -> str:
        found = []
        for number in range(ROUNDS):
            begun = time.perf_counter()
            await work(number)
            found.append((time.perf_counter() - begun) * 1000)
        found.sort()
        return f"p10 {found[ROUNDS // 10]:5.2f} p50 {found[ROUNDS // 2]:5.2f} ms"

    print(
        "one message      ",
        await times(lambda n: messages.send(desk, actor, RoomSend(room=room, text="やあ", nonce=f"o{n}"))),
    )
    for size in SIZES:
        made = Made("image/webp", 1, 1, os.urandom(size), os.urandom(PREVIEW))
        told = await times(
            lambda n, made=made: pictures.keep(desk, actor, of_bits(random.getrandbits(128)), made)
        )  # type: ignore[misc]  # bound now
        print(f"one of {size // 1000:5} KB  ", told)


async def sending(
    desk: Desk, actor: Actor, room: str, size: int, each_s: int
) -> tuple[list[float], list[float]]:
    """Milliseconds of messages, and of pictures."""
    said: list[float] = []
    kept: list[float] = []
    made = Made("image/webp", 1, 1, os.urandom(size), os.urandom(PREVIEW)) if size else None

    async def timed(work: object, into: list[float]) -> None:
        begun = time.perf_counter()
        await work  # type: ignore[misc]  # any coroutine
        into.append((time.perf_counter() - begun) * 1000)

    tasks = []
    begun = time.perf_counter()
    for number in range(PER_S * SECONDS):
        nonce = f"{begun}{number}"
        tasks.append(
            asyncio.create_task(
                timed(messages.send(desk, actor, RoomSend(room=room, text="やあ", nonce=nonce)), said)
            )
        )
        if made and number % (PER_S // each_s) == PER_S // each_s // 2:
            picture = of_bits(random.getrandbits(128))
            tasks.append(asyncio.create_task(timed(pictures.keep(desk, actor, picture, made), kept)))
        await asyncio.sleep(max(0.0, begun + (number + 1) / PER_S - time.perf_counter()))
    await asyncio.gather(*tasks)
    return said, kept


def tell(name: str, found: tuple[list[float], list[float]]) -> None:
    """One line."""
    print(
        f"{name:28}",
        *(f"{what} {spread(values)}" for what, values in zip(("messages", "pictures"), found, strict=True)),
    )


def spread(values: list[float]) -> str:
    """p50, p99 and the longest."""
    values = sorted(values) or [0.0]
    return f"p50 {values[len(values) // 2]:6.2f} p99 {values[int(len(values) * 0.99)]:6.2f} max {values[-1]:6.2f} ms  "


async def lag() -> None:
    """How late a timer of 2 ms was, idle and while children decode."""
    held = bytearray(os.urandom(1024 * 1024)) * (HELD_BYTES // (1024 * 1024))
    decoders = Decoders(Limits())
    file = file_of(Image.effect_noise((4_000, 3_000), 50).convert("RGB"), "JPEG")
    late: list[float] = []

    async def watch() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(0.002)
            late.append((time.perf_counter() - begun) * 1000 - 2)

    task = asyncio.create_task(watch())
    await asyncio.sleep(3)
    print("timer late, idle     ", spread(late))
    late.clear()
    begun = time.perf_counter()
    await asyncio.gather(*(decoders.picture(file) for _ in range(16)))
    each = (time.perf_counter() - begun) / 16
    print(
        f"timer late, decoding  {spread(late)} {each * 1000:.0f} ms for each of 16 pictures of 12 MP, {len(held) >> 20} MiB held"
    )
    task.cancel()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(sys.argv[1] if len(sys.argv) > 1 else ""))
