"""Relays and senders as operators write them, and addresses as they are folded."""

from __future__ import annotations

import pytest

from realtime.errors import Refusal
from realtime.mailing import Relay, Tls, relay_of, sender_of
from realtime.settings import Settings, SettingsError
from realtime.text import fold_address


@pytest.mark.parametrize(
    ("url", "relay"),
    [
        ("smtp://mail.example.org", Relay("mail.example.org", 587, "", "", Tls.STARTTLS)),
        (
            "smtp://me%40x:p%3A%2F@mail.example.org:2525",
            Relay("mail.example.org", 2525, "me@x", "p:/", Tls.STARTTLS),
        ),
        ("smtps://mail.example.org", Relay("mail.example.org", 465, "", "", Tls.FROM_THE_START)),
        ("smtp://127.0.0.1:25", Relay("127.0.0.1", 25, "", "", Tls.NONE)),
        ("smtp://localhost:25?starttls=on", Relay("localhost", 25, "", "", Tls.STARTTLS)),
        ("smtp://relay:25?starttls=off", Relay("relay", 25, "", "", Tls.NONE)),
    ],
)
def test_a_relay_is_read(url: str, relay: Relay) -> None:
    assert relay_of(url) == relay
    assert relay.password not in repr(relay) or not relay.password


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org",
        "http://mail.example.org",
        "smtp://",
        "smtp://host:port",
        "smtp://host/path",
        "smtp://host?tls=1",
        "smtp://host?starttls=maybe",
        "smtp://:secret@host",
        "smtp://user:secret@host/#",
        "smtp://user:secret@[host",
    ],
)
def test_what_is_no_relay_is_refused_without_its_password(url: str) -> None:
    if url.endswith("#"):
        url += "x"
    with pytest.raises(ValueError, match=r"use |option|password|URL") as error:
        relay_of(url)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "sender"),
    [
        ("hello@example.org", ("", "hello@example.org")),
        ("<hello@example.org>", ("", "hello@example.org")),
        ("集い <Hello@Example.org>", ("集い", "hello@example.org")),
        ('"Tsudoi, the server" <hello@example.org>', ("Tsudoi, the server", "hello@example.org")),
    ],
)
def test_a_sender_is_read(text: str, sender: tuple[str, str]) -> None:
    assert sender_of(text) == sender


@pytest.mark.parametrize(
    "text", ["", "Tsudoi", "Tsudoi <>", "a@b", "x <a@example.org> y", "a\nBcc: b <c@example.org>"]
)
def test_what_is_no_sender_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write it as"):
        sender_of(text)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("mio@example.org", "mio@example.org"),
        ("  Mio@EXAMPLE.Org\n", "mio@example.org"),
        ("ｍｉｏ＠ｅｘａｍｐｌｅ．ｏｒｇ", "mio@example.org"),
        ("mio+tsudoi@mail.example.co.jp", "mio+tsudoi@mail.example.co.jp"),
        ("a..b.@docomo.ne.jp", "a..b.@docomo.ne.jp"),
        ("ﬁ@example.org", "fi@example.org"),
    ],
)
def test_addresses_are_folded(text: str, folded: str) -> None:
    assert fold_address(text) == folded
    assert fold_address(folded) == folded


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mio",
        "@example.org",
        "mio@",
        "mio@example",
        "mio@-example.org",
        "mio@example..org",
        "mio@example.org.",
        "mi o@example.org",
        "mio@example.org\r\nBcc: ken@example.org",
        "mio@example.org\x00",
        "mio@exam\nple.org",
        "mio@example.org, ken@example.org",
        "<mio@example.org>",
        '"mio"@example.org',
        "澪@example.org",
        "mio@例え.jp",
        "mio@[127.0.0.1]",
        f"{'m' * 65}@example.org",
        f"m@{'x' * 60}.{'x' * 60}.{'x' * 60}.{'x' * 60}.{'x' * 60}.org",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as refusal:
        fold_address(text)
    assert refusal.value.code == "text_invalid"


def test_mail_settings_go_together_and_are_checked_at_start() -> None:
    both = {"TSUDOI_SMTP_URL": "smtp://relay.example.org", "TSUDOI_MAIL_FROM": "hello@example.org"}
    assert Settings.from_env(both).mails
    assert not Settings().mails
    assert Settings(demo=True).mails
    for wrong, named in [
        ({"TSUDOI_SMTP_URL": both["TSUDOI_SMTP_URL"]}, "TSUDOI_MAIL_FROM"),
        ({"TSUDOI_MAIL_FROM": both["TSUDOI_MAIL_FROM"]}, "TSUDOI_SMTP_URL"),
        ({**both, "TSUDOI_SMTP_URL": "relay:25"}, "TSUDOI_SMTP_URL"),
        ({**both, "TSUDOI_MAIL_FROM": "hello"}, "TSUDOI_MAIL_FROM"),
    ]:
        with pytest.raises(SettingsError, match=named):
            Settings.from_env(wrong)
