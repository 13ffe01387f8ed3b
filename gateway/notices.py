"""Notices: entries of inboxes that every node obeys, whoever is connected to it.

Called by the fan-out with whatever comes in, and by its sweep with what the log holds. What always holds: a block is
obeyed the moment it is heard of; its end only after the database has confirmed that neither of the two blocks the
other, because an older end may arrive after a newer beginning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from channels.desk import Desk
from channels.entries import (
    ACCOUNT_AWAY,
    ACCOUNT_BACK,
    ACCOUNT_SUSPENDED,
    APART,
    PRESENCE_RULED,
    TOGETHER,
)
from channels.post_entries import FOLLOWING_KINDS
from presence.service import Service
from realtime.hub import Hub
from realtime.ids import AUTHOR, INBOX, author_channel
from storage.database import StorageUnavailable
from storage.relations import apart, followers_here

log = structlog.get_logger("notices")
NOTICES = frozenset(
    {APART, TOGETHER, ACCOUNT_AWAY, ACCOUNT_BACK, ACCOUNT_SUSPENDED, PRESENCE_RULED, *FOLLOWING_KINDS}
)


class Notices:
    """See the module. `spawn` starts a task that the node keeps track of."""

    def __init__(self, desk: Desk, hub: Hub, presence: Service, spawn: Callable[..., object]) -> None:
        self._desk = desk
        self._presence = presence
        self._hub = hub
        self._spawn = spawn

    def obey(self, kind: str, channel: str, target: str) -> None:
        """One notice; told twice it does no more than once."""
        account = channel.removeprefix(INBOX)
        if kind in FOLLOWING_KINDS:
            self._presence.befriended(account)
            self._presence.befriended(target.removeprefix(AUTHOR))
        elif kind == PRESENCE_RULED:
            self._presence.ruled(account)
        elif kind == APART:
            self._hub.part(account, target)
            self._presence.parted(account, target)
            self._unhear(account, target)
            self._unhear(target, account)
        elif kind == TOGETHER:
            self._spawn(self._confirm(account, target))
        elif kind == ACCOUNT_BACK:
            self._presence.ruled(account)
            self._spawn(self._welcome(account))
        else:
            self._presence.ruled(account)
            self._hub.recent.disown(account)
            for listener in self._hub.of_account(account):
                listener.doubt()  # type: ignore[attr-defined]  # every listener of a node is one of its sockets

    def _unhear(self, account: str, author: str) -> None:
        """A follow goes with a block. A notice may come late, after another follow: then they hear on."""
        name = author_channel(author)
        for listener in self._hub.of_account(account):
            at = self._hub.last(name)
            socket: Any = listener  # every listener of a node is one of its sockets
            if self._hub.leave(listener, name):
                socket.lost(name)
                socket.hear(name, at)
            elif socket.fell_behind(name):
                socket.lost(name)

    async def _welcome(self, author: str) -> None:
        """Somebody is here again: followers who are connected hear them from now on."""
        name = author_channel(author)
        here = {listener.account for listener in self._hub.everyone() if listener.account}
        try:
            found = await self._desk.db.read(lambda tx: followers_here(tx, author, here))
        except StorageUnavailable as error:
            log.warning("followers are not told that somebody is back", error=str(error))
            return
        for account in found:
            for listener in self._hub.of_account(account):
                if not self._hub.hears(listener, name):
                    listener.hear_now(name)  # type: ignore[attr-defined]

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
            self._presence.befriended(a)
            self._presence.befriended(b)
