"""Files of strangers, decoded in a child: what is taken, what is refused, what is left of it (FEATURES §3, FAULTS §3)."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from PIL import Image, ImageCms

from channels.pictures import Made
from gateway import decoding
from gateway.decoding import Decoders
from realtime.errors import Refusal
from realtime.settings import Limits
from tests.support.pictures import PLACE, file_of, long_gif, plain, taken_with_a_phone, vast_png
from tests.support.waiting import until

LIMITS = Limits()
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


TELLER = """
import json, os, sys
body = json.dumps([dict(os.environ), sorted(os.listdir('/proc/self/fd')), os.getcwd()]).encode()
head = {'type': 'image/webp', 'width': 1, 'height': 1, 'sizes': [len(body), 0]}
sys.stdout.write(json.dumps(head) + '\\n' + body.decode())
"""


def instead(monkeypatch: pytest.MonkeyPatch, place: Path, program: str) -> None:
    """Children run this."""
    file = place / "another.py"
    file.write_text(program + "\n", encoding="utf-8")
    monkeypatch.setattr(decoding, "WORKER", str(file))


async def decoded(data: bytes, limits: Limits = LIMITS) -> Made:
    return await Decoders(limits).picture(data)


async def refused(data: bytes, limits: Limits = LIMITS) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await decoded(data, limits)
    return caught.value


def pixels(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
async def test_these_kinds_are_taken(kind: str) -> None:
    made = await decoded(plain(kind))
    assert (made.type, made.width, made.height) == ("image/webp", 64, 48)
    whole = pixels(made.whole)
    assert (whole.format, whole.size) == ("WEBP", (64, 48))
    red, green, _ = whole.convert("RGB").getpixel((30, 20))
    assert red > 170
    assert green < 80
    assert made.preview == b"", "so small a picture is its own preview"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
async def test_any_mode_is_taken(mode: str) -> None:
    if mode == "I;16":
        image = Image.frombytes("I;16", (8, 8), (40_000).to_bytes(2, "little") * 64)
    elif mode == "RGBA":
        image = Image.new("RGBA", (8, 8), (200, 40, 30, 0))
    else:
        image = Image.new("RGB", (8, 8), (160, 160, 160)).convert(mode)
    made = await decoded(file_of(image, "JPEG" if mode == "CMYK" else "PNG"))
    found = pixels(made.whole)
    assert found.size == (8, 8)
    if mode == "RGBA":
        assert found.convert("RGBA").getpixel((4, 4))[3] == 0, "what can be seen through stays so"
    elif mode in ("L", "LA", "I;16"):
        assert abs(found.convert("L").getpixel((4, 4)) - 158) < 12


async def test_it_stands_upright_and_says_nothing_but_what_it_shows() -> None:
    file = taken_with_a_phone()
    for told in (PLACE.encode(), b"SECRETCAM", b"SECRETCOMMENT", b"Exif"):
        assert told in file, "the test must have something to lose"
    made = await decoded(file)
    assert (made.width, made.height) == (40, 60)
    found = pixels(made.whole)
    assert not found.getexif()
    assert set(found.info) <= {"loop", "background", "timestamp", "duration"}
    # The left half was red; turned as the camera said, that is the upper half.
    assert found.convert("RGB").getpixel((20, 8))[1] < 90
    assert found.convert("RGB").getpixel((20, 52))[1] > 200
    for told in (PLACE.encode(), b"SECRET", b"Exif", b"EXIF", b"XMP", b"ICCP", b"xmp"):
        assert told not in made.whole


async def test_colours_are_brought_to_srgb_and_the_profile_is_gone() -> None:
    image = Image.new("LAB", (16, 16), (128, 128 + 60, 128 + 40))
    lab = ImageCms.createProfile("LAB")
    # A file whose profile swaps nothing: sRGB itself must come through as it was, and leave no profile behind.
    srgb = ImageCms.profileToProfile(image, lab, ImageCms.createProfile("sRGB"), outputMode="RGB")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    made = await decoded(file_of(srgb, "PNG", icc_profile=profile))
    found = pixels(made.whole)
    assert "icc_profile" not in found.info
    before, after = srgb.getpixel((8, 8)), found.convert("RGB").getpixel((8, 8))
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) < 12
    broken = await decoded(file_of(srgb, "PNG", icc_profile=b"this is no profile"))
    assert (broken.width, broken.height) == (16, 16)


async def test_large_ones_are_made_smaller_and_get_a_preview() -> None:
    noise = Image.effect_noise((3_000, 1_500), 50).convert("RGB")
    made = await decoded(file_of(noise, "JPEG"))
    assert (made.width, made.height) == (2_048, 1_024)
    assert pixels(made.whole).size == (2_048, 1_024)
    assert pixels(made.preview).size == (480, 240)
    thin = await decoded(plain("PNG", (2_500, 1)))
    assert (thin.width, thin.height) == (2_048, 1)


HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "a text": b"just a text\n" * 50,
    "a vector drawing with a script": SVG,
    "a page": b"<!doctype html><script>alert(1)</script>",
    "half a JPEG": plain("JPEG", (900, 900))[:400],
    "half a PNG": file_of(Image.effect_noise((200, 200), 90), "PNG")[:9_000],
    "half a WebP": plain("WEBP", (900, 900))[:60],
    "half an AVIF": plain("AVIF", (900, 900))[:200],
    "a PNG without pixels": vast_png(100, 100, 0),
    "another kind of picture": plain("BMP"),
    "a document": b"%PDF-1.4\n%%EOF",
    "a script that Ghostscript would run": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
    "only the first bytes of a kind": b"\x89PNG\r\n\x1a\n",
    "a picture no pixels wide": b"\x89PNG\r\n\x1a\n" + vast_png(1, 1)[8:16] + b"\0" * 4 + vast_png(1, 1)[20:],
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_is_no_picture_is_refused_with_one_error(name: str) -> None:
    found = await refused(HOSTILE[name])
    assert (found.code, found.details) == ("bad_picture", {}), "nothing of the inside is told"


async def test_a_bomb_is_refused_by_its_size_before_it_is_decoded() -> None:
    bomb = vast_png(50_000, 50_000)
    assert len(bomb) < 200
    # So little processor time and memory that decoding even a part of it would end the child.
    tight = replace(LIMITS, picture_decode_s=2.0)
    found = await refused(bomb, tight)
    assert found.code == "too_large"
    assert found.details == {"limit": 40_000_000, "used": 2_500_000_000, "unit": "pixels"}
    just = await refused(vast_png(8_000, 5_001), tight)
    assert (just.code, just.details["used"]) == ("too_large", 40_008_000)


async def test_a_bomb_within_the_pixels_ends_its_own_child_only() -> None:
    decoders = Decoders(replace(LIMITS, picture_decode_bytes_max=160 * 1024 * 1024))
    # A thousandth of the pixels as bytes: 40 million of them in one file of a few kilobytes.
    bomb = vast_png(8_000, 5_000, 5_000)
    assert len(bomb) < 60_000
    with pytest.raises(Refusal) as caught:
        await decoders.picture(bomb)
    assert caught.value.code == "bad_picture"
    assert (await decoders.picture(plain())).width == 64, "the next one has a child of its own"
    assert (decoders.begun, decoders.failed) == (2, 1)
    whole = await decoded(bomb)
    assert (whole.width, whole.height) == (2_048, 1_280), (
        "with the usual memory it is a picture like any other"
    )


async def test_of_thousands_of_frames_only_the_first_is_looked_at() -> None:
    found = await decoded(long_gif(20_000), replace(LIMITS, picture_decode_s=5.0))
    assert found.width == 32
    assert getattr(pixels(found.whole), "n_frames", 1) == 1


async def test_what_else_a_file_holds_is_not_kept() -> None:
    script = b"<script>alert('both')</script>"
    for file in (
        plain("JPEG") + script,
        plain("PNG") + script,
        plain("GIF")[:-1] + b"!\xfe\x1e" + script + b"\0;",
    ):
        made = await decoded(file)
        assert script not in made.whole
        assert b"alert" not in made.whole


async def test_a_child_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    instead(monkeypatch, tmp_path, "import time\ntime.sleep(600)\n")
    # The bound of the whole test is what would fail; the child would sleep for ten minutes.
    found = await refused(plain(), replace(LIMITS, picture_decode_s=0.5))
    assert found.code == "bad_picture"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "print('no JSON')",
        "print('[1]')",
        'print(\'{"type": "text/html", "width": 1, "height": 1, "sizes": [2, 0]}\\nok\', end=\'\')',
        'print(\'{"type": "image/webp", "width": 1, "height": 1, "sizes": [9, 0]}\\nok\', end=\'\')',
        "import sys\nwhile True: sys.stdout.write('a' * 65536)",
        "import os\nos.kill(os.getpid(), 9)",
    ],
)
async def test_a_child_that_was_taken_over_is_not_believed(
    answer: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    instead(monkeypatch, tmp_path, answer)
    found = await refused(plain(), replace(LIMITS, picture_edge_max=256))
    assert found.code == "bad_picture"


async def test_a_child_knows_nothing_of_the_installation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    instead(monkeypatch, tmp_path, TELLER)
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    environment, files, place = orjson.loads((await decoded(plain())).whole)
    assert set(environment) <= {"LC_CTYPE", *decoding.ENVIRONMENT}
    assert (len(files), place) == (4, "/"), "its three pipes, and the list it reads"


async def test_decoders_have_turns_and_the_queue_has_an_end() -> None:
    decoders = Decoders(replace(LIMITS, picture_decoders_max=1, picture_decoders_waiting_max=1))
    file = plain()
    results = await asyncio.gather(*(decoders.picture(file) for _ in range(4)), return_exceptions=True)
    codes = [each.code if isinstance(each, Refusal) else "ok" for each in results]
    assert codes == ["ok", "ok", "unavailable", "unavailable"]
    assert decoders.begun == 2
    assert (await decoders.picture(file)).width == 64, "turns are given back"


async def test_who_hangs_up_leaves_no_child_and_gives_the_turn_back() -> None:
    decoders = Decoders(replace(LIMITS, picture_decoders_max=1))
    large = file_of(Image.effect_noise((3_000, 3_000), 50).convert("RGB"), "JPEG")
    work = asyncio.create_task(decoders.picture(large))
    await until(lambda: decoders.begun == 1)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert (await decoders.picture(plain())).width == 64
