"""The postman between a real database and a relay: once, again, never, and in silence about whom."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import structlog.testing

from channels.codes import code_of
from gateway.demo import link_key
from gateway.postman import AT_ONCE, Postman, masked
from realtime.mailing import relay_of
from storage import letters
from storage.database import StorageUnavailable
from storage.mail import KeptMailer, Mail, Mailer, SmtpMailer
from tests.support.nodes import Start
from tests.support.smtp import SmtpServer
from tests.support.waiting import until, until_async
from tests.support.world import World

SENDER = ("集い", "hello@tsudoi.example")
NEVER_S = 3_600.0
SECRET = "secret"
FACTS = {"seed": "s", "minutes": 10}
CODE = code_of(SECRET, "s")
MIO = "mio@example.org"


@asynccontextmanager
async def postman(world: World, mailer: Mailer | None) -> AsyncIterator[Postman]:
    """A postman at work: hears the bell only, and retries at once."""
    found = Postman(world.desk.db, mailer, "https://tsudoi.example", SECRET)
    found.poll_s = NEVER_S
    found.retry_ms = (0, 1)
    task = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def over(smtp: SmtpServer) -> SmtpMailer:
    return SmtpMailer(relay_of(smtp.url), SENDER)


async def put(world: World, address: str = MIO, kind: str = "code") -> None:
    await world.desk.db.write(lambda tx: letters.put_letter(tx, address, kind, FACTS))


async def none_left(world: World) -> bool:
    return await world.desk.db.read(letters.waiting) == 0


async def test_a_letter_leaves_once(world: World, smtp: SmtpServer) -> None:
    async with postman(world, over(smtp)) as one, postman(world, over(smtp)) as two:
        for n in range(3 * AT_ONCE):
            await put(world, f"p{n}@example.org")
        one.wake()
        two.wake()
        await until_async(lambda: none_left(world), "all letters gone")
    assert sorted(mail.to for mail in smtp.mails) == sorted(f"p{n}@example.org" for n in range(3 * AT_ONCE))
    assert one.sent + two.sent == 3 * AT_ONCE
    assert CODE in smtp.mails[0].text
    assert "https://tsudoi.example" in smtp.mails[0].text


async def test_what_waited_before_the_start_leaves_without_a_bell(world: World, smtp: SmtpServer) -> None:
    await put(world)
    async with postman(world, over(smtp)) as man:
        await until(lambda: man.sent == 1)
    assert [mail.to for mail in smtp.mails] == [MIO]


async def test_without_a_bell_the_poll_finds_it(world: World, smtp: SmtpServer) -> None:
    async with postman(world, over(smtp)) as man:
        man.poll_s = 0.01
        man.wake()
        await put(world)
        await until(lambda: man.sent == 1)
    assert [mail.to for mail in smtp.mails] == [MIO]


async def test_a_relay_that_says_later_is_asked_later(world: World, smtp: SmtpServer) -> None:
    smtp.answers["RCPT"].extend(["451 busy", "421 busy"])
    async with postman(world, over(smtp)) as man:
        man.poll_s = 0.01
        await put(world)
        man.wake()
        await until_async(lambda: none_left(world))
    assert (man.sent, man.failed, man.given_up, len(smtp.mails)) == (1, 2, 0, 1)


async def test_a_relay_that_says_never_is_believed(world: World, smtp: SmtpServer) -> None:
    smtp.answers["RCPT"].append("550 nobody of that name")
    async with postman(world, over(smtp)) as man:
        await put(world)
        man.wake()
        await until_async(lambda: none_left(world))
    assert (man.sent, man.failed, man.given_up, smtp.mails) == (0, 1, 1, [])


async def test_a_relay_that_is_down_is_waited_for(world: World, smtp: SmtpServer) -> None:
    await smtp.stop()
    async with postman(world, over(smtp)) as man:
        man.poll_s = 0.01
        await put(world)
        man.wake()
        await until(lambda: man.failed >= 2)
        await smtp.start()
        await until_async(lambda: none_left(world))
    assert (man.sent, man.given_up, len(smtp.mails)) == (1, 0, 1)


async def test_a_code_that_is_too_old_is_given_up(world: World, smtp: SmtpServer) -> None:
    await put(world)
    await world.desk.db.write(
        lambda tx: tx.rows("update letter set created_at = :at", at=tx.now_ms() - 31 * 60_000)
    )
    async with postman(world, over(smtp)) as man:
        await until_async(lambda: none_left(world))
    assert (man.sent, man.given_up, smtp.connections) == (0, 1, 0)


async def test_a_letter_for_nobody_is_thrown_away(world: World, smtp: SmtpServer) -> None:
    await put(world, kind=letters.NOTHING)
    async with postman(world, over(smtp)) as man:
        await until_async(lambda: none_left(world))
    assert (man.sent, man.failed, man.given_up, smtp.connections) == (0, 0, 0, 0)


async def test_a_letter_nobody_can_write_holds_up_nobody(world: World, smtp: SmtpServer) -> None:
    await put(world, kind="no such kind")
    await put(world)
    async with postman(world, over(smtp)) as man:
        await until_async(lambda: none_left(world))
    assert (man.sent, man.given_up) == (1, 1)


async def test_without_a_mailer_letters_wait(world: World) -> None:
    await put(world)
    async with postman(world, None) as man:
        await until(lambda: man.failed >= 1)
    assert man.given_up == 0
    assert not await none_left(world)


async def test_a_database_that_breaks_off_is_asked_again(
    world: World, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = world.desk.db.write
    broken = iter((True,))

    async def write(unit: object) -> object:
        if next(broken, False):
            raise StorageUnavailable("down")
        return await real(unit)  # type: ignore[arg-type]  # the postman's own unit

    await put(world)
    monkeypatch.setattr(world.desk.db, "write", write)
    async with postman(world, over(smtp)) as man:
        man.poll_s = 0.01
        man.wake()
        await until(lambda: man.sent == 1)
    assert next(broken, None) is None, "it never broke off"
    assert [mail.to for mail in smtp.mails] == [MIO]


async def test_a_postman_who_leaves_lets_the_letter_in_his_hands_arrive(world: World) -> None:
    class Slow(KeptMailer):
        def __init__(self) -> None:
            super().__init__()
            self.begun = asyncio.Event()
            self.gate = asyncio.Event()

        async def send(self, mail: Mail) -> None:
            self.begun.set()
            await self.gate.wait()
            await super().send(mail)

    mailer = Slow()
    await put(world)
    async with postman(world, mailer):
        await mailer.begun.wait()
        asyncio.get_running_loop().call_later(0.02, mailer.gate.set)
    assert len(mailer.mails) == 1
    assert await none_left(world)


async def test_logs_hold_no_address_and_no_code(world: World, smtp: SmtpServer) -> None:
    smtp.answers["RCPT"].extend([f"451 no <mio@example.org> {CODE}", f"550 no <mio@example.org> {CODE}"])
    with structlog.testing.capture_logs() as lines:
        async with postman(world, over(smtp)) as man:
            man.poll_s = 0.01
            await put(world)
            man.wake()
            await until_async(lambda: none_left(world))
            await put(world)
            man.wake()
            await until(lambda: man.sent == 1)
    assert {line["event"] for line in lines} == {"letter waits", "letter given up", "letter sent"}
    assert "mio" not in str(lines)
    assert CODE not in str(lines)
    assert masked("mio@example.org") == "m***@example.org"


async def test_a_node_sends_what_its_use_cases_put_down(start_node: Start, smtp: SmtpServer) -> None:
    server = await start_node(smtp_url=smtp.url, mail_from="hello@tsudoi.example")
    desk, postman = server.node.desk, server.node.postman
    # From its next look on, only being woken makes it look.
    postman.poll_s = NEVER_S
    postman.wake()
    await until(lambda: not postman._bell.is_set())
    await desk.db.write(lambda tx: letters.put_letter(tx, "mio@example.org", "test", {}))
    desk.letters_wait()
    await until(lambda: postman.sent == 1)
    value = server.node.metrics.registry.get_sample_value("tsudoi_letters_sent_total")
    assert (value, smtp.mails[0].to) == (1.0, "mio@example.org")


async def demo_mails(url: str, key: str, address: str = "") -> httpx2.Response:
    async with httpx2.AsyncClient() as client:
        headers = {"origin": url}
        return await client.post(f"{url}/demo/mails", json={"key": key, "address": address}, headers=headers)


async def test_the_demo_shows_its_mails_to_who_has_the_link(start_node: Start) -> None:
    server = await start_node(demo=True)
    desk = server.node.desk
    for address in ("mio@example.org", "ken@example.org"):
        await desk.db.write(lambda tx, to=address: letters.put_letter(tx, to, "code", FACTS))  # type: ignore[misc]  # bound now
        desk.letters_wait()
        await until(lambda n=server.node.postman.sent: server.node.postman.sent > n)
    key = await link_key(desk)
    listed = (await demo_mails(server.url, key)).json()["ok"]["mails"]
    assert [mail["to"] for mail in listed] == ["ken@example.org", "mio@example.org"]
    (mine,) = (await demo_mails(server.url, key, " MIO@example.org")).json()["ok"]["mails"]
    assert code_of(desk.secret, "s") in mine["text"]
    assert (await demo_mails(server.url, "wrong")).json()["error"]["code"] == "forbidden"
    assert (await demo_mails(server.url, key, "nobody")).json()["error"]["code"] == "text_invalid"
    foreign = {"origin": "https://evil.example"}
    async with httpx2.AsyncClient() as client:
        answer = await client.post(f"{server.url}/demo/mails", json={"key": key}, headers=foreign)
    assert answer.json()["error"]["code"] == "forbidden"


async def test_outside_the_demo_no_mail_can_be_read(start_node: Start, tmp_path: Path) -> None:
    server = await start_node()
    assert server.node.mailer is None
    assert (await demo_mails(server.url, "")).status_code == 404
