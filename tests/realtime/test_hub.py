"""The hub: each listener hears each entry of its channels once, in order, as it may see it (WIRE §4)."""

from __future__ import annotations

import random
from collections.abc import Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.channel import seen_by
from realtime.events import encode
from realtime.hub import HELD_MAX, Hub, Listener
from realtime.parcels import Audience, Parcel
from realtime.recent import ENTRIES_MAX as RECENT_MAX
from realtime.sendqueue import Piece
from realtime.ws import FrameReader


def parcel(
    channel: str, seq: int, audience: Audience = Audience.ALL, target: str = "", kind: str = "x"
) -> Parcel:
    frame = encode({"ch": channel, "seq": seq, "ev": kind, "d": {}})
    return Parcel(channel, seq, kind, audience, "author", target, 0, "n", frame)


def unframed(data: bytes) -> list[dict]:
    """Server frames → their JSON (the client's reader wants masks, so the heads are read here)."""
    found = []
    while data:
        size, start = data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        found.append(orjson.loads(data[start : start + size]))
        data = data[start + size :]
    return found


class Ear:
    """A listener that keeps what it is given."""

    def __init__(self, account: str = "me") -> None:
        self.account = account
        self.writes: list[bytes] = []
        self.heard: list[dict] = []

    def write(self, piece: Piece) -> None:
        found = unframed(piece.data)
        assert len(found) == piece.frames
        assert all(frame["ch"] == piece.channel for frame in found)
        assert [frame.get("seq", 0) for frame in found] == [
            piece.first + n if piece.first else 0 for n in range(piece.frames)
        ]
        self.writes.append(piece.data)
        self.heard += found

    def write_all(self, pieces: Sequence[Piece]) -> None:
        before = len(self.writes)
        for piece in pieces:
            self.write(piece)
        self.writes[before:] = [b"".join(self.writes[before:])]

    def write_recovered(self, data: bytes) -> None:
        self.heard += unframed(data)

    def seqs(self, channel: str) -> list[int]:
        return [frame["seq"] for frame in self.heard if frame["ch"] == channel and "seq" in frame]


class Bench:
    """A hub, what it asked for, and a way to let ticks pass."""

    def __init__(self) -> None:
        self.wakes = 0
        self.gaps: list[str] = []
        self.obeyed: list[Parcel] = []
        self.hub = Hub(self._wake, self.gaps.append, self._obey)

    def _wake(self) -> None:
        self.wakes += 1

    def _obey(self, one: Parcel, only: Listener | None) -> None:
        self.obeyed.append(one)
        if one.kind == "removed":
            for listener in [only] if only else self.hub.of_account(one.target):
                if listener.account == one.target:
                    self.hub.leave(listener, one.channel, one.seq)

    def ear(self, account: str = "me", **positions: int) -> Ear:
        ear = Ear(account)
        self.hub.add(ear)
        assert self.hub.join(ear, positions.items(), self.hub.mark()) == []
        return ear


def test_frames_of_a_tick_are_one_write_and_one_wake() -> None:
    bench = Bench()
    ears = [bench.ear(c=0) for _ in range(3)]
    for seq in range(1, 6):
        bench.hub.offer(parcel("c", seq))
    assert bench.wakes == 1
    bench.hub.flush()
    assert [len(ear.writes) for ear in ears] == [1, 1, 1]
    assert ears[0].writes[0] is ears[1].writes[0]
    assert ears[0].seqs("c") == [1, 2, 3, 4, 5]


def test_frames_of_several_channels_are_one_write() -> None:
    bench = Bench()
    both, one = bench.ear(c=0, d=0), bench.ear(d=0)
    for seq in (1, 2):
        bench.hub.offer(parcel("c", seq))
        bench.hub.offer(parcel("d", seq))
    bench.hub.flush()
    assert (len(both.writes), len(one.writes)) == (1, 1)
    assert (both.seqs("c"), both.seqs("d"), one.seqs("d")) == ([1, 2], [1, 2], [1, 2])


def test_doubles_are_dropped_and_gaps_are_held() -> None:
    bench = Bench()
    ear = bench.ear(c=3)
    for seq in (3, 1, 6, 6, 4):
        bench.hub.offer(parcel("c", seq))
    assert bench.gaps == ["c"]
    assert bench.hub.gap_of("c") == (4, 6)
    bench.hub.fill([parcel("c", 5)])
    bench.hub.flush()
    assert ear.seqs("c") == [4, 5, 6]
    assert bench.hub.gap_of("c") is None


def test_a_suspicion_asks_once_and_ends_when_filled() -> None:
    bench = Bench()
    ear = bench.ear(c=3)
    assert not bench.hub.suspect("c", 3)
    assert not bench.hub.suspect("unknown", 9)
    assert bench.hub.suspect("c", 5)
    bench.hub.suspect("c", 6)
    assert bench.gaps == ["c"]
    assert bench.hub.gap_of("c") == (3, 6)
    bench.hub.fill([parcel("c", seq) for seq in (4, 5, 6)])
    bench.hub.flush()
    assert ear.seqs("c") == [4, 5, 6]


def test_more_than_can_be_held_is_read_later_without_loss() -> None:
    bench = Bench()
    ear = bench.ear(c=0)
    top = HELD_MAX + 50
    for seq in range(2, top + 1):
        bench.hub.offer(parcel("c", seq))
    bench.hub.fill([parcel("c", 1)])
    while (gap := bench.hub.gap_of("c")) is not None:
        bench.hub.fill([parcel("c", seq) for seq in range(gap[0] + 1, gap[1] + 1)])
    bench.hub.flush()
    assert ear.seqs("c") == list(range(1, top + 1))


def test_who_may_not_see_gets_the_same_skip_as_everybody() -> None:
    bench = Bench()
    me, other, third = bench.ear("me", c=0), bench.ear("other", c=0), bench.ear("third", c=0)
    bench.hub.offer(parcel("c", 1))
    bench.hub.offer(parcel("c", 2, Audience.ONLY, "me"))
    bench.hub.offer(parcel("c", 3, Audience.NOBODY, "other"))
    bench.hub.offer(parcel("c", 4))
    bench.hub.flush()
    assert [f["ev"] for f in me.heard] == ["x", "x", "skip", "x"]
    assert [f["ev"] for f in other.heard] == ["x", "skip", "skip", "x"]
    assert other.writes == third.writes
    assert other.heard[1] == {"ch": "c", "seq": 2, "ev": "skip", "upto": 2}


def test_ephemeral_events_are_withheld_not_skipped() -> None:
    bench = Bench()
    me, other = bench.ear("me", c=7), bench.ear("other", c=7)
    bench.hub.offer(parcel("c", 0))
    bench.hub.offer(parcel("c", 0, Audience.ONLY, "me"))
    bench.hub.offer(parcel("c", 0, Audience.NOBODY))
    bench.hub.flush()
    assert (len(me.heard), len(other.heard)) == (2, 1)


def test_a_removal_is_obeyed_before_any_higher_seq() -> None:
    bench = Bench()
    gone, stays = bench.ear("gone", c=0), bench.ear("stays", c=0)
    bench.hub.offer(parcel("c", 1))
    bench.hub.offer(parcel("c", 2, Audience.NOBODY, "gone", "removed"))
    bench.hub.offer(parcel("c", 3))
    bench.hub.flush()
    assert gone.seqs("c") == [1, 2]
    assert stays.seqs("c") == [1, 2, 3]
    assert not bench.hub.hears(gone, "c")


def test_a_removal_that_was_held_is_obeyed_in_its_place() -> None:
    bench = Bench()
    gone = bench.ear("gone", c=0)
    bench.hub.offer(parcel("c", 3))
    bench.hub.offer(parcel("c", 2, Audience.NOBODY, "gone", "removed"))
    bench.hub.offer(parcel("c", 1))
    bench.hub.flush()
    assert gone.seqs("c") == [1, 2]


def test_what_came_while_the_snapshot_was_read_is_not_lost() -> None:
    bench = Bench()
    old = bench.ear(c=5)
    fresh = Ear()
    bench.hub.add(fresh)
    mark = bench.hub.mark()
    for seq in (6, 7):
        bench.hub.offer(parcel("c", seq))
        bench.hub.offer(parcel("d", seq))
    assert bench.hub.join(fresh, [("c", 6), ("d", 5)], mark) == []
    bench.hub.offer(parcel("c", 8))
    bench.hub.offer(parcel("d", 8))
    bench.hub.flush()
    assert fresh.seqs("c") == [7, 8]
    assert fresh.seqs("d") == [6, 7, 8]
    assert old.seqs("c") == [6, 7, 8]


def test_a_listener_ahead_of_this_node_waits_until_it_has_caught_up() -> None:
    bench = Bench()
    old = bench.ear(c=3)
    fresh = Ear()
    bench.hub.add(fresh)
    assert bench.hub.join(fresh, [("c", 5)], bench.hub.mark()) == []
    assert bench.gaps == ["c"]
    for seq in (4, 5, 6):
        bench.hub.offer(parcel("c", seq))
    bench.hub.flush()
    assert old.seqs("c") == [4, 5, 6]
    assert fresh.seqs("c") == [6]


def test_a_join_that_cannot_be_proved_is_refused() -> None:
    bench = Bench()
    bench.ear(c=0)
    fresh = Ear()
    bench.hub.add(fresh)
    mark = bench.hub.mark()
    for seq in range(1, RECENT_MAX + 10):
        bench.hub.offer(parcel("c", seq))
    assert bench.hub.join(fresh, [("c", 3)], mark) == ["c"]
    assert not bench.hub.hears(fresh, "c")
    assert bench.hub.join(fresh, [("c", RECENT_MAX + 9)], bench.hub.mark()) == []


def test_what_is_remembered_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    one = parcel("c", 1)
    monkeypatch.setattr("realtime.recent.BYTES_MAX", len(one.frame) * 4)
    bench = Bench()
    bench.ear(c=0)
    fresh = Ear()
    bench.hub.add(fresh)
    mark = bench.hub.mark()
    for seq in range(1, 6):
        bench.hub.offer(parcel("c", seq))
    assert len(bench.hub.recent) <= 4
    assert bench.hub.join(fresh, [("c", 3)], mark) == ["c"]
    assert bench.hub.join(fresh, [("c", 5)], bench.hub.mark()) == []


def test_what_is_gone_leaves_nothing_behind() -> None:
    bench = Bench()
    ears = [bench.ear(f"p{n}", c=0, d=0) for n in range(3)]
    waiting = Ear("late")
    bench.hub.add(waiting)
    bench.hub.join(waiting, [("c", 9)], bench.hub.mark())
    for ear in [*ears, waiting]:
        bench.hub.remove(ear)
        bench.hub.remove(ear)
    assert bench.hub.names() == []
    assert bench.hub.of_account("p1") == []
    bench.hub.offer(parcel("c", 1))
    bench.hub.flush()
    assert ears[0].heard == []


AUDIENCES = st.sampled_from(
    [(Audience.ALL, ""), (Audience.ONLY, "me"), (Audience.ONLY, "other"), (Audience.NOBODY, "")]
)


@given(
    entries=st.lists(AUDIENCES, min_size=1, max_size=40),
    seed=st.integers(0, 2**32),
    chaos=st.floats(0, 0.6),
)
def test_whatever_the_path_does_everybody_hears_everything_once_in_order(
    entries: Sequence[tuple[Audience, str]], seed: int, chaos: float
) -> None:
    """Entries are dropped, doubled and swapped on the way; people come and go at any time; holes are read."""
    dice = random.Random(seed)
    bench = Bench()
    log = [parcel("c", n + 1, audience, target) for n, (audience, target) in enumerate(entries)]
    joined: list[tuple[Ear, int]] = []
    path: list[Parcel] = []
    for number, one in enumerate(log, start=1):
        if dice.random() < 0.3 or number == 1:
            joined.append((newcomer(bench, dice, path, number - 1), number - 1))
        path += [one] * dice.choices([0, 1, 2], [chaos, 1 - chaos, chaos])[0]
        if dice.random() < chaos:
            dice.shuffle(path)
        if path and dice.random() < 0.7:
            bench.hub.offer(path.pop(0))
        if dice.random() < 0.3:
            bench.hub.flush()
    for one in path:
        bench.hub.offer(one)
    bench.hub.suspect("c", len(log))
    while (gap := bench.hub.gap_of("c")) is not None:
        bench.hub.fill(log[gap[0] : gap[1]])
    bench.hub.flush()
    for ear, position in joined:
        assert ear.heard == [orjson.loads(seen_by(one, ear.account)) for one in log[position:]]


def newcomer(bench: Bench, dice: random.Random, path: list[Parcel], position: int) -> Ear:
    """A snapshot is read at `position`; entries arrive while it is read; then the listener joins there."""
    ear = Ear(dice.choice(["me", "other", "third"]))
    bench.hub.add(ear)
    mark = bench.hub.mark()
    for _ in range(dice.randrange(3)):
        if path:
            bench.hub.offer(path.pop(0))
    assert bench.hub.join(ear, [("c", position)], mark) == []
    return ear


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_frames_have_the_length_the_standard_gives_them(size: int) -> None:
    from realtime.ws import TEXT, frame

    data = frame(b"x" * size)
    mask_bit = bytes((data[0], data[1] | 0x80))
    head = {True: 2, False: 4 if size < 65_536 else 10}[size < 126]
    masked = mask_bit + data[2:head] + b"\x00" * 4 + data[head:]
    assert FrameReader(70_000, 8).feed(masked) == [(TEXT, b"x" * size)]


# Joining between a snapshot and now


def fresh_ear(bench: Bench, account: str = "me") -> Ear:
    ear = Ear(account)
    bench.hub.add(ear)
    return ear


@pytest.mark.parametrize("others", [0, 1])
def test_who_is_removed_between_snapshot_and_joining_hears_nothing_later(others: int) -> None:
    bench = Bench()
    for _ in range(others):
        bench.ear("other", c=5)
    late = fresh_ear(bench)
    mark = bench.hub.mark()
    bench.hub.offer(parcel("c", 6))
    bench.hub.offer(parcel("c", 7, Audience.NOBODY, "me", "removed"))
    bench.hub.offer(parcel("c", 8))
    assert bench.hub.join(late, [("c", 5)], mark) == []
    bench.hub.flush()
    bench.hub.offer(parcel("c", 9))
    bench.hub.flush()
    assert late.seqs("c") == [6, 7]
    assert not bench.hub.hears(late, "c")


def test_what_was_said_between_snapshot_and_joining_is_obeyed_for_the_newcomer_alone() -> None:
    bench = Bench()
    bench.ear("me", c=5)
    late = fresh_ear(bench)
    mark = bench.hub.mark()
    bench.hub.offer(parcel("c", 6, Audience.ALL, "room:new", "joined"))
    bench.obeyed.clear()
    assert bench.hub.join(late, [("c", 5)], mark) == []
    assert [one.kind for one in bench.obeyed] == ["joined"]


def test_an_old_removal_does_not_concern_a_newer_snapshot() -> None:
    bench = Bench()
    bench.ear("other", c=1)
    late = fresh_ear(bench)
    # The snapshot knows that "me" was removed by 2 and came back by 3; this node has heard of neither.
    assert bench.hub.join(late, [("c", 3)], bench.hub.mark()) == []
    bench.hub.offer(parcel("c", 2, Audience.NOBODY, "me", "removed"))
    bench.hub.offer(parcel("c", 3))
    bench.hub.offer(parcel("c", 4))
    bench.hub.flush()
    assert late.seqs("c") == [4]


def test_what_a_sweep_found_before_anyone_listened_is_asked_for_by_who_comes_later() -> None:
    bench = Bench()
    late = fresh_ear(bench)
    mark = bench.hub.mark()
    assert not bench.hub.suspect("c", 7)
    assert bench.hub.join(late, [("c", 5)], mark) == []
    assert bench.gaps == ["c"]
    assert bench.hub.gap_of("c") == (5, 7)


# Reading what was missed


def test_a_reader_is_told_nothing_until_it_has_caught_up() -> None:
    bench = Bench()
    live, reader = bench.ear("live", c=5), fresh_ear(bench)
    assert bench.hub.join(reader, [("c", 5)], bench.hub.mark(), reading=True) == []
    for seq in (6, 7):
        bench.hub.offer(parcel("c", seq))
    bench.hub.flush()
    assert (live.seqs("c"), reader.seqs("c")) == ([6, 7], [])
    assert bench.hub.resume(reader, "c", 5)
    bench.hub.offer(parcel("c", 8))
    bench.hub.flush()
    assert reader.seqs("c") == [6, 7, 8]
    assert bench.hub.resume(reader, "c", 5), "who hears already has nothing to resume"
    assert reader.seqs("c") == [6, 7, 8]


def test_a_reader_reads_on_when_too_much_was_said_meanwhile() -> None:
    bench = Bench()
    reader = fresh_ear(bench)
    bench.hub.join(reader, [("c", 5)], bench.hub.mark(), reading=True)
    for seq in range(6, RECENT_MAX + 20):
        bench.hub.offer(parcel("c", seq))
    assert not bench.hub.resume(reader, "c", 5)
    assert bench.hub.reads(reader, "c")
    assert bench.hub.last("c") == RECENT_MAX + 19
    assert bench.hub.resume(reader, "c", RECENT_MAX + 10)
    assert reader.seqs("c") == list(range(RECENT_MAX + 11, RECENT_MAX + 20))


def test_a_reader_that_is_removed_has_nothing_to_resume() -> None:
    bench = Bench()
    reader = fresh_ear(bench)
    bench.hub.join(reader, [("c", 5)], bench.hub.mark(), reading=True)
    bench.hub.offer(parcel("c", 6, Audience.NOBODY, "me", "removed"))
    assert not bench.hub.reads(reader, "c")
    assert bench.hub.resume(reader, "c", 6)
    bench.hub.offer(parcel("c", 7))
    bench.hub.flush()
    assert reader.heard == []


def test_a_removal_between_snapshot_and_joining_is_obeyed_for_a_reader_too() -> None:
    bench = Bench()
    name = "room:r"
    bench.ear("other", **{name: 5})
    reader = fresh_ear(bench)
    mark = bench.hub.mark()
    bench.hub.offer(parcel(name, 6, Audience.NOBODY, "me", "removed"))
    assert bench.hub.join(reader, [(name, 5)], mark, reading=True) == []
    assert not bench.hub.hears(reader, name)
    assert bench.hub.replay(reader, name, 4, 5) == 4
    assert bench.hub.resume(reader, name, 6)
    bench.hub.offer(parcel(name, 7))
    bench.hub.flush()
    assert reader.heard == []


def test_what_a_reader_obeyed_when_it_came_is_not_obeyed_again_when_it_is_told() -> None:
    bench = Bench()
    bench.ear("other", c=5)
    reader = fresh_ear(bench)
    mark = bench.hub.mark()
    bench.hub.offer(parcel("c", 6, Audience.ALL, "room:new", "joined"))
    bench.obeyed.clear()
    bench.hub.join(reader, [("c", 5)], mark, reading=True)
    bench.hub.offer(parcel("c", 7, Audience.ALL, "room:newer", "joined"))
    assert bench.hub.resume(reader, "c", 5)
    assert [one.target for one in bench.obeyed] == ["room:new", "room:newer"]
    assert reader.seqs("c") == [6, 7]


def test_a_reader_is_let_in_only_with_all_that_happened_since_its_snapshot() -> None:
    bench = Bench()
    bench.ear("other", c=5)
    reader = fresh_ear(bench)
    mark = bench.hub.mark()
    for seq in range(6, RECENT_MAX + 20):
        bench.hub.offer(parcel("c", seq))
    assert bench.hub.join(reader, [("c", 5)], mark, reading=True) == ["c"]
    assert not bench.hub.hears(reader, "c")


def test_memory_replays_to_all_alike_and_without_what_was_deleted_since() -> None:
    bench = Bench()
    name = "room:r"
    bench.ear("live", **{name: 1})
    for seq in range(2, 6):
        bench.hub.offer(
            parcel(name, seq, Audience.ONLY if seq == 4 else Audience.ALL, "b" if seq == 4 else "")
        )
    gone = encode({"ch": name, "seq": 6, "ev": "message.deleted", "d": {"message": "x", "message_seq": 3}})
    bench.hub.offer(Parcel(name, 6, "message.deleted", Audience.ALL, "a", "", 0, "n", gone))
    bench.hub.flush()
    heard = {}
    for account in ("a", "b"):
        reader = fresh_ear(bench, account)
        bench.hub.join(reader, [(name, 6)], bench.hub.mark(), reading=True)
        assert bench.hub.replay(reader, name, 1, 6) == 6
        assert bench.hub.resume(reader, name, 6)
        heard[account] = [frame["ev"] for frame in reader.heard]
    assert heard == {
        "a": ["x", "skip", "skip", "x", "message.deleted"],
        "b": ["x", "skip", "x", "x", "message.deleted"],
    }


@pytest.mark.parametrize(
    ("name", "after", "least"), [("room:r", 0, 3), ("room:r", 1, 4), ("user:me", 1, 3)], ids=str
)
def test_memory_says_nothing_where_it_cannot_vouch(name: str, after: int, least: int) -> None:
    bench = Bench()
    bench.ear("live", **{name: 1})
    for seq in (2, 3):
        bench.hub.offer(parcel(name, seq))
    reader = fresh_ear(bench)
    bench.hub.join(reader, [(name, 3)], bench.hub.mark(), reading=True)
    assert bench.hub.replay(reader, name, after, least) == after
    assert reader.heard == []


def test_ephemeral_events_are_pieces_of_their_own_behind_the_entries() -> None:
    bench = Bench()
    ear = bench.ear(c=0)
    bench.hub.offer(parcel("c", 0, Audience.ALL, "the last counts"))
    bench.hub.offer(parcel("c", 1))
    bench.hub.flush()
    assert [frame["seq"] for frame in ear.heard] == [1, 0]


# People who are apart, and what is fleeting


def told_by(author: str, channel: str, seq: int = 0, key: str = "") -> Parcel:
    """Something of a given author: an entry, or with seq 0 something fleeting."""
    seqs = {"seq": seq} if seq else {}
    frame = encode({"ch": channel, **seqs, "ev": "x", "d": {"by": author}})
    return Parcel(channel, seq, "x", Audience.ALL, author, key, 0, "n", frame)


def by(ear: Ear) -> list[str]:
    """Who was heard; `skip` where something was withheld."""
    return [frame["d"]["by"] if frame["ev"] == "x" else frame["ev"] for frame in ear.heard]


def test_fleeting_frames_of_a_tick_are_one_write_too() -> None:
    bench = Bench()
    ears = [bench.ear(c=0) for _ in range(3)]
    for _ in range(5):
        bench.hub.offer(told_by("a", "c"))
    bench.hub.flush()
    assert [len(ear.writes) for ear in ears] == [1, 1, 1]
    assert [len(ear.heard) for ear in ears] == [5, 5, 5]


def test_in_a_community_who_is_apart_gets_skips_and_nothing_fleeting() -> None:
    bench, place = Bench(), "community:x"
    bench.hub.part("ken", "aki")
    people = {name: bench.ear(name, **{place: 0}) for name in ("aki", "ken", "mio")}
    for name in people:
        bench.hub.apart.know(name, {"aki": ["ken"], "ken": ["aki"]}.get(name, []), bench.hub.apart.begun)
    for author in ("mio", "aki", "ken"):
        bench.hub.offer(told_by(author, place))
    for seq, author in enumerate(("mio", "ken", "aki", "mio"), 1):
        bench.hub.offer(told_by(author, place, seq))
    bench.hub.flush()
    assert by(people["mio"]) == ["mio", "ken", "aki", "mio", "mio", "aki", "ken"]
    assert by(people["aki"]) == ["mio", "skip", "aki", "mio", "mio", "aki"]
    assert by(people["ken"]) == ["mio", "ken", "skip", "mio", "mio", "ken"]
    assert people["aki"].seqs(place) == [1, 2, 3, 4]


def test_in_a_room_who_is_apart_hears_the_lines_and_nothing_fleeting() -> None:
    bench = Bench()
    aki, mio = bench.ear("aki", **{"room:x": 0}), bench.ear("mio", **{"room:x": 0})
    bench.hub.part("aki", "ken")
    bench.hub.offer(told_by("ken", "room:x", 1))
    bench.hub.offer(told_by("ken", "room:x"))
    bench.hub.flush()
    assert (by(aki), by(mio)) == (["ken"], ["ken", "ken"])


def test_a_block_cuts_between_two_frames_of_one_tick() -> None:
    bench, place = Bench(), "community:x"
    aki = bench.ear("aki", **{place: 0})
    bench.hub.offer(told_by("ken", place, 1))
    bench.hub.offer(told_by("ken", place))
    bench.hub.part("ken", "aki")
    bench.hub.offer(told_by("ken", place, 2))
    bench.hub.offer(told_by("ken", place))
    bench.hub.flush()
    assert by(aki) == ["ken", "ken", "skip"]


def test_what_was_missed_is_told_as_it_may_be_seen_now() -> None:
    bench, place = Bench(), "community:x"
    bench.ear("mio", **{place: 0})
    for seq, author in enumerate(("ken", "mio", "ken"), 1):
        bench.hub.offer(told_by(author, place, seq))
    bench.hub.flush()
    for name, expected in (("aki", ["skip", "mio", "skip"]), ("sora", ["ken", "mio", "ken"])):
        ear = Ear(name)
        bench.hub.add(ear)
        bench.hub.apart.know(name, ["ken"] if name == "aki" else [], bench.hub.apart.begun)
        assert bench.hub.join(ear, [(place, 3)], bench.hub.mark(), reading=True) == []
        assert bench.hub.replay(ear, place, 0, 3) == 3
        assert bench.hub.resume(ear, place, 3)
        assert by(ear) == expected
    late = Ear("yuki")
    bench.hub.add(late)
    bench.hub.apart.know("yuki", ["ken"], bench.hub.apart.begun)
    assert bench.hub.join(late, [(place, 1)], 0) == []
    assert by(late) == ["mio", "skip"]


def test_who_is_away_is_not_told_from_memory() -> None:
    bench, place = Bench(), "community:x"
    bench.ear("mio", **{place: 0})
    for seq, author in enumerate(("ken", "mio", "ken"), 1):
        bench.hub.offer(told_by(author, place, seq))
    bench.hub.recent.disown("ken")
    ear = Ear("aki")
    bench.hub.add(ear)
    assert bench.hub.join(ear, [(place, 3)], bench.hub.mark(), reading=True) == []
    assert bench.hub.replay(ear, place, 0, 3) == 0, "the log is asked"
    assert bench.hub.recent.top(place) == 3
