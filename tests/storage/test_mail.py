"""How mail leaves: what a relay gets to see, and what its answers mean."""

from __future__ import annotations

import asyncio
import email
import email.policy

import pytest

from realtime.mailing import Relay, Tls, relay_of
from realtime.settings import Settings
from storage.mail import KEPT, KeptMailer, Mail, MailTrouble, SmtpMailer, mailer_of, message
from tests.support.smtp import SmtpServer

SENDER = ("集い", "hello@tsudoi.example")
MAIL = Mail("01K", "mio@example.org", "確認コード / Your code", "こんにちは\n.\n..dots\nEnd\n")


def mailer(smtp: SmtpServer) -> SmtpMailer:
    return SmtpMailer(relay_of(smtp.url), SENDER)


async def test_a_mail_arrives_as_it_was_written(smtp: SmtpServer) -> None:
    await mailer(smtp).send(MAIL)
    (taken,) = smtp.mails
    assert (taken.sender, taken.to) == ("hello@tsudoi.example", "mio@example.org")
    assert taken.text == MAIL.text
    found = taken.message
    assert found["Subject"] == MAIL.subject
    assert found["From"] == "集い <hello@tsudoi.example>"
    assert found["To"] == "mio@example.org"
    assert found["Message-ID"] == "<01K@tsudoi.example>"
    assert found["Date"].datetime is not None
    assert found["Auto-Submitted"] == "auto-generated"
    assert found.get_content_type() == "text/plain"
    assert max(len(line) for line in taken.raw.split(b"\r\n")) < 998
    assert taken.raw.isascii()


@pytest.mark.parametrize(
    "subject",
    [
        "a\r\nBcc: ken@example.org",
        "a\nBcc: ken@example.org\n\nbody",
        "a\u2028Bcc: ken@example.org",
        "あ" * 300 + "\r\nBcc: ken@example.org",
        "a\x00\x0b\x0c\x85b",
    ],
)
def test_a_subject_stays_a_subject(subject: str) -> None:
    raw = message(Mail("1", "mio@example.org", subject, "text"), SENDER).as_bytes()
    found = email.message_from_bytes(raw, policy=email.policy.default)
    assert found.keys().count("To") == 1
    assert "Bcc" not in found
    assert set(found.keys()) == set(message(MAIL, SENDER).keys())


@pytest.mark.parametrize(
    "address",
    [
        "mio@example.org\r\nRCPT TO:<ken@example.org>",
        "mio@example.org>\r\nDATA",
        "mio@example.org, ken@example.org",
        "Mio <mio@example.org>",
        "MIO@example.org",
        "",
    ],
)
async def test_what_is_no_folded_address_never_reaches_the_relay(smtp: SmtpServer, address: str) -> None:
    with pytest.raises(MailTrouble) as trouble:
        await mailer(smtp).send(Mail("1", address, "s", "t"))
    assert not trouble.value.temporary
    assert smtp.connections == 0


async def test_an_odd_carrier_address_travels_in_quotes(smtp: SmtpServer) -> None:
    await mailer(smtp).send(Mail("1", "a..b.@docomo.example", "s", "t"))
    assert smtp.mails[0].to == '"a..b."@docomo.example'


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize(("code", "temporary"), [(451, True), (550, False)])
async def test_the_relays_no_is_final_or_not(smtp: SmtpServer, verb: str, code: int, temporary: bool) -> None:
    smtp.answers[verb].append(f"{code} no <mio@example.org>")
    with pytest.raises(MailTrouble) as trouble:
        await mailer(smtp).send(MAIL)
    assert trouble.value.temporary is temporary
    assert str(code) in trouble.value.reason
    assert "mio" not in trouble.value.reason
    assert smtp.mails == []
    await mailer(smtp).send(MAIL)
    assert len(smtp.mails) == 1


async def test_a_relay_that_is_not_there_may_be_there_later(smtp: SmtpServer) -> None:
    await smtp.stop()
    with pytest.raises(MailTrouble, match="cannot be reached") as trouble:
        await mailer(smtp).send(MAIL)
    assert trouble.value.temporary
    with pytest.raises(MailTrouble):
        await mailer(smtp).check()


async def test_a_relay_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr("storage.mail.SEND_S", 0.05)
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        relay = Relay("127.0.0.1", server.sockets[0].getsockname()[1], "", "", Tls.NONE)
        with pytest.raises(MailTrouble) as trouble:
            await SmtpMailer(relay, SENDER).send(MAIL)
        assert trouble.value.temporary


async def test_codes_and_passwords_never_travel_unsealed(smtp: SmtpServer) -> None:
    relay = Relay("127.0.0.1", smtp.port, "me", "secret", Tls.STARTTLS)
    with pytest.raises(MailTrouble, match="STARTTLS") as trouble:
        await SmtpMailer(relay, SENDER).send(MAIL)
    assert trouble.value.temporary
    assert smtp.mails == []


async def test_a_relay_that_cannot_prove_itself_is_not_talked_to(smtp: SmtpServer) -> None:
    relay = Relay("127.0.0.1", smtp.port, "me", "secret", Tls.FROM_THE_START)
    with pytest.raises(MailTrouble, match="no safe connection") as trouble:
        await SmtpMailer(relay, SENDER).send(MAIL)
    assert trouble.value.temporary


async def test_a_relay_can_be_looked_at_without_mail(smtp: SmtpServer) -> None:
    assert str(smtp.port) in await mailer(smtp).check()
    assert smtp.mails == []


async def test_kept_mails_are_the_last_ones_and_somebody_hears_of_them() -> None:
    kept = KeptMailer()
    heard: list[Mail] = []
    kept.on_mail = heard.append
    for n in range(KEPT + 5):
        await kept.send(Mail(str(n), "mio@example.org", "s", "t"))
    assert [mail.id for mail in kept.mails] == [str(n) for n in range(5, KEPT + 5)]
    assert len(heard) == KEPT + 5


def test_only_the_demo_keeps_mails() -> None:
    relay = {"smtp_url": "smtp://relay.example.org", "mail_from": "hello@example.org"}
    assert mailer_of(Settings()) is None
    assert isinstance(mailer_of(Settings(**relay)), SmtpMailer)
    assert isinstance(mailer_of(Settings(demo=True)), KeptMailer)
    assert isinstance(mailer_of(Settings(demo=True, **relay)), KeptMailer)
