"""The set-up as scripts and people meet it: on both databases, against a relay, once and again."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gateway import envfile
from realtime.settings import SettingsError
from storage import sqlite
from tests.support.smtp import SmtpServer
from tests.support.world import BACK_ENDS

ROOT = Path(__file__).resolve().parent.parent.parent
FROM = "集い <hello@tsudoi.example>"
OPERATOR = ("--operator-handle", "mio", "--operator-email", "Mio@Example.org")


@dataclass(slots=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def facts(self) -> dict[str, Any]:
        """What it printed for machines."""
        assert self.code == 0, self.err
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass(slots=True)
class Place:
    """Where commands run: a directory of their own and a bare environment."""

    root: Path

    @property
    def data(self) -> Path:
        """The data directory unless another is named."""
        return self.root / "var"

    async def tsudoi(
        self, *arguments: str, env: Mapping[str, str] | None = None, keys: str | None = None
    ) -> Ended:
        """Run a command; with `keys`, on a terminal where a person types them."""
        bare = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", **(env or {})}
        ours, theirs = os.openpty() if keys is not None else (-1, asyncio.subprocess.DEVNULL)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "gateway.cli", *arguments),
            stdin=theirs,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.root,
            env=bare,
        )
        try:
            if keys is not None:
                os.close(theirs)
                os.write(ours, keys.encode())
            out, err = await process.communicate()
        finally:
            if keys is not None:
                os.close(ours)
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def rows(place: Place, url: str, statement: str) -> list[tuple[Any, ...]]:
    """What the database holds."""
    if url:
        with psycopg.connect(url) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[arg-type]  # a literal of this test
    connection = sqlite.connect(place.data / "tsudoi.sqlite3", reader=True)
    try:
        return list(connection.execute(statement))
    finally:
        connection.close()


@pytest.mark.parametrize("back_end", BACK_ENDS)
async def test_a_script_sets_up_and_sets_up_again(
    place: Place, smtp: SmtpServer, back_end: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_url") if back_end == "postgres" else ""
    first = await place.tsudoi(
        *("setup", "--yes", "--json", "--smtp-url", smtp.url, "--mail-from", FROM, *OPERATOR),
        *("--operator-name", "みお", "--public-url", "https://Tsudoi.example/", "--database-url", url),
    )
    facts = first.facts
    assert facts["public_url"] == "https://tsudoi.example"
    assert facts["operator"]["new"]
    assert facts["operator"]["token"].startswith("tsd_")
    assert facts["test_mail"] == "mio@example.org"
    assert [mail.to for mail in smtp.mails] == ["mio@example.org"]
    assert "テストメール" in str(smtp.mails[0].message["Subject"])
    account = "select handle, name, role from account"
    assert rows(place, url, account) == [("mio", "みお", "operator")]
    assert rows(place, url, "select address, written from address") == [
        ("mio@example.org", "Mio@Example.org")
    ]
    assert rows(place, url, "select handle from handle") == [("mio",)]
    path = place.data / envfile.NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert envfile.read(place.data) == {
        "TSUDOI_PUBLIC_URL": "https://tsudoi.example",
        "TSUDOI_SMTP_URL": smtp.url,
        "TSUDOI_MAIL_FROM": FROM,
        **({"DATABASE_URL": url} if url else {}),
    }
    before = path.read_bytes()
    again = (await place.tsudoi("setup", "--yes", "--json")).facts
    assert again["operator"] == {**facts["operator"], "new": False, "session": "", "token": ""}
    assert path.read_bytes() == before
    assert len(smtp.mails) == 2
    moved = await place.tsudoi("setup", "--yes", "--operator-email", "m@example.org", "--no-test-mail")
    assert moved.code == 0, moved.err
    assert rows(place, url, "select address from address") == [("m@example.org",)]
    assert rows(place, url, account) == [("mio", "みお", "operator")]
    assert len(smtp.mails) == 2


async def test_a_person_is_asked_and_may_err(place: Place, smtp: SmtpServer) -> None:
    keys = [
        *("", "nonsense", "https://tsudoi.example", "mysql://x", "", ""),
        *(smtp.url, FROM, "Mio!", "mio", "みお", "mio", "mio@example.org"),
    ]
    ended = await place.tsudoi("setup", keys="\n".join(keys) + "\n")
    assert ended.code == 0, ended.err
    for wrong in ("use https://", "mysql:", "A handle is", "not a mail address"):
        assert wrong in ended.err
    assert "Operator @mio <mio@example.org> is made." in ended.out
    assert "tsd_" in ended.out
    assert "log in with mio@example.org" in ended.out
    assert len(smtp.mails) == 1
    secret = smtp.url.replace("://", "://me:hidden@")
    envfile.write(place.data, {"TSUDOI_SMTP_URL": secret, "TSUDOI_MAIL_FROM": FROM})
    kept = await place.tsudoi("setup", "--no-test-mail", keys="\n" * 9)
    assert kept.code == 0, kept.err
    assert "was there already" in kept.out
    assert "hidden" not in kept.out + kept.err
    assert envfile.read(place.data)["TSUDOI_SMTP_URL"] == secret
    gone = await place.tsudoi("setup", keys="\n\n\n\n-\n-\n\n\n\n")
    assert gone.code == 0, gone.err
    assert "nobody can sign up" in gone.out
    assert "TSUDOI_SMTP_URL" not in envfile.read(place.data)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "--operator-handle"),
        (("--operator-handle", "mio"), "--operator-email"),
        ((*OPERATOR, "--public-url", "tsudoi.example"), "--public-url"),
        ((*OPERATOR, "--public-url", "https://tsudoi.example/path"), "--public-url"),
        ((*OPERATOR, "--database-url", "mysql://x"), "DATABASE_URL"),
        ((*OPERATOR, "--database-url", "postgresql://127.0.0.1:9/x"), "refused"),
        ((*OPERATOR, "--redis-url", "redis://127.0.0.1:9"), "--redis-url"),
        ((*OPERATOR, "--smtp-url", "relay:25"), "--smtp-url"),
        ((*OPERATOR, "--smtp-url", "smtp://relay.example.org"), "TSUDOI_MAIL_FROM"),
        ((*OPERATOR, "--smtp-url", "smtp://x\nTSUDOI_DEMO=1"), "one line"),
        ((*OPERATOR, "--smtp-url", "smtp://127.0.0.1:9", "--mail-from", FROM), "--no-test-mail"),
        ((*OPERATOR, "--data", "var/demo"), "the demo's"),
        ((*OPERATOR, "--data", "/proc/tsudoi"), "--data"),
    ],
)
async def test_a_wrong_answer_is_one_line_and_keeps_nothing(
    place: Place, options: tuple[str, ...], says: str
) -> None:
    ended = await place.tsudoi("setup", "--yes", *options)
    assert ended.code in (1, 2)
    assert ended.out == ""
    assert ended.err.count("\n") == 1, ended.err
    assert says in ended.err
    assert not list(place.root.rglob(envfile.NAME))
    database = place.data / "tsudoi.sqlite3"
    assert not database.exists() or rows(place, "", "select id from account") == []


async def test_without_a_person_it_asks_nothing(place: Place) -> None:
    ended = await place.tsudoi("setup", *OPERATOR)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "--yes" in ended.err
    assert not place.data.exists()


async def test_a_member_is_not_made_operator_by_handle_or_address(place: Place) -> None:
    await place.tsudoi("account", "create", "mio")
    ended = await place.tsudoi("setup", "--yes", *OPERATOR)
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "not an operator" in ended.err
    ended = await place.tsudoi(
        "setup", "--yes", "--operator-handle", "op", "--operator-email", "o@example.org"
    )
    assert ended.code == 0, ended.err
    ended = await place.tsudoi(
        "setup", "--yes", "--operator-handle", "x", "--operator-email", "o@example.org"
    )
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "another account" in ended.err


async def test_the_demos_database_is_left_alone(place: Place) -> None:
    await place.tsudoi("seed")
    ended = await place.tsudoi("setup", "--yes", *OPERATOR)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "demo" in ended.err


async def test_the_environment_wins_over_the_file(place: Place) -> None:
    elsewhere = place.root / "elsewhere.sqlite3"
    envfile.write(place.data, {"DATABASE_URL": f"sqlite:///{elsewhere}", "TSUDOI_UNKNOWN": "x"})
    await place.tsudoi("migrate")
    assert elsewhere.exists()
    assert not (place.data / "tsudoi.sqlite3").exists()
    nearer = place.root / "nearer.sqlite3"
    await place.tsudoi("migrate", env={"DATABASE_URL": f"sqlite:///{nearer}"})
    assert nearer.exists()
    await place.tsudoi("migrate", env={"DATABASE_URL": ""})
    assert (place.data / "tsudoi.sqlite3").exists()
    ended = await place.tsudoi(
        *("setup", "--yes", *OPERATOR, "--database-url", ""), env={"DATABASE_URL": f"sqlite:///{nearer}"}
    )
    assert ended.code == 2
    assert "unset it" in ended.err


async def test_the_doctor_looks_at_the_relay(place: Place, smtp: SmtpServer) -> None:
    def mail(ended: Ended) -> tuple[bool, str]:
        (found,) = (each for each in json.loads(ended.out)["checks"] if each["what"] == "mail")
        return found["ok"], found["says"]

    await place.tsudoi("migrate")
    assert "not set up" in mail(await place.tsudoi("doctor", "--json"))[1]
    env = {"TSUDOI_SMTP_URL": smtp.url, "TSUDOI_MAIL_FROM": FROM}
    assert mail(await place.tsudoi("doctor", "--json", env=env))[0]
    assert (smtp.connections, smtp.mails) == (1, [])
    await smtp.stop()
    ended = await place.tsudoi("doctor", "--json", env=env)
    ok, says = mail(ended)
    assert (ended.code, ok) == (1, False)
    assert "TSUDOI_SMTP_URL" in says


async def test_a_person_may_go_on_without_the_test_mail(place: Place) -> None:
    options = ("--data", "var", "--public-url", "", "--database-url", "", "--redis-url", "", *OPERATOR)
    relay = ("--smtp-url", "smtp://127.0.0.1:9", "--mail-from", FROM, "--operator-name", "みお")
    stopped = await place.tsudoi("setup", *options, *relay, keys="n\n")
    assert (stopped.code, stopped.out) == (2, "")
    assert not (place.data / envfile.NAME).exists()
    gone_on = await place.tsudoi("setup", *options, *relay, keys="y\n")
    assert gone_on.code == 0, gone_on.err
    assert "the test mail did not leave" in gone_on.err
    assert "test mail is on its way" not in gone_on.out


async def test_a_broken_file_is_named_with_its_line(place: Place) -> None:
    place.data.mkdir()
    (place.data / envfile.NAME).write_text("# fine\nPORT=1\nwhat is this\n")
    ended = await place.tsudoi("migrate")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "line 3" in ended.err


def test_the_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    assert envfile.read(tmp_path) == {}
    values = {"TSUDOI_MAIL_FROM": FROM, "TSUDOI_SMTP_URL": "smtp://a:b%20=#c@h", "PORT": "1"}
    path = envfile.write(tmp_path / "new", values)
    assert envfile.read(tmp_path / "new") == values
    assert [each.name for each in path.parent.iterdir()] == [envfile.NAME]
    path.write_text("A='x y'\nB=\"\"\n  C = z \n")
    assert envfile.read(tmp_path / "new") == {"A": "x y", "B": "", "C": "z"}
    path.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="cannot be read"):
        envfile.read(tmp_path / "new")
