"""A mark: what one node says about one person who is on it, in a few bytes (FEATURES §7). Pure.

Used by devices (which make them), roster (which merges them) and the batches between nodes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Mark(NamedTuple):
    """`active`: somebody is at one of their devices. `place`: the channel they look at, "" for none; `open`: everybody who
    sees the person may know of it. `counted`: they count in crowds."""

    active: bool
    place: str = ""
    open: bool = False
    counted: bool = True


_PLAIN = {
    (active, counted): Mark(active, "", False, counted)
    for active in (True, False)
    for counted in (True, False)
}


def mark(active: bool, place: str, *, open_: bool, counted: bool) -> Mark:
    """A mark; those without a place are shared, because most people have none."""
    if active and place:
        return Mark(active, place, open_, counted)
    return _PLAIN[active, counted]


def pack(value: Mark) -> bytes:
    """Mark → bytes: `a` or `i`, `c` or `h`, `o` or `-`, then the place."""
    flags = ("a" if value.active else "i") + ("c" if value.counted else "h") + ("o" if value.open else "-")
    return (flags + value.place).encode()


def unpack(data: bytes) -> Mark:
    """Bytes → mark. Raises `ValueError` on what `pack` did not make."""
    text = data.decode()
    if len(text) < 3 or text[0] not in "ai" or text[1] not in "ch" or text[2] not in "o-":
        raise ValueError("not a mark")
    return mark(text[0] == "a", text[3:], open_=text[2] == "o", counted=text[1] == "c")


def best(marks: Iterable[Mark]) -> Mark | None:
    """Several devices or nodes make one person: whoever is active somewhere is active; None if there are none."""
    found: Mark | None = None
    for each in marks:
        if found is None or (each.active, bool(each.place)) > (found.active, bool(found.place)):
            found = each
    return found
