"""Replies, quotes, reposts, mentions and masks, on both databases (FEATURES §3)."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import posts, profiles, relations
from channels.desk import Actor
from channels.rules.posts import Target, Way, reason_against
from channels.writing import MENTIONS_MAX, handles_in
from realtime import posts as p
from realtime import relations as n
from realtime.errors import Refusal
from realtime.ids import author_channel
from tests.support.places import found, got, join, page, post, take_back
from tests.support.relations import block, code
from tests.support.world import World


async def one(world: World, viewer: Actor, post_id: str) -> p.Post:
    """A post as a viewer reads it by id."""
    (row,) = (await posts.get(world.desk, viewer, p.PostGet(posts=[post_id]))).posts
    return row


async def counts(world: World, viewer: Actor, post_id: str) -> tuple[int, int, int]:
    """(replies, reposts, quotes) of a post."""
    told = (await one(world, viewer, post_id)).counts
    assert told is not None
    return told.replies, told.reposts, told.quotes


async def reason(work: object) -> str:
    """The reason of a `forbidden`."""
    with pytest.raises(Refusal) as refused:
        await work  # type: ignore[misc]  # any use case
    assert refused.value.code == "forbidden"
    return str(refused.value.details["reason"])


async def private(world: World, actor: Actor, *, closed: bool = True) -> None:
    """From now on only followers read it, or everybody again."""
    await profiles.update(world.desk, actor, n.AccountUpdate(private=closed))


async def test_a_reply_lives_where_what_it_answers_does(world: World) -> None:
    aki, haru = await world.people("aki", "haru", mutual=False)
    place = await found(world, aki, haru)
    first = await post(world, aki, place.id, "どう?")
    second = await post(world, haru, None, "うん", reply_to=first.post)
    third = await post(world, aki, place.id, "そう", reply_to=second.post)
    for reply, answered in ((second, first), (third, second)):
        row = await one(world, aki, reply.post)
        assert (row.channel, row.community) == (place.channel, place.id)
        assert (row.reply_to, row.root) == (answered.post, first.post)
    elsewhere = await found(world, aki)
    assert await code(post(world, aki, elsewhere.id, reply_to=first.post)) == "bad_request"
    said = await post(world, aki, None, "ひとりごと")
    answer = await post(world, haru, None, "きこえた", reply_to=said.post)
    assert (await one(world, aki, answer.post)).channel == author_channel(haru.account)
    assert await code(post(world, haru, place.id, reply_to=said.post)) == "bad_request"
    assert await counts(world, aki, first.post) == (1, 0, 0)
    assert await counts(world, aki, said.post) == (1, 0, 0)


async def test_whoever_is_outside_does_not_answer_inside(world: World) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    place = await found(world, aki)
    said = await post(world, aki, place.id)
    assert await code(post(world, ken, None, reply_to=said.post)) == "not_member"
    # Words that everybody reads may be quoted and passed on by everybody.
    quote = await post(world, ken, None, "みて", quote_of=said.post)
    passed = await post(world, ken, None, "", repost_of=said.post)
    assert await counts(world, aki, said.post) == (0, 1, 1)
    assert (await one(world, aki, quote.post)).quote_of == said.post
    row = await one(world, aki, passed.post)
    assert (row.repost_of, row.text) == (said.post, "")


async def test_what_a_post_refers_to_is_an_id_and_never_words(world: World) -> None:
    aki, ken = await world.people("aki", "ken", mutual=False)
    said = await post(world, aki, None, "ひみつのことば")
    await post(world, ken, None, "これ", quote_of=said.post)
    await post(world, ken, None, "", repost_of=said.post)
    await post(world, ken, None, "へえ", reply_to=said.post)
    entries = world.of(author_channel(ken.account))
    assert len(entries) == 3
    for entry in entries:
        told = orjson.loads(entry.frame)["d"]["post"]
        assert "ひみつ" not in entry.frame.decode()
        assert said.post in (told["quote_of"], told["repost_of"], told["reply_to"])
        # Counts and what the reader left differ by reader and moment: pushes say nothing of them.
        assert (told["counts"], told["mine"]) == (None, None)


async def test_one_of_three_and_a_repost_has_no_words(world: World) -> None:
    (aki,) = await world.people("aki")
    said = await post(world, aki, None)
    for fields in (
        {"reply_to": said.post, "quote_of": said.post},
        {"quote_of": said.post, "repost_of": said.post, "text": ""},
        {"repost_of": said.post, "text": "words"},
        {"repost_of": said.post, "text": "", "mask": p.Mask.SPOILER},
    ):
        text = str(fields.pop("text", "x"))
        assert await code(post(world, aki, None, text, **fields)) == "bad_request"
    assert await code(post(world, aki, None, "", quote_of=said.post)) == "text_invalid"
    for way in ("reply_to", "quote_of", "repost_of"):
        text = "" if way == "repost_of" else "x"
        assert await code(post(world, aki, None, text, **{way: aki.session})) == "not_found"


async def test_something_is_passed_on_once_until_it_is_taken_back(world: World) -> None:
    aki, ken = await world.people("aki", "ken")
    place = await found(world, aki, ken)
    said = await post(world, aki, None)
    outcomes = await asyncio.gather(
        *(post(world, ken, None, "", repost_of=said.post) for _ in range(4)), return_exceptions=True
    )
    passed = [each for each in outcomes if isinstance(each, p.Posted)]
    assert len(passed) == 1
    assert {each.code for each in outcomes if isinstance(each, Refusal)} == {"conflict"}
    assert await counts(world, aki, said.post) == (0, 1, 0)
    await post(world, ken, place.id, "", repost_of=said.post)
    assert await counts(world, aki, said.post) == (0, 2, 0)
    assert await reason(post(world, aki, None, "", repost_of=passed[0].post)) == "repost"
    await take_back(world, ken, passed[0].post)
    await take_back(world, ken, passed[0].post)
    assert await counts(world, aki, said.post) == (0, 1, 0)
    await post(world, ken, None, "", repost_of=said.post)
    assert await counts(world, aki, said.post) == (0, 2, 0)


async def test_words_for_followers_are_not_carried_further(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    await world.follow("haru", "aki")
    place = await found(world, aki, haru)
    inside = await post(world, aki, place.id, "ひろば")
    said = await post(world, aki, None, "うちわ")
    await private(world, aki)
    for who in (haru, aki):
        assert await reason(post(world, who, place.id, "みて", quote_of=said.post)) == "private"
        assert await reason(post(world, who, None, "みて", quote_of=inside.post)) == "private"
        await post(world, who, place.id, "ここでは", quote_of=inside.post)
    assert await reason(post(world, haru, None, "", repost_of=said.post)) == "private"
    # To whom it is not shown it does not exist.
    for way, text in (("quote_of", "x"), ("repost_of", ""), ("reply_to", "x")):
        assert await code(post(world, ken, None, text, **{way: said.post})) == "not_found"
    assert (await post(world, haru, None, "うん", reply_to=said.post)).seq
    await private(world, aki, closed=False)
    await post(world, haru, None, "みて", quote_of=said.post)


@given(
    way=st.sampled_from(Way),
    target=st.builds(
        Target, is_repost=st.booleans(), inside=st.booleans(), private=st.booleans(), closed=st.booleans()
    ),
)
def test_nothing_closed_leaves_its_place(way: Way, target: Target) -> None:
    allowed = reason_against(way, target) is None
    if target.is_repost:
        assert not allowed
    elif way is Way.REPLY or target.inside:
        assert allowed
    else:
        assert allowed == (not target.closed and not target.private)


async def test_a_block_is_obeyed_by_all_ways(world: World) -> None:
    aki, ken = await world.people("aki", "ken")
    said = await post(world, aki, None)
    await block(world, aki, ken)
    mine = await post(world, ken, None)
    for who, other in ((ken, said), (aki, mine)):
        for way, text in (("quote_of", "x"), ("repost_of", ""), ("reply_to", "x")):
            assert await code(post(world, who, None, text, **{way: other.post})) == "not_found"


async def test_replies_stay_when_what_they_answer_is_gone(world: World) -> None:
    aki, ken = await world.people("aki", "ken")
    said = await post(world, aki, None, "@ken ねえ")
    answer = await post(world, ken, None, "はい", reply_to=said.post)
    await take_back(world, aki, said.post)
    assert await got(world, ken, said.post, answer.post) == [answer.post]
    thread = await page(world, aki, p.Timeline.THREAD, post=answer.post)
    assert [each.text for each in thread.posts] == ["はい"]
    assert await code(post(world, ken, None, "まだ?", reply_to=said.post)) == "not_found"
    kept = await world.desk.db.read(
        lambda tx: tx.rows("select body, mentions from post where id = :id", id=said.post)
    )
    assert kept == [(None, "[]")]
    await take_back(world, ken, answer.post)
    thread_again = page(world, aki, p.Timeline.THREAD, post=answer.post)
    assert await code(thread_again) == "not_found"


async def test_who_is_named_and_may_see_the_place_is_mentioned(world: World) -> None:
    aki, haru, ken = await world.people("aki", "haru", "ken", mutual=False)
    text = "@haru と @KEN と @nobody と @aki と mail@ken.example と @haru"
    said = await post(world, aki, None, text)
    assert (await one(world, aki, said.post)).mentions == [haru.account, ken.account]
    await block(world, ken, aki)
    said = await post(world, aki, None, text)
    assert (await one(world, aki, said.post)).mentions == [haru.account]
    await private(world, aki)
    assert (await one(world, aki, (await post(world, aki, None, text)).post)).mentions == []
    await world.follow("haru", "aki")
    assert (await one(world, aki, (await post(world, aki, None, text)).post)).mentions == [haru.account]
    place = await found(world, aki)
    said = await post(world, aki, place.id, text)
    assert (await one(world, aki, said.post)).mentions == [haru.account]


@pytest.mark.parametrize(
    ("text", "found_"),
    [
        ("@aki", ("aki",)),
        ("やあ @Aki、@haru_1!", ("aki", "haru_1")),
        ("(@aki)@haru", ("aki", "haru")),
        ("a@aki.example @@aki x.@aki", ()),
        ("@" + "a" * 21, ()),
        ("@aki.", ("aki",)),
        (" ".join(f"@u{i}" for i in range(20)), tuple(f"u{i}" for i in range(MENTIONS_MAX))),
    ],
)
def test_handles_in_a_text(text: str, found_: tuple[str, ...]) -> None:
    assert handles_in(text) == found_


async def test_a_mask_is_told(world: World) -> None:
    (aki,) = await world.people("aki")
    for mask in p.Mask:
        said = await post(world, aki, None, mask=mask)
        assert (await one(world, aki, said.post)).mask is mask
    told = [orjson.loads(each.frame)["d"]["post"]["mask"] for each in world.of(author_channel(aki.account))]
    assert told == list(p.Mask)


async def test_other_content_under_one_nonce_is_a_conflict(world: World) -> None:
    (aki,) = await world.people("aki")
    said = await post(world, aki, None, nonce="n")
    assert await post(world, aki, None, nonce="n") == said
    assert await code(post(world, aki, None, nonce="n", mask=p.Mask.SPOILER)) == "conflict"
    assert await code(post(world, aki, None, nonce="n", quote_of=said.post)) == "conflict"


async def test_the_author_sees_before_posting_whom_it_reaches(world: World) -> None:
    aki, haru, ken, mio = await world.people("aki", "haru", "ken", "mio", mutual=False)
    for follower in ("haru", "ken"):
        await world.follow(follower, "aki")
    place = await found(world, mio, haru)

    async def reach(actor: Actor, community: str | None = None) -> p.Reach:
        return await posts.audience(world.desk, actor, p.PostAudience(community=community))

    assert await reach(aki) == p.Reach(followers=2, open=True)
    await private(world, aki)
    assert await reach(aki) == p.Reach(followers=2, open=False)
    assert await code(reach(aki, place.id)) == "not_member"
    assert await code(reach(aki, aki.session)) == "not_found"
    await join(world, aki, place.id)
    assert await reach(aki, place.id) == p.Reach(followers=2, open=True, community=place.id, members=3)
    await relations.block_add(world.desk, ken, n.AccountRef(account=aki.account))
    assert (await reach(aki)).followers == 1
