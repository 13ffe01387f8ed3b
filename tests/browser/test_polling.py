"""Where WebSockets do not get through the page polls, and says so; a link that only looks alive is replaced."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.browser.conftest import DESKTOP, LOSS, Visit
from tests.browser.test_first_page import count, enter_room, line, said, state, write
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]

LIVE = "つながっています"
POLLING = "数秒おきに受け取っています"
AWAKE = "dispatchEvent(new PageTransitionEvent('pageshow'))"
# In one step: whatever came over the link between the two would be a sign that the page had not slept.
SLEEP_AND_WAKE = "{ const now = Date.now; Date.now = () => now() + 3_600_000; " + AWAKE + "; }"


def person_of(visit: Visit, link: str, context: Any, handle: str) -> Any:
    """A page of `context` in which a demo person has come in."""
    page = visit.page(link, context)
    page.locator(f"[data-handle={handle}]").click()
    page.locator("#house:visible").wait_for()
    return page


def test_without_websocket_one_reads_and_writes(visit: Visit, demo: ServerProcess, link: str) -> None:
    visit.forgive(*LOSS)
    context = visit.context(**DESKTOP)
    context.add_init_script("delete window.WebSocket;")
    aki, haru = person_of(visit, link, context, "aki"), visit.person(link, "haru")
    state(aki, POLLING)
    enter_room(aki)
    enter_room(haru)
    write(aki, "線なしで")
    line(haru, "線なしで").wait_for()
    line(aki, "線なしで").wait_for()
    count(aki.locator("#pending .line"), 0)
    begun = time.monotonic()
    write(haru, "届く?")
    line(aki, "届く?").wait_for()
    assert time.monotonic() - begun < 8, "within seconds"
    # A room that one is led into while polling.
    haru.locator("#new-button").click()
    haru.locator("#group-title").fill("ゆっくりの会")
    haru.locator("#group-people .choice", has_text="あき").click()
    haru.locator("#group-form [type=submit]").click()
    aki.locator(".room", has_text="ゆっくりの会").wait_for()
    write(haru, "ようこそ")
    enter_room(aki, "ゆっくりの会")
    line(aki, "ようこそ").wait_for()
    assert visit.open_sockets() == 1, "only the other one's"

    demo.kill()
    state(aki, "電波待ち")
    write(aki, "トンネルの中")
    demo.start()
    state(aki, POLLING)
    line(aki, "トンネルの中").wait_for()
    count(line(aki, "トンネルの中"), 1)


def test_sockets_that_never_greet_make_it_poll_until_they_do(visit: Visit, link: str) -> None:
    blocked = [True]
    context = visit.context(**DESKTOP)

    def gate(socket: Any) -> None:
        if blocked[0]:
            socket.close(code=1011)
        else:
            socket.connect_to_server()

    context.route_web_socket("**/gateway", gate)
    aki, haru = person_of(visit, link, context, "aki"), visit.person(link, "haru")
    state(aki, POLLING)
    enter_room(aki)
    enter_room(haru)
    write(aki, "塞がれている")
    line(haru, "塞がれている").wait_for()
    line(aki, "塞がれている").wait_for()
    # The way is free again, and somebody looks.
    blocked[0] = False
    aki.evaluate(AWAKE)
    state(aki, LIVE)
    before = aki.locator("#lines .line").count()
    write(haru, "通った")
    line(aki, "通った").wait_for()
    count(aki.locator("#lines .line"), before + 1)
    assert said(aki) == said(haru)
    assert said(aki)[-2:] == ["塞がれている", "通った"]


class Tunnel:
    """Between the page and the server: can swallow everything while both ends believe in the link."""

    def __init__(self, context: Any) -> None:
        self.dark = False
        self.up: list[dict[str, Any]] = []
        self.sockets = 0
        context.route_web_socket("**/gateway", self._dig)

    def _dig(self, socket: Any) -> None:
        self.sockets += 1
        number = self.sockets
        server = socket.connect_to_server()

        def up(frame: str) -> None:
            if not self.dark or number > 1:
                self.up.append(json.loads(frame))
                server.send(frame)

        def down(frame: str) -> None:
            if not self.dark or number > 1:
                socket.send(frame)

        socket.on_message(up)
        server.on_message(down)

    def asked(self, op: str) -> list[Any]:
        """What the page asked of this operation."""
        return [frame["d"] for frame in self.up if frame.get("op") == op]


def test_a_link_that_carries_nothing_is_replaced_on_waking(visit: Visit, link: str) -> None:
    context = visit.context(**DESKTOP)
    tunnel = Tunnel(context)
    aki, haru = person_of(visit, link, context, "aki"), visit.person(link, "haru")
    enter_room(aki)
    enter_room(haru)
    tunnel.dark = True
    write(haru, "聞こえない")
    line(haru, "聞こえない").wait_for()
    aki.evaluate(AWAKE)
    line(aki, "聞こえない").wait_for()
    assert tunnel.sockets == 2
    state(aki, LIVE)
    count(line(aki, "聞こえない"), 1)


def test_a_page_that_slept_asks_what_it_missed(visit: Visit, link: str) -> None:
    context = visit.context(**DESKTOP)
    tunnel = Tunnel(context)
    aki, haru = person_of(visit, link, context, "aki"), visit.person(link, "haru")
    enter_room(aki)
    enter_room(haru)
    write(haru, "眠る前")
    line(aki, "眠る前").wait_for()
    aki.evaluate(SLEEP_AND_WAKE)
    write(haru, "起きた後")
    line(aki, "起きた後").wait_for()
    (asked,) = tunnel.asked("channel.sync")
    connected = tunnel.asked("connect")
    assert len(asked["positions"]) >= 2
    assert len(connected) == tunnel.sockets == 1
    state(aki, LIVE)
    for text in ("眠る前", "起きた後"):
        count(line(aki, text), 1)
