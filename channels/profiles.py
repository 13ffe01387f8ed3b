"""Profiles: see them, change one's own, hide, delete, and the erasing after the days of grace (FEATURES §2)."""

from __future__ import annotations

import unicodedata
from typing import Any
from urllib.parse import urlsplit

import orjson

from channels import communities
from channels.cards import gone_card, sight_of
from channels.desk import Actor, Desk
from channels.entries import account_away, account_back, emit, presence_ruled
from channels.post_entries import EVERYONE, WATCHING, author_closed
from channels.rooms import pass_on
from channels.rules.accounts import HERE, AccountState, Sight
from channels.sessions import end_sessions
from realtime import relations as n
from realtime.errors import Refusal
from realtime.folding import fold
from realtime.gate import Audience, WriteFrom
from realtime.ids import AUTHOR, author_channel, community_channel, room_channel
from realtime.requests import AccountGet, Done, Empty
from realtime.settings import Limits
from realtime.text import (
    TextLimit,
    check_handle_free,
    clean_display_name,
    clean_handle,
    clean_name,
    clean_optional,
)
from storage import log, profiles, search
from storage.accounts import account_by_handle, addresses_of, followed_among, followers_among, set_state
from storage.communities import communities_by_id, communities_founded, update_community
from storage.database import Tx
from storage.presence import begin_hiding
from storage.profiles import ProfileRow
from storage.relations import asked_follow, marked
from storage.rooms import room_by_id

DAY_MS = 86_400_000
LINK_CHARS_MAX = 200
BIO_BYTES_MAX = 4_096
STATUS_BYTES_MAX = 1_024
ERASED_AT_ONCE = 50


async def get(desk: Desk, actor: Actor, request: AccountGet) -> n.Profile:
    """One account by id or handle. Errors: `not_found`, `bad_request`."""
    if (request.account is None) == (request.handle is None):
        raise Refusal("bad_request", "Give account or handle, one of them.", at="$.account")

    def unit(tx: Tx) -> n.Profile:
        wanted = request.account
        if wanted is None:
            found = account_by_handle(tx, (request.handle or "").strip().removeprefix("@").lower())
            wanted = found.id if found else ""
        seen = sight_of(tx, actor.account, wanted)
        # Whoever is gone has no handle any more to be found by.
        if seen is Sight.NOTHING or (seen is Sight.GONE and request.account is None):
            raise Refusal("not_found")
        return _gone(wanted) if seen is Sight.GONE else view(tx, desk, actor.account, wanted)

    return await desk.db.read(unit)


def view(tx: Tx, desk: Desk, viewer: str, account: str) -> n.Profile:
    """The whole profile, as the viewer sees it."""
    row = profiles.profile_by_id(tx, account)
    assert row is not None
    own = viewer == account
    relation = n.Relation(
        following=bool(followed_among(tx, viewer, [account])),
        followed_by=bool(followers_among(tx, viewer, [account])),
        requested=asked_follow(tx, viewer, account),
        blocked=marked(tx, "block", viewer, account),
        muted=marked(tx, "mute", viewer, account),
    )
    return n.Profile(
        id=row.id,
        handle=row.handle,
        name=row.name,
        bio=row.bio,
        links=orjson.loads(row.links),
        status=row.status,
        private=bool(row.private),
        relation=relation,
        settings=_preferences(tx, row, desk.settings.limits) if own else None,
    )


def _gone(account: str) -> n.Profile:
    card = gone_card(account)
    return n.Profile(id=card.id, handle=card.handle, name=card.name, gone=True)


def _preferences(tx: Tx, row: ProfileRow, limits: Limits) -> n.Preferences:
    return n.Preferences(
        presence_to=Audience(row.presence_to),
        write_from=WriteFrom(row.write_from),
        communities_shown=bool(row.communities_shown),
        hidden=row.state == AccountState.HIDDEN,
        handle_after=handle_after(row, limits),
        address=next(iter(addresses_of(tx, row.id)), ""),
    )


def handle_after(row: ProfileRow, limits: Limits) -> int:
    """From when on a handle may be changed: the one chosen at sign-up at any time, later ones after a year."""
    if row.handle_at <= row.created_at:
        return 0
    return row.handle_at + limits.handle_change_days * DAY_MS


async def update(desk: Desk, actor: Actor, request: n.AccountUpdate) -> n.Profile:
    """Change one's own profile. Errors: `text_*`, `handle_taken`, `forbidden` (a handle too soon)."""
    changes = _cleaned(request, desk.settings.limits)

    def unit(tx: Tx) -> n.Profile:
        if changes.get("private"):
            log.lock_made(tx, [author_channel(actor.account)], AUTHOR)
        row = profiles.profile_by_id(tx, actor.account, lock=True)
        assert row is not None
        changed = row._replace(**changes)
        if changed.handle != row.handle:
            after = handle_after(row, desk.settings.limits)
            if tx.now_ms() < after:
                raise Refusal("forbidden", "A handle changes once a year.", after=after, at="$.handle")
            if not profiles.take_handle(tx, changed.handle, row.id):
                raise Refusal("handle_taken", f"The handle {changed.handle} is taken.", at="$.handle")
            changed = changed._replace(handle_at=max(tx.now_ms(), row.created_at + 1))
        if changed != row:
            profiles.keep_profile(tx, changed)
            search.put(tx, search.ACCOUNT, row.id, fold(f"{changed.name} {changed.handle}"))
        if changed.presence_to == Audience.NOBODY != row.presence_to:
            begin_hiding(tx, row.id, row.presence_to)
        told = [author_closed(row.id, WATCHING)] if changed.private and not row.private else []
        if (changed.presence_to, changed.communities_shown) != (row.presence_to, row.communities_shown):
            told.append(presence_ruled(row.id))
        if told:
            emit(tx, told)
        return view(tx, desk, actor.account, actor.account)

    return await desk.db.write(unit)


def _cleaned(request: n.AccountUpdate, limits: Limits) -> dict[str, Any]:
    """The columns to change. Errors: `text_*`, `handle_taken`."""
    changes: dict[str, Any] = {}
    if request.name is not None:
        changes["name"] = clean_display_name(request.name)
    if request.bio is not None:
        changes["bio"] = clean_optional(request.bio, TextLimit(limits.bio_graphemes_max, BIO_BYTES_MAX))
    if request.status is not None:
        bounds = TextLimit(limits.status_graphemes_max, STATUS_BYTES_MAX, lines=False)
        changes["status"] = clean_name(request.status, bounds) if request.status.strip() else ""
    if request.links is not None:
        changes["links"] = orjson.dumps([clean_link(link) for link in request.links]).decode()
    if request.handle is not None:
        changes["handle"] = clean_handle(request.handle)
        check_handle_free(clean_handle(request.handle))
    for name in ("presence_to", "write_from"):
        value = getattr(request, name)
        if value is not None:
            changes[name] = str(value)
    for name in ("private", "communities_shown"):
        value = getattr(request, name)
        if value is not None:
            changes[name] = int(value)
    return changes


def clean_link(link: str) -> str:
    """A link of a profile: https, a host, no login in it. Raises `Refusal` (`text_invalid`)."""
    text = unicodedata.normalize("NFC", link.strip())
    plain = text.isprintable() and not any(c.isspace() for c in text) and len(text) <= LINK_CHARS_MAX
    try:
        parts = urlsplit(text)
        good = plain and parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good:
        raise Refusal("text_invalid", "A link begins with https:// and names a site.", at="$.links")
    return text


# Hidden, shown, deleted, erased


async def hide(desk: Desk, actor: Actor, request: Empty) -> Done:
    """Others find this account no more; everything is kept. Errors: `forbidden`."""
    return await desk.db.write(
        lambda tx: _change(tx, actor.account, AccountState.ACTIVE, AccountState.HIDDEN)
    )


async def show(desk: Desk, actor: Actor, request: Empty) -> Done:
    """Others find this account again. Errors: `forbidden`."""
    return await desk.db.write(
        lambda tx: _change(tx, actor.account, AccountState.HIDDEN, AccountState.ACTIVE)
    )


def _change(tx: Tx, account: str, before: AccountState, after: AccountState) -> Done:
    log.lock_made(tx, [author_channel(account)], AUTHOR)
    row = profiles.profile_by_id(tx, account, lock=True)
    if row is None or row.state not in (before, after):
        raise Refusal("forbidden", "Not in this state of the account.")
    if row.state != after:
        set_state(tx, account, after)
        here = after in HERE
        emit(
            tx, [account_back(account)] if here else [author_closed(account, EVERYONE), account_away(account)]
        )
    return Done()


async def delete(desk: Desk, actor: Actor, request: Empty) -> n.Deleted:
    """All sessions end and founded places pass on; logging in within the days of grace takes it back."""

    def unit(tx: Tx) -> n.Deleted:
        me = actor.account
        founded = profiles.groups_founded(tx, me)
        places = communities_founded(tx, me)
        held = [*map(community_channel, places), *map(room_channel, founded)]
        log.lock_made(tx, [author_channel(me), *held], AUTHOR)
        for community in communities_by_id(tx, places).values():
            update_community(tx, communities.pass_on(tx, community, me))
        for room_id in founded:
            room = room_by_id(tx, room_id)
            if room is not None:
                pass_on(tx, room, me)
        erase_at = tx.now_ms() + desk.settings.limits.erase_after_days * DAY_MS
        set_state(tx, me, AccountState.DELETED, erase_at)
        emit(tx, [author_closed(me, EVERYONE), account_away(me)])
        end_sessions(tx, me)
        return n.Deleted(erase_at=erase_at)

    return await desk.db.write(unit)


def erase_due(tx: Tx) -> int:
    """Erase what is personal of accounts whose days of grace are over; how many. The node's sweep calls it."""
    due = profiles.due_to_erase(tx, ERASED_AT_ONCE)
    for account in due:
        profiles.erase(tx, account)
    return len(due)
