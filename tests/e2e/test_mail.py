"""From an empty directory to being inside, end to end with real processes: set up, serve, ask for a code, read the mail,
log in. In the demo the mail is read on the terminal instead."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from tests.support.http import post
from tests.support.server import ServerProcess
from tests.support.smtp import SmtpServer
from tests.support.waiting import until

CODE = re.compile(r"^    (\d{6})$", re.MULTILINE)
MAIL = re.compile(r"--- mail to new@example\.org: .*?\n---\n", re.DOTALL)
OPERATOR = ("--operator-handle", "mio", "--operator-email", "Mio@Example.org")
ADDRESS = "ｍｉｏ@example.org"


def code_in(text: str) -> str:
    """The code of a mail."""
    found = CODE.search(text)
    assert found, text
    return found[1]


async def test_an_operator_sets_up_and_logs_in_by_mail(smtp: SmtpServer, tmp_path: Path) -> None:
    server = ServerProcess({"TSUDOI_DATA": str(tmp_path / "data")})
    try:
        relay = ("--smtp-url", smtp.url, "--mail-from", "集い <hello@tsudoi.example>")
        made = await asyncio.to_thread(server.run_cli, "setup", "--yes", *relay, *OPERATOR)
        await asyncio.to_thread(server.start)
        stranger = await post(server.url, "session.begin", address="nobody@example.org")
        begun = (await post(server.url, "session.begin", address=ADDRESS)).ok
        assert set(stranger.ok) == set(begun)
        await until(lambda: len(smtp.mails) == 2, "the test mail and the code")
        assert [mail.to for mail in smtp.mails] == ["mio@example.org"] * 2
        code = code_in(smtp.mails[1].text)
        inside = (
            await post(server.url, "session.create", attempt=begun["attempt"], code=code, label="e2e")
        ).ok
        assert inside["account"]["id"] == made["operator"]["account"]
        await until(lambda: len(smtp.mails) == 3, "word of the new device")
        assert "Device: e2e" in smtp.mails[2].text
        said = server.log_text()
        assert "letter sent" in said
        assert code not in said
        assert "mio@example.org" not in said
        await asyncio.to_thread(server.stop)
    finally:
        server.close()


async def test_the_demo_says_its_mails_on_the_terminal(smtp: SmtpServer) -> None:
    # A relay in the environment changes nothing: the demo sends no mail.
    relay = {"TSUDOI_SMTP_URL": smtp.url, "TSUDOI_MAIL_FROM": "hello@tsudoi.example"}
    server = ServerProcess(relay, ("demo",))
    try:
        await asyncio.to_thread(server.start)
        host = await asyncio.to_thread(server.run_cli, "account", "create", "host")
        invite = (await post(server.url, "invite.create", host["token"], nonce="1")).ok
        attempt = (await post(server.url, "account.begin", code=invite["code"])).ok["attempt"]
        await post(
            server.url, "account.address", attempt=attempt, address="new@example.org", adult=True, terms="1"
        )
        told = await asyncio.to_thread(server.wait_for_log, MAIL)
        verified = await post(server.url, "account.verify", attempt=attempt, code=code_in(told))
        assert verified.ok["step"] == "profile"
    finally:
        server.close()
    assert smtp.connections == 0
