"""Presence in a real browser, without a screen: what is known of people, and when a room is told that one writes
(`gateway/web/presence.js`, `writing.js`)."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.presence import SEEN_WITHIN_MS, seen_within

pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]

BEGIN = """
  const { PresenceBook, seenWithin } = await import("/web/presence.js");
  const { Writing } = await import("/web/writing.js");
  const MINUTE = 60_000;
  let now = 1_000_000_000;
  let changes = 0;
  const book = new PresenceBook(() => now, () => changes++);
  const told = (people, { places = {}, known = true, whole = false } = {}) =>
    book.apply({ ch: "user:me", ev: "presence.changed", at: now, d: { people, places, known, whole } });
  const person = (state, seen = null, doing = null) => ({ state, seen, doing });
  const writes = (...accounts) => book.apply({ ch: "room:r", ev: "room.typing", at: now, d: { room: "r", accounts } });
  const says = (author, more = {}) => book.apply({ ch: "room:r", seq: 1, ev: "message.created", d: { message: { room: "r", author, at: now, system: null, ...more } } });
"""


def test_buckets_are_those_of_the_server(run: Any) -> None:
    ages = [age + more for age, _ in SEEN_WITHIN_MS for more in (-1, 0, 1)] + [-5, 0, 10**12]
    assert run(f"return {ages}.map(seenWithin);") == [seen_within(age) for age in ages]


@pytest.mark.parametrize(
    ("seen", "passed", "wrote", "expected"),
    [
        # For a minute it stands as it was told.
        ("5m", 0, None, "5m"),
        ("5m", 1, None, "5m"),
        ("5m", 2, None, "15m"),
        ("5m", 11, None, "15m"),
        ("5m", 27, None, "1h"),
        ("3d", 2, None, "longer"),
        ("longer", 0, None, "longer"),
        # Their words say that they were here later than what they show.
        ("longer", 0, 0, "5m"),
        ("6h", 0, 40, "1h"),
        ("1h", 10, 4, "15m"),
        ("1h", 10, -9, "5m"),
        # Words older than the bound tell nothing new.
        ("15m", 0, 300, "15m"),
    ],
)
def test_a_bound_grows_and_never_outlives_their_words(
    run: Any, seen: str, passed: int, wrote: int | None, expected: str
) -> None:
    words = "" if wrote is None else f"book.wrote('a', now - {wrote} * MINUTE);"
    script = f"""{words}
      told({{ a: person("offline", "{seen}") }});
      now += {passed} * MINUTE;
      return book.view("a");"""
    assert run(script) == {"state": "offline", "seen": expected, "doing": None}


def test_whoever_goes_before_ones_eyes_went_now(run: Any) -> None:
    script = """
      const seen = [];
      for (const before of ["online", "idle", "unknown", "offline"]) {
        told({ a: person(before) });
        told({ a: person("offline", "5m") });
        now += 4 * MINUTE;
        seen.push(book.view("a").seen);
        now += 2 * MINUTE;
        seen.push(book.view("a").seen);
      }
      return seen;"""
    assert run(script) == ["5m", "15m"] * 2 + ["15m", "15m"] * 2


def test_who_may_not_be_known_of_is_given_no_time(run: Any) -> None:
    assert run("book.wrote('a', now); told({ a: person('offline') }); return book.view('a');") == {
        "state": "offline",
        "seen": None,
        "doing": None,
    }


def test_a_whole_word_leaves_nobody_online_whom_it_does_not_name(run: Any) -> None:
    states = run("""
      told({ a: person("online"), b: person("idle"), c: person("offline", "5m"), d: person("unknown") });
      told({ e: person("online", null, "room:r") }, { whole: true });
      return Object.fromEntries(["a", "b", "c", "d", "e", "f"].map((id) => [id, book.view(id)]));
    """)
    offline = {"state": "offline", "seen": None, "doing": None}
    assert states == {
        "a": offline,
        "b": offline,
        "c": {"state": "offline", "seen": "5m", "doing": None},
        "d": offline,
        "e": {"state": "online", "seen": None, "doing": "room:r"},
        "f": None,
    }


def test_without_a_link_nobody_is_known(run: Any) -> None:
    lost = run("""
      told({ a: person("online", null, "room:r"), b: person("offline", "5m") }, { places: { "community:c": { count: 3, few: false, people: ["a"] } } });
      writes("a");
      const before = [book.at("room:r", ["a", "b"]), book.crowd("community:c").count, book.writing("r")];
      book.lost();
      return [before, book.view("a"), book.view("b"), book.view("x"), book.at("room:r", ["a"]), book.crowd("community:c"), book.writing("r")];
    """)
    unknown = {"state": "unknown", "seen": None, "doing": None}
    assert lost == [[["a"], 3, ["a"]], unknown, unknown, None, [], None, []]


def test_a_count_of_a_node_that_lost_sight_is_no_count(run: Any) -> None:
    script = """
      const places = { "community:c": { count: 5, few: false, people: [] } };
      book.take({ people: {}, places, known: true });
      const before = book.crowd("community:c").count;
      told({}, { places, known: false });
      return [before, book.crowd("community:c")];"""
    assert run(script) == [5, None]


@pytest.mark.parametrize(
    ("then", "left"),
    [
        ("", ["a", "b"]),
        ("says('a');", ["b"]),
        ("told({ b: person('offline', '5m') });", ["a"]),
        ("told({ b: person('idle') });", ["a", "b"]),
        ("writes('b');", ["b"]),
        ("writes();", []),
        ("now += 2 * MINUTE;", []),
    ],
)
def test_writing_ends_by_words_by_going_and_by_time(run: Any, then: str, left: list[str]) -> None:
    assert run(f"writes('a', 'b'); {then} return book.writing('r');") == left


def test_only_presence_is_kept_from_the_others(run: Any) -> None:
    script = """
      const mine = [told({}), writes("a")];
      const theirs = [says("b"), book.apply({ ch: "author:b", seq: 1, ev: "post.created", d: { post: { author: { id: "c" }, at: now } } })];
      told({ b: person("offline", "longer"), c: person("offline", "1h"), d: person("offline", "longer") });
      says("d", { system: { what: "joined" } });
      return [mine, theirs, ["b", "c", "d"].map((id) => book.view(id).seen)];"""
    assert run(script) == [[True, True], [False, False], ["5m", "5m", "longer"]]


WRITER = """
  const said = [];
  const writing = new Writing((room, on) => said.push([room, on, now - 1_000_000_000]), () => now);
"""


@pytest.mark.parametrize(
    ("does", "expected"),
    [
        ("writing.edited('r', ''); writing.edited('r', '  \\n');", []),
        ("for (; now < 1_000_007_000; now += 100) writing.edited('r', 'あ');", [0, 3000, 6000]),
        ("writing.edited('r', 'あ'); now += 500; writing.edited('r', '');", [0, -500]),
        ("writing.edited('r', 'あ'); now += 500; writing.left(); writing.left();", [0, -500]),
        # After its lease nobody thinks so any more.
        ("writing.edited('r', 'あ'); now += 12_000; writing.left();", [0]),
        # What was sent says it itself, and what is written next is told as soon as it may be.
        ("writing.edited('r', 'あ'); writing.sent(); writing.edited('r', ''); writing.left();", [0]),
        (
            "writing.edited('r', 'あ'); writing.sent(); now += 2_999; writing.edited('r', 'い'); now += 1; writing.edited('r', 'いう');",
            [0, 3000],
        ),
        # Emptied and begun again within the three seconds.
        (
            "writing.edited('r', 'あ'); now += 10; writing.edited('r', ''); writing.edited('r', 'い'); now += 2_990; writing.edited('r', 'い');",
            [0, -10, 3000],
        ),
    ],
)
def test_writing_is_told_seldom_and_truly(run: Any, does: str, expected: list[int]) -> None:
    told = run(
        f"now = 1_000_000_000; {WRITER}{does.replace('1_000_007_000', '1_000_000_000 + 7_000')} return said;"
    )
    assert [at if on else -at for _, on, at in told] == expected


def test_writing_in_another_room_ends_it_in_the_first(run: Any) -> None:
    told = run(f"{WRITER} writing.edited('r', 'あ'); now += 10; writing.edited('s', 'い'); return said;")
    assert told == [["r", True, 0], ["r", False, 10], ["s", True, 10]]


def test_what_is_fleeting_moves_no_room(run: Any) -> None:
    told = run("""
      const { RoomBook } = await import("/web/rooms.js");
      let calls = 0;
      const rooms = new RoomBook({ call: () => (calls++, new Promise(() => {})) }, { put: () => {}, me: { id: "me" } }, () => {});
      rooms.put({ id: "r", seq: 7, read_seq: 7, unread: 0, last: null });
      rooms.apply({ ch: "room:r", ev: "room.typing", d: { room: "r", accounts: ["a"] } });
      rooms.apply({ ch: "room:r", ev: "channel.signal", d: {} });
      rooms.apply({ ch: "user:me", ev: "presence.changed", d: {} });
      rooms.apply({ ch: "room:unheard", ev: "channel.signal", d: {} });
      const quiet = [calls, rooms.get("r").seq];
      rooms.apply({ ch: "room:r", seq: 8, ev: "message.created", d: { message: { id: "m", seq: 8, author: "a" } } });
      return [quiet, rooms.get("r").seq, rooms.get("r").unread];
    """)
    assert told == [[0, 7], 8, 1]
