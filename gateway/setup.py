"""The set-up: asks what an installation needs to know, tries it, and writes it down.

Called by `tsudoi setup`. What always holds: nothing is kept before every answer was found usable, the servers named
were reached and the test mail was taken; running it again keeps what is there; an answer is refused in words that
say what would be right.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import click

from channels.desk import Desk
from channels.letters import TEST, letter_text
from channels.operators import Appointed, Operator, appoint, first_operator
from gateway import doctor, envfile
from gateway.demo import KEY_NAME
from gateway.offline import with_desk
from realtime.errors import Refusal
from realtime.mailing import relay_of, sender_of
from realtime.places import is_loopback
from realtime.settings import Settings, SettingsError
from realtime.text import clean_display_name, clean_handle, fold_address
from storage.accounts import meta
from storage.mail import Mail, MailTrouble, mailer_of

CLEAR = "-"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line said. `given` holds the options that were named, empty ones included."""

    given: Mapping[str, str]
    yes: bool
    test_mail: bool


@dataclass(frozen=True, slots=True)
class Question:
    """One answer. `variable` is where it is kept; the operator's answers have none."""

    option: str
    text: str
    check: Callable[[str], str]
    variable: str = ""


@dataclass(slots=True)
class Report:
    """What was done, for a person and for a machine."""

    settings: Settings
    operator: Appointed
    mailed: bool
    written: Path
    warnings: list[str] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        """For machines."""
        return {
            "data": str(self.settings.data),
            "env_file": str(self.written),
            "public_url": self.settings.public_url,
            "test_mail": self.operator.address if self.mailed else None,
            "operator": {
                "account": self.operator.account,
                "handle": self.operator.handle,
                "address": self.operator.address,
                "new": self.operator.new,
                "session": self.operator.session,
                "token": self.operator.token,
            },
            "warnings": self.warnings,
        }

    def text(self) -> str:
        """For people."""
        who = f"@{self.operator.handle} <{self.operator.address}>"
        lines = [f"Operator {who} is made." if self.operator.new else f"Operator {who} was there already."]
        if self.operator.new:
            lines.append(f"First session's token, shown once: {self.operator.token}")
        if self.mailed:
            lines.append(f"A test mail is on its way to {self.operator.address}.")
        lines += [f"Written to {self.written}.", *(f"Beware: {warning}" for warning in self.warnings)]
        elsewhere = self.settings.data != default_data({})
        start = f"TSUDOI_DATA={self.settings.data} ./run serve" if elsewhere else "./run serve"
        page = self.settings.public_url or "the address that it prints"
        lines.append(f"Start with: {start}\nThen open {page} and log in with {self.operator.address}.")
        return "\n".join(lines)


def default_data(env: Mapping[str, str]) -> Path:
    """The data directory unless another one is named."""
    return Path(env.get("TSUDOI_DATA") or Settings().data)


def run(wishes: Wishes) -> Report:
    """The whole set-up. Raises `SettingsError` and `Refusal`, whose texts are for the person at the keyboard."""
    if not wishes.yes and not sys.stdin.isatty():
        raise SettingsError("the set-up asks questions: run it in a terminal, or give options and --yes")
    data = Path(_ask(Question("data", "Data directory", _data), wishes, str(default_data(os.environ))))
    kept = envfile.read(data)
    env = {**kept, **os.environ}
    answers = {each.variable: _ask(each, wishes, env.get(each.variable, "")) for each in INSTALLATION}
    settings = _settings(env, answers, data)
    present = _present(settings) or Operator("", "", "")
    operator = _operator(wishes, present)
    mailed = wishes.test_mail and settings.mails and _test_mail(wishes, settings, operator.address)
    made = with_desk(settings, lambda desk: desk.db.write(lambda tx: appoint(tx, operator)))
    written = envfile.write(data, _to_keep(kept, answers))
    return Report(settings, made, mailed, written, _warnings(settings))


def _test_mail(wishes: Wishes, settings: Settings, address: str) -> bool:
    """True if it left. A person may go on without it, so that no answer is lost; a script may not."""
    try:
        send_test(settings, address)
    except SettingsError as error:
        if wishes.yes:
            raise
        click.echo(f"  {error}", err=True)
        if not click.confirm("Go on all the same? (Run the set-up again to mend it.)", err=True):
            raise
        return False
    return True


def send_test(settings: Settings, address: str) -> None:
    """Mail the test letter. Raises `SettingsError` with what the relay made of it."""
    mailer = mailer_of(settings)
    assert mailer is not None
    text = letter_text(TEST, {}, public_url=settings.public_url)
    mail = Mail(secrets.token_hex(16), fold_address(address), text.subject, text.body)
    try:
        asyncio.run(mailer.send(mail))
    except MailTrouble as trouble:
        raise SettingsError(
            f"the test mail did not leave: {trouble.reason}; check TSUDOI_SMTP_URL (--smtp-url) and "
            "TSUDOI_MAIL_FROM (--mail-from), or go on with --no-test-mail"
        ) from None


# Questions


def _ask(question: Question, wishes: Wishes, present: str) -> str:
    """The answer, checked: from the options, else what is there, else from the person, asked until it fits."""
    option = f"--{question.option.replace('_', '-')}"
    if question.option in wishes.given or wishes.yes:
        try:
            return _checked(question, wishes.given.get(question.option, present))
        except (ValueError, Refusal) as error:
            raise SettingsError(f"{option}: {_words(error)}") from None
    shown = f" [{_without_password(present)}; {CLEAR} for none]" if present else ""
    while True:
        said = click.prompt(question.text + shown, default="", show_default=False, err=True).strip()
        try:
            return _checked(question, "" if said == CLEAR else said or present)
        except (ValueError, Refusal) as error:
            click.echo(f"  {_words(error)}", err=True)


def _checked(question: Question, text: str) -> str:
    # A line end would begin another variable in the file.
    if any(ord(c) < 32 for c in text):
        raise ValueError("one line, please")
    return question.check(text.strip())


def _words(error: Exception) -> str:
    return error.message if isinstance(error, Refusal) else str(error)


def _without_password(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    if not parts.password:
        return text
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}"))


def _data(text: str) -> str:
    path = Path(text)
    if not text:
        raise ValueError("name a directory")
    if path.resolve().parts[-2:] == ("var", "demo"):
        raise ValueError(f"{text} is the demo's; choose another directory")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{text} cannot be made: {error.strerror}") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise ValueError(f"{text} cannot be written")
    return text


def _public_url(text: str) -> str:
    if not text:
        return ""
    parts = urlsplit(text)
    bare = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
    if parts.scheme not in ("http", "https") or not parts.hostname or not bare or " " in text:
        raise ValueError("use https://tsudoi.example: a scheme and a name, nothing behind it")
    _ = parts.port  # raises ValueError if it is no port
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _database_url(text: str) -> str:
    Settings(database_url=text).check()
    return text


def _redis_url(text: str) -> str:
    Settings(redis_url=text).check()
    return text


def _smtp_url(text: str) -> str:
    if text:
        relay_of(text)
    return text


def _mail_from(text: str) -> str:
    if text:
        sender_of(text)
    return text


def _address(text: str) -> str:
    fold_address(text)
    return text.strip()


INSTALLATION = (
    Question(
        "public_url",
        "Public address, such as https://tsudoi.example (empty: this machine only)",
        _public_url,
        "TSUDOI_PUBLIC_URL",
    ),
    Question(
        "database_url",
        "PostgreSQL, postgresql://… (empty: one SQLite file in the data directory)",
        _database_url,
        "DATABASE_URL",
    ),
    Question(
        "redis_url", "Redis or Valkey, redis://… (empty: none, for one process)", _redis_url, "REDIS_URL"
    ),
    Question(
        "smtp_url",
        "Mail relay, smtp://user:password@host:587 (empty: no mail)",
        _smtp_url,
        "TSUDOI_SMTP_URL",
    ),
    Question(
        "mail_from",
        "Mails are from, such as Tsudoi <hello@tsudoi.example> (empty: no mail)",
        _mail_from,
        "TSUDOI_MAIL_FROM",
    ),
)


def _operator(wishes: Wishes, present: Operator) -> Operator:
    handle = _ask(
        Question("operator_handle", "First operator's handle", clean_handle), wishes, present.handle
    )
    name = present.name if handle == present.handle else handle
    address = present.address if handle == present.handle else ""
    return Operator(
        handle,
        _ask(Question("operator_name", "First operator's name", clean_display_name), wishes, name),
        _ask(Question("operator_email", "First operator's mail address", _address), wishes, address),
    )


# Trying and keeping


def _settings(env: Mapping[str, str], answers: Mapping[str, str], data: Path) -> Settings:
    """The settings as they will be at the next start. Raises `SettingsError`."""
    for name, answer in answers.items():
        if os.environ.get(name, answer) != answer:
            raise SettingsError(
                f"{name} is set in the environment to something else, and would win: unset it"
            )
    settings = Settings.from_env({**env, **answers}, data=data)
    if settings.demo:
        raise SettingsError("TSUDOI_DEMO is set: the demo sets itself up")
    courier = asyncio.run(doctor.courier(settings))
    if not courier["ok"]:
        raise SettingsError(f"--redis-url: {courier['says']}")
    return settings


def _present(settings: Settings) -> Operator | None:
    """Who runs it already. Brings the schema up to date. Raises `SettingsError` for the demo's database."""

    async def work(desk: Desk) -> Operator | None:
        if await desk.db.read(lambda tx: meta(tx, KEY_NAME)) is not None:
            raise SettingsError("this database holds the demo's people; choose another")
        return await desk.db.read(first_operator)

    return with_desk(settings, work)


def _to_keep(kept: Mapping[str, str], answers: Mapping[str, str]) -> dict[str, str]:
    """The file's new content: answers that the environment gives anyway stay where they are."""
    told = {
        name: value for name, value in answers.items() if name in kept or os.environ.get(name, "") != value
    }
    return {name: value for name, value in {**kept, **told}.items() if value}


def _warnings(settings: Settings) -> list[str]:
    found = []
    host = urlsplit(settings.public_url).hostname or "localhost"
    if settings.public_url.startswith("http://") and not is_loopback(host):
        found.append("the public address is not https: sessions travel in the clear")
    if not settings.mails:
        found.append("without a mail relay nobody can sign up or log in by mail")
    return found
