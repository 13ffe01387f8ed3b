"""Answers: how the outcome of an operation becomes a result or the error object of WIRE §2, for both doors.

The only place besides tests where `Refusal` ends. Anything that is neither a refusal nor trouble of the database
is a bug: logged with the request id, answered `internal` with nothing of the inside.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import structlog

from realtime.errors import Refusal
from storage.database import StorageUnavailable

log = structlog.get_logger("answers")
RETRY_MS = 1_000


class RequestIds:
    """Names requests, so that a person's report finds its log line: node, then a count in base 36."""

    __slots__ = ("_count", "_node")

    def __init__(self, node: str) -> None:
        self._node = node
        self._count = itertools.count(1)

    def next(self) -> str:
        """A request id, unique on this installation as long as node names are."""
        return f"{self._node}-{next(self._count):x}"


@dataclass(frozen=True, slots=True)
class Answer:
    """`error` is None where `result` counts."""

    result: Any = None
    error: dict[str, Any] | None = None


async def answer(work: Awaitable[Any], operation: str, request_ids: RequestIds) -> Answer:
    """Await a use case and tell how it ended. Only a cancellation passes through."""
    try:
        return Answer(await work)
    except Exception as error:
        return Answer(error=error_of(error, operation, request_ids))


def error_of(error: Exception, operation: str, request_ids: RequestIds) -> dict[str, Any]:
    """Any exception → the error object."""
    request_id = request_ids.next()
    if isinstance(error, Refusal):
        return error.body(request_id)
    if isinstance(error, StorageUnavailable):
        log.warning("storage unavailable", operation=operation, request_id=request_id, error=str(error))
        return Refusal("unavailable", retry_ms=RETRY_MS).body(request_id)
    log.error("internal error", operation=operation, request_id=request_id, exc_info=error)
    return Refusal("internal").body(request_id)
