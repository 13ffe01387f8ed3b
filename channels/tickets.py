"""Tickets: how a browser, whose scripts cannot read the session cookie, opens a socket (WIRE §1).

A ticket is signed and needs no store: `version.session.expiry.random.signature`. It lives ≤ 60 s; each node takes
it once (the gateway remembers those it has seen until they expire).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

_VERSION = "t1"
_PARTS = 5


def new_key() -> str:
    """A signing key for the whole installation."""
    return secrets.token_hex(32)


def make(key: str, session: str, expires_ms: int) -> str:
    """A ticket for a session, good until `expires_ms`."""
    body = f"{_VERSION}.{session}.{expires_ms}.{secrets.token_urlsafe(12)}"
    return f"{body}.{_sign(key, body)}"


def check(key: str, ticket: str, now_ms: int) -> str | None:
    """The session id a ticket stands for, or None if it is forged, broken or late."""
    parts = ticket.split(".")
    if len(parts) != _PARTS or parts[0] != _VERSION or not ticket.isascii():
        return None
    body, _, signature = ticket.rpartition(".")
    if not hmac.compare_digest(signature, _sign(key, body)):
        return None
    return parts[1] if now_ms < int(parts[2]) else None


def expiry(ticket: str) -> int:
    """When a checked ticket expires, Unix milliseconds."""
    return int(ticket.split(".")[2])


def _sign(key: str, body: str) -> str:
    digest = hmac.new(bytes.fromhex(key), body.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
