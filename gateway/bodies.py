"""Bodies of HTTP requests, read up to a bound and no further."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import ClientDisconnect, Request

from realtime.errors import Refusal


async def read_body(request: Request, limit: int, taken: Callable[[int], None] = lambda size: None) -> bytes:
    """The whole body; `taken(size)` hears of each part before it is kept, and may refuse. Errors: `too_large` as soon as it is
    known, `bad_request` to a caller who hung up."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise Refusal("too_large", limit=limit, used=int(declared))
    parts = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise Refusal("too_large", limit=limit, used=size)
            taken(len(part))
            parts.append(part)
    except ClientDisconnect:
        # Nobody hears this, and nobody should be told of a fault of the server.
        raise Refusal("bad_request", "The body broke off.", at="$") from None
    return b"".join(parts)
