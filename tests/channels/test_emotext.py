"""Texts that move, as messages and posts carry them, on both back ends; previews and pictures (FEATURES §4)."""

from __future__ import annotations

import json

import orjson
import pytest
from msgspec import UNSET

from channels import emotext, entries, messages, posts, requests, timelines
from channels.desk import Actor
from realtime.emotext import LEAD_MS, EmotextPreview, EmotextPreviewed
from realtime.errors import Refusal
from realtime.posts import Post, PostGet, PostRef, Timeline, TimelineList
from realtime.requests import MessageDelete, MessageList, RoomOpen
from storage import log
from storage.emotext import drop_due_previews
from storage.export import everything_of
from storage.profiles import erase
from tests.support import places
from tests.support.world import World


async def read(world: World, viewer: Actor, post: str) -> Post:
    found = await posts.get(world.desk, viewer, PostGet(posts=[post]))
    return found.posts[0]


async def test_a_line_says_how_it_moves_and_when_live_and_read_again(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    sent = await world.say(aki, room.id, "いえーい", emotext=[131075, "big", 65537])
    channel = f"room:{room.id}"
    live = world.of(channel)[-1]
    told = orjson.loads(live.frame)["d"]["message"]
    assert told["emotext"] == ["big", "hoppy", "shine"]
    assert told["play_at"] == sent.at + LEAD_MS
    page = await messages.list_messages(world.desk, haru, MessageList(room=room.id))
    assert (page.messages[-1].emotext, page.messages[-1].play_at) == (told["emotext"], told["play_at"])
    # Whoever was away gets the same bytes, and sees by the time that it is over.
    rows = await world.desk.db.read(lambda tx: log.read(tx, [(channel, sent.seq - 1, sent.seq)], 10))
    (again,) = await world.desk.db.read(lambda tx: entries.render(tx, rows))
    assert again.frame == live.frame
    await messages.delete(world.desk, aki, MessageDelete(message=sent.message))
    page = await messages.list_messages(world.desk, haru, MessageList(room=room.id))
    assert [(line.emotext, line.play_at) for line in page.messages if line.deleted] == [([], None)]


async def test_lines_of_the_system_and_without_effects_stand_still(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    await world.say(aki, room.id, "しずか", emotext=[])
    page = await messages.list_messages(world.desk, haru, MessageList(room=room.id))
    assert any(line.system for line in page.messages)
    assert all((line.emotext, line.play_at) == ([], None) for line in page.messages)


async def test_a_post_moves_wherever_it_is_read(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    place = await places.found(world, aki, haru)
    made = await places.post(world, aki, place.id, "海!", emotext=["uruuru"])
    seen = await read(world, haru, made.post)
    assert (seen.emotext, seen.play_at) == (["uruuru"], made.at + LEAD_MS)
    request = TimelineList(which=Timeline.COMMUNITY, community=place.id)
    assert (await timelines.list_posts(world.desk, haru, request)).posts[0].emotext == ["uruuru"]
    await posts.delete(world.desk, aki, PostRef(post=made.post))
    kept = await world.desk.db.read(
        lambda tx: tx.rows("select body, emotext from post where id = :id", id=made.post)
    )
    assert [tuple(row) for row in kept] == [(None, None)]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (["big", "super_big"], "emotext_conflict"),
        (["big", 1], "emotext_conflict"),
        (["sparkle"], "emotext_unknown"),
        ([4], "emotext_unknown"),
    ],
)
async def test_what_cannot_be_is_refused_and_kept_nowhere(
    world: World, asked: list[str | int], code: str
) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    for send in (
        world.say(aki, room.id, "あ", emotext=asked),
        places.post(world, aki, None, "あ", emotext=asked),
    ):
        with pytest.raises(Refusal) as refused:
            await send
        assert (refused.value.code, refused.value.details) == (code, {"at": "$.emotext"})
    assert not {"post.created", "message.created"} & {
        parcel.kind
        for parcel in world.parcels
        if parcel.author == aki.account and b'"text":"' in parcel.frame
    }


async def test_nothing_moves_where_there_are_no_words(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    made = await places.post(world, haru, None, "読んで")
    with pytest.raises(Refusal) as refused:
        await posts.create(
            world.desk,
            aki,
            posts.p.PostCreate(nonce=world.nonce, repost_of=made.post, emotext=["big"]),
        )
    assert refused.value.code == "text_invalid"


async def test_the_words_of_a_message_request_stand_still(world: World) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    room = await requests.open_dm(world.desk, aki, RoomOpen(account=ken.account))
    with pytest.raises(Refusal) as refused:
        await world.say(aki, room.id, "はじめまして", emotext=["love"])
    assert (refused.value.code, refused.value.details["reason"]) == ("forbidden", "request_emotext")
    await world.say(aki, room.id, "はじめまして")


async def test_the_effects_belong_to_what_a_nonce_stands_for(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    first = await world.say(aki, room.id, "あ", nonce="one", emotext=["love"])
    assert await world.say(aki, room.id, "あ", nonce="one", emotext=["love"]) == first
    with pytest.raises(Refusal) as refused:
        await world.say(aki, room.id, "あ", nonce="one", emotext=["shine"])
    assert refused.value.code == "conflict"
    still = await world.say(aki, room.id, "い", nonce="two")
    assert await world.say(aki, room.id, "い", nonce="two", emotext=UNSET) == still


async def test_an_export_says_how_ones_words_moved(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    room = await world.group(aki, haru)
    await world.say(aki, room.id, "あ", emotext=["love"])
    await places.post(world, aki, None, "い", emotext=["big"])
    await previewed(world, aki)
    parts = await world.desk.db.read(lambda tx: everything_of(tx, aki.account))
    assert [row["emotext"] for row in parts["messages"]] == ['["love"]']
    assert [row["emotext"] for row in parts["posts"]] == ['["big"]']
    assert [row["text"] for row in parts["emotext_previews"]] == ["今から"]


# Previews and pictures


async def previewed(world: World, actor: Actor, text: str = "今から") -> EmotextPreviewed:
    asked = EmotextPreview(text=text, emotext=["super_big", "runrun"])
    return await emotext.preview(world.desk, actor, asked)


async def test_a_preview_is_a_score_and_a_picture_for_who_holds_its_id(world: World) -> None:
    aki = await world.person("aki")
    made = await previewed(world, aki, "今 < から")
    assert made.score.effects == ["super_big", "runrun"]
    assert "".join(made.score.graphemes) == "今 < から"
    assert made.signed.startswith(f"{made.id}.{made.expires_at}.")
    svg = await emotext.preview_svg(world.desk, made.signed)
    assert "今 &lt; から" in svg


async def test_an_id_that_was_not_signed_here_or_is_over_leads_nowhere(world: World) -> None:
    aki = await world.person("aki")
    made = await previewed(world, aki)
    name, due, signature = made.signed.split(".")
    wrong = [
        name,
        f"{name}.{due}.",
        f"{name}.{due}.{signature[:-1]}é",
        f"{name}.{int(due) + 1}.{signature}",
        f"{name}.{due}.{signature[::-1]}",
        f"{name}.²².{signature}",
        f"{'0' * 26}.{due}.{signature}",
        f"..{signature}",
    ]
    for signed in wrong:
        with pytest.raises(Refusal) as refused:
            await emotext.preview_svg(world.desk, signed)
        assert refused.value.code == "not_found"
    await world.desk.db.write(lambda tx: tx.rows("update emotext_preview set due = 1"))
    with pytest.raises(Refusal):
        await emotext.preview_svg(world.desk, made.signed)
    await world.desk.db.write(drop_due_previews)
    assert await kept_previews(world) == []


async def kept_previews(world: World) -> list[str]:
    rows = await world.desk.db.read(lambda tx: tx.rows("select id from emotext_preview order by id"))
    return [row[0] for row in rows]


async def test_of_somebodys_previews_the_newest_are_kept_and_erased_with_them(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    other = await previewed(world, haru)
    made = [(await previewed(world, aki)).id for _ in range(emotext.PREVIEWS_MAX + 2)]
    assert await kept_previews(world) == sorted([other.id, *made[2:]])
    await world.desk.db.write(lambda tx: erase(tx, aki.account))
    assert await kept_previews(world) == [other.id]


@pytest.mark.parametrize(
    ("text", "effects", "code"),
    [
        ("", ["big"], "text_invalid"),
        ("あ" * 150, ["big"], "text_too_long"),
        ("あ", [], "bad_request"),
        ("あ", ["big", "super_big"], "emotext_conflict"),
    ],
)
async def test_a_preview_is_refused_as_the_post_would_be(
    world: World, text: str, effects: list[str | int], code: str
) -> None:
    aki = await world.person("aki")
    with pytest.raises(Refusal) as refused:
        await emotext.preview(world.desk, aki, EmotextPreview(text=text, emotext=effects))
    assert refused.value.code == code


async def test_a_posts_picture_is_for_whoever_may_read_the_post(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    await world.follow("haru", "aki")
    made = await places.post(world, aki, None, "ひみつ", emotext=["down"])
    still = await places.post(world, aki, None, "しずか")
    masked = await places.post(world, aki, None, "結末は", emotext=["down"], mask="spoiler")
    await world.desk.db.write(
        lambda tx: tx.rows("update account set private = 1 where id = :a", a=aki.account)
    )
    for viewer in (aki, haru):
        assert "ひみつ" in await emotext.post_svg(world.desk, viewer, made.post)
    for viewer, post in (
        (ken, made.post),
        (haru, still.post),
        (haru, masked.post),
        (haru, "0" * 26),
        (haru, "x"),
    ):
        with pytest.raises(Refusal) as refused:
            await emotext.post_svg(world.desk, viewer, post)
        assert refused.value.code == "not_found"
    await posts.delete(world.desk, aki, PostRef(post=made.post))
    with pytest.raises(Refusal):
        await emotext.post_svg(world.desk, haru, made.post)


async def test_what_a_newer_gateway_wrote_is_told_and_stands_still_here(world: World) -> None:
    aki = await world.person("aki")
    made = await places.post(world, aki, None, "あした", emotext=["big"])
    await world.desk.db.write(
        lambda tx: tx.rows(
            "update post set emotext = :e where id = :id", e=json.dumps(["twirl", "big"]), id=made.post
        )
    )
    assert (await read(world, aki, made.post)).emotext == ["twirl", "big"]
    assert "あした" in await emotext.post_svg(world.desk, aki, made.post)
