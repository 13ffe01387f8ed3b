"""A real browser before a real server, for the tests of the page.

`demo` is a running demo, `visit` opens pages in it: one call, one person's browser. A complaint of the browser (an
error in the console, a script's exception, a policy that was broken) fails the test, unless the test said that it
will cause it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.chromium import find_chromium
from tests.support.server import ServerProcess

FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-sync",
    "--no-first-run",
)
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 360, "height": 640}, "is_mobile": True, "has_touch": True}
LOSS = (
    "ERR_CONNECTION",
    "ERR_CONTENT_LENGTH_MISMATCH",
    "ERR_EMPTY_RESPONSE",
    "ERR_INCOMPLETE_CHUNKED_ENCODING",
    "ERR_INTERNET_DISCONNECTED",
    "WebSocket",
)
"""What a browser complains about whose link is lost, whatever it was fetching."""
PATIENCE_MS = 30_000
"""How long anything is waited for: far more than it takes, for a busy machine."""
LINK = re.compile(r"http://\S+/#demo=\S+")


@dataclass
class Visit:
    """Opens pages. `forgiven` are words of complaints that the test expects."""

    browser: Any
    forgiven: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    sockets: list[tuple[Any, Any]] = field(default_factory=list)

    def open_sockets(self) -> int:
        """How many WebSockets the pages hold."""
        return sum(not page.is_closed() and not socket.is_closed() for page, socket in self.sockets)

    def forgive(self, *words: str) -> None:
        """Complaints with one of these words are part of the test."""
        self.forgiven.extend(words)

    def context(self, **options: Any) -> Any:
        """A browser of its own: no cookie, nothing kept."""
        return self.browser.new_context(locale="ja-JP", timezone_id="Asia/Tokyo", **(options or DESKTOP))

    def page(self, url: str, context: Any = None) -> Any:
        """A page at `url`, watched."""
        page = (context or self.context()).new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: self._complain(said.text) if said.type == "error" else None)
        page.on("websocket", lambda socket: self.sockets.append((page, socket)))
        page.on("pageerror", lambda error: self._complain(str(error)))
        page.goto(url)
        return page

    def person(self, link: str, handle: str, **options: Any) -> Any:
        """A page in which the demo person `handle` has come in; on a phone it shows the rooms."""
        page = self.page(link, self.context(**options))
        page.locator(f"[data-handle={handle}]").click()
        page.locator("#house:visible").wait_for()
        if options.get("is_mobile"):
            page.locator("#way-rooms").click()
        return page

    def leave(self) -> None:
        """Close all pages, before their server goes."""
        for context in self.browser.contexts:
            context.close()

    def _complain(self, text: str) -> None:
        self.complaints.append(text)

    def unforgiven(self) -> list[str]:
        """What the browser complained about without being expected to."""
        return [said for said in self.complaints if not any(word in said for word in self.forgiven)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, started once for a module; no Chromium is a skip, or a failure where the tests are strict."""
    chromium = find_chromium()
    if chromium is None:
        (pytest.fail if os.environ.get("TSUDOI_TEST_STRICT") == "1" else pytest.skip)("no Chromium on PATH")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Visit]:
    """A browser in which nobody has been yet."""
    visit = Visit(browser)
    yield visit
    visit.leave()
    assert visit.unforgiven() == []


@pytest.fixture
def demo_settings() -> dict[str, str]:
    """What a module's demo is told besides; for modules to say otherwise."""
    return {}


@pytest.fixture
def demo(visit: Visit, demo_settings: dict[str, str]) -> Iterator[ServerProcess]:
    """A running demo with fresh data."""
    with ServerProcess(demo_settings, ("demo",)) as server:
        yield server
        visit.leave()


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """A server, for tests that change nothing in it."""
    with ServerProcess({}) as started:
        yield started


@pytest.fixture
def run(visit: Visit, server: ServerProcess, request: pytest.FixtureRequest) -> Any:
    """`run(script)`: what the script returns in a page after the module's `BEGIN`, which loads what is tested."""
    visit.forgive("404")
    page = visit.page(f"{server.url}/docs")
    return lambda script: page.evaluate(f"async () => {{{request.module.BEGIN}{script}}}")


@pytest.fixture
def link(demo: ServerProcess) -> str:
    """The link that the demo printed."""
    return demo.wait_for_log(LINK)
