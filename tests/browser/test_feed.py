"""The order of a timeline in a real browser, without a screen: pages and pushes in every order (`gateway/web/feed.js`)."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]

BEGIN = """
  const { Feed } = await import("/web/feed.js");
  const posts = new Map();
  const gone = new Set();
  const book = { put: (all) => all.forEach((post) => posts.set(post.id, post)), get: (id) => posts.get(id), gone: (id) => gone.has(id) };
  const asked = [];
  const client = { call: (op, request) => new Promise((resolve, reject) => asked.push({ request, resolve, reject })) };
  const id = (n) => String(n).padStart(26, "0");
  const told = (n) => { book.put([{ id: id(n) }]); return id(n); };
  const between = (low, high) => Array.from({ length: high - low + 1 }, (_, at) => high - at);
  const page = (numbers, more_before = false) => ({ posts: numbers.map((n) => ({ id: id(n) })), more_before, more_after: false });
  const feed = new Feed(client, book, { which: "follow" }, { waits: true });
  const numbers = (ids) => ids.map(Number);
  const read = async (answer) => {
    const done = feed.read();
    asked.pop().resolve(answer);
    await done;
  };
"""


def test_what_waits_is_not_lost_to_a_page_that_is_shorter(run: Any) -> None:
    told = run("""
      await read(page(between(1, 10)));
      for (const n of between(11, 60).reverse()) feed.add(told(n));
      await read(page(between(31, 60), true));
      const waits = feed.fresh.length;
      feed.show();
      return [waits, numbers(feed.ids)];
    """)
    assert told == [50, list(range(60, 0, -1))]


def test_a_page_without_posts_leaves_none(run: Any) -> None:
    assert run("await read(page(between(1, 3))); await read(page([])); return [feed.ids, feed.more];") == [
        [],
        False,
    ]


def test_what_failed_is_done_again(run: Any) -> None:
    told = run("""
      await read(page(between(11, 40), true));
      const failing = feed.further();
      asked.pop().reject(new Error("no link"));
      await failing;
      const failed = feed.failed;
      const again = feed.again();
      const { request, resolve } = asked.pop();
      resolve(page(between(1, 10)));
      await again;
      const reading = feed.read();
      asked.pop().reject(new Error("no link"));
      await reading;
      const last = feed.again();
      const newest = asked.pop();
      newest.resolve(page(between(12, 41), true));
      await last;
      return [failed, Number(request.before_post), feed.failed, newest.request.before_post ?? null, numbers([...feed.fresh, ...feed.ids])];
    """)
    assert told == [True, 11, False, None, list(range(41, 0, -1))]


def test_what_was_let_go_of_is_not_brought_again_by_a_page_on_its_way(run: Any) -> None:
    told = run("""
      await read(page(between(1, 10)));
      const reading = feed.read();
      feed.dropWhere((each) => Number(each) % 2 === 0);
      asked.pop().resolve(page(between(1, 10)));
      await reading;
      return numbers(feed.ids);
    """)
    assert told == [9, 7, 5, 3, 1]


def test_what_waits_is_bounded_without_a_gap(run: Any) -> None:
    told = run("""
      await read(page(between(1, 10)));
      for (const n of between(11, 1300).reverse()) feed.add(told(n));
      const waits = feed.fresh.length;
      feed.show();
      return [waits, feed.ids.length, Number(feed.ids[0]), Number(feed.ids.at(-1)), feed.more];
    """)
    assert told == [1200, 1200, 1300, 101, True]


NEWS = """
  const { NewsList } = await import("/web/newslist.js");
  const lines = (low, high) => between(low, high).map((place) => ({ id: `like:${place}`, place, kind: "like", at: 1e12 + place, unread: false, actors: [], count: 0, name: "" }));
  const news = (low, high, next) => ({ notifications: lines(low, high), next });
  const pages = [news(31, 60, 31), news(71, 100, 71)];
  const call = async (op, { before }) => (op === "notification.list" && before === 71 ? news(41, 70, 41) : news(1, 30, null));
  const list = new NewsList(
    { client: { call }, people: { put() {} } },
    { page: async () => pages.shift(), region: document.createElement("p"), count() {} },
  );
  const places = () => [...document.querySelectorAll("#news li")].map(({ dataset }) => Number(dataset.id.split(":")[1]));
"""


def test_what_lies_between_two_pages_of_notifications_is_not_hidden(run: Any) -> None:
    told = run(
        NEWS
        + """
      list.open();
      await new Promise((go) => setTimeout(go));
      const first = places();
      await list.newest();
      const frames = async (wanted) => { while (!wanted()) await new Promise((go) => requestAnimationFrame(go)); };
      document.querySelector("#news button.plain").click();
      await frames(() => places().length > 30);
      return [first, places().slice(0, 60)];
    """
    )
    assert told == [list(range(60, 30, -1)), list(range(100, 40, -1))]
