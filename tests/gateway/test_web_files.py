"""The page's files: small, nothing inline, nothing from elsewhere, every word in one table, readable colours."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from gateway.http import HEADERS
from realtime.errors import ERRORS
from tests.gateway.test_docs_page import luminance
from tests.support.nodes import Start

WEB = Path(__file__).resolve().parent.parent.parent / "gateway/web"
OURS = sorted(path for path in WEB.iterdir() if not path.name.startswith("docs."))
SCRIPTS = [path for path in OURS if path.suffix == ".js"]
PAGES = ("index.html", "invite.html")
SILENT = ("lanes.js", "protocol.js", "rules.js", "streams.js")
WITHOUT_DOM = (
    *SILENT,
    "client.js",
    "http.js",
    "kept.js",
    "only.js",
    "outbox.js",
    "people.js",
    "polling.js",
    "rooms.js",
    "shelf.js",
    "tabs.js",
    "timeline.js",
    "wiresocket.js",
)
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in OURS}
CODE = "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_small_and_makes_no_markup_of_words(path: Path) -> None:
    source = TEXTS[path.name]
    assert len(source.splitlines()) <= 400
    assert source.startswith("// "), "a module opens with what it owns"
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|maxLength", source
    )
    assert not re.search(r"https?://", source)


@pytest.mark.parametrize("name", WITHOUT_DOM)
def test_the_protocol_knows_no_page(name: str) -> None:
    assert not re.search(r"\bdocument\b|getElementById|\bel\(|from \"\./(dom|words)", TEXTS[name])


@pytest.mark.parametrize("name", SILENT)
def test_the_core_has_no_clock_no_chance_and_no_socket(name: str) -> None:
    source = re.sub(r"//.*|/\*\*.*?\*/", "", TEXTS[name])
    assert not re.search(
        r"\b(Date|performance|setTimeout|setInterval|WebSocket|fetch|window|globalThis|async|await|Promise)\b"
        r"|Math\.random|crypto|Storage|navigator",
        source,
    )


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_inline(page: str) -> None:
    html = TEXTS[page]
    assert '<html lang="ja">' in html
    assert not re.search(r"<style|\s(style|on[a-z]+|maxlength)=", html)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", html))


def test_every_word_stands_in_the_table() -> None:
    table = TEXTS["words.js"]
    used = set(re.findall(r"words\.(?!js\b)(\w+)", CODE))
    for page in PAGES:
        used |= set(re.findall(r'data-(?:words|label)="(\w+)"', TEXTS[page]))
    used |= {f"state_{state}" for state in ("connecting", "waiting", "live", "polling", "stopped")}
    verdicts = re.findall(r'"(signed_out|suspended|retired|not_allowed|fault)"', TEXTS["rules.js"])
    assert len(verdicts) == 5
    used |= {f"refused_{verdict}" for verdict in verdicts}
    known = set(re.findall(r"^  (\w+):", table, re.MULTILINE))
    assert used <= known
    spoken = {
        name
        for name, source in TEXTS.items()
        if name.endswith(".js")
        and name != "words.js"
        and JAPANESE.search(re.sub(r"//.*|/\*\*.*", "", source))
    }
    assert spoken == set()


def test_errors_of_the_page_are_codes_or_reasons() -> None:
    block = re.search(r"  errors: \{(.*?)\n  \}", TEXTS["words.js"], re.DOTALL)
    assert block is not None
    named = set(re.findall(r"^    (\w+):", block[1], re.MULTILINE))
    own = {"offline", "timeout", "other", "request_waits", "request_link"}
    assert named - own <= set(ERRORS)


def test_words_stand_out_in_both_schemes() -> None:
    schemes = [
        dict(re.findall(r"--([\w-]+): (#\w{6});", block))
        for block in re.findall(r":root \{(.*?)\}", TEXTS["style.css"], re.DOTALL)
    ]
    assert len(schemes) == 2
    grounds = ("paper", "sheet", "own", "chosen")
    pairs = [(ink, ground) for ink in ("ink", "accent", "quiet") for ground in grounds if ground != "own"]
    pairs += [
        ("ink", "own"),
        ("good", "paper"),
        ("wait", "paper"),
        ("fault", "paper"),
        ("on-accent", "accent"),
    ]
    for scheme in schemes:
        for ink, ground in pairs:
            light, dark = sorted((luminance(scheme[ink]), luminance(scheme[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground, scheme[ink], scheme[ground])


async def test_files_of_two_versions_never_meet(start_node: Start) -> None:
    node = await start_node()
    for path in ("/", "/web/page.js", "/web/style.css"):
        head = await _head(node.port, path)
        assert head.startswith("HTTP/1.1 200")
        assert "cache-control: no-cache" in head
        assert "etag: " in head
        assert HEADERS[0][1].decode() in head


async def _head(port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.read()
    writer.close()
    await writer.wait_closed()
    return head.decode().lower().replace("http/", "HTTP/", 1)
