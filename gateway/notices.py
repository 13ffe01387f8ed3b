"""Notices: entries of inboxes that every node obeys, whoever is connected to it.

Called by the fan-out with whatever comes in, and by its sweep with what the log holds. What always holds: a block is
obeyed the moment it is heard of; its end only after the database has confirmed that neither of the two blocks the
other, because an older end may arrive after a newer beginning.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from channels.desk import Desk
from channels.entries import ACCOUNT_AWAY, ACCOUNT_SUSPENDED, APART, TOGETHER
from realtime.hub import Hub
from realtime.ids import INBOX
from storage.database import StorageUnavailable
from storage.relations import apart

log = structlog.get_logger("notices")
NOTICES = frozenset({APART, TOGETHER, ACCOUNT_AWAY, ACCOUNT_SUSPENDED})


class Notices:
    """See the module. `spawn` starts a task that the node keeps track of."""

    def __init__(self, desk: Desk, hub: Hub, spawn: Callable[..., object]) -> None:
        self._desk = desk
        self._hub = hub
        self._spawn = spawn

    def obey(self, kind: str, channel: str, target: str) -> None:
        """One notice; told twice it does no more than once."""
        account = channel.removeprefix(INBOX)
        if kind == APART:
            self._hub.part(account, target)
        elif kind == TOGETHER:
            self._spawn(self._confirm(account, target))
        else:
            self._hub.recent.disown(account)
            for listener in self._hub.of_account(account):
                listener.doubt()  # type: ignore[attr-defined]  # every listener of a node is one of its sockets

    async def _confirm(self, a: str, b: str) -> None:
        begun = self._hub.apart.begun
        try:
            still = await self._desk.db.read(lambda tx: apart(tx, a, b))
        except StorageUnavailable as error:
            # They stay apart here until they connect anew: too much kept from each other rather than too little.
            log.warning("the end of a block could not be confirmed", error=str(error))
            return
        if begun != self._hub.apart.begun:
            # A block may have begun while the answer was on its way.
            self._spawn(self._confirm(a, b))
        elif not still:
            self._hub.apart.rejoin(a, b)
