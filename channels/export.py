"""One's own data as a zip of JSON files and pictures (FEATURES §2). Posted work leaves through no other door."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import zipfile
from typing import IO, Any

import orjson

from channels.desk import Actor, Desk
from storage.export import everything_of
from storage.pictures import WHOLE, bytes_of

README = """\
Tsudoi: everything this installation keeps of @{handle}.

Each file is a JSON list, and your pictures are in the folder pictures; times are Unix milliseconds (UTC), ids are those of the API.
Passwords do not exist; tokens and invite links are kept as hashes only and are not in here.
Other people's messages are not in here: they are theirs.

このフォルダは、あなたについて保存されているすべてのデータです。他の人の発言は含まれません。
"""
# A zip's own times would make two exports of the same data differ.
_DATE = (1980, 1, 1, 0, 0, 0)


async def export(desk: Desk, actor: Actor) -> IO[bytes]:
    """The zip, in a file without a name that ends with its handle: pictures may be many. Lists are of one snapshot; a picture
    that is deleted while they are packed is missing. Packed in threads, one picture in memory at a time."""
    with contextlib.ExitStack() as undo:
        file = undo.enter_context(tempfile.TemporaryFile())
        parts = await desk.db.read(lambda tx: everything_of(tx, actor.account))
        archive = await asyncio.to_thread(_begun, file, actor.handle, parts)
        for row in parts["pictures"]:
            data = await desk.db.read(lambda tx, row=row: bytes_of(tx, row["id"], WHOLE))  # type: ignore[misc]  # bound now
            name = f"pictures/{row['id']}.{row['type'].rpartition('/')[2]}"
            if data:
                # Pictures are compressed already.
                await asyncio.to_thread(archive.writestr, _entry(name, zipfile.ZIP_STORED), data)
        await asyncio.to_thread(archive.close)
        await asyncio.to_thread(file.seek, 0)
        undo.pop_all()
    return file


def _begun(file: IO[bytes], handle: str, parts: dict[str, list[dict[str, Any]]]) -> zipfile.ZipFile:
    """An open zip with one JSON file for each part, and a README."""
    archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
    archive.writestr(_entry("README.txt"), README.format(handle=handle))
    for name, rows in parts.items():
        archive.writestr(_entry(f"{name}.json"), orjson.dumps(rows, option=orjson.OPT_INDENT_2))
    return archive


def _entry(name: str, how: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = how
    return info
