"""What others see of an account: whether, and its card."""

from __future__ import annotations

from channels.rules.accounts import HERE, Sight, sight
from realtime.models import AccountCard
from storage.database import Tx
from storage.relations import UNKNOWN, between, met_in_room
from storage.rows import AccountRow


def sight_of(tx: Tx, viewer: str, account: str) -> Sight:
    """What a viewer sees of an account; oneself is always whole, an id nobody has is nothing."""
    if viewer == account:
        return Sight.WHOLE
    how = between(tx, [(viewer, account)]).get((viewer, account), UNKNOWN)
    return sight(how.state, blocked=how.blocked, met=met_in_room(tx, viewer, account))


def account_card(row: AccountRow) -> AccountCard:
    """What any member may see of an account."""
    return own_card(row) if row.state in HERE else gone_card(row.id)


def own_card(row: AccountRow) -> AccountCard:
    """What an account sees of itself, whatever its state."""
    return AccountCard(id=row.id, handle=row.handle, name=row.name)


def gone_card(account: str) -> AccountCard:
    """All that is left of whoever is deleted, suspended or hidden."""
    return AccountCard(id=account, handle="", name="", gone=True)
