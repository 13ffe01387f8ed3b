"""Search finds what one may see, by words of one character and in any kana, the same on both databases (FEATURES §3, I7)."""

from __future__ import annotations

from typing import Any

from channels import communities, nicknames, posts, profiles, search
from channels.desk import Actor
from realtime import finding as f
from realtime import posts as p
from realtime import relations as n
from realtime.requests import Empty
from tests.support.places import found, join, post, take_back
from tests.support.relations import block, code, unblock
from tests.support.world import World


async def texts(world: World, viewer: Actor, words: str) -> list[str]:
    """The posts found."""
    return [each.text for each in (await search.posts(world.desk, viewer, f.Search(words=words))).posts]


async def people(world: World, viewer: Actor, words: str) -> list[str]:
    """The handles found."""
    return [
        each.handle for each in (await search.accounts(world.desk, viewer, f.Search(words=words))).accounts
    ]


async def places(world: World, viewer: Actor, words: str) -> list[str]:
    """The communities found."""
    found_ = await search.communities(world.desk, viewer, f.Search(words=words))
    return [each.name for each in found_.communities]


async def test_words_are_found_in_any_kana_and_width(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    place = await found(world, aki)
    for text in ("今日はビールの日", "びーるはまだ?", "ﾋﾞｰﾙ!", "ビルの上", "海が見えた 🌊"):
        await post(world, aki, place.id, text)
    for words in ("ﾋﾞｰﾙ", "ビール", "びーる"):
        assert await texts(world, haru, words) == ["ﾋﾞｰﾙ!", "びーるはまだ?", "今日はビールの日"]
    assert await texts(world, haru, "ビル") == ["ビルの上"]
    assert await texts(world, haru, "海") == await texts(world, haru, "🌊") == ["海が見えた 🌊"]
    assert await texts(world, haru, "日 ビール") == ["今日はビールの日"]
    assert await texts(world, haru, "山") == []


async def test_nothing_to_look_for_is_said(world: World) -> None:
    (aki,) = await world.people("aki")
    assert await code(search.posts(world.desk, aki, f.Search(words=" 。"))) == "bad_request"
    for after in ("x", "-1", "１", "9" * 17):  # a digit that is none of ours
        assert await code(search.posts(world.desk, aki, f.Search(words="海", after=after))) == "bad_request"


async def test_pages_go_on_where_they_ended(world: World) -> None:
    aki, ken = await world.people("aki", "ken")
    place = await found(world, aki, ken)
    for number in range(7):
        await post(world, ken if number % 3 == 1 else aki, place.id, f"海{number}")
    await block(world, aki, ken)
    seen, after = [], None
    for _ in range(9):
        page = await search.posts(world.desk, aki, f.Search(words="海", after=after, limit=2))
        seen += [each.text for each in page.posts]
        after = page.next
        if after is None:
            break
    assert seen == ["海6", "海5", "海3", "海2", "海0"]


async def test_what_one_may_not_see_is_not_found(world: World) -> None:
    aki, ken, mio = await world.people("aki", "ken", "mio")
    place = await found(world, aki, ken)
    said = await post(world, ken, place.id, "海だ")
    for viewer in (aki, mio):
        assert await texts(world, viewer, "海") == ["海だ"]
        assert await people(world, viewer, "KEN") == ["ken"]
    await block(world, aki, ken)
    assert (await texts(world, aki, "海"), await people(world, aki, "ken")) == ([], [])
    assert await people(world, ken, "aki") == []
    assert await texts(world, mio, "海") == ["海だ"]
    await unblock(world, aki, ken)
    assert await texts(world, aki, "海") == ["海だ"]
    await profiles.hide(world.desk, ken, Empty())
    assert (await texts(world, mio, "海"), await people(world, mio, "ken")) == ([], [])
    await profiles.show(world.desk, ken, Empty())
    await take_back(world, ken, said.post)
    assert await texts(world, mio, "海") == []


async def test_a_person_is_found_by_the_name_they_have_now(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    assert await people(world, haru, "ア") == []
    await profiles.update(world.desk, aki, n.AccountUpdate(name="秋山 アキ"))
    assert await people(world, haru, "あき") == await people(world, haru, "秋") == ["aki"]
    await profiles.update(world.desk, aki, n.AccountUpdate(name="Fuyu"))
    assert await people(world, haru, "秋") == []
    assert await people(world, haru, "fuyu") == await people(world, haru, "AKI") == ["aki"]


async def test_whom_one_calls_so_is_found_first_and_once(world: World) -> None:
    aki, haru, ken, mio, hana = await world.people("aki", "haru", "ken", "mio", "hanako")
    for other, name in ((haru, "ハナちゃん"), (ken, "はなさん"), (mio, "hana"), (hana, "はなこ")):
        await nicknames.put(world.desk, aki, n.NicknamePut(account=other.account, name=name))
    await nicknames.put(world.desk, mio, n.NicknamePut(account=aki.account, name="はな"))

    async def seen(who: Actor, words: str, **page: Any) -> tuple[set[str], str | None]:
        found = await search.accounts(world.desk, who, f.Search(words=words, **page))
        assert len({card.id for card in found.accounts}) == len(found.accounts)
        return {card.handle for card in found.accounts}, found.next

    assert await seen(aki, "はな") == ({"haru", "ken", "hanako"}, None)
    assert await seen(aki, "hana") == ({"mio", "hanako"}, None)
    assert await seen(mio, "はな") == ({"aki"}, None), "a name is the giver's alone"
    assert await seen(haru, "はな") == (set(), None)
    first, after = await seen(aki, "hana", limit=1)
    second, after = await seen(aki, "hana", limit=1, after=after)
    assert (first, second) == ({"mio"}, {"hanako"})
    # Who keeps one away is not found by it either.
    await block(world, haru, aki)
    assert await seen(aki, "はな") == ({"ken", "hanako"}, None)


async def test_communities_are_found_by_name_and_purpose(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    request = p.CommunityCreate(name="ビール部", purpose="夜に集う", nonce="b")
    made = await communities.create(world.desk, aki, request)
    assert await places(world, haru, "びーる") == await places(world, haru, "集") == ["ビール部"]
    await join(world, haru, made.id)
    (seen,) = (await search.communities(world.desk, haru, f.Search(words="夜"))).communities
    assert (seen.members, seen.role) == (2, p.Role.MEMBER)


async def test_of_whoever_is_erased_nothing_is_found(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    place = await found(world, haru, aki)
    await post(world, aki, place.id, "海だ")
    await world.desk.db.write(
        lambda tx: tx.rows(
            "update account set state = 'deleted', erase_at = 1 where id = :me", me=aki.account
        )
    )
    assert await world.desk.db.write(profiles.erase_due) == 1
    assert (await texts(world, haru, "海"), await people(world, haru, "aki")) == ([], [])
    assert await world.desk.db.read(lambda tx: tx.rows("select kind from found order by kind")) == [
        ("account",),
        ("community",),
    ]


async def test_what_is_older_than_the_index_is_found_after_upkeep(world: World) -> None:
    aki, haru = await world.people("aki", "haru")
    place = await found(world, aki)
    await post(world, aki, place.id, "海だ")

    def forget(tx: object) -> None:
        from storage import search as index

        for kind, ref in tx.rows("select kind, ref from found"):  # type: ignore[attr-defined]  # a Tx
            index.drop(tx, kind, ref)  # type: ignore[arg-type]  # a Tx

    await world.desk.db.write(forget)
    assert await texts(world, haru, "海") == []
    assert await world.desk.db.write(search.index_missing) == 4
    assert await world.desk.db.write(search.index_missing) == 0
    assert await texts(world, haru, "海") == ["海だ"]
    assert await people(world, haru, "aki") == ["aki"]
    assert await places(world, haru, "電車") == ["電車"]
    assert (await posts.get(world.desk, haru, p.PostGet(posts=[place.id]))).posts == []
