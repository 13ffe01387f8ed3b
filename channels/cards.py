"""Cards: what others see of an account."""

from __future__ import annotations

from channels.rules.accounts import HERE
from realtime.models import AccountCard
from storage.rows import AccountRow


def account_card(row: AccountRow) -> AccountCard:
    """What any member may see of an account."""
    return own_card(row) if row.state in HERE else gone_card(row.id)


def own_card(row: AccountRow) -> AccountCard:
    """What an account sees of itself, whatever its state."""
    return AccountCard(id=row.id, handle=row.handle, name=row.name)


def gone_card(account: str) -> AccountCard:
    """All that is left of whoever is deleted, suspended or hidden."""
    return AccountCard(id=account, handle="", name="", gone=True)
