"""A gateway as a later version of it might be: it says, stores and sends what today's version has never heard of (F31).

Planted by the launcher where `newer` is on. After lines that were said at this gateway follow a wave (ephemeral) and, in
turn, a song (an entry of an unknown kind), a hum (of an unknown kind, for an unknown audience) and a murmur (of a known
kind, for an unknown audience), the latter two in parcels of another format; frames and answers have fields that are new; after `live` comes a control push that is new. What always holds:
each of them is counted (`struck-song`, …).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from channels import entries
from channels.entries import emit
from channels.entry import Entry
from gateway import fanout, screen
from gateway.socket import SocketProtocol
from realtime.ids import ROOM
from realtime.models import Shape
from realtime.parcels import Audience, Parcel
from storage import courier_redis_writer, log
from storage.database import Tx
from storage.log import Draft
from tests.faults.vfs import Harms

WAVED, SUNG, HUMMED, MURMURED = "room.waved", "message.sung", "message.hummed", "room.updated"
AUDIENCE, TARGET = "z", "those who hum"
NAMES = ("field", "wave", "song", "hum", "murmur", "parcel", "weather")
"""What is counted, each as `struck-NAME`."""
TURNS = ((SUNG, "song"), (HUMMED, "hum"), (MURMURED, "murmur"))


class Song(Shape, frozen=True, kw_only=True):
    """What an unknown entry says."""

    song: str


def plant(harms: Harms) -> None:
    """From now on this process is newer."""
    _grow_frames(harms)
    _sing(harms)
    _carry_otherwise(harms)
    _tell_the_weather(harms)


def _grow_frames(harms: Harms) -> None:
    durable, reply = entries.durable_frame, screen.reply_frame

    def grown(*args: Any) -> bytes:
        frame = orjson.loads(durable(*args))
        frame["d"]["new"] = frame["new"] = {"colour": ["of", 1]}
        harms.add("struck-field")
        return orjson.dumps(frame)

    def answered(request_id: int, result: object) -> bytes:
        return orjson.dumps({**orjson.loads(reply(request_id, result)), "new": True})

    entries.durable_frame = grown
    screen.reply_frame = answered


def _sing(harms: Harms) -> None:
    committed = fanout.Fanout.committed
    said = 0

    def and_more(self: Any, parcels: Sequence[Parcel]) -> None:
        nonlocal said
        committed(self, parcels)
        for parcel in parcels:
            if parcel.kind != "message.created" or not parcel.channel.startswith(ROOM):
                continue
            said += 1
            harms.add("struck-wave")
            committed(self, [_wave(parcel)])
            kind, name = TURNS[said % len(TURNS)]
            self._spawn(_write(self, _song(parcel) if kind == SUNG else _hum(parcel, kind), harms, name))

    fanout.Fanout.committed = and_more  # type: ignore[method-assign]


async def _write(self: Any, unit: Callable[[Tx], None], harms: Harms, name: str) -> None:
    await self._desk.db.write(unit)
    harms.add(f"struck-{name}")


def _wave(line: Parcel) -> Parcel:
    frame = orjson.dumps({"ch": line.channel, "ev": WAVED, "at": line.at, "d": {"by": line.author}})
    return Parcel(line.channel, 0, WAVED, Audience.ALL, line.author, "", line.at, line.origin, frame)


def _song(line: Parcel) -> Callable[[Tx], None]:
    draft = Draft(line.channel, SUNG, "no such row", line.author)
    return lambda tx: void(emit(tx, [Entry(draft, lambda _: Song(song="ら"))]))


def _hum(line: Parcel, kind: str) -> Callable[[Tx], None]:
    """To an audience that has no name yet; those who know it are told."""

    def unit(tx: Tx) -> None:
        room = line.channel.removeprefix(ROOM)
        (row,) = log.append(tx, [Draft(line.channel, kind, room, line.author, AUDIENCE, TARGET)])
        frame = entries.durable_frame(row.channel, row.seq, row.kind, row.at, Song(song="ん"))
        tx.parcels.append(
            Parcel(row.channel, row.seq, row.kind, Audience.ALL, row.author, TARGET, row.at, tx.node, frame)
        )

    return unit


def void(_: object) -> None:
    """Nothing is returned."""


def _carry_otherwise(harms: Harms) -> None:
    pack = courier_redis_writer.pack

    def packed(parcel: Parcel) -> bytes:
        data = pack(parcel)
        if parcel.target != TARGET:
            return data
        harms.add("struck-parcel")
        head, _, frame = data.partition(b"\n")
        fields = head.split(b"\x1f")
        return b"\x1f".join((b"2", *fields[1:-1], b"a header of its own", fields[-1])) + b"\n" + frame

    courier_redis_writer.pack = packed


def _tell_the_weather(harms: Harms) -> None:
    live = SocketProtocol.live

    def and_weather(self: Any) -> None:
        live(self)
        harms.add("struck-weather")
        self.send(orjson.dumps({"ev": "weather", "d": {"sky": "blue"}}))

    SocketProtocol.live = and_weather  # type: ignore[method-assign]
