"""The epoch: the life of one log. Positions of another epoch count as none (WIRE §4).

A database that was put back to an older copy continues with seqs that clients have already seen said otherwise, so a
start on such a copy begins a new epoch. What always holds: of several processes that start together, one begins it and
the others take it up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from storage.accounts import keep_meta_once, meta, set_meta
from storage.database import Tx
from storage.log import newest_n
from storage.marks import Mark

EPOCH, PAST = "epoch", "epochs_past"


class Epoch(NamedTuple):
    """The epoch that counts now, how far its log has come, and why it began if it began at this start."""

    name: str
    newest: int
    reason: str


def settle(tx: Tx, marks: Sequence[Mark], fresh: str) -> Epoch:
    """Decide the epoch from what the database says and what was noted beside it; `fresh` names a new one."""
    name = keep_meta_once(tx, EPOCH, fresh)
    name = meta(tx, EPOCH, lock=True) or name
    past = (meta(tx, PAST) or "").split()
    newest = newest_n(tx)
    reason = ""
    for mark in marks:
        if mark.epoch == name and mark.n > newest:
            reason = f"the log ends at {newest}, but had reached {mark.n}"
        elif mark.epoch != name and mark.epoch not in past:
            reason = "the data is a copy from before the epoch that was served last"
    if not reason:
        return Epoch(name, newest, "")
    set_meta(tx, PAST, " ".join([*past, *{name, *(mark.epoch for mark in marks)} - {*past}]))
    set_meta(tx, EPOCH, fresh)
    return Epoch(fresh, newest, reason)
