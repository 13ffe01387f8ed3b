"""Who may see whom, read from the tables and kept true: circles of those who are here, and the rights in them.

Owned by the presence service. What always holds: whoever is concerned by a change of rights is told nothing of anybody
(and nothing is told of them) until the change has been read; what was read while a right changed is read again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Set
from typing import NamedTuple

import structlog

from presence.circles import Circles
from presence.devices import Rules, shared
from presence.rules import HERE, NOBODY, Pair, Sight, sight
from storage.database import Database, StorageUnavailable, Tx
from storage.presence import mutual_pairs, pairs, presence_rows

log = structlog.get_logger("presence")
GATHER_S = 0.02
ACCOUNTS_AT_ONCE = 100
PAIRS_AT_ONCE = 1_000
RETRY_S = 0.5
READS_MAX = 10
CHANGES_KEPT = 1_024


class Heard(NamedTuple):
    """What the service is told: somebody's rules and the circle of their connections were read, and `changed` look
    different to them."""

    account: str
    rules: Rules
    changed: list[str]


class _Found(NamedTuple):
    rules: dict[str, Rules]
    circles: dict[str, dict[str, bool]]
    judged: list[tuple[str, str, bool]]


class Sights:
    """See the module. `read` is called for each account that was read; `judged(viewer, target)` when what one may see of
    the other has changed."""

    def __init__(
        self,
        db: Database,
        circles: Circles,
        read: Callable[[Heard], None],
        judged: Callable[[str, str], None],
    ) -> None:
        self._db = db
        self._circles = circles
        self._read = read
        self._judged = judged
        self._accounts: dict[str, None] = {}
        self._pairs: dict[tuple[str, str], None] = {}
        self._targets: dict[str, set[str]] = {}
        self._touched: set[str] = set()
        # Whose rights changed, one after the other, and how many changes there were.
        self._changes: deque[str] = deque(maxlen=CHANGES_KEPT)
        self._changed = 0
        self._awake = asyncio.Event()

    # What is to be read

    def want(self, account: str) -> None:
        """Somebody came, or their settings or follows changed: read their rules and their circle."""
        self._touch(account)
        self._accounts[account] = None
        self._awake.set()

    def doubt(self, target: str) -> None:
        """What others may see of somebody has changed."""
        self._touch(target)
        viewers = self._circles.interested(target)
        self._pairs.update(dict.fromkeys((viewer, target) for viewer in viewers))
        if viewers:
            self._targets.setdefault(target, set()).update(viewers)
        self._awake.set()

    def wanted(self, account: str) -> bool:
        """True while somebody's circle is to be read."""
        return account in self._accounts

    def suspended(self, account: str) -> bool:
        """True while what somebody may see, or what may be seen of them, is being read."""
        return account in self._accounts or account in self._targets

    async def of(self, viewer: str, targets: Collection[str]) -> dict[str, Sight]:
        """What a viewer may see of some people now; unknown ones are missing. What changes while it is read is read again.
        Raises `StorageUnavailable`."""
        wanted = [(viewer, target) for target in targets]
        concerned = {viewer, *targets}
        for _ in range(READS_MAX):
            mark = self._changed
            found = await self._db.read(
                lambda tx: {pair.target: sight(pair) for pair in map(_pair, pairs(tx, wanted))}
            )
            if not self._changed_since(mark, concerned):
                return found
        raise StorageUnavailable("too much changes; ask again")

    async def facts(self, account: str, other: str | None) -> tuple[Pair, list[Pair]]:
        """What the tables say of an account and itself, and of one who looks at it. Raises `StorageUnavailable`."""
        wanted = [(account, account), *([(other, account)] if other is not None else [])]
        found = {
            pair.viewer: pair for pair in await self._db.read(lambda tx: [*map(_pair, pairs(tx, wanted))])
        }
        return found[account], [found[other]] if other is not None else []

    def _touch(self, account: str) -> None:
        self._touched.add(account)
        self._changes.append(account)
        self._changed += 1

    def _changed_since(self, mark: int, concerned: Set[str]) -> bool:
        since = self._changed - mark
        if since > len(self._changes):
            return True
        return any(account in concerned for account in list(self._changes)[len(self._changes) - since :])

    # Reading

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._awake.wait()
            await asyncio.sleep(GATHER_S)
            self._awake.clear()
            try:
                await self._turn()
            except StorageUnavailable as error:
                log.warning("presence rights could not be read", error=str(error))
                await asyncio.sleep(RETRY_S)
            except Exception:
                log.exception("presence rights failed")
                await asyncio.sleep(RETRY_S)
            if self._accounts or self._pairs:
                self._awake.set()

    async def _turn(self) -> None:
        accounts = list(self._accounts)[:ACCOUNTS_AT_ONCE]
        asked = list(self._pairs)[:PAIRS_AT_ONCE]
        watched = [
            (account, target)
            for account in accounts
            for ear in self._circles.ears_of(account)
            for target in self._circles.watched_by(ear)
        ]
        self._touched.clear()
        found = await self._db.read(lambda tx: _found(tx, accounts, [*asked, *watched]))
        touched = set(self._touched)
        for account in accounts:
            if account not in touched:
                del self._accounts[account]
                self._settle(account, found, touched)
        for pair in (*asked, *watched):
            if touched.intersection(pair):
                self._again(pair)
            else:
                self._done(pair)
        for viewer, target, live in found.judged:
            if not touched.intersection((viewer, target)) and self._circles.judge(viewer, target, live=live):
                self._judged(viewer, target)

    def _settle(self, account: str, found: _Found, touched: set[str]) -> None:
        circle = found.circles.get(account, {})
        late = touched.intersection(circle)
        for target in late:
            # Somebody whose own settings changed meanwhile: nothing is seen of them until they are read again.
            circle[target] = False
            self._again((account, target))
        changed = self._circles.settle(account, circle)
        self._read(Heard(account, found.rules.get(account, Rules(admitted=False)), changed))

    def _again(self, pair: tuple[str, str]) -> None:
        self._pairs[pair] = None
        self._targets.setdefault(pair[1], set()).add(pair[0])

    def _done(self, pair: tuple[str, str]) -> None:
        viewer, target = pair
        self._pairs.pop(pair, None)
        left = self._targets.get(target)
        if left is not None:
            left.discard(viewer)
            if not left:
                del self._targets[target]


def _pair(row: tuple[object, ...]) -> Pair:
    pair = Pair(*row)  # type: ignore[arg-type]  # columns in the order of its fields
    return pair._replace(mutual=bool(pair.mutual), apart=bool(pair.apart))


def _found(tx: Tx, accounts: list[str], asked: list[tuple[str, str]]) -> _Found:
    rules = {
        row.account: shared(row.state in HERE, row.audience != NOBODY, bool(row.communities_shown))
        for row in presence_rows(tx, accounts)
    }
    circles: dict[str, dict[str, bool]] = {account: {} for account in accounts}
    for pair in map(_pair, mutual_pairs(tx, accounts)):
        circles[pair.viewer][pair.target] = sight(pair).live
    for account, own in rules.items():
        # One sees oneself as others do.
        circles[account][account] = own.admitted and own.counted
    judged = [(pair.viewer, pair.target, sight(pair).live) for pair in map(_pair, pairs(tx, asked))]
    return _Found(rules, circles, judged)
