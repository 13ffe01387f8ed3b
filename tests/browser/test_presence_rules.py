"""Presence in a real browser, without a screen: what is known of people, what is said of oneself, and when
(`gateway/web/presence.js`, `attendance.js`, `writing.js`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from realtime.presence import SEEN_WITHIN_MS, seen_within
from tests.browser.conftest import Visit
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]

BEGIN = """
  const { PresenceBook, seenWithin } = await import("/web/presence.js");
  const { Attendance, Attention } = await import("/web/attendance.js");
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
  const settled = () => new Promise((resolve) => setTimeout(resolve));
"""

TABS = """
  const calls = [];
  const waiting = [];
  const link = {
    me: "me", live: false, follows: false, polls: false, now: () => now, later: (act, ms) => waiting.push([act, ms]),
    call: (op, d) => new Promise((resolve, reject) => calls.push({ op, d, resolve, reject })),
  };
  const tabs = new Attendance(link);
  const begin = () => {
    link.live = true;
    tabs.begun(tabs.coming);
  };
  const claim = (active, place = null, front = false) => ({ active, place, front });
  const answer = async (error = null) => {
    const { op, d, resolve, reject } = calls.shift();
    error ? reject(error) : resolve({});
    await settled();
    return [op, d];
  };
  const said = async () => (calls.length ? (await answer())[1] : null);
  const passed = () => {
    const [act, ms] = waiting.shift() ?? [() => {}, 0];
    now += ms;
    act();
    return ms;
  };
"""


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """Gives the modules."""
    with ServerProcess({}) as server:
        yield server


@pytest.fixture
def run(visit: Visit, server: ServerProcess) -> Any:
    """`run(script)`: what the script returns, with an empty book and a clock that the script moves."""
    visit.forgive("404")
    page = visit.page(f"{server.url}/docs")
    return lambda script: page.evaluate(f"async () => {{{BEGIN}{script}}}")


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


def test_a_tab_is_used_while_it_is_seen_and_touched(run: Any) -> None:
    told = run("""
      const tab = new Attention(true, now);
      const states = [tab.active(now), tab.active(now + 5 * MINUTE - 1), tab.active(now + 5 * MINUTE)];
      tab.used(now + 4 * MINUTE);
      states.push(tab.active(now + 8 * MINUTE));
      tab.shown(false, now + 4 * MINUTE);
      states.push(tab.active(now + 4 * MINUTE));
      tab.used(now + 4 * MINUTE);
      states.push(tab.active(now + 4 * MINUTE));
      tab.shown(true, now + 60 * MINUTE);
      states.push(tab.active(now + 60 * MINUTE), new Attention(false, now).active(now));
      return states;
    """)
    assert told == [True, True, False, True, False, False, True, False]


def test_one_word_for_each_change_and_one_after_the_other(run: Any) -> None:
    told = run(f"""{TABS}
      const heard = [];
      tabs.say(claim(true));
      const coming = tabs.coming;
      begin();
      heard.push(calls.length);
      tabs.say(claim(true, "room:a"));
      tabs.say(claim(true, "room:b"));
      tabs.say(claim(true, "room:c"));
      heard.push(calls.length, await said(), await said());
      tabs.say(claim(true, "room:c"));
      tabs.say(claim(true, "room:c", true));
      heard.push(calls.length);
      // On the way from one tab to another, or out and in again, one does not go away.
      tabs.say(claim(false));
      tabs.say(claim(true, "room:c"));
      heard.push(passed(), await said());
      tabs.say(claim(false));
      tabs.say(claim(false));
      heard.push(await said(), waiting.length, passed(), await said());
      link.live = false;
      tabs.say(claim(true, "room:d"));
      heard.push(calls.length);
      begin();
      heard.push(await said(), calls.length);
      return [coming, heard];
    """)
    assert told == [
        "online",
        [
            0,
            1,
            {"active": True, "place": "room:a"},
            {"active": True, "place": "room:c"},
            0,
            1000,
            None,
            None,
            1,
            1000,
            {"active": False, "place": None},
            0,
            {"active": True, "place": "room:d"},
            0,
        ],
    ]


def test_tabs_are_one_person_where_the_used_one_is(run: Any) -> None:
    told = run(f"""{TABS}
      const heard = [];
      const other = async (tab, ...what) => {{ await tabs.forAnother(tab, "presence.set", claim(...what)); heard.push(await said()); }};
      tabs.say(claim(false));
      begin();
      await other("b", true, "room:b");
      await other("c", true, "room:c", true);
      // The last one that changed has less to say than the one with the focus.
      await other("b", true, "room:bb");
      await other("c", true, "room:c", false);
      await other("b", true, "room:b");
      await other("b", false);
      // Said again, so that the leading tab knows that it lives.
      now += 100_000;
      await other("c", true, "room:c", false);
      now += 100_000;
      await other("b", false);
      // A tab that says nothing any more.
      now += 60_000;
      await other("b", false);
      passed();
      heard.push(await said());
      return heard;
    """)

    def at(room: str) -> dict[str, Any]:
        return {"active": True, "place": f"room:{room}"}

    assert told == [
        at("b"),
        at("c"),
        None,
        None,
        at("b"),
        at("c"),
        None,
        None,
        None,
        {"active": False, "place": None},
    ]


def test_a_following_tab_tells_the_leading_one(run: Any) -> None:
    told = run(f"""{TABS}
      link.follows = true;
      const heard = [];
      tabs.say(claim(true, "room:a", true));
      begin();
      heard.push(await said(), await said());
      tabs.say(claim(true, "room:a", true));
      heard.push(await said());
      tabs.say(claim(true, "room:a", true), {{ again: true }});
      heard.push(await said());
      link.polls = true;
      tabs.say(claim(false));
      heard.push(await said());
      return heard;
    """)
    own = {"active": True, "place": "room:a", "front": True}
    assert told == [own, None, None, own, None]


def test_what_was_refused_is_put_right(run: Any) -> None:
    told = run(f"""{TABS}
      tabs.say(claim(true));
      begin();
      tabs.say(claim(true, "room:gone"));
      await answer({{ code: "not_found" }});
      const closed = await said();
      tabs.say(claim(true, "room:next"));
      await answer({{ code: "rate_limited", retryMs: 700 }});
      return [closed, passed(), await said(), calls.length, waiting.length];
    """)
    assert told == [{"active": True, "place": None}, 700, {"active": True, "place": "room:next"}, 0, 0]


def test_all_that_tabs_show_is_asked_for_in_order(run: Any) -> None:
    told = run(f"""{TABS}
      const snapshots = [tabs.show({{ accounts: ["a", "b"], places: [] }})];
      snapshots.push(tabs.forAnother("t", "presence.watch", {{ accounts: ["b", "c"], places: ["community:p"] }}));
      await settled();
      const heard = [calls.length, ...(await answer()), ...(await answer({{ code: "not_found" }})), ...(await answer())];
      await Promise.all(snapshots);
      const many = Array.from({{ length: 600 }}, (_, n) => String(n));
      const last = tabs.show({{ accounts: many, places: [] }});
      await settled();
      const [, {{ accounts }}] = await answer();
      await last;
      link.polls = true;
      tabs.show({{ accounts: ["z"], places: [] }});
      await settled();
      return [heard, accounts.length, accounts[0], (await answer())[0], tabs.forAnother("t", "room.send", {{}})];
    """)
    assert told == [
        [
            1,
            "presence.watch",
            {"accounts": ["b", "c", "a"], "places": ["community:p"]},
            "presence.watch",
            {"accounts": ["b", "c", "a"], "places": ["community:p"]},
            "presence.watch",
            {"accounts": ["b", "c", "a"], "places": []},
        ],
        500,
        "0",
        "presence.get",
        None,
    ]


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
