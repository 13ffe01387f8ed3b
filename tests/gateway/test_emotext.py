"""The doors for emotext on a real node: the catalogue for anybody, pictures for whom they are for (FEATURES §4)."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec

from gateway.auth import COOKIE
from realtime.emotext import VERSION
from realtime.emotext_catalogue import CATALOGUE
from realtime.emotext_svg import style_hash
from realtime.settings import Limits
from tests.support.http import http_client, post
from tests.support.nodes import RunningNode, Start


async def fetch(node: RunningNode, path: str, **headers: str) -> httpx2.Response:
    async with http_client(node.url) as client:
        return await client.get(path, headers=headers)


async def test_anybody_may_know_the_effects_and_hello_says_which_there_are(start_node: Start) -> None:
    node = await start_node()
    aki = await node.account("aki")
    told = await post(node.url, "emotext.list")
    assert msgspec.convert(told.ok, type(CATALOGUE)) == CATALOGUE
    async with node.client(aki) as client:
        assert await client.call("emotext.list") == told.ok
        assert client.hello["emotext_version"] == VERSION == told.ok["version"]


async def test_what_moves_is_heard_with_its_effects(start_node: Start) -> None:
    node = await start_node()
    aki, haru = await node.friends("aki", "haru")
    async with node.client(haru) as client:
        await post(node.url, "post.create", aki.token, text="海!", nonce="1", emotext=["uruuru", 1])
        await client.until(lambda: bool(client.heard("post.created")))
        (heard,) = client.heard("post.created")
        assert heard["d"]["post"]["emotext"] == ["big", "uruuru"]
        assert heard["d"]["post"]["play_at"] > heard["at"]


async def drawn_post(node: RunningNode, token: str) -> str:
    made = await post(node.url, "post.create", token, text="<海>", nonce="1", emotext=["shine"])
    return f"/posts/{made.ok['post']}.svg"


async def test_a_posts_picture_is_asked_for_as_the_post_is(start_node: Start) -> None:
    node = await start_node()
    aki, haru = await node.friends("aki", "haru")
    path = await drawn_post(node, aki.token)
    bearer = {"authorization": f"Bearer {haru.token}"}
    answer = await fetch(node, path, **bearer)
    assert answer.status_code == 200
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    _check_harmless(answer)
    cookie = {"cookie": f"{COOKIE}={haru.token}"}
    assert (await fetch(node, path, **cookie)).status_code == 200
    assert (await fetch(node, path, **cookie, **{"sec-fetch-site": "cross-site"})).status_code == 403
    assert (await fetch(node, path)).status_code == 401
    await post(node.url, "block.add", aki.token, account=haru.account.id)
    gone = await fetch(node, path, **bearer)
    nothing = await fetch(node, "/posts/00000000000000000000000000.svg", **bearer)
    assert gone.status_code == nothing.status_code == 404
    assert _without_id(gone) == _without_id(nothing)


def _without_id(answer: httpx2.Response) -> Any:
    return {**answer.json()["error"], "request_id": ""}


def _check_harmless(answer: httpx2.Response) -> None:
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-cache"
    (policy,) = answer.headers.get_list("content-security-policy")
    assert policy == f"default-src 'none'; style-src {style_hash(answer.text)}; sandbox"
    assert "&lt;海&gt;" in answer.text
    assert "<海>" not in answer.text


async def test_a_previews_picture_is_for_who_holds_its_id(start_node: Start) -> None:
    node = await start_node()
    aki = await node.account("aki")
    made = (await post(node.url, "emotext.preview", aki.token, text="<海>", emotext=["love"])).ok
    assert made["score"]["effects"] == ["love"]
    answer = await fetch(node, f"/emotext/{made['signed']}.svg")
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    _check_harmless(answer)
    assert (await fetch(node, f"/emotext/{made['id']}.svg")).status_code == 404
    assert (await fetch(node, "/emotext/今から.svg?text=x")).status_code == 404


async def test_pictures_are_not_asked_for_without_end(start_node: Start) -> None:
    node = await start_node(Limits(picture_reads_per_s=0.001, picture_reads_burst=3))
    aki = await node.account("aki")
    path = await drawn_post(node, aki.token)
    asked = [await fetch(node, path, authorization=f"Bearer {aki.token}") for _ in range(4)]
    assert [answer.status_code for answer in asked] == [200, 200, 200, 429]
    # The bucket of a network without an account gives one back each second, and holds sixty.
    guests = [(await fetch(node, "/emotext/x.svg")).status_code for _ in range(200)]
    assert guests[:50] == [404] * 50
    assert 429 in guests
