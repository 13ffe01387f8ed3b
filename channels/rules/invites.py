"""Invites as arithmetic: what an invite is worth now, and who may issue which (FEATURES §1). Pure."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from realtime.ids import ALPHABET

CODE_CHARS = 12
_LOOKS_LIKE = str.maketrans({"O": "0", "I": "1", "L": "1", "U": "V"})


class InviteState(StrEnum):
    """live and paused may change, the others are for ever."""

    LIVE = "live"
    PAUSED = "paused"
    REDEEMED = "redeemed"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class InviteFacts:
    """What decides over an invite. `held` counts sign-ups on their way; `issuer_stands`: active and not barred."""

    state: str
    expires_at: int
    uses: int
    uses_max: int
    held: int
    issuer_stands: bool


def worth(facts: InviteFacts, now_ms: int) -> InviteState:
    """What whoever holds the link is told. An invite dies with its issuer's standing."""
    if facts.state == InviteState.REVOKED or not facts.issuer_stands:
        return InviteState.REVOKED
    if facts.state == InviteState.REDEEMED or facts.uses >= facts.uses_max:
        return InviteState.REDEEMED
    if facts.expires_at <= now_ms:
        return InviteState.EXPIRED
    if facts.state == InviteState.PAUSED:
        return InviteState.PAUSED
    if facts.uses + facts.held >= facts.uses_max:
        return InviteState.REDEEMED
    return InviteState.LIVE


@dataclass(frozen=True, slots=True)
class IssuerFacts:
    """Who wants to issue. `live` are the invites of theirs that could still be used."""

    role: str
    barred: bool
    live: int


@dataclass(frozen=True, slots=True)
class InviteLimits:
    """What members may issue, and operators."""

    member_live_max: int
    member_days: int
    operator_uses_max: int
    operator_days_max: int


def most_of(role: str, limits: InviteLimits) -> tuple[int, int]:
    """How often an invite of such an issuer may be used at most, and for how many days."""
    if role == "operator":
        return limits.operator_uses_max, limits.operator_days_max
    return 1, limits.member_days


def issue_verdict(facts: IssuerFacts, uses: int, days: int, limits: InviteLimits) -> str | None:
    """None if this invite may be issued, else the code to refuse with."""
    if facts.barred:
        return "forbidden"
    uses_max, days_max = most_of(facts.role, limits)
    fits = uses <= uses_max and days <= days_max
    if facts.role == "operator":
        return None if fits else "bad_request"
    if not fits:
        return "forbidden"
    return None if facts.live < limits.member_live_max else "invite_quota"


def fold_code(typed: str, chars: int = CODE_CHARS) -> str:
    """A code as typed (any case, full width, with or without hyphens, O for 0) → its so many characters, or ''."""
    plain = unicodedata.normalize("NFKC", typed).upper().translate(_LOOKS_LIKE)
    kept = "".join(c for c in plain if c not in " -‐‑–—ー−_.")
    return kept if len(kept) == chars and all(c in ALPHABET for c in kept) else ""


def show_code(code: str) -> str:
    """Its characters → `XXXX-XXXX-XXXX`."""
    return "-".join(code[n : n + 4] for n in range(0, len(code), 4))
