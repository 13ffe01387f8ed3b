"""What a browser's tabs say of the person at them, without a screen (`gateway/web/attendance.js`)."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]

BEGIN = """
  const { Attendance, Attention } = await import("/web/attendance.js");
  const MINUTE = 60_000;
  let now = 1_000_000_000;
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
