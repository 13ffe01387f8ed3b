"""Who does not see whom, of those connected here: pairs of which one blocks the other (HOUSE §3, FEATURES §9).

Owned by the hub. What always holds: from the moment a node hears of a block, nothing ephemeral and no post of either
reaches the other; where nobody connected has to do with a block, asking costs one look into an empty table. Whoever
connects is known by a snapshot and by what was noted since it was taken, so that no block falls between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Set

NOTED_MAX = 4_096
_NOBODY: frozenset[str] = frozenset()


class Apart:
    """See the module. Pairs are symmetric: who blocks and who is blocked is not known here."""

    __slots__ = ("_by_author", "_noted", "_of", "begun")

    def __init__(self) -> None:
        self._of: dict[str, set[str]] = {}
        self._by_author: dict[str, set[str]] = {}
        self._noted: deque[tuple[str, str] | None] = deque(maxlen=NOTED_MAX)
        self.begun = 0

    def know(self, account: str, others: Iterable[str], mark: int) -> bool:
        """A snapshot of an account's pairs, read after `begun` was `mark`. False if more has happened since than is
        remembered: read again."""
        since = self.begun - mark
        if since > len(self._noted):
            return False
        mine = set(others)
        noted = list(self._noted)
        for pair in noted[len(noted) - since :]:
            if pair is not None and account in pair:
                mine.add(pair[0] if pair[1] == account else pair[1])
        self.forget(account)
        if mine:
            self._of[account] = mine
            for other in mine:
                self._by_author.setdefault(other, set()).add(account)
        return True

    def forget(self, account: str) -> None:
        """The account's last connection here is gone."""
        for other in self._of.pop(account, ()):
            seen = self._by_author[other]
            seen.discard(account)
            if not seen:
                del self._by_author[other]

    def part(self, a: str, b: str, here: Collection[str]) -> None:
        """One of two blocks the other from now on; `here` are those of the two who are connected."""
        self.begun += 1
        self._noted.append((a, b))
        for account, other in ((a, b), (b, a)):
            if account in here:
                self._of.setdefault(account, set()).add(other)
                self._by_author.setdefault(other, set()).add(account)

    def rejoin(self, a: str, b: str) -> None:
        """Neither of two blocks the other any more."""
        pairs = ((a, b), (b, a))
        self._noted = deque((None if pair in pairs else pair for pair in self._noted), maxlen=NOTED_MAX)
        for account, other in pairs:
            mine = self._of.get(account)
            if mine is not None and other in mine:
                rest = mine - {other}
                self.forget(account)
                if rest:
                    self.know(account, rest, self.begun)

    def of(self, account: str) -> Set[str]:
        """Whose posts and fleeting events do not reach a connected account."""
        return self._of.get(account, _NOBODY) if self._of else _NOBODY

    def hidden_from(self, author: str) -> Set[str]:
        """Which accounts connected here an author does not reach; of several (`a+b`), what any of them does not."""
        if not self._by_author:
            return _NOBODY
        if "+" not in author:
            return self._by_author.get(author, _NOBODY)
        return set().union(*(self._by_author.get(each, _NOBODY) for each in author.split("+")))
