"""The pace at which others see one person change: at once, and then at most each five seconds (FAULTS F32). Pure.

Owned by the presence service. What always holds: what others see ends as what is; in between they see at most one change
of a person in `every_s`. Who loses the right to see somebody does not wait for it.
"""

from __future__ import annotations

from collections import deque

from presence.roster import Standing


class Pace:
    """See the module. Times are monotonic seconds."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._told_at: dict[str, float] = {}
        self._order: deque[tuple[float, str]] = deque()
        # What others go on seeing of somebody who changed again too soon.
        self._held: dict[str, Standing] = {}

    def shown(self, account: str, now_is: Standing) -> Standing:
        """What others see of somebody who `now_is` so."""
        return self._held.get(account, now_is) if self._held else now_is

    def changed(self, account: str, before: Standing, now: float) -> bool:
        """Somebody changed from what others saw `before`. True if it is told now; else `due` names them in time."""
        if account in self._held:
            return False
        told_at = self._told_at.get(account)
        if told_at is not None and now - told_at < self._every_s:
            self._held[account] = before
            return False
        self._note(account, now)
        return True

    def due(self, now: float) -> list[str]:
        """Those whose time has come, with whatever they are by now."""
        found = []
        while self._order and self._order[0][0] + self._every_s <= now:
            at, account = self._order.popleft()
            if self._told_at.get(account) != at:
                continue
            del self._told_at[account]
            if account in self._held:
                del self._held[account]
                found.append(account)
        for account in found:
            self._note(account, now)
        return found

    def next_due(self) -> float | None:
        """When `due` may have something to say."""
        return self._order[0][0] + self._every_s if self._held and self._order else None

    def _note(self, account: str, now: float) -> None:
        self._told_at[account] = now
        self._order.append((now, account))
