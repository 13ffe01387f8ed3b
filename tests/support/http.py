"""Calls of the HTTP door as tests make them: one operation, its status, and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx2
import orjson


@dataclass(frozen=True, slots=True)
class Reply:
    """`body` is the whole JSON object."""

    status: int
    body: Any
    headers: httpx2.Headers

    @property
    def ok(self) -> Any:
        """The result of an operation that succeeded."""
        assert self.status == 200, self.body
        return self.body["ok"]

    @property
    def error(self) -> Any:
        """The error object of a refusal."""
        assert self.status != 200, self.body
        return self.body["error"]

    @property
    def code(self) -> str:
        """The error's code."""
        return str(self.error["code"])


async def post(url: str, op: str, token: str = "", body: bytes | None = None, **fields: Any) -> Reply:
    """`POST /api/v1/<op>` with a bearer token; `body` instead of `fields` is sent as it is."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    content = orjson.dumps(fields) if body is None else body
    return await send(url, f"/api/v1/{op}", content, headers)


def http_client(url: str) -> httpx2.AsyncClient:
    """An HTTP client of a server on this machine. Nothing here is TLS, and to read the authorities takes 20 ms each time."""
    return httpx2.AsyncClient(base_url=url, timeout=20, verify=False)


async def send(url: str, path: str, content: Any, headers: dict[str, str]) -> Reply:
    """Any POST that answers with JSON."""
    async with http_client(url) as client:
        answer = await client.post(path, content=content, headers=headers)
    return Reply(answer.status_code, orjson.loads(answer.content), answer.headers)
