"""A block and a suspension on live sockets of real processes, within a second (J12, J21), and one's data by HTTP."""

from __future__ import annotations

import asyncio
import io
import zipfile

import pytest

from loadtest.client import Client, ServerRefusal
from tests.e2e.test_first_conversation import House, house
from tests.support.http import http_client

__all__ = ["house"]

SOON_S = 1.0
SWEPT_S = 5.0


def seen(client: Client, account: str) -> list[str]:
    """What a client was told of somebody's presence, in order."""
    people = [push["d"]["people"] for push in client.heard("presence.changed")]
    return [each[account]["state"] for each in people if account in each]


async def test_a_block_holds_at_once_and_a_group_stays_whole(house: House) -> None:
    # Twelve, of whom the first and everybody else follow each other.
    (circle,) = house.one.run_lines("seed", "--people", "12", "--circle", "12", "--rooms", "0")
    aki, ken = circle["tokens"][:2]
    async with Client(house.one.ws_url, aki) as a, Client(house.two.ws_url, ken) as k:
        aki_id, ken_id = (each.connected["account"]["id"] for each in (a, k))
        people = [card["id"] for card in (await a.call("follow.list", which="following"))["accounts"]]
        assert len(people) == 11
        group = (await a.call("room.create", title="十二人", accounts=people, nonce="g"))["id"]
        dm = (await a.call("room.open", account=ken_id))["id"]
        await k.until(lambda: {f"room:{group}", f"room:{dm}"} <= set(k.ear.positions))
        await k.say(dm, "やあ")
        await a.until(lambda: a.texts(dm) == ["やあ"])
        await k.until(lambda: seen(k, aki_id)[-1:] == ["online"])
        await a.call("block.add", account=ken_id)
        heard = len(k.ear.pushes)
        await k.say(dm, "聞こえる?")
        await k.until(lambda: k.texts(dm) == ["やあ", "聞こえる?"], SOON_S)
        with pytest.raises(ServerRefusal) as refused:
            await a.say(dm, "だめ")
        assert refused.value.code == "blocked"
        with pytest.raises(ServerRefusal) as refused:
            await k.call("account.get", account=aki_id)
        assert refused.value.code == "not_found"
        await k.say(group, "みんなへ")
        await a.say(group, "わたしも")
        for client in (a, k):
            await client.until(lambda c=client: c.texts(group) == ["みんなへ", "わたしも"], SOON_S)
            assert len((await client.call("room.get", room=group))["people"]) == 12
        assert a.texts(dm) == ["やあ"]
        told = k.ear.pushes[heard:]
        assert {push["ev"] for push in told} - {"presence.changed"} == {"message.created"}
        # That aki is gone from ken's sight is told like that of anybody who goes.
        await k.until(lambda: seen(k, aki_id)[-1:] == ["offline"])
        gone = [push["d"]["people"] for push in k.ear.pushes[heard:] if push["ev"] == "presence.changed"]
        assert all(each == {aki_id: {"state": "offline", "seen": None, "doing": None}} for each in gone)
    # Whoever comes back is told the same as whoever stayed.
    again = Client(house.two.ws_url, aki, epoch=a.epoch)
    again.ear.positions = {f"room:{dm}": 0}
    async with again:
        assert again.texts(dm) == ["やあ"]


async def test_a_suspension_closes_sockets_everywhere(house: House) -> None:
    aki, ken = house.account("aki"), house.account("ken")
    async with Client(house.one.ws_url, aki["token"]) as a, Client(house.two.ws_url, ken["token"]) as k:
        done = await asyncio.to_thread(house.one.run_cli, "account", "suspend", "ken", "--reason", "spam")
        assert done["state"] == "suspended"
        # Without Redis the server's sweep finds it.
        async with asyncio.timeout(SWEPT_S if house.one is house.two else SOON_S):
            assert await k.ended() == 4403
        with pytest.raises(ServerRefusal) as refused:
            await a.call("account.get", handle="ken")
        assert refused.value.code == "not_found"
    lines = await asyncio.to_thread(house.one.run_cli, "audit", "list", "--target", "ken")
    assert [(line["act"], line["detail"]) for line in lines["audit"]] == [("account.suspend", "spam")]


async def test_ones_own_data_comes_as_a_zip_once_a_minute(house: House) -> None:
    aki = house.account("aki")
    async with http_client(house.one.url) as client:
        assert (await client.post("/export")).status_code == 401
        login = {"authorization": f"Bearer {aki['token']}"}
        answer = await client.post("/export", headers=login)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert "account.json" in zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
        again = await client.post("/export", headers=login)
        assert again.status_code == 429
        assert int(again.headers["retry-after"]) > 0
        foreign = {"cookie": f"tsudoi_session={aki['token']}", "origin": "https://evil.example"}
        assert (await client.post("/export", headers=foreign)).status_code == 403
