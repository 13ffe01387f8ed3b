"""Profiles on both back ends: changing, deleting, erasing, exporting; nothing personal outlives its time (FEATURES §2)."""

from __future__ import annotations

import dataclasses
import zipfile
from typing import Any

import orjson
import pytest

from channels import profiles, relations, requests, rooms
from channels.arrival import Credential, authenticate
from channels.desk import Actor, Desk
from channels.export import export
from realtime import relations as n
from realtime.errors import Refusal
from realtime.gate import Audience, WriteFrom
from realtime.requests import AccountGet, Empty, RoomOpen, RoomRef
from storage.accounts import put_address, set_state
from storage.database import Tx
from storage.letters import put_letter
from tests.support.world import World

DAY_MS = 86_400_000


async def change(world: World, actor: Actor, **fields: Any) -> n.Profile:
    return await profiles.update(world.desk, actor, n.AccountUpdate(**fields))


async def test_what_is_left_out_stays(world: World) -> None:
    aki, ken = await world.people("aki", "ken")
    await change(world, aki, name="あき 🌙", bio="一行目\n二行目", status="🍜 ラーメン")
    mine = await change(
        world,
        aki,
        links=["https://example.com/a"],
        presence_to=Audience.NOBODY,
        write_from=WriteFrom.FOLLOWED,
    )
    assert (mine.name, mine.bio, mine.status, mine.links) == (
        "あき 🌙",
        "一行目\n二行目",
        "🍜 ラーメン",
        ["https://example.com/a"],
    )
    assert mine.settings is not None
    assert (mine.settings.presence_to, mine.settings.write_from) == (Audience.NOBODY, WriteFrom.FOLLOWED)
    theirs = await profiles.get(world.desk, ken, AccountGet(handle="@AKI"))
    assert (theirs.bio, theirs.settings) == (mine.bio, None)
    cleared = await change(world, aki, bio="", status="", links=[])
    assert (cleared.bio, cleared.status, cleared.links, cleared.name) == ("", "", [], "あき 🌙")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"bio": "あ" * 301}, "text_too_long"),
        ({"status": "あ" * 61}, "text_too_long"),
        ({"name": "あ" * 31}, "text_too_long"),
        ({"name": "Tsudoi公式"}, "text_invalid"),
        ({"name": "\u202e"}, "text_invalid"),
        ({"links": ["http://example.com/"]}, "text_invalid"),
        ({"links": ["javascript:alert(1)"]}, "text_invalid"),
        ({"links": ["https://"]}, "text_invalid"),
        ({"links": ["https://user:pass@example.com/"]}, "text_invalid"),
        ({"links": ["https://example.com/ x"]}, "text_invalid"),
        ({"links": ["https://[::1"]}, "text_invalid"),
        ({"handle": "a b"}, "text_invalid"),
        ({"handle": "admin"}, "handle_taken"),
        ({"handle": "ken"}, "handle_taken"),
    ],
)
async def test_a_bad_change_changes_nothing(world: World, fields: dict[str, Any], expected: str) -> None:
    aki, _ = await world.people("aki", "ken")
    before = await profiles.get(world.desk, aki, AccountGet(account=aki.account))
    with pytest.raises(Refusal) as refused:
        await change(world, aki, status="べつ", **fields) if "status" not in fields else await change(
            world, aki, **fields
        )
    assert refused.value.code == expected
    assert await profiles.get(world.desk, aki, AccountGet(account=aki.account)) == before


async def test_a_handle_changes_once_a_year_and_is_never_given_out_again(world: World) -> None:
    aki, ken = await world.people("aki", "ken")
    mine = await change(world, aki, handle="akiko")
    assert mine.handle == "akiko"
    assert mine.settings is not None
    with pytest.raises(Refusal) as refused:
        await change(world, aki, handle="aki")
    assert (refused.value.code, refused.value.details["after"]) == ("forbidden", mine.settings.handle_after)
    assert (await change(world, aki, handle="akiko")).handle == "akiko"
    with pytest.raises(Refusal) as refused:
        await change(world, ken, handle="aki")
    assert refused.value.code == "handle_taken"
    with pytest.raises(Refusal) as refused:
        await profiles.get(world.desk, ken, AccountGet(handle="aki"))
    assert refused.value.code == "not_found"
    limits = dataclasses.replace(world.desk.settings.limits, handle_change_days=0)
    later = Desk(world.desk.db, dataclasses.replace(world.desk.settings, limits=limits))
    with pytest.raises(Refusal) as refused:
        await profiles.update(later, aki, n.AccountUpdate(handle="aki"))
    assert refused.value.code == "handle_taken"


async def test_the_hidden_keep_their_sessions_and_the_deleted_lose_them(world: World) -> None:
    from channels.accounts import create_account

    new = await world.desk.db.write(lambda tx: create_account(tx, "aki", "aki", "test"))
    actor = Actor(new.account.id, new.session, "aki", "aki")
    await profiles.hide(world.desk, actor, Empty())
    await profiles.hide(world.desk, actor, Empty())
    assert (await authenticate(world.desk, Credential(token=new.token))).account == new.account.id
    gone = await profiles.delete(world.desk, actor, Empty())
    assert gone.erase_at > 13 * DAY_MS
    with pytest.raises(Refusal) as refused:
        await authenticate(world.desk, Credential(token=new.token))
    assert refused.value.code == "unauthenticated"
    assert "session.revoked" in [parcel.kind for parcel in world.of(f"user:{new.account.id}")]


async def test_founded_groups_pass_to_the_eldest(world: World) -> None:
    aki, haru, mio = await world.people("aki", "haru", "mio")
    room = await world.group(aki, haru, mio)
    alone = await world.group(aki)
    await profiles.delete(world.desk, aki, Empty())
    seen = await rooms.get(world.desk, mio, RoomRef(room=room.id))
    assert seen.creator == min(haru.account, mio.account)
    assert [person.account.gone for person in seen.people if person.account.id == aki.account] == [True]
    assert alone.creator == aki.account


# Erased


def tables(tx: Tx) -> list[str]:
    if tx.dialect == "sqlite":
        rows = tx.rows("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
    else:
        rows = tx.rows(
            "select table_name from information_schema.tables where table_schema = current_schema()"
        )
    return [row[0] for row in rows]


def everything(tx: Tx, but: set[str]) -> str:
    """Every value of every table, as text."""
    return "\n".join(
        str(row) for table in tables(tx) if table not in but for row in tx.rows(f"select * from {table}")
    )


PERSONAL = (
    "kakureta",
    "なまえだよ",
    "自己紹介だよ",
    "example.com/mine",
    "ひとことだよ",
    "aki@example.com",
    "わたしの端末",
)


async def well_known(world: World) -> tuple[Actor, Actor, str]:
    """Somebody with everything there is to erase, a friend, and their group."""
    aki, ken = await world.people("kakureta", "ken")
    await change(
        world,
        aki,
        name="なまえだよ",
        bio="自己紹介だよ",
        links=["https://example.com/mine"],
        status="ひとことだよ",
    )
    room = await world.group(ken, aki)
    await world.say(aki, room.id, "のこる言葉")
    dm = await requests.open_dm(world.desk, aki, RoomOpen(account=ken.account))
    await world.say(aki, dm.id, "ふたりの言葉")
    await relations.mute_add(world.desk, aki, n.AccountRef(account=ken.account))

    def more(tx: Tx) -> None:
        from channels.accounts import create_session
        from channels.entries import emit, session_created

        put_address(tx, "aki@example.com", aki.account, "AKI@example.com")
        put_letter(tx, "aki@example.com", "new_device", {"label": "わたしの端末"})
        session, _ = create_session(tx, aki.account, "わたしの端末")
        emit(tx, [session_created(aki.account, session, "わたしの端末")])

    await world.desk.db.write(more)
    return aki, ken, room.id


async def test_erasing_leaves_no_personal_byte(world: World) -> None:
    aki, ken, room = await well_known(world)
    other = await world.person("mio")
    before = await world.desk.db.read(lambda tx: everything(tx, set()))
    assert all(word in before for word in PERSONAL)
    await profiles.delete(world.desk, aki, Empty())
    assert await world.desk.db.write(profiles.erase_due) == 0
    kept = await world.desk.db.read(lambda tx: everything(tx, set()))
    assert all(word in kept for word in PERSONAL)
    await world.desk.db.write(lambda tx: set_state(tx, aki.account, "deleted", tx.now_ms()))
    assert await world.desk.db.write(profiles.erase_due) == 1
    assert await world.desk.db.write(profiles.erase_due) == 0
    # The reserved handle stays, tied to nobody; answers kept under nonces last a day.
    left = await world.desk.db.read(lambda tx: everything(tx, {"handle", "nonce"}))
    assert [word for word in PERSONAL if word in left] == []
    assert "のこる言葉" in left
    seen = await profiles.get(world.desk, ken, AccountGet(account=aki.account))
    assert (seen.gone, seen.name, seen.handle) == (True, "", "")
    for account in (aki.account, "0" * 26):
        with pytest.raises(Refusal) as refused:
            await profiles.get(world.desk, other, AccountGet(account=account))
        assert refused.value.code == "not_found"
    with pytest.raises(Refusal) as refused:
        await change(world, other, handle="kakureta")
    assert refused.value.code == "handle_taken"
    view = await rooms.get(world.desk, ken, RoomRef(room=room))
    assert view.last is not None
    assert view.last.author == aki.account
    answered = await world.desk.db.read(
        lambda tx: tx.rows("select handle from handle where account = :a", a=aki.account)
    )
    assert answered == []


# Exported


async def test_an_export_holds_everything_of_mine_and_nothing_hidden_of_others(world: World) -> None:
    aki, ken, room = await well_known(world)
    await relations.block_add(world.desk, ken, n.AccountRef(account=aki.account))
    await change(world, ken, bio="けんの秘密")
    await world.say(ken, room, "けんの言葉")
    hashes = await world.desk.db.read(
        lambda tx: [
            row[0] for row in tx.rows("select token_hash from session where account = :a", a=aki.account)
        ]
    )
    with await export(world.desk, aki) as file, zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    whole = "\n".join(files.values())
    parts = {
        name.removesuffix(".json"): orjson.loads(text)
        for name, text in files.items()
        if name.endswith(".json")
    }
    assert "README.txt" in files
    assert all(word in whole.lower() for word in PERSONAL)
    assert {line["text"] for line in parts["messages"]} == {"のこる言葉", "ふたりの言葉"}
    assert parts["account"][0]["handle"] == "kakureta"
    assert [row["account"] for row in parts["mutes"]] == [ken.account]
    assert {row["id"] for row in parts["rooms"]} >= {room}
    assert len(parts["sessions"]) == 2
    assert hashes
    for secret in (*hashes, "けんの秘密", "けんの言葉", "token", "hash_"):
        assert secret not in whole.replace("tokens and invite links", "")
    assert "blocked_by" not in whole
    assert all(ken.account not in str(parts[name]) for name in ("blocks", "following", "followers"))
