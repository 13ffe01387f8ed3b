"""Our WebSocket protocol class against Autobahn's cases (see the table), and against those who flood it."""

from __future__ import annotations

import dataclasses

import pytest

from realtime.closes import Close
from tests.gateway.conformance import CONTINUATION, PING, PONG, Case, Frame, cases, more, text
from tests.gateway.echoing import OPEN, EchoNode, Peer, echoing

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=[case.number for case in CASES])
async def test_autobahn(case: Case) -> None:
    whole = dataclasses.replace(case, step=0)
    small = sum(len(frame.payload) for frame in case.sends) < 2_000
    for each in (case, whole, *([dataclasses.replace(case, step=1)] if small else [])):
        with echoing():
            peer = Peer(EchoNode())
            assert peer.head.startswith(b"HTTP/1.1 101 ")
            for piece in each.pieces():
                peer.send(piece)
            assert peer.got() == (list(case.gets), case.code)


FAST = [case for case in CASES if case.enough]


@pytest.mark.parametrize("case", FAST, ids=[case.number for case in FAST])
async def test_what_is_no_text_ends_with_its_own_fragment(case: Case) -> None:
    with echoing():
        peer = Peer(EchoNode())
        for number, frame in enumerate(case.sends[: case.enough], 1):
            assert peer.got() == ([], None)
            peer.send(frame.data)
            assert peer.got()[1] == (case.code if number == case.enough else None)


def test_every_case_of_the_sections_is_there() -> None:
    numbers = [case.number for case in CASES]
    assert len(numbers) == len(set(numbers)) == 247
    by_section = {
        n: sum(number.split(".")[0] == n for number in numbers)
        for n in ["1", "2", "3", "4", "5", "6", "7", "10"]
    }
    assert by_section == {"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "10": 1}


@pytest.mark.parametrize(
    ("flood", "code"),
    [
        ([text(b"", final=False), *[more(b"")] * 200], Close.ABUSIVE_RATE),
        ([text(b"a", final=False), *[more(b"b")] * 200], Close.ABUSIVE_RATE),
        ([Frame(PING, b"x")] * 400, Close.ABUSIVE_RATE),
        ([Frame(PONG, b"x")] * 400, Close.ABUSIVE_RATE),
        ([text(b"", final=False), *[Frame(PING, b"x")] * 400], Close.ABUSIVE_RATE),
        ([Frame(CONTINUATION, b"", final=False)] * 200, Close.PROTOCOL_ERROR),
    ],
    ids=["empty fragments", "fragments", "pings", "pongs", "pings in a text", "continuations of nothing"],
)
@pytest.mark.parametrize("step", [0, 1])
async def test_f26_floods_end_early_and_cost_little(flood: list[Frame], code: Close, step: int) -> None:
    """What a flood is answered with is bounded too."""
    with echoing():
        peer = Peer(
            EchoNode(dataclasses.replace(OPEN, fragments_max=128, operations_per_s=20, operations_burst=60))
        )
        for piece in Case("flood", tuple(flood), step=step).pieces():
            peer.send(piece)
        assert peer.node.codes == [code]
        assert peer.got()[1] == code
        assert len(peer.transport.written) < 1_000
        before = len(peer.transport.written)
        peer.send(Frame(PING, b"more").data * 100)
        assert len(peer.transport.written) == before, "answered after the end"
