"""`POST /export`: one's own data as a zip. Plain HTTP, because it is no JSON; authorised as every operation."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import IO

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from channels.arrival import authenticate
from channels.export import export
from gateway.answers import Answer
from gateway.auth import credential
from gateway.node import Node
from realtime.errors import Refusal

PART_BYTES = 256 * 1024
COST_S = 60.0
"""One a minute from each account: the bucket of a node gives back one a second."""


async def packed(node: Node, request: Request) -> IO[bytes]:
    """The zip as a file. Errors: `unauthenticated`, `forbidden`, `rate_limited`."""
    actor = await authenticate(node.desk, credential(request, node.settings))
    wait_ms = node.guest_buckets.take(f"export:{actor.account}", COST_S, node.now())
    if wait_ms:
        raise Refusal("rate_limited", retry_ms=wait_ms)
    return await export(node.desk, actor)


def download(outcome: Answer) -> Response:
    """A zip to keep."""
    file: IO[bytes] = outcome.result
    headers = {
        "cache-control": "no-store",
        "content-disposition": 'attachment; filename="tsudoi-export.zip"',
        "content-length": str(os.fstat(file.fileno()).st_size),
    }
    return StreamingResponse(_parts(file), media_type="application/zip", headers=headers)


async def _parts(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while part := await asyncio.to_thread(file.read, PART_BYTES):
            yield part
