"""One's own data as a zip of JSON files (FEATURES §2). Posted work leaves through no other door."""

from __future__ import annotations

import asyncio
import io
import zipfile
from typing import Any

import orjson

from channels.desk import Actor, Desk
from storage.export import everything_of

README = """\
Tsudoi: everything this installation keeps of @{handle}.

Each file is a JSON list; times are Unix milliseconds (UTC), ids are those of the API.
Passwords do not exist; tokens and invite links are kept as hashes only and are not in here.
Other people's messages are not in here: they are theirs.

このフォルダは、あなたについて保存されているすべてのデータです。他の人の発言は含まれません。
"""
# A zip's own times would make two exports of the same data differ.
_DATE = (1980, 1, 1, 0, 0, 0)


async def export(desk: Desk, actor: Actor) -> bytes:
    """The zip. Read on one snapshot; packed in a thread, because it may be large."""
    parts = await desk.db.read(lambda tx: everything_of(tx, actor.account))
    return await asyncio.to_thread(packed, actor.handle, parts)


def packed(handle: str, parts: dict[str, list[dict[str, Any]]]) -> bytes:
    """Parts → a zip with one JSON file each, and a README."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_entry("README.txt"), README.format(handle=handle))
        for name, rows in parts.items():
            archive.writestr(_entry(f"{name}.json"), orjson.dumps(rows, option=orjson.OPT_INDENT_2))
    return buffer.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info
