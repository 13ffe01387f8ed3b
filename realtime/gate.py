"""The typed requests and results of the gate: invites, sign-up, log-in, sessions (FEATURES §1, §2)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from realtime.models import AccountCard, Shape
from realtime.operations import Request
from realtime.requests import Id, Label, Nonce, Token

Code = Annotated[str, Meta(max_length=64, description="as typed: any case, full width and hyphens are fine")]
Address = Annotated[str, Meta(max_length=320)]
Name = Annotated[str, Meta(max_length=512)]


class InviteKind(StrEnum):
    """What an invite leads to: the service, or a room in it."""

    SERVICE = "service"
    ROOM = "room"


class Audience(StrEnum):
    """Whom something of mine is shown to."""

    EVERYONE = "everyone"
    MUTUALS = "mutuals"
    NOBODY = "nobody"


class WriteFrom(StrEnum):
    """Who may send a message request: everyone, or only people who share a group with one; requests of others never
    arrive, which nobody is told."""

    EVERYONE = "everyone"
    FOLLOWED = "followed"


class InviteCreate(Request, frozen=True, kw_only=True):
    """A new invite. Members: one use, at most 7 days, 10 live. Operators: up to 500 uses."""

    nonce: Nonce
    kind: InviteKind = InviteKind.SERVICE
    room: Id | None = None
    uses: Annotated[int, Meta(ge=1, le=500)] = 1
    days: Annotated[int, Meta(ge=1, le=366)] = 7


class InviteRef(Request, frozen=True, kw_only=True):
    """One of one's own invites."""

    invite: Id


class InviteReissue(Request, frozen=True, kw_only=True):
    """End an invite and begin another in its place, in one step."""

    invite: Id
    nonce: Nonce


class InviteKey(Request, frozen=True, kw_only=True):
    """What a guest holds: the link's token, or the typed code; exactly one."""

    token: Token | None = None
    code: Code | None = None


class Invite(Shape, frozen=True, kw_only=True):
    """An invite as its issuer sees it. `state`: live, paused, redeemed, expired, revoked."""

    id: str
    kind: InviteKind
    room: str | None
    state: str
    uses: int
    uses_max: int
    created_at: int
    expires_at: int


class NewInvite(Invite, frozen=True, kw_only=True):
    """An invite just made. Link, code and QR (an SVG of the link) are shown this once; hashes are kept."""

    link: str
    code: str
    qr: str


class Invites(Shape, frozen=True, kw_only=True):
    """One's invites, the newest first, and how many more may be live at once. `uses_max` and `days_max`: how often and
    for how long a new one may be used at most."""

    invites: list[Invite]
    left: int
    uses_max: int
    days_max: int


class InvitePreview(Shape, frozen=True, kw_only=True):
    """What whoever holds an invite is shown before joining. The issuer will be told."""

    kind: InviteKind
    issuer: AccountCard
    room_title: str | None
    expires_at: int


class Redeemed(Shape, frozen=True, kw_only=True):
    """What a member gained by an invite."""

    room: str | None


class AttemptRef(Request, frozen=True, kw_only=True):
    """A sign-up on its way, by the secret that beginning it returned."""

    attempt: Token


class Attempt(Shape, frozen=True, kw_only=True):
    """Where a sign-up or log-in stands. `step`: address, code or profile; `attempt` is the secret to go on with;
    `terms` is the version of the terms that a newcomer is to agree to."""

    attempt: str
    step: str
    expires_at: int
    terms: str
    invite: InvitePreview | None = None
    address: str | None = None


class AccountAddress(Request, frozen=True, kw_only=True):
    """Age, terms and address of a sign-up. A code goes to the address."""

    attempt: Token
    address: Address
    adult: bool
    terms: Label


class AccountVerify(Request, frozen=True, kw_only=True):
    """The code that was sent: six digits, full width is fine."""

    attempt: Token
    code: Code


class AccountCreate(Request, frozen=True, kw_only=True):
    """The last step of a sign-up. With `cookie` the browser gets the session and `token` stays null."""

    attempt: Token
    handle: Label
    name: Name
    follow_inviter: bool = True
    presence_to: Audience = Audience.MUTUALS
    write_from: WriteFrom = WriteFrom.FOLLOWED
    communities_shown: bool = False
    label: Label = ""
    cookie: bool = False


class SessionBegin(Request, frozen=True, kw_only=True):
    """Log in: a code goes to the address, if it is an account's; the answer is the same if it is not."""

    address: Address


class SessionCreate(Request, frozen=True, kw_only=True):
    """The code that was sent. With `cookie` the browser gets the session and `token` stays null."""

    attempt: Token
    code: Code
    label: Label = ""
    cookie: bool = False


class AddressChange(Request, frozen=True, kw_only=True):
    """Another address for one's account. A code goes there, if it is nobody's; the answer is the same if it is."""

    address: Address


class AddressConfirm(Request, frozen=True, kw_only=True):
    """The code that was sent to the new address."""

    attempt: Token
    code: Code


class AddressChanged(Shape, frozen=True, kw_only=True):
    """The address in use, as it was typed; the one before it can undo the change until then."""

    address: str
    undo_until: int


class Entered(Shape, frozen=True, kw_only=True):
    """Inside: who, by which session; the token is shown this once."""

    account: AccountCard
    session: str
    token: str | None


class SessionOffer(Shape, frozen=True, kw_only=True):
    """What a further device gets in by: a link, and its QR code as SVG. It works once, and for two minutes."""

    link: str
    qr: str
    expires_at: int


class SessionKey(Request, frozen=True, kw_only=True):
    """What another device of the same person showed: the token of its link."""

    token: Token


class SessionOffered(Shape, frozen=True, kw_only=True):
    """Whose device offers to let this one in."""

    account: AccountCard


class SessionTake(Request, frozen=True, kw_only=True):
    """Get in by what another device showed. With `cookie` the browser gets the session and `token` stays null."""

    token: Token
    label: Label = ""
    cookie: bool = False


class RecoveryCodes(Shape, frozen=True, kw_only=True):
    """Codes that let in without mail, each once; shown this once."""

    codes: list[str]


class RecoveryState(Shape, frozen=True, kw_only=True):
    """How many recovery codes are left, and when they were made. `due`: it is time to offer some."""

    left: int
    made_at: int | None
    due: bool


class SessionRecover(Request, frozen=True, kw_only=True):
    """Get in by a recovery code. With `cookie` the browser gets the session and `token` stays null."""

    handle: Label
    code: Code
    label: Label = ""
    cookie: bool = False


class SessionRef(Request, frozen=True, kw_only=True):
    """One of one's own sessions."""

    session: Id


class SessionRevokeAll(Request, frozen=True, kw_only=True):
    """All sessions, or all but the one that asks."""

    others: bool = False


class Session(Shape, frozen=True, kw_only=True):
    """A login on one device. `used_at` is known to the hour."""

    id: str
    label: str
    created_at: int
    used_at: int
    current: bool


class Sessions(Shape, frozen=True, kw_only=True):
    """All living sessions, the newest use first."""

    sessions: list[Session]


class Revoked(Shape, frozen=True, kw_only=True):
    """How many sessions ended."""

    ended: int


class InviteUsed(Shape, frozen=True, kw_only=True):
    """Somebody came by one's invite."""

    invite: str
    account: AccountCard


class InvitePaused(Shape, frozen=True, kw_only=True):
    """One's link was looked at from many networks and rests; reissue it if it leaked."""

    invite: str


class SessionEvent(Shape, frozen=True, kw_only=True):
    """A session of one's own began on a new device."""

    session: str
    label: str


class AddressEvent(Shape, frozen=True, kw_only=True):
    """The account has another address since; the one before it can undo that until then."""

    undo_until: int
