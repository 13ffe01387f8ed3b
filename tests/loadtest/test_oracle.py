"""The oracle of the load test: what it must notice is done on purpose, to whole clients and to lean watchers (FAULTS §2, I1–I4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from channels import accounts
from gateway.crowd import Circle, Crowd, gather
from loadtest.people.board import Board, due_of, stamped
from loadtest.people.ground import Ground
from loadtest.people.ledger import Fault, Ledger
from loadtest.people.oracle import History, judge_ledger
from loadtest.people.run import Run, Wish
from loadtest.people.watcher import Watcher
from loadtest.serving import Circle as Tokens
from realtime.settings import Limits
from tests.support.nodes import RunningNode, Start
from tests.support.tampering import tampered
from tests.support.waiting import until

LINES = 12
FREE = Limits(
    operations_per_s=1e6,
    operations_burst=1e6,
    handshakes_per_address_per_s=1e6,
    handshakes_per_address_burst=1e6,
)


def said(frame: dict[str, Any]) -> bool:
    """True for a line of a person."""
    return frame.get("ev") == "message.created" and frame["d"]["message"]["text"] is not None


class Once:
    """Tampers with the frame of one line of one connection (number `least` or later), once; `did` says that it happened."""

    def __init__(
        self, how: Callable[[list[dict[str, Any]], dict[str, Any]], list[dict[str, Any]]], at: int = 5
    ) -> None:
        self._how = how
        self._at = at
        self._victim = -1
        self._lines: list[dict[str, Any]] = []
        self.least = 0
        self.did = False

    def __call__(self, number: int, payload: bytes) -> list[bytes]:
        frame = orjson.loads(payload)
        if not said(frame) or self.did or number < self.least or self._victim not in (-1, number):
            return [payload]
        self._victim = number
        self._lines.append(frame)
        if len(self._lines) < self._at:
            return [payload]
        told = self._how(self._lines, frame)
        self.did = told != [frame]
        return [orjson.dumps(each) for each in told]


def changed(frame: dict[str, Any], **message: Any) -> dict[str, Any]:
    """The same line, other words."""
    return {**frame, "d": {"message": {**frame["d"]["message"], **message}}}


class Swap(Once):
    """Two lines in the wrong order."""

    def __init__(self) -> None:
        super().__init__(lambda lines, frame: [])
        self._held: dict[str, Any] | None = None

    def __call__(self, number: int, payload: bytes) -> list[bytes]:
        if self._held is not None and number == self._victim and not self.did:
            frame = orjson.loads(payload)
            if frame.get("ch") == self._held["ch"]:
                self.did = True
                return [payload, orjson.dumps(self._held)]
            return [payload]
        told = super().__call__(number, payload)
        if not told and self._held is None:
            self._held, self.did = orjson.loads(payload), False
        return told


HARMS: dict[str, Callable[[], Once]] = {
    "hole": lambda: Once(lambda lines, frame: []),
    "double": lambda: Once(lambda lines, frame: [frame, frame]),
    "reorder": Swap,
    "content": lambda: Once(lambda lines, frame: [changed(frame, text="ちがうことば")]),
    # A line of a room that is somebody else's, and one that nobody ever said.
    "stranger": lambda: Once(
        lambda lines, frame: [frame, {**frame, "ch": "room:01KAFV3Q8Z7M0T5R1XH6W9C2DE"}]
    ),
}


async def crowd(server: RunningNode, people: int = 6) -> list[Tokens]:
    """Two circles of friends."""
    found: list[Circle] = []
    await gather(server.node.desk, Crowd(people, people // 2), found.append)
    return [Tokens([m.token for m in each.members], each.rooms, each.communities) for each in found]


async def play(ground: Ground, *, watching: bool, midway: Callable[[Run], None] = lambda run: None) -> Run:
    """An evening of a few lines, judged. With `watching`, two thirds of the people only watch."""
    run = Run(ground, Wish(6, 10.0, 1.0, 1))
    rooms = {f"room:{circle.rooms[0]}": circle.tokens[0] for circle in ground.circles}
    for circle in ground.circles:
        place = f"room:{circle.rooms[0]}"
        run.whole((token, [place]) for token in (circle.tokens[:1] if watching else circle.tokens))
        if watching:
            run.lean(circle.tokens[1:])
    await run.admit(run.people)
    await run.seat(run.watchers)
    for number in range(LINES):
        if number == LINES // 2:
            midway(run)
        for person in run.people:
            await person.say(person.places[0], f"{number}", run.meters.now)
    await run.finish()
    run.settle_s = 2.0
    await run.judge(rooms)
    await run.dismiss()
    return run


@pytest.mark.parametrize("watching", [False, True], ids=["whole", "lean"])
async def test_an_honest_evening_has_no_faults(start_node: Start, watching: bool) -> None:
    server = await start_node(FREE)
    run = await play(Ground(server.url, await crowd(server)), watching=watching)
    assert run.verdict.faults == []
    lines = LINES * len(run.people)
    assert (run.meters.counts["lines"], run.figures["lines in the histories"]) == (lines, lines)
    assert run.meters.delivery.count == lines * 3, "everybody measured every line of their room"


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("watching", [False, True], ids=["whole", "lean"])
async def test_what_is_done_to_one_line_is_noticed(start_node: Start, harm: str, watching: bool) -> None:
    server = await start_node(FREE)
    circles = await crowd(server)
    tamper = HARMS[harm]()
    # With watchers, the first two connections are the speakers'.
    tamper.least = 2 if watching else 0
    async with tampered(server.port, tamper) as port:
        run = await play(Ground(f"http://127.0.0.1:{port}", circles), watching=watching)
    assert tamper.did
    kinds = run.verdict.kinds
    # To a watcher, a line that comes late is one it has had: it keeps no list of what was missing.
    expected = {"reorder": {"hole", "double"}} if watching else {}
    assert set(kinds) & expected.get(harm, {harm}), kinds
    assert not run.verdict.good


async def test_a_watcher_whose_link_is_lost_comes_back_for_the_rest_and_is_judged(start_node: Start) -> None:
    server = await start_node(FREE)

    def harm(run: Run) -> None:
        run.watchers[0].close()
        run.watchers[1].faults.append(Fault("hole", run.watchers[1].who, "room:x", 1))
        run.watchers[1].close()

    run = await play(Ground(server.url, await crowd(server)), watching=True, midway=harm)
    assert run.verdict.kinds == {"hole": 1}, "what was seen before the link was lost counts"
    assert (run.meters.counts["links lost"], run.meters.counts["connects"]) == (2, 2 + 4 + 2)
    assert run.meters.delivery.count == LINES * len(run.people) * 3, "they heard the rest after all"


async def test_the_same_people_can_play_again(start_node: Start) -> None:
    server = await start_node(FREE)
    ground = Ground(server.url, await crowd(server))
    for _ in range(2):
        run = await play(ground, watching=False)
        assert run.verdict.faults == []
        assert run.meters.counts["lines"] == LINES * len(run.people)


async def test_a_line_that_was_acknowledged_and_is_nowhere_is_lost(start_node: Start) -> None:
    server = await start_node(FREE)
    run = await play(Ground(server.url, await crowd(server)), watching=False)
    ledger = Ledger("somebody")
    ledger.acked["01KAFV3Q8Z7M0T5R1XH6W9C2DE"] = 9
    assert [fault.kind for fault in judge_ledger(ledger, "", {})] == ["lost"]
    assert run.verdict.faults == []


async def test_nobody_is_judged_who_still_speaks() -> None:
    """A line that is begun by something else that was begun, when all there was to begin is begun (chatter's last line)."""
    run = Run(Ground("http://127.0.0.1:1", []), Wish(2, 1.0, 1.0, 1))
    said: list[str] = []

    async def say() -> None:
        await asyncio.sleep(0.05)
        said.append("")

    async def say_and_read() -> None:
        run.begin(say())

    run.begin(say_and_read())
    await run.finish()
    assert said
    assert run.verdict.faults == []
    run.settle_s = 0.05
    run.begin(forever := asyncio.ensure_future(asyncio.Event().wait()))
    await run.finish()
    assert run.verdict.kinds == {"unanswered": 1}
    forever.cancel()


async def test_an_answer_that_lies_about_the_end_is_a_hole(start_node: Start) -> None:
    """The last line never comes and nothing follows that would show it: the histories do."""
    server = await start_node(FREE)
    tamper = Once(lambda lines, frame: [], at=LINES * 3)
    async with tampered(server.port, tamper) as port:
        run = await play(Ground(f"http://127.0.0.1:{port}", await crowd(server)), watching=False)
    assert tamper.did
    assert {(fault.kind, fault.what) for fault in run.verdict.faults} == {("hole", "never came")}


# The ledger, frame by frame

ME, ROOM, OTHER = "user:me", "room:a", "room:b"


def channels(*rows: tuple[str, int, bool]) -> dict[str, Any]:
    """The answer to `connect` or `channel.sync`."""
    return {"id": 1, "ok": {"channels": [{"ch": ch, "seq": seq, "recovered": ok} for ch, seq, ok in rows]}}


def entry(at: int, /, ch: str = ROOM, ev: str = "x", **d: Any) -> dict[str, Any]:
    """A durable push."""
    return {"ch": ch, "seq": at, "ev": ev, "d": d}


def connected(*rows: tuple[str, int, bool], **positions: int) -> Ledger:
    """A ledger behind the answer to `connect`."""
    ledger = Ledger("me")
    again(ledger, *rows, **positions)
    return ledger


def again(ledger: Ledger, *rows: tuple[str, int, bool], op: str = "connect", **positions: int) -> None:
    """Connect, or sync."""
    if op == "connect":
        ledger.tap("open", {})
    named = {f"room:{name}" if name != "me" else ME: seq for name, seq in positions.items()}
    ledger.tap("out", {"id": 1, "op": op, "d": {"positions": named}})
    ledger.tap("in", channels(*rows))


def kinds(ledger: Ledger) -> list[tuple[str, str, int]]:
    """All faults."""
    return [(fault.kind, fault.channel, fault.seq) for fault in ledger.faults()]


def test_what_goes_on_by_one_is_good() -> None:
    ledger = connected((ME, 3, False), (ROOM, 7, False))
    for frame in (
        entry(8),
        entry(9),
        {"ch": ROOM, "seq": 10, "ev": "skip", "upto": 12},
        entry(13),
        entry(4, ME),
    ):
        ledger.tap("in", frame)
    assert kinds(ledger) == []
    assert ledger.settled({ROOM: 13, ME: 5}) == [ME]


@pytest.mark.parametrize(
    ("seqs", "expected"),
    [
        ((8, 10), [("hole", ROOM, 9)]),
        ((8, 11), [("hole", ROOM, 9), ("hole", ROOM, 10)]),
        ((8, 8), [("double", ROOM, 8)]),
        ((8, 10, 9, 11), [("reorder", ROOM, 9)]),
        ((7,), [("double", ROOM, 7)]),
    ],
)
def test_what_does_not_is_a_fault(seqs: tuple[int, ...], expected: list[tuple[str, str, int]]) -> None:
    ledger = connected((ROOM, 7, False))
    for seq in seqs:
        ledger.tap("in", entry(seq))
    assert kinds(ledger) == expected


def test_who_comes_back_continues_where_they_stood() -> None:
    ledger = connected((ROOM, 7, False))
    ledger.tap("in", entry(8))
    again(ledger, (ROOM, 10, True), a=8)
    for seq in (9, 10, 11):
        ledger.tap("in", entry(seq))
    assert kinds(ledger) == []
    # What a broken link took with it comes again, and is told once.
    again(ledger, (ROOM, 11, True), a=10)
    ledger.tap("in", entry(11))
    assert kinds(ledger) == []
    again(ledger, (ROOM, 20, True), a=19)
    assert kinds(ledger) == [("position", ROOM, 19)]


def test_what_is_told_not_to_be_continued_is_a_reload() -> None:
    ledger = connected((ROOM, 7, False))
    again(ledger, (ROOM, 5_000, False), a=7)
    ledger.tap("in", entry(5_001))
    ledger.tap("in", {"ev": "resync", "d": {"ch": ROOM, "seq": 6_000}})
    ledger.tap("in", entry(6_001))
    again(ledger, (ROOM, 6_001, True), op="channel.sync", a=6_001)
    assert (kinds(ledger), ledger.reloads) == ([], 2)


def test_rooms_come_and_go_by_the_inbox() -> None:
    ledger = connected((ME, 1, False))
    ledger.tap("in", entry(4, OTHER))
    ledger.tap("in", entry(2, ME, "room.joined", room="a", seq=3))
    ledger.tap("in", entry(4))
    ledger.tap("in", entry(3, ME, "room.left", room="a", seq=0))
    ledger.tap("in", entry(5))
    assert kinds(ledger) == [("stranger", OTHER, 4), ("stranger", ROOM, 5)]


def test_who_left_and_came_back_owes_nothing_of_before_and_all_since() -> None:
    ledger = connected((ME, 1, False), (ROOM, 7, False))
    ledger.tap("in", entry(2, ME, "room.left", room="a", seq=0))
    ledger.tap("in", entry(3, ME, "room.joined", room="a", seq=20))
    ledger.tap("in", entry(21))
    history = History(top=21)
    assert judge_ledger(ledger, "me", {ROOM: history}) == []
    history.top = 22
    assert [(f.kind, f.seq) for f in judge_ledger(ledger, "me", {ROOM: history})] == [("hole", 22)]


def test_what_the_inbox_says_of_before_an_answer_moves_nothing() -> None:
    ledger = connected((ME, 1, False))
    again(ledger, (ME, 3, True), (ROOM, 9, False), me=1)
    ledger.tap("in", entry(2, ME, "room.joined", room="a", seq=3))
    ledger.tap("in", entry(3, ME, "room.left", room="a", seq=0))
    ledger.tap("in", entry(10))
    assert kinds(ledger) == []


def test_what_is_fleeting_reaches_only_who_hears_the_channel() -> None:
    ledger = connected((ROOM, 7, False))
    ledger.tap("in", {"ch": ROOM, "ev": "channel.signal", "d": {}})
    ledger.tap("in", {"ch": OTHER, "ev": "channel.signal", "d": {}})
    assert kinds(ledger) == [("stranger", OTHER, 0)]


def test_the_same_line_has_the_same_words_each_time() -> None:
    ledger = connected((ROOM, 7, False))
    for text in ("あ", "い"):
        ledger.tap("in", entry(8, ROOM, "message.created", message={"id": "m", "author": "x", "text": text}))
        again(ledger, (ROOM, 8, True), a=7)
    assert [fault.kind for fault in ledger.faults()] == ["content"]


# The board and the watcher


def test_a_board_measures_each_hearing_and_notices_other_bytes() -> None:
    board = Board(100.0)
    frame = b'{"ch":"room:a","seq":1,"d":"%s"}' % stamped("やあ", 2.5).encode()
    assert due_of(frame) == 2.5
    for now in (103.0, 103.5):
        board.hear(b"room:a", 1, frame, now)
    board.hear(b"room:a", 1, frame + b" ", 104.0)
    assert board.take_delays() == [0.5, 1.0, 1.5]
    assert board.take_delays() == []
    assert board.differ == [(b"room:a", 1)]


async def test_a_watcher_shows_its_token_to_nobody_on_the_way() -> None:
    first = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first.set_result(await reader.read(1))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OSError):  # noqa: PT011  # a handshake may break off in many ways
            await Watcher("me", "t", Board(0.0)).connect(f"wss://127.0.0.1:{port}/gateway")
        assert await first == b"\x16", "a TLS handshake"


async def test_a_watcher_reads_frames_however_they_are_cut(start_node: Start) -> None:
    server = await start_node(FREE)
    account = await server.node.desk.db.write(lambda tx: accounts.create_account(tx, "aki", "aki", "test"))
    board = Board(0.0)
    watcher = Watcher("me", account.token, board)
    await watcher.connect(server.ws_url)
    await watcher.live
    transport = watcher.transport
    assert transport is not None
    watcher.seqs[b"room:a"] = 0
    body = b"".join(
        bytes((0x81, 126)) + len(data).to_bytes(2, "big") + data
        if len(data) > 125
        else bytes((0x81, len(data))) + data
        for data in (
            b'{"ch":"room:a","seq":%d,"ev":"x","at":1,"d":{"t":"%s"}}' % (seq, b"x" * (seq * 40))
            for seq in range(1, 8)
        )
    )
    for at in range(0, len(body), 7):
        watcher.data_received(body[at : at + 7])
    assert (watcher.seqs[b"room:a"], watcher.faults) == (7, [])
    watcher.close()
    await until(lambda: watcher.transport is None)
