"""Telling: how a unit leaves a notification, in the transaction that does what it tells of (FEATURES §8).

Owns who is told and when an entry says so. What always holds: nobody is told of themselves, of whom they block or mute, of
whom blocks them, or of a kind they switched off; places rise under the lock of the receiver's inbox, so that a read position
never passes what was not kept yet; whatever is told of costs nothing where nobody is concerned, and a fixed number of
statements for any number of people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from channels.entries import notification_created, parcel_of
from realtime.ids import inbox_channel
from realtime.notifications import NotificationKind
from realtime.parcels import Audience, Parcel
from storage import log
from storage import notifications as store
from storage.database import Tx
from storage.notifications import ActorRow, LineRow, State

BADGE_TOUCHED = "badge.touched"
"""A parcel that goes no further than the node it was made on: what waits for its account has changed."""
TOLD_EACH_MS = 1_000
"""An entry tells of something new at most so often; what comes meanwhile is told by the badge."""
DAY_MS = 86_400_000
HEARD_OTHERWISE = frozenset(
    {
        NotificationKind.FOLLOW,
        NotificationKind.FOLLOW_REQUEST,
        NotificationKind.FOLLOW_ACCEPTED,
        NotificationKind.INVITE_USED,
        NotificationKind.MESSAGE_REQUEST,
    }
)
"""These have entries of their own in the inbox; a second one would say the same."""


class Told(NamedTuple):
    """`actor` did something that concerns `account`. What has the same `kind` and `subject` folds into one line; `post` is the
    post to open, `via` the one by which it was done."""

    account: str
    actor: str
    kind: NotificationKind
    subject: str
    post: str | None = None
    via: str | None = None
    community: str | None = None
    room: str | None = None


def tell(tx: Tx, told: Sequence[Told]) -> None:
    """Leave notifications. Locks the inboxes of all concerned, in order; whoever holds one of them already must hold all."""
    told = [each for each in dict.fromkeys(told) if each.account != each.actor]
    if not told:
        return
    seqs = log.lock(tx, (inbox_channel(each.account) for each in told))
    welcome = store.welcome(tx, [(each.account, each.actor, each.kind) for each in told])
    if not welcome:
        return
    states: dict[str, State] = {}
    lines: dict[tuple[str, str, str], LineRow] = {}
    actors: dict[store.ActorKey, ActorRow] = {}
    first: dict[str, Told] = {}
    for number, each in enumerate(told):
        if number not in welcome:
            continue
        state = states.get(each.account, welcome[number])
        place = state.top + 1
        states[each.account] = state._replace(top=place)
        key = (each.account, each.kind.value, each.subject)
        lines[key] = LineRow(*key, place, each.post, each.community, each.room)
        actors[*key, each.actor] = ActorRow(*key, each.actor, place, tx.now_ms(), each.via)
        if each.kind not in HEARD_OTHERWISE:
            first.setdefault(each.account, each)
    due = [account for account in first if tx.now_ms() - states[account].told_at >= TOLD_EACH_MS]
    states |= {account: states[account]._replace(told_at=tx.now_ms()) for account in due}
    store.put(tx, list(lines.values()), list(actors.values()))
    store.move(tx, states)
    if due:
        _announce(
            tx, seqs, [lines[each, first[each].kind.value, first[each].subject] for each in sorted(due)]
        )
    badge_touched(tx, states)


def _announce(tx: Tx, seqs: dict[str, int], lines: list[LineRow]) -> None:
    entries = [notification_created(line) for line in lines]
    for row, entry in zip(log.write(tx, seqs, [each.draft for each in entries]), entries, strict=True):
        assert entry.payload is not None
        tx.parcels.append(parcel_of(row, entry.payload(row), tx.node))


def untell(tx: Tx, told: Iterable[Told]) -> None:
    """Take back what was left about somebody's doing; what never was is no error."""
    gone = [each for each in told if each.account != each.actor]
    store.drop_actors(tx, [(each.account, each.kind.value, each.subject, each.actor) for each in gone])
    badge_touched(tx, (each.account for each in gone))


def post_gone(tx: Tx, post: str) -> None:
    """A post was deleted: nobody is told of it any more, nor of what it did."""
    badge_touched(tx, store.drop_post(tx, post))


def badge_touched(tx: Tx, accounts: Iterable[str]) -> None:
    """What waits for some accounts changes with this transaction."""
    for account in dict.fromkeys(accounts):
        channel = inbox_channel(account)
        tx.parcels.append(
            Parcel(channel, 0, BADGE_TOUCHED, Audience.NOBODY, "", account, tx.now_ms(), tx.node, b"")
        )


def day_of(tx: Tx) -> str:
    """What follows of one day fold under."""
    return str(tx.now_ms() // DAY_MS)
