"""The gate, end to end with real processes on both back ends: a newcomer by link, a leaked link, a signed-out device;
afterwards nothing stored or logged opens a door (J1, J2, FAULTS S4, S8, S21)."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import psycopg
import pytest

from loadtest.client import Client
from realtime.closes import Close
from tests.e2e.test_mail import code_in
from tests.support.http import Reply, post, send
from tests.support.server import ServerProcess
from tests.support.smtp import SmtpServer
from tests.support.valkey import ValkeyServer
from tests.support.waiting import until

LIMITS = {"TSUDOI_GUEST_RATE_FACTOR": "1000"}


@dataclass(slots=True)
class Gates:
    """Two gateways of one installation (embedded: the same one twice), and what may be found nowhere afterwards."""

    one: ServerProcess
    two: ServerProcess
    database_url: str
    redis: ValkeyServer | None
    smtp: SmtpServer
    secrets: list[str] = field(default_factory=list)
    metrics_port: int = 0

    def account(self, handle: str) -> Any:
        """A member, made by the operator."""
        made = self.one.run_cli("account", "create", handle)
        self.secrets.append(made["token"])
        return made

    async def guest(self, op: str, **fields: Any) -> Reply:
        """An operation of somebody without a session, at the second gateway."""
        return await post(self.two.url, op, body=orjson.dumps(fields))

    async def code(self) -> str:
        """The code in the newest mail."""
        found = code_in(self.smtp.mails[-1].text)
        self.secrets.append(found)
        return found

    def everything(self) -> list[tuple[str, bytes]]:
        """All bytes that the installation keeps or has said."""
        found = [(f"log of {server.pid}", server.log_text().encode()) for server in (self.one, self.two)]
        found += [(str(path), path.read_bytes()) for path in self.one.data.rglob("*") if path.is_file()]
        if self.database_url:
            with psycopg.connect(self.database_url) as admin:
                tables = [
                    row[0]
                    for row in admin.execute("select tablename from pg_tables where schemaname = 'public'")
                ]
                found += [
                    (name, repr(admin.execute(f"select * from {name}").fetchall()).encode())
                    for name in tables
                ]
        if self.redis is not None:
            for key in self.redis.command("KEYS", "*"):
                found.append((str(key), self.redis.command("DUMP", key) or b""))
        return found

    def no_secret_is_kept(self) -> None:
        """Judge that nothing of it opens a door."""
        kept = self.everything()
        assert len(kept) > 3
        for name, data in kept:
            for secret in self.secrets:
                # Six digits alone stand in many a number; a stored code would stand in quotes.
                forms = [f"'{secret}'", f'"{secret}"'] if secret.isdigit() else [secret]
                assert not any(form.encode() in data for form in forms), f"{secret} stands in {name}"


@contextlib.contextmanager
def opened(request: pytest.FixtureRequest, smtp: SmtpServer, **more: str) -> Iterator[Gates]:
    """An installation on the back end that the test is run for (`request.param`), which says all it can say."""
    mail = {"TSUDOI_SMTP_URL": smtp.url, "TSUDOI_MAIL_FROM": "hello@tsudoi.example"}
    env = {
        **LIMITS,
        **mail,
        "TSUDOI_PUBLIC_URL": "https://tsudoi.example",
        "TSUDOI_LOG_LEVEL": "debug",
        **more,
    }
    with contextlib.ExitStack() as stack:
        if request.param == "embedded":
            server = stack.enter_context(ServerProcess(env))
            yield Gates(server, server, "", None, smtp)
            return
        valkey: ValkeyServer = request.getfixturevalue("own_valkey")
        url = request.getfixturevalue("postgres_url")
        env |= {"DATABASE_URL": url, "REDIS_URL": valkey.url}
        pair = [stack.enter_context(ServerProcess(env)) for _ in range(2)]
        yield Gates(pair[0], pair[1], url, valkey, smtp)


@pytest.fixture(params=["embedded", "two gateways"])
def gates(request: pytest.FixtureRequest, smtp: SmtpServer) -> Iterator[Gates]:
    with opened(request, smtp) as made:
        yield made


async def sign_up(gates: Gates, token: str, handle: str) -> Any:
    """A whole sign-up by link; what its last step answered."""
    begun = (await gates.guest("account.begin", token=token)).ok
    attempt, sent = begun["attempt"], len(gates.smtp.mails)
    address = f"{handle}@example.org"
    await gates.guest("account.address", attempt=attempt, address=address, adult=True, terms="1")
    await until(lambda: len(gates.smtp.mails) > sent)
    verified = await gates.guest("account.verify", attempt=attempt, code=await gates.code())
    assert verified.ok["step"] == "profile"
    entered = (await gates.guest("account.create", attempt=attempt, handle=handle, name=handle)).ok
    gates.secrets += [attempt, entered["token"]]
    return entered


async def test_a_newcomer_a_leaked_link_and_nothing_left_behind(gates: Gates) -> None:
    aki = await asyncio.to_thread(gates.account, "aki")
    async with Client(gates.one.ws_url, aki["token"]) as a:
        made = await a.call("invite.create", nonce="1")
        assert made["link"].startswith("https://tsudoi.example/i#")
        leaked, code = made["link"].partition("#")[2], made["code"]
        again = await a.call("invite.reissue", invite=made["id"], nonce="2")
        token = again["link"].partition("#")[2]
        gates.secrets += [
            leaked,
            token,
            *(c for key in (code, again["code"]) for c in (key, key.replace("-", ""))),
        ]
        old = await gates.guest("invite.get", token=leaked)
        assert (old.code, old.error["details"]["reason"]) == ("invite_invalid", "revoked")
        assert (await gates.guest("invite.get", token=token)).ok["issuer"]["handle"] == "aki"
        await a.send("post.create", text="ようこそ、集いへ", nonce="p1")
        entered = await sign_up(gates, token, "mio")
        await a.until(lambda: bool(a.heard("invite.redeemed")), 1.5)
        async with Client(gates.two.ws_url, entered["token"]) as m:
            # A home with the inviter's posts, and live from then on (J1).
            shown = await m.call("timeline.list", which="follow")
            assert [each["text"] for each in shown["posts"]] == ["ようこそ、集いへ"]
            await a.send("post.create", text="夜の散歩に行く", nonce="p2")
            await m.until(
                lambda: [each["d"]["post"]["text"] for each in m.heard("post.created")] == ["夜の散歩に行く"]
            )
            ticket = (await post(gates.two.url, "session.ticket", entered["token"])).ok["ticket"]
            gates.secrets.append(ticket)
            room = await a.call("room.open", account=entered["account"]["id"])
            assert room["state"] == "open"
            await a.say(room["id"], "ようこそ")
            await m.until(lambda: m.texts(room["id"]) == ["ようこそ"])
            # The phone is lost: everything of mio's ends, wherever it is connected.
            assert (await post(gates.one.url, "session.revoke_all", entered["token"])).ok["ended"] == 1
            assert await m.ended() == Close.SESSION_INVALID
        assert (await gates.guest("session.create", attempt="x", code="000000")).code == "not_found"
    gates.no_secret_is_kept()


async def test_the_landing_page_counts_and_tells_nothing(gates: Gates) -> None:
    """Three link-previewers fetch the page before a person taps: nothing is used up, nothing is told (J16)."""
    aki = await asyncio.to_thread(gates.account, "aki")
    async with Client(gates.one.ws_url, aki["token"]) as a:
        made = await a.call("invite.create", nonce="1")
        pages = set()
        for agent in ("Twitterbot/1.0", "facebookexternalhit/1.1", "Slackbot-LinkExpanding 1.0"):
            done = await asyncio.to_thread(
                subprocess.run,
                ["python3", "-c", FETCH, f"{gates.two.url}/i", agent],
                capture_output=True,
                text=True,
                check=True,
            )
            pages.add(done.stdout)
        assert len(pages) == 1
        assert "aki" not in pages.pop()
        assert (await a.call("invite.list"))["invites"][0]["state"] == "live"
        entered = await sign_up(gates, made["link"].partition("#")[2], "mio")
        assert entered["account"]["handle"] == "mio"


async def test_a_changed_address_is_undone_at_the_other_gateway_and_the_thief_is_out(gates: Gates) -> None:
    made = await asyncio.to_thread(gates.account, "aki")
    aki = made["token"]

    def mails(address: str) -> list[str]:
        return [mail.text for mail in gates.smtp.mails if address in mail.to]

    async def mailed(asking: Awaitable[Reply], address: str) -> tuple[str, str]:
        """The attempt, and the code that came for it."""
        before = len(mails(address))
        asked = await asking
        await until(lambda: len(mails(address)) > before, 10)
        return asked.ok["attempt"], code_in(mails(address)[-1])

    async def move(address: str) -> None:
        attempt, code = await mailed(post(gates.one.url, "address.change", aki, address=address), address)
        changed = await post(gates.two.url, "address.confirm", aki, attempt=attempt, code=code)
        assert changed.ok["address"] == address

    await move("aki@example.org")
    async with Client(gates.one.ws_url, aki) as thief, Client(gates.two.ws_url, aki) as own:
        await move("thief@example.org")
        await own.until(lambda: bool(own.heard("address.changed")), 2)
        await until(lambda: "72時間" in mails("aki@example.org")[-1], 10)
        begin = gates.guest("session.begin", address="aki@example.org")
        attempt, code = await mailed(begin, "aki@example.org")
        refused = await gates.guest("session.create", attempt=attempt, code=code)
        assert (refused.code, refused.error["details"]["reason"]) == ("conflict", "address_changed")
        back = (await gates.guest("address.undo", attempt=attempt, code=code)).ok
        gates.secrets.append(back["token"])
        for client in (thief, own):
            async with asyncio.timeout(1):
                assert await client.ended() == Close.SESSION_INVALID
    async with Client(gates.one.ws_url, back["token"]) as again:
        mine = await again.call("account.get", account=made["account"])
        assert mine["settings"]["address"] == "aki@example.org"


async def test_a_recovery_code_lets_in_at_the_other_gateway(gates: Gates) -> None:
    made = await asyncio.to_thread(gates.account, "aki")
    async with Client(gates.one.ws_url, made["token"]) as aki:
        codes = (await aki.call("recovery.make"))["codes"]
        gates.secrets += codes + [code.replace("-", "") for code in codes]
        assert (
            await gates.guest("session.recover", handle="aki", code="0000-0000-0000-0000")
        ).code == "code_wrong"
        entered = (await gates.guest("session.recover", handle="aki", code=codes[3], label="電話")).ok
        gates.secrets.append(entered["token"])
        await aki.until(lambda: bool(aki.heard("session.created")), 5)
        async with Client(gates.two.ws_url, entered["token"]) as phone:
            assert (await phone.call("recovery.get"))["left"] == len(codes) - 1
        assert (await gates.guest("session.recover", handle="aki", code=codes[3])).code == "code_wrong"
    gates.no_secret_is_kept()


async def test_a_further_device_is_let_in_at_the_other_gateway(gates: Gates) -> None:
    made = await asyncio.to_thread(gates.account, "aki")
    async with Client(gates.one.ws_url, made["token"]) as aki:
        offer = await aki.call("session.offer")
        token = offer["link"].partition("#")[2]
        gates.secrets.append(token)
        assert offer["link"].startswith("https://tsudoi.example/d#")
        assert (await gates.guest("session.look", token=token)).ok["account"]["handle"] == "aki"
        entered = (await gates.guest("session.take", token=token, label="電話")).ok
        gates.secrets.append(entered["token"])
        await aki.until(lambda: bool(aki.heard("session.created")), 2)
        async with Client(gates.two.ws_url, entered["token"]) as phone:
            assert phone.connected["account"]["handle"] == "aki"
        assert (await gates.guest("session.take", token=token)).code == "not_found"
    gates.no_secret_is_kept()


FETCH = """
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], headers={"User-Agent": sys.argv[2]})
print(urllib.request.urlopen(request, timeout=10).read().decode())
"""


async def test_of_a_hundred_racers_at_both_gateways_one_wins(gates: Gates) -> None:
    aki = await asyncio.to_thread(gates.account, "aki")
    made = (await post(gates.one.url, "invite.create", aki["token"], nonce="1")).ok
    doors = (gates.one.url, gates.two.url)
    body = orjson.dumps({"code": made["code"]})
    results = await asyncio.gather(*(post(doors[n % 2], "account.begin", body=body) for n in range(100)))
    assert sum(reply.status == 200 for reply in results) == 1
    assert {reply.code for reply in results if reply.status != 200} == {"invite_invalid"}


async def test_links_are_made_from_the_public_address_whatever_the_headers_say(gates: Gates) -> None:
    aki = await asyncio.to_thread(gates.account, "aki")
    headers = {
        "Authorization": f"Bearer {aki['token']}",
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "host=evil.example",
    }
    made = await send(gates.one.url, "/api/v1/invite.create", orjson.dumps({"nonce": "1"}), headers)
    assert made.ok["link"].startswith("https://tsudoi.example/i#")
