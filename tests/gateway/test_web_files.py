"""The page's files: small, nothing inline, nothing from elsewhere, every word in one table, readable colours."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import struct
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.http import HEADERS
from realtime.errors import ERRORS
from realtime.gate import Audience, WriteFrom
from realtime.models import Reading
from realtime.presence import PresenceState, Seen
from realtime.relations import ReportReason
from realtime.table import OPERATIONS
from tests.gateway.test_docs_page import luminance
from tests.support.nodes import Start

WEB = Path(__file__).resolve().parent.parent.parent / "gateway/web"
OURS = sorted(path for path in WEB.iterdir() if not path.name.startswith("docs."))
SCRIPTS = [path for path in OURS if path.suffix == ".js"]
PAGES = ("index.html", "invite.html", "device.html", "emotext.html")
SILENT = ("emotext.js", "lanes.js", "protocol.js", "rules.js", "streams.js")
WITHOUT_DOM = (
    *SILENT,
    "attendance.js",
    "client.js",
    "feed.js",
    "http.js",
    "kept.js",
    "later.js",
    "letters.js",
    "marks.js",
    "nicknames.js",
    "only.js",
    "outbox.js",
    "people.js",
    "placenames.js",
    "polling.js",
    "postbox.js",
    "posts.js",
    "presence.js",
    "quotes.js",
    "reactions.js",
    "rooms.js",
    "screen.js",
    "shelf.js",
    "tabs.js",
    "timeline.js",
    "uploads.js",
    "wiresocket.js",
    "writing.js",
)
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in OURS if path.suffix != ".png"}
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
    assert not re.search(r"https?://", re.sub(r"https://(?=[^a-z])", "", source))


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


def table(language: str) -> dict[str, str]:
    """Every entry of a language, by name: the source of its value. Entries of tables inside it are named `outer.inner`."""
    found: dict[str, str] = {}
    for name in sorted(name for name in TEXTS if name.startswith(f"words.{language}.")):
        outer = ""
        for line in TEXTS[name].splitlines():
            if inner := re.fullmatch(r"    (\w+): (.*),", line):
                found[f"{outer}.{inner[1]}"] = inner[2]
            elif entry := re.fullmatch(r"  (\w+): (.*)", line):
                outer = entry[1]
                assert outer not in found, f"{outer} stands twice"
                found[outer] = entry[2].removesuffix(",")
    return found


def kind(source: str) -> str:
    """What an entry is: a sentence, a function of so many things, a list of so many, a table with these names."""
    if function := re.match(r"\(([^)]*)\) =>", source):
        return f"function({function[1]})" if "{" not in function[1] else "function({…})"
    if source.startswith("["):
        return f"list of {source.count(',')}"
    if source.startswith("{"):
        return "table of " + " ".join(re.findall(r"(\w+): ", source))
    assert source.startswith('"'), source
    return "sentence"


def test_both_languages_have_the_same_words() -> None:
    japanese, english = table("ja"), table("en")
    assert len(japanese) > 250
    assert {name: kind(source) for name, source in japanese.items()} == {
        name: kind(source) for name, source in english.items()
    }
    spoken = {name for name, source in english.items() if JAPANESE.search(source)}
    assert spoken == {"app_sub", "languages"}
    untold = {name for name, source in japanese.items() if source == english[name] and source != "{"}
    assert untold == {"app", "app_sub", "unread", "handle", "languages"}


def test_every_word_is_in_the_table_and_used() -> None:
    used = set(
        re.findall(r"\bwords\.(?!js\b|ja\b|en\b)(\w+)", re.sub(r"(?<!:)//.*|/\*\*[\s\S]*?\*/", "", CODE))
    )
    for page in PAGES:
        used |= set(re.findall(r'data-(?:words|label|hint)="(\w+)"', TEXTS[page]))
    # Sentences at the door are told by their names.
    door = TEXTS["door.js"] + TEXTS["page.js"]
    used |= set(re.findall(r'"((?:door|refused)_\w+|loading)"', door))
    used |= {f"state_{state}" for state in ("connecting", "waiting", "live", "polling", "stopped")}
    verdicts = re.findall(r'"(signed_out|suspended|retired|not_allowed|fault)"', TEXTS["rules.js"])
    assert len(verdicts) == 5
    used |= {f"refused_{verdict}" for verdict in verdicts}
    steps = re.search(r"STEPS = \[(.*)\]", TEXTS["signup.js"])
    assert steps is not None
    used |= {f"{step}_title" for step in re.findall(r'"(\w+)"', steps[1])}
    used |= {f"presence_{to}" for to in Audience} | {f"write_{whom}" for whom in WriteFrom}
    used |= {f"reading_{reading}" for reading in Reading}
    known = {name for name in table("ja") if "." not in name}
    assert used - known == set()
    assert known - used == set()


def test_no_sentence_stands_outside_the_tables() -> None:
    spoken = {
        name
        for name, source in TEXTS.items()
        if name.endswith(".js")
        and not name.startswith("words.")
        and JAPANESE.search(re.sub(r"(?<!:)//.*|/\*\*[\s\S]*?\*/", "", source))
    }
    assert spoken == set()


NOT_IN_THE_PAGE = {"channel.signal", "emotext.preview"}
"""Signals are for programs; how words will move, the page sees by itself."""


def test_every_operation_has_its_way_in_the_page() -> None:
    """What a member can do over the wire, they can do here."""
    named = set(re.findall(r'"([a-z]+\.[a-z_]+)"', CODE))
    # Blocks and mutes go one way, and so do the steps at the gate.
    for kind, verb in (("block", "add"), ("block", "remove"), ("mute", "add"), ("mute", "remove")):
        assert '`${kind}.${on ? "add" : "remove"}`' in CODE
        named.add(f"{kind}.{verb}")
    named |= set(re.findall(r"/api/v1/([a-z]+\.[a-z_]+)", CODE))
    named |= set(re.findall(r'"(connect|pong)"', CODE))
    assert set(OPERATIONS) - named - NOT_IN_THE_PAGE == set()
    assert named & NOT_IN_THE_PAGE == set(), "it is there now"


@pytest.mark.parametrize("language", ["ja", "en"])
def test_errors_of_the_page_are_codes_or_reasons(language: str) -> None:
    named = {name.partition(".")[2] for name in table(language) if name.startswith("errors.")}
    own = {"offline", "timeout", "other", "request_waits", "request_link", "request_emotext"}
    assert len(named) > 15
    assert named - own <= set(ERRORS)
    reasons = {name.partition(".")[2] for name in table(language) if name.startswith("report_reasons.")}
    assert reasons == {str(reason) for reason in ReportReason}


@pytest.mark.parametrize("language", ["ja", "en"])
def test_there_are_words_for_every_presence(language: str) -> None:
    words = table(language)
    assert set(re.findall(r"(\w+): ", words["presence_states"])) == {str(state) for state in PresenceState}
    told = {name.partition(".")[2] for name in words if name.startswith("seen_within.")}
    assert told == {f"s{seen}" for seen in Seen}
    assert set(re.findall(r"(\w+): ", words["visibility_to"])) == {str(to) for to in Audience}


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
    page = await _get(node.port, "/")
    assert page.head.startswith("HTTP/1.1 200")
    assert "cache-control: no-cache" in page.head
    assert HEADERS[0][1].decode() in page.head
    paths = set(re.findall(r'(?:src|href)="(/web/[^"]+)"', page.body.decode()))
    (version,) = {path.split("/")[2] for path in paths}
    for path in paths:
        file = await _get(node.port, path)
        assert "cache-control: public, max-age=31536000, immutable" in file.head
        # Another version's page is served what there is, and does not keep it.
        other = await _get(node.port, path.replace(version, "0" * len(version)))
        assert other.body == file.body
        assert "cache-control: no-cache" in other.head
    etag = re.search(r"etag: (.*)\r", page.head)
    assert etag is not None
    assert (await _get(node.port, "/", f"If-None-Match: {etag[1]}\r\n")).head.startswith("HTTP/1.1 304")
    for path in (
        "/web/none.js",
        "/web/index.html",
        "/web/a/b/page.js",
        "/web/../pages.py",
        "/web/%2e%2e/pages.py",
    ):
        assert (await _get(node.port, path)).head.startswith("HTTP/1.1 404"), path


async def test_the_first_load_is_small(start_node: Start) -> None:
    """At most 150 KB for everything the page fetches before somebody is inside."""
    node = await start_node()
    packed = "Accept-Encoding: gzip\r\n"
    page = await _get(node.port, "/", packed)
    html = gzip.decompress(page.body).decode()
    paths = set(re.findall(r'(?:src|href)="(/web/[^"]+)"', html))
    modules = {path.rpartition("/")[2] for path in paths if path.endswith(".js")}
    # Every module is named in the page, so that a slow line need not be asked again and again.
    assert modules == reached("page.js")
    sizes = {path: len((await _get(node.port, path, packed)).body) for path in paths}
    total = len(page.body) + sum(sizes.values())
    assert total <= 150_000, (total, sizes)
    script = await _get(node.port, next(path for path in paths if path.endswith("/page.js")), packed)
    assert gzip.decompress(script.body).decode() == TEXTS["page.js"]
    assert "vary: accept-encoding" in script.head
    plain = await _get(
        node.port, next(path for path in paths if path.endswith("/page.js")), "Accept-Encoding: gzip;q=0\r\n"
    )
    assert plain.body.decode() == TEXTS["page.js"]


def reached(name: str) -> set[str]:
    """A module and all that it imports, near and far."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += re.findall(r'from "\./([\w.]+)"', TEXTS[each])
    return found


def test_the_page_can_be_installed() -> None:
    manifest = json.loads(TEXTS["tsudoi.webmanifest"])
    assert manifest["display"] == "standalone"
    assert manifest["start_url"] == manifest["scope"] == "/"
    assert "maskable" in {icon["purpose"] for icon in manifest["icons"]}
    for icon in manifest["icons"]:
        data = (WEB / icon["src"].removeprefix("/web/")).read_bytes()
        if icon["type"] == "image/png":
            assert data.startswith(b"\x89PNG")
            width, height = struct.unpack(">II", data[16:24])
            assert icon["sizes"] == f"{width}x{height}"
    assert 'rel="manifest"' in TEXTS["index.html"]


class Answered(NamedTuple):
    """An answer of the server: its head in small letters, and its body."""

    head: str
    body: bytes


async def _get(port: int, path: str, headers: str = "") -> Answered:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}Connection: close\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.read()
    writer.close()
    await writer.wait_closed()
    return Answered(head.decode().lower().replace("http/", "HTTP/", 1), body)
