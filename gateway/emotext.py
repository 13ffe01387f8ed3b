"""The doors for emotext as a picture: `GET /emotext/<signed id>.svg`, `GET /posts/<id>.svg` (FEATURES §4).

Nothing in an address is drawn: only what is kept, for whoever may see it. What always holds: the answer names a policy under which
a browser runs nothing and takes nothing from elsewhere, whatever stands in the picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from channels.arrival import authenticate
from channels.emotext import post_svg, preview_svg
from channels.invites import network_of
from gateway.auth import reader
from realtime.emotext_svg import style_hash
from realtime.errors import Refusal

if TYPE_CHECKING:
    from gateway.node import Node


async def of_preview(node: Node, request: Request) -> str:
    """A preview's picture, for whoever holds its signed id. Errors: `rate_limited`, `not_found`."""
    peer = request.client.host if request.client else ""
    wait_ms = node.guest_buckets.take(f"emotext:{network_of(peer)}", 1, node.now())
    if wait_ms:
        raise Refusal("rate_limited", retry_ms=wait_ms)
    return await preview_svg(node.desk, request.path_params["signed"])


async def of_post(node: Node, request: Request) -> str:
    """A post's picture, for whoever may read the post; judged each time, as pictures are. Errors: `unauthenticated`,
    `forbidden`, `rate_limited`, `not_found`."""
    actor = await authenticate(node.desk, reader(request, node.settings))
    wait_ms = node.media.reads.take(actor.account, 1, node.now())
    if wait_ms:
        raise Refusal("rate_limited", retry_ms=wait_ms)
    return await post_svg(node.desk, actor, request.path_params["post"])


def picture(svg: str, *, anywhere: bool) -> Response:
    """A picture with its policy. `anywhere`: other sites may show it."""
    headers = {
        "cache-control": "private, no-cache",
        "content-security-policy": f"default-src 'none'; style-src {style_hash(svg)}; sandbox",
        "cross-origin-resource-policy": "cross-origin" if anywhere else "same-origin",
    }
    return Response(svg, headers=headers, media_type="image/svg+xml")
