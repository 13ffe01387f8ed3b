"""The door for pictures, on real nodes: who puts what up, who gets what, and what browsers are told (FEATURES §3)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from structlog.testing import capture_logs

from channels.accounts import NewAccount
from gateway.auth import COOKIE
from realtime.settings import Limits
from tests.gateway.test_two_nodes import Pair, pair, start_pair  # noqa: F401  # fixtures
from tests.support.http import post
from tests.support.nodes import RunningNode, Start
from tests.support.pictures import fetch, new_id, plain, taken_with_a_phone, upload, vast_png
from tests.support.waiting import until

LIMITS = Limits()


async def put_up(node: RunningNode, account: NewAccount, data: bytes = b"") -> str:
    """A picture's id."""
    return str((await upload(node.url, account.token, data or plain())).ok["id"])


async def posted(node: RunningNode, account: NewAccount, picture: str, **fields: Any) -> dict[str, Any]:
    asked = [{"id": picture, "alt": "海"}]
    reply = await post(
        node.url, "post.create", account.token, text="見て", nonce=picture, pictures=asked, **fields
    )
    return dict(reply.ok)


async def test_a_picture_goes_up_is_shown_and_seen(start_node: Start) -> None:
    node = await start_node()
    aki, haru = await node.friends("aki", "haru")
    told = (await upload(node.url, aki.token, taken_with_a_phone())).ok
    assert (told["width"], told["height"], told["type"]) == (40, 60, "image/webp")
    assert 0 < told["expires_at"] - node.node.clock_ms() <= LIMITS.picture_unclaimed_s * 1000
    assert (await fetch(node.url, haru.token, told["id"])).status_code == 404
    assert (await fetch(node.url, aki.token, told["id"])).status_code == 200
    async with node.client(haru) as client:
        await posted(node, aki, told["id"])
        await client.until(lambda: bool(client.heard("post.created")))
        (heard,) = client.heard("post.created")
        expected = {"id": told["id"], "width": 40, "height": 60, "type": "image/webp", "alt": "海"}
        assert heard["d"]["post"]["pictures"] == [expected]
    answer = await fetch(node.url, haru.token, told["id"])
    assert answer.status_code == 200
    assert answer.content[8:12] == b"WEBP"
    assert (await fetch(node.url, haru.token, told["id"], "/preview")).content == answer.content


async def test_browsers_are_told_what_to_do_with_it(start_node: Start) -> None:
    node = await start_node()
    aki = await node.account("aki")
    picture = await put_up(node, aki)
    answer = await fetch(node.url, aki.token, picture)
    assert {name: answer.headers.get_list(name) for name in EXPECTED} == EXPECTED
    assert answer.headers["content-length"] == str(len(answer.content))
    tag = answer.headers["etag"]
    for known in (tag, f"W/{tag}"):
        again = await fetch(node.url, aki.token, picture, **{"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["cache-control"] == "private, no-cache"
    preview = await fetch(node.url, aki.token, picture, "/preview", **{"if-none-match": tag})
    assert preview.status_code == 200, "another part is another thing"
    missing = await fetch(node.url, aki.token, new_id(), **{"if-none-match": tag})
    assert (missing.status_code, missing.headers["cache-control"]) == (404, "no-store")


EXPECTED = {
    "content-type": ["image/webp"],
    "cache-control": ["private, no-cache"],
    "x-content-type-options": ["nosniff"],
    "content-security-policy": ["default-src 'none'; sandbox"],
    "content-disposition": ['inline; filename="picture.webp"'],
    "cross-origin-resource-policy": ["same-origin"],
    "referrer-policy": ["no-referrer"],
}


async def test_whatever_is_in_the_way_is_one_answer(start_node: Start) -> None:
    node = await start_node()
    aki, ken = await node.account("aki"), await node.account("ken")
    unshown, gone = await put_up(node, aki), await put_up(node, aki)
    sent = await posted(node, aki, gone)
    await post(node.url, "post.delete", aki.token, post=sent["post"])
    answers = []
    for picture in (
        unshown,
        gone,
        new_id(),
        "nonsense",
        "0" * 26,
        "i" * 26,
        f"{unshown}/whole",
        f"{unshown}/x",
    ):
        answer = await fetch(node.url, ken.token, picture)
        body = answer.json()
        body["error"].pop("request_id")
        answers.append((answer.status_code, body, sorted(answer.headers.keys())))
    assert answers[0][0] == 404
    assert all(each == answers[0] for each in answers)
    for token in ("", "tsd_nobody"):
        assert {(await fetch(node.url, token, each)).status_code for each in (unshown, new_id(), "x")} == {
            401
        }


async def test_the_cookie_serves_our_own_page_alone(start_node: Start) -> None:
    node = await start_node()
    aki = await node.account("aki")
    cookie = {"cookie": f"{COOKIE}={aki.token}"}
    here, evil = {"origin": node.url}, {"origin": "https://evil.example"}
    assert (await upload(node.url, "", plain(), **cookie)).code == "forbidden"
    assert (await upload(node.url, "", plain(), **cookie, **evil)).code == "forbidden"
    picture = (await upload(node.url, "", plain(), **cookie, **here)).ok["id"]
    assert (await upload(node.url, "", plain())).code == "unauthenticated"
    # An element of a page sends no Origin; browsers say from where it is asked for.
    statuses = {
        site: (
            await fetch(node.url, "", picture, **cookie, **({"sec-fetch-site": site} if site else {}))
        ).status_code
        for site in ("", "same-origin", "none", "same-site", "cross-site")
    }
    assert statuses == {"": 200, "same-origin": 200, "none": 200, "same-site": 403, "cross-site": 403}
    assert (await fetch(node.url, "", picture, **cookie, **evil)).status_code == 403
    assert (await fetch(node.url, "", picture, **cookie, **here)).status_code == 200


async def test_bodies_have_bounds(start_node: Start) -> None:
    limits = replace(LIMITS, picture_bytes_max=4_096, picture_uploads_per_min=100)
    node = await start_node(limits)
    aki = await node.account("aki")
    large = await upload(node.url, aki.token, b"x" * 5_000)
    assert (large.status, large.code, large.error["details"]) == (
        413,
        "too_large",
        {"limit": 4_096, "used": 5_000},
    )

    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * 1024 * 1024:
            sent += 1_000
            yield b"x" * 1_000

    # Of a body whose length nobody tells, no more is read than the bound and what the kernel holds.
    unknown = await upload(node.url, aki.token, endless())
    assert unknown.code == "too_large"
    assert unknown.error["details"]["limit"] == 4_096
    assert 4_096 < unknown.error["details"]["used"] < 256 * 1024
    bomb = await upload(node.url, aki.token, vast_png(50_000, 50_000))
    assert (bomb.status, bomb.error["details"]["unit"]) == (413, "pixels")
    assert (await upload(node.url, aki.token, b"hello")).code == "bad_picture"
    assert (await upload(node.url, aki.token, b"")).code == "bad_picture"
    assert node.node.media.held_bytes == 0
    assert (await upload(node.url, aki.token, plain())).status == 200


async def test_all_bodies_together_have_a_bound(start_node: Start) -> None:
    limits = replace(LIMITS, picture_bodies_bytes_max=100_000, picture_bytes_max=90_000)
    node = await start_node(limits)
    aki, haru = await node.account("aki"), await node.account("haru")
    more = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x" * 80_000
        await more.wait()
        yield b"x"

    first = asyncio.create_task(upload(node.url, aki.token, slow()))
    await until(lambda: node.node.media.held_bytes == 80_000)
    told = await upload(node.url, haru.token, b"x" * 30_000)
    assert (told.status, told.code) == (503, "unavailable")
    assert told.error["retry_ms"] > 0
    more.set()
    assert (await first).code == "bad_picture"
    assert node.node.media.held_bytes == 0
    assert (await upload(node.url, haru.token, plain())).status == 200


async def test_accounts_put_up_so_many_and_no_more(start_node: Start) -> None:
    limits = replace(
        LIMITS, picture_uploads_per_min=5, picture_unclaimed_max=3, picture_uploads_at_once_max=1
    )
    node = await start_node(limits)
    aki, haru = await node.account("aki"), await node.account("haru")
    statuses = [(await upload(node.url, aki.token, plain())).status for _ in range(6)]
    assert statuses == [200, 200, 200, 409, 409, 429]
    more = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield plain()
        await more.wait()

    first = asyncio.create_task(upload(node.url, haru.token, slow()))
    await until(lambda: node.node.media.held_bytes > 0)
    assert (await upload(node.url, haru.token, plain())).code == "rate_limited"
    more.set()
    assert (await first).status == 200
    assert (await upload(node.url, haru.token, plain())).status == 200


async def test_looks_have_a_rate_of_their_own(start_node: Start) -> None:
    limits = replace(
        LIMITS, picture_reads_per_s=0.001, picture_reads_burst=5, operations_per_s=0.001, operations_burst=4
    )
    node = await start_node(limits)
    aki = await node.account("aki")
    picture = await put_up(node, aki)
    assert [(await fetch(node.url, aki.token, picture)).status_code for _ in range(6)] == [200] * 5 + [429]
    assert (await post(node.url, "session.list", aki.token)).status == 200


async def test_a_slow_network_has_time_and_a_stranger_has_not(start_node: Start) -> None:
    node = await start_node(replace(LIMITS, handshake_s=0.3, picture_upload_s=60))
    aki = await node.account("aki")
    file = plain()
    known = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield file[:40]
        # Three times what any other request has: only the picture's own time can let this one through.
        await asyncio.sleep(0.9)
        yield file[40:]
        known.set()

    assert (await upload(node.url, aki.token, slow())).status == 200
    assert known.is_set()
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    head = f"POST /media HTTP/1.1\r\nhost: 127.0.0.1:{node.port}\r\ncontent-length: 100\r\n\r\nx"
    writer.write(head.encode())
    answered = await reader.read()
    assert b"401" in answered.split(b"\r\n", 1)[0]
    writer.close()


async def test_no_line_says_who_looked_at_what(start_node: Start) -> None:
    node = await start_node()
    aki, haru = await node.friends("aki", "haru")
    with capture_logs() as lines:
        picture = await put_up(node, aki)
        await upload(node.url, aki.token, b"no picture")
        await posted(node, aki, picture)
        for part in ("", "/preview"):
            await fetch(node.url, haru.token, picture, part)
            await fetch(node.url, "", picture, part)
    assert any(line["event"] == "picture refused" for line in lines), "lines are heard at all"
    assert [line for line in lines if picture in str(line)] == []
    # Nor do the tables: what they say of it is by whom and in what, never for whom.
    rows = await node.node.desk.db.read(
        lambda tx: [
            str(row)
            for (table,) in tx.rows(
                "select name from sqlite_master where type = 'table' and name not like 'found%'"
            )
            for row in tx.rows(f"select * from {table}")
        ]
    )
    assert any(picture in row for row in rows)
    assert [row for row in rows if picture in row and haru.account.id in row] == []


async def test_the_reference_tells_of_it(start_node: Start) -> None:
    node = await start_node()
    paths = (await asyncio.to_thread(_document, node.url))["paths"]
    assert set(paths["/media"]) == {"post"}
    assert set(paths["/media/{picture}"]) == set(paths["/media/{picture}/preview"]) == {"get"}


def _document(url: str) -> Any:
    import httpx2

    return httpx2.get(f"{url}/openapi.json").json()


async def test_two_nodes_see_the_same_and_let_go_at_once(pair: Pair) -> None:  # noqa: F811  # the fixture
    one, two = pair
    aki, haru = await one.friends("aki", "haru")
    room = (
        await post(one.url, "room.create", aki.token, title="集い", accounts=[haru.account.id], nonce="1")
    ).ok
    in_post, in_room = await put_up(one, aki), await put_up(one, aki)
    assert (await fetch(two.url, aki.token, in_post)).status_code == 200
    assert (await fetch(two.url, haru.token, in_post)).status_code == 404
    # Put up on one node, shown by the other, looked at on both.
    sent = await posted(two, aki, in_post)
    pictures = [{"id": in_room}]
    said = (
        await post(two.url, "room.send", aki.token, room=room["id"], text="", nonce="2", pictures=pictures)
    ).ok
    for node in pair:
        for picture in (in_post, in_room):
            assert (await fetch(node.url, haru.token, picture)).status_code == 200
    tag = (await fetch(one.url, haru.token, in_post)).headers["etag"]
    assert (await post(one.url, "post.delete", aki.token, post=sent["post"])).ok == {}
    assert (await post(one.url, "message.delete", aki.token, message=said["message"])).ok == {}
    for node in pair:
        for account in (aki, haru):
            for picture in (in_post, in_room):
                answer = await fetch(node.url, account.token, picture, **{"if-none-match": tag})
                assert answer.status_code == 404, "from the acknowledgement on, not a moment later"
