"""The pages and their files, as browsers get them: read once, compressed once, named by what they are.

Used by `gateway.http`. What always holds: all files of a page carry one version in their path (`/web/<version>/…`),
made from the bytes of all files, so that files of two versions never meet in one page, and a browser that has a file
never asks for it again. Nothing here depends on who asks, so compressing tells nobody anything.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

WEB = Path(__file__).parent / "web"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
FOR_EVER = "public, max-age=31536000, immutable"
ASK = "no-cache"
VERSION_CHARS = 16
SMALL_BYTES = 512


@dataclass(frozen=True, slots=True)
class Kept:
    """A file, ready to be sent. `packed` is empty where compressing would gain nothing."""

    kind: str
    plain: bytes
    packed: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """All files of the pages, and the version they make together."""

    version: str
    files: Mapping[str, Kept]


@functools.cache
def shelf() -> Shelf:
    """The files as they were when they were first asked for."""
    paths = sorted(path for path in WEB.iterdir() if path.suffix in TYPES)
    raw = {path.name: path.read_bytes() for path in paths}
    whole = hashlib.sha256(b"".join(name.encode() + b"\0" + data for name, data in raw.items()))
    version = whole.hexdigest()[:VERSION_CHARS]
    return Shelf(version, {name: _kept(name, data, version) for name, data in raw.items()})


def _kept(name: str, data: bytes, version: str) -> Kept:
    if name.endswith((".html", ".webmanifest")):
        data = data.replace(b'"/web/', f'"/web/{version}/'.encode())
    kind = TYPES[Path(name).suffix]
    worth = len(data) > SMALL_BYTES and not name.endswith(".png")
    packed = gzip.compress(data, 9, mtime=0) if worth else b""
    return Kept(kind, data, packed, hashlib.sha256(data).hexdigest()[:VERSION_CHARS])


def page(name: str, request: Request) -> Response:
    """A page of its own address; browsers ask each time whether it is still the same."""
    return _sent(shelf().files[name], request, ASK)


async def file(request: Request) -> Response:
    """A file below `/web/`, with the version before its name or without."""
    version, _, name = request.path_params["path"].rpartition("/")
    ours = shelf()
    found = ours.files.get(name)
    if found is None or "/" in version or found.kind == TYPES[".html"]:
        return Response("There is no such file.\n", 404, media_type="text/plain")
    # Another node may already run the next version: what it names is given as it is here, but not kept.
    return _sent(found, request, FOR_EVER if version == ours.version else ASK)


def _sent(kept: Kept, request: Request, cache: str) -> Response:
    packed = bool(kept.packed) and _takes_gzip(request.headers.get("accept-encoding", ""))
    etag = f'"{kept.etag}{"-gz" if packed else ""}"'
    headers = {"cache-control": cache, "etag": etag, "vary": "accept-encoding"}
    if etag in [
        each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")
    ]:
        return Response(status_code=304, headers=headers)
    if packed:
        headers["content-encoding"] = "gzip"
    return Response(kept.packed if packed else kept.plain, headers=headers, media_type=kept.kind)


def _takes_gzip(accepted: str) -> bool:
    """True if the browser named gzip without refusing it."""
    for each in accepted.lower().split(","):
        name, _, quality = each.partition(";")
        if name.strip() in ("gzip", "*"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
