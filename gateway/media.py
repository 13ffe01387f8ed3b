"""The door for pictures: `POST /media` puts one up, `GET /media/<id>` and `…/preview` give it (FEATURES §3, decision 11).

Plain HTTP, because bytes are no JSON; who calls is authorised as everywhere. What always holds: of a body no more is kept
than its bound, and of all bodies of a node together no more than theirs; no log line and no metric pairs who looks with what
is looked at; an answer says what a browser may do with the bytes, whatever they are.
"""

from __future__ import annotations

import secrets
from collections import Counter
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from channels.arrival import authenticate
from channels.desk import Actor
from channels.pictures import PARTS, Look, Seen, check_room, keep, look
from gateway.auth import credential, reader
from gateway.bodies import read_body
from gateway.decoding import BUSY_MS, Decoders
from gateway.door import PATIENCE
from realtime.buckets import Buckets
from realtime.errors import Refusal
from realtime.ids import is_id, of_bits
from realtime.requests import Uploaded
from realtime.settings import Limits

if TYPE_CHECKING:
    from gateway.node import Node

ID_BITS = 128
MINUTE_S = 60.0
HEADERS = {
    # A browser may keep it, and asks each time whether it may still show it: the answer follows the right to the post.
    "cache-control": "private, no-cache",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
}


class Media:
    """A node's means for pictures: how often, how many at once, how much of them in memory."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.decoders = Decoders(limits)
        per_min = limits.picture_uploads_per_min
        self.uploads = Buckets(per_min / MINUTE_S, per_min)
        self.reads = Buckets(limits.picture_reads_per_s, limits.picture_reads_burst)
        self._here: Counter[str] = Counter()
        self.held_bytes = 0

    def begin(self, actor: Actor, now: float) -> None:
        """An account begins an upload; `end` follows. Errors: `rate_limited`."""
        if self._here[actor.account] >= self._limits.picture_uploads_at_once_max:
            raise Refusal("rate_limited", "One after the other.", retry_ms=BUSY_MS)
        wait_ms = self.uploads.take(actor.account, 1, now)
        if wait_ms:
            raise Refusal("rate_limited", retry_ms=wait_ms)
        self._here[actor.account] += 1

    def end(self, actor: Actor) -> None:
        """It is over, however."""
        self._here[actor.account] -= 1
        if not self._here[actor.account]:
            del self._here[actor.account]

    def hold(self, size: int) -> None:
        """So many bytes more are in memory. Errors: `unavailable`."""
        if self.held_bytes + size > self._limits.picture_bodies_bytes_max:
            raise Refusal("unavailable", "Too many pictures are on their way.", retry_ms=BUSY_MS)
        self.held_bytes += size


async def upload(node: Node, request: Request) -> Uploaded:
    """Take a picture. Errors: `unauthenticated`, `forbidden`, `rate_limited`, `full`, `too_large`, `bad_picture`,
    `unavailable`."""
    limits, media = node.settings.limits, node.media
    actor = await authenticate(node.desk, credential(request, node.settings))
    media.begin(actor, node.now())
    held = 0

    def hold(size: int) -> None:
        nonlocal held
        media.hold(size)
        held += size

    try:
        await check_room(node.desk, actor)
        # Whoever is known may have a slow network.
        request.scope["extensions"][PATIENCE](limits.picture_upload_s)
        body = await read_body(request, limits.picture_bytes_max, hold)
        made = await media.decoders.picture(body)
    finally:
        media.held_bytes -= held
        media.end(actor)
    return await keep(node.desk, actor, of_bits(secrets.randbits(ID_BITS)), made)


async def shown(node: Node, request: Request) -> tuple[Look, Seen]:
    """What was asked for and what there is of it. Errors: `unauthenticated`, `forbidden`, `rate_limited`, `not_found`."""
    actor = await authenticate(node.desk, reader(request, node.settings))
    wait_ms = node.media.reads.take(actor.account, 1, node.now())
    if wait_ms:
        raise Refusal("rate_limited", retry_ms=wait_ms)
    picture, part = request.path_params["picture"], PARTS.get(request.path_params.get("part", ""))
    if not is_id(picture) or part is None:
        raise Refusal("not_found")
    known = request.headers.get("if-none-match", "").strip().removeprefix("W/")
    wanted = Look(picture, part, known)
    return wanted, await look(node.desk, actor, wanted)


def picture_response(wanted: Look, seen: Seen) -> Response:
    """The bytes under a neutral name, or that nothing has changed."""
    headers = {**HEADERS, "etag": wanted.tag}
    if seen.data is None:
        return Response(status_code=304, headers=headers)
    headers["content-disposition"] = f'inline; filename="picture.{seen.type.rpartition("/")[2]}"'
    return Response(seen.data, headers=headers, media_type=seen.type)
