"""Pictures as tests put them up: files of all kinds, and short ways to keep and look at one."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

import httpx2
from PIL import ExifTags, Image

from channels import pictures
from channels.desk import Actor
from channels.pictures import PARTS, Look, Made
from realtime.ids import of_bits
from realtime.requests import PictureRef, Uploaded
from tests.support.http import Reply, http_client, send
from tests.support.world import World

PLACE = "35.6586"
MADE = Made("image/webp", 640, 480, b"the whole of it", b"a small one")
_chance = random.Random(11)


def new_id() -> str:
    """An id as the door makes them."""
    return of_bits(_chance.getrandbits(128))


async def put_up(world: World, actor: Actor, made: Made = MADE) -> Uploaded:
    """A picture that nothing shows yet."""
    return await pictures.keep(world.desk, actor, new_id(), made)


async def shown(world: World, actor: Actor, count: int = 1, alt: str = "") -> list[PictureRef]:
    """As many pictures as wanted, for a request."""
    return [PictureRef(id=(await put_up(world, actor)).id, alt=alt) for _ in range(count)]


async def bytes_seen(world: World, viewer: Actor, picture: str, part: str = "") -> bytes | None:
    """What somebody who looks gets. Raises `Refusal`."""
    return (await pictures.look(world.desk, viewer, Look(picture, PARTS[part]))).data


async def kept(world: World) -> dict[str, set[str]]:
    """Table → the ids of pictures in it."""
    return await world.desk.db.read(
        lambda tx: {
            "picture": {row[0] for row in tx.rows("select id from picture")},
            "picture_bytes": {row[0] for row in tx.rows("select picture from picture_bytes")},
        }
    )


# Files


def file_of(image: Image.Image, kind: str = "PNG", **fields: Any) -> bytes:
    """An image as a file."""
    out = io.BytesIO()
    image.save(out, kind, **fields)
    return out.getvalue()


def plain(kind: str = "PNG", size: tuple[int, int] = (64, 48), mode: str = "RGB") -> bytes:
    """A file of one colour."""
    return file_of(Image.new(mode, size, (200, 40, 30, 120)[: len(mode)] if len(mode) > 2 else 90), kind)


def taken_with_a_phone() -> bytes:
    """A JPEG that lies on its side and says where it was taken, when, and with what."""
    image = Image.new("RGB", (60, 40), "white")
    image.paste((220, 20, 20), (0, 0, 30, 40))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "SECRETCAM"
    exif[ExifTags.Base.ImageDescription] = f"home at {PLACE}"
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef] = "N"
    gps[ExifTags.GPS.GPSLatitude] = (35.0, 39.0, 31.0)
    exif._ifds[ExifTags.IFD.GPSInfo] = gps
    packet = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><place>{PLACE}</place></x:xmpmeta>'.encode()
    return file_of(image, "JPEG", exif=exif, xmp=packet, comment=b"SECRETCOMMENT", quality=95)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def vast_png(width: int, height: int, rows: int = 0) -> bytes:
    """A tiny PNG that says it is vast: one bit a pixel, all the same."""
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    line = b"\0" * (1 + (width + 7) // 8)
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(line) for _ in range(rows)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def long_gif(frames: int) -> bytes:
    """A GIF of very many frames."""
    image = Image.new("P", (32, 32), 1)
    image.putpalette([0, 0, 0, 10, 200, 10] + [0] * 762)
    first = file_of(image, "GIF")
    # Header and palette, then the same image over and over, then the end.
    begins = first.index(b",", 13 + 3 * (2 << (first[10] & 7)))
    return first[:begins] + first[begins:-1] * frames + b";"


# By HTTP


async def upload(url: str, token: str, data: bytes | Any, **headers: str) -> Reply:
    """`POST /media`."""
    return await send(
        url, "/media", data, {"authorization": f"Bearer {token}", **headers} if token else headers
    )


async def fetch(url: str, token: str, picture: str, part: str = "", **headers: str) -> httpx2.Response:
    """`GET /media/<id>`."""
    given = {"authorization": f"Bearer {token}", **headers} if token else headers
    async with http_client(url) as client:
        return await client.get(f"/media/{picture}{part}", headers=given)
