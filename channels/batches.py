"""Hot writes set-at-a-time, each once (HOUSE §3): what `room.send` and `post.create` share.

Order inside the transaction: claim the nonces, then let the noun's own writer lock, read, judge and write whatever is
new. Refused items give their claims back, so that only what happened is remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from channels.once import check_same, digest_of
from realtime.errors import Refusal
from realtime.operations import Request
from storage import nonces
from storage.database import Tx
from storage.nonces import NonceRow

Key = tuple[str, str]
"""(account, nonce): what makes an act the same act."""


class Item(Protocol):
    """One act on its way into a batch."""

    @property
    def key(self) -> Key:
        """What makes it happen once."""

    @property
    def request(self) -> Request:
        """What was asked for: the same nonce with another content is a conflict."""


I = TypeVar("I", bound=Item)  # noqa: E741  # items are what it stands for
Outcomes = dict[Key, Any]
"""What became of each act: its answer, or the exception to raise to its caller."""


class Ways(NamedTuple, Generic[I]):
    """How one noun does it. `recall(tx, ids)` → the answers that were given under these ids. `write(tx, items, ids,
    outcomes)` does what is new and fills `outcomes`; `ids` are those the new rows will have."""

    operation: str
    recall: Callable[[Tx, list[str]], Mapping[str, msgspec.Struct]]
    write: Callable[[Tx, list[I], dict[Key, str], Outcomes], None]


def run(tx: Tx, items: Sequence[I], ways: Ways[I]) -> list[Any]:
    """One outcome per item, in order: an answer or an exception."""
    unique: dict[Key, I] = {}
    for item in items:
        unique.setdefault(item.key, item)
    outcomes, ids = claim(tx, list(unique.values()), ways)
    fresh = [item for item in unique.values() if item.key not in outcomes]
    if fresh:
        ways.write(tx, fresh, ids, outcomes)
        refused = [item.key for item in fresh if isinstance(outcomes[item.key], Exception)]
        nonces.release(tx, refused)
    return [_same(outcomes[item.key], item, unique[item.key]) for item in items]


def claim(tx: Tx, items: list[I], ways: Ways[I]) -> tuple[Outcomes, dict[Key, str]]:
    """Claim all nonces; outcomes of those that were said before, and the ids the fresh ones will have."""
    at = tx.now_ms()
    ids = {item.key: tx.new_id() for item in items}
    rows = [NonceRow(*item.key, ways.operation, digest_of(item.request), ids[item.key], at) for item in items]
    known = nonces.claim(tx, rows)
    if not known:
        return {}, ids
    mine = [row.result for row in known.values() if row.result and row.operation == ways.operation]
    answers = ways.recall(tx, mine)
    outcomes: Outcomes = {}
    for row in rows:
        old = known.get((row.account, row.nonce))
        if old is None:
            continue
        try:
            check_same(old, row.operation, row.digest)
            answer = answers.get(old.result or "")
            if answer is None:
                raise Refusal("unavailable")
            outcomes[row.account, row.nonce] = answer
        except Refusal as refusal:
            outcomes[row.account, row.nonce] = refusal
    return outcomes, ids


def _same(outcome: Any, item: I, done: I) -> Any:
    """Two items of one batch under one nonce: the second gets the first's answer, if it says the same."""
    if item is not done and digest_of(item.request) != digest_of(done.request):
        return Refusal("conflict", "This nonce was used with other content.", at="$.nonce")
    return outcome
