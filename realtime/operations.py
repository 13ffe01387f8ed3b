"""What an operation is: one entry of the table that both doors, the schemas and the reference are made from.

An operation is declared once (`realtime/table.py`), decoded here into its typed request, and handled by a use
case on the second floor. A request that does not fit its type is one `bad_request` that names the place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from realtime.errors import Refusal

ID_MAX = 2**53 - 1
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_LEADING_ID = re.compile(rb'\s*\{\s*"id"\s*:\s*(\d{1,16})\s*,')
_BRACKETS = re.compile(rb"[][{}]")


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every request: unknown fields are refused, naming the field (WIRE §2)."""


class Door(StrEnum):
    """Where an operation may be called."""

    SOCKET = "socket"
    HTTP = "http"


class Who(StrEnum):
    """Who may call: `anyone` before a session, or the holder of a `session`."""

    ANYONE = "anyone"
    SESSION = "session"


BOTH_DOORS = frozenset({Door.SOCKET, Door.HTTP})


@dataclass(frozen=True, slots=True)
class Operation:
    """One row: `cost` is taken from the connection's bucket (WIRE §5, 20 a second), `durable` says that `ok`
    follows the commit, `errors` lists what may come besides the codes every operation shares. Where a guest may call,
    `guest_per_min` bounds how often from one network address; the node takes ten times that from all together."""

    name: str
    request: type[Request]
    result: Any
    summary: str
    errors: tuple[str, ...] = ()
    who: Who = Who.SESSION
    doors: frozenset[Door] = BOTH_DOORS
    cost: float = 1.0
    durable: bool = False
    guest_per_min: float = 0


SHARED_ERRORS = ("bad_request", "unauthenticated", "rate_limited", "unavailable", "internal")


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The frame of WIRE §2 from a client: `id` is echoed; without one no `ok` is sent."""

    op: str
    id: int | None = None
    d: msgspec.Raw = msgspec.Raw(b"{}")


_envelopes = msgspec.json.Decoder(Envelope)


def decode_envelope(frame: bytes) -> Envelope:
    """Bytes of one frame → envelope. Raises `Refusal` (`bad_request` with `details.at`)."""
    try:
        envelope = _envelopes.decode(frame)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ValueError) as error:
        raise bad_request(error, "$") from None
    if envelope.id is not None and not 1 <= envelope.id <= ID_MAX:
        raise Refusal("bad_request", "`id` must be an integer from 1 to 2^53-1.", at="$.id")
    return envelope


def id_of_bad_frame(frame: bytes) -> int | None:
    """The `id` of a frame that did not decode, if one can be read: it lets the client match the error."""
    try:
        loose = msgspec.json.decode(frame)
    except (msgspec.DecodeError, RecursionError, ValueError):
        # Not even JSON; clients write the id first, so it can be read without the rest.
        match = _LEADING_ID.match(frame)
        loose = {"id": int(match[1])} if match else None
    found = loose.get("id") if isinstance(loose, dict) else None
    return found if type(found) is int and 1 <= found <= ID_MAX else None


def within_depth(frame: bytes, limit: int) -> bool:
    """True if the JSON nests no deeper than `limit`; judged before decoding, brackets inside strings not counted."""
    if frame.count(b"{") + frame.count(b"[") <= limit:
        return True
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", frame)):
        if bracket in b"{[":
            depth += 1
            if depth > limit:
                return False
        else:
            depth -= 1
    return True


def decode_request(decoder: msgspec.json.Decoder[Any], raw: msgspec.Raw | bytes, place: str) -> Any:
    """JSON of `d` (or of an HTTP body) → the operation's typed request. Raises `Refusal` naming the place."""
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ValueError) as error:
        raise bad_request(error, place) from None


def bad_request(error: Exception, place: str) -> Refusal:
    """A decoder's complaint → `bad_request`: msgspec ends its sentence with the JSON path, moved into `at`."""
    if isinstance(error, RecursionError):
        return Refusal("bad_request", "The JSON nests too deeply.", at=place)
    text, _, path = str(error).partition(" - at `")
    path = path.rstrip("`").removeprefix("$")
    if "unknown field `" in text:
        path += "." + text.rpartition("unknown field `")[2].rstrip("`")
    return Refusal("bad_request", f"{text}.", at=place + path)
