"""One picture, decoded and encoded anew, in a process of its own: `gateway.decoding` starts it, and it knows nothing of Tsudoi.

Standard input: a line of JSON (`Order`), then the bytes. Standard output: a line of JSON, then the bytes it tells the sizes of.
What always holds: nothing of the file's metadata is in what comes out, since it is made from pixels alone; what the process
may take (address space, processor time) is bound before a byte is read; it has no environment, no files and no secrets.
"""

from __future__ import annotations

import io
import json
import os
import resource
import sys
import warnings
from typing import IO, Any

# The formats by what Pillow calls them. Others are never tried, whatever a file claims.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
QUALITY, PREVIEW_QUALITY = 82, 70
WEBP = "image/webp"
METHOD = 4


class TooLarge(Exception):
    """More pixels than are taken."""


def bound(order: dict[str, Any]) -> None:
    """From here on the kernel keeps the bounds. Raises `ValueError`, `OSError`."""
    space, seconds = int(order["space_bytes"]), int(order["cpu_s"])
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def made(data: bytes, order: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """The bytes of a file → what it is, and [whole, preview]. Raises whatever Pillow raises, and `TooLarge`."""
    from PIL import Image, ImageFile, ImageOps

    Image.MAX_IMAGE_PIXELS = None  # our own bound is looked at before anything is decoded
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    with Image.open(io.BytesIO(data), formats=FORMATS) as file:
        width, height = file.size
        if width * height > order["pixels"] or not width or not height:
            raise TooLarge(width * height)
        edge = int(order["edge"])
        if file.format == "JPEG":
            # The decoder itself can leave out what would be thrown away.
            file.draft("RGB", (edge * 2, edge * 2))
        file.load()
        upright = ImageOps.exif_transpose(file)
        profile = file.info.get("icc_profile")
    whole = smaller(coloured(upright, profile), edge)
    preview = smaller(whole, int(order["preview_edge"]))
    told = {"type": WEBP, "width": whole.width, "height": whole.height}
    small = encoded(preview, PREVIEW_QUALITY) if preview is not whole else b""
    return told, [encoded(whole, QUALITY), small]


def coloured(image: Any, profile: bytes | None) -> Any:
    """Any mode → RGB or RGBA in sRGB, by the file's own profile where it can be read."""
    clear = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    mode = "RGBA" if clear else "RGB"
    if image.mode.startswith(("I", "F")):
        # Sixteen bits and more a channel: Pillow would cut them off instead of scaling.
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    if image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        image = image.convert(mode)
    if profile:
        converted = by_profile(image, profile, mode)
        if converted is not None:
            return converted
    return image if image.mode == mode else image.convert(mode)


def by_profile(image: Any, profile: bytes, mode: str) -> Any:
    """Into sRGB, or None where the profile is none."""
    from PIL import ImageCms

    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, given, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def smaller(image: Any, edge: int) -> Any:
    """At most `edge` pixels on the longer side; the same object if it is so already."""
    from PIL import Image

    longest = max(image.size)
    if longest <= edge:
        return image
    size = tuple(max(1, round(side * edge / longest)) for side in image.size)
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def encoded(image: Any, quality: int) -> bytes:
    """Pixels → WebP. A fresh image carries no metadata; nothing is given to be written beside the pixels either."""
    from PIL import Image

    bare = Image.frombytes(image.mode, image.size, image.tobytes())
    out = io.BytesIO()
    bare.save(out, "WEBP", quality=quality, method=METHOD, exif=b"", xmp=b"", icc_profile=b"")
    return out.getvalue()


def serve(source: IO[bytes], sink: IO[bytes]) -> None:
    """One order, one answer."""
    order = json.loads(source.readline())
    # Loading the library is not the picture's work.
    from PIL import AvifImagePlugin, Image, ImageCms, ImageOps  # noqa: F401

    Image.init()
    # As many threads as cores would take the address space that the pixels need.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    bound(order)
    warnings.simplefilter("ignore")
    data = source.read()
    parts: list[bytes] = []
    try:
        told, parts = made(data, order)
        told["sizes"] = [len(part) for part in parts]
    except TooLarge as error:
        told = {"error": "too_large", "pixels": error.args[0]}
    except MemoryError:
        told = {"error": "bad_picture", "why": "memory"}
    except Exception as error:
        # Decoders raise what they like; to who sent it, all of it means that this is no picture.
        told = {"error": "bad_picture", "why": type(error).__name__}
    sink.write(json.dumps(told).encode() + b"\n")
    for part in parts:
        sink.write(part)
    sink.flush()


if __name__ == "__main__":
    os.nice(5)
    serve(sys.stdin.buffer, sys.stdout.buffer)
