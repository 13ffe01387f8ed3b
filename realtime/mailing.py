"""How mail leaves, as an operator writes it down: the relay's address, and who the mails are from.

Pure: texts in, values out, or `ValueError` with a sentence for the operator that never repeats a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import parse_qsl, unquote, urlsplit

from realtime.errors import Refusal
from realtime.places import is_loopback
from realtime.text import TextLimit, clean_name, fold_address

EXAMPLE = "smtp://user:password@mail.example.org:587 or smtps://…"
PORTS = {"smtp": 587, "smtps": 465}
NAME = TextLimit(graphemes=60, size_bytes=512, lines=False)
_SENDER = re.compile(r"\s*(?:\"?([^<>\"]*?)\"?\s*<([^<>]+)>|([^<>]+))\s*\Z")


class Tls(Enum):
    """How the way to the relay is sealed."""

    FROM_THE_START = "tls"
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Relay:
    """The mail server that takes our mail. `user` is empty where it wants no log-in."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    tls: Tls


def relay_of(url: str) -> Relay:
    """`smtp://user:pass@host:587` or `smtps://…` → the relay.

    Codes travel this way, so beyond this machine STARTTLS is demanded, not merely tried; a relay inside a private
    network that has none is named with `?starttls=off`.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise ValueError(f"this is not a URL; use {EXAMPLE}") from None
    if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/") or parts.fragment:
        raise ValueError(f"use {EXAMPLE}; a password's special characters are written as %XX")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    starttls = options.pop("starttls", "off" if is_loopback(parts.hostname) else "on")
    if options or starttls not in ("on", "off"):
        raise ValueError("the only option is ?starttls=on or ?starttls=off")
    if parts.password and not parts.username:
        raise ValueError("a password needs a user name before it")
    tls = Tls.STARTTLS if starttls == "on" else Tls.NONE
    return Relay(
        parts.hostname,
        port or PORTS[parts.scheme],
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        Tls.FROM_THE_START if parts.scheme == "smtps" else tls,
    )


def sender_of(text: str) -> tuple[str, str]:
    """`Tsudoi <hello@example.org>` or `hello@example.org` → (name, address)."""
    match = _SENDER.match(text)
    try:
        if not match or any(ord(c) < 32 for c in text):
            raise Refusal("text_invalid")
        name = (match[1] or "").strip()
        return clean_name(name, NAME) if name else "", fold_address(match[2] or match[3])
    except Refusal:
        raise ValueError("write it as hello@example.org or Tsudoi <hello@example.org>") from None
