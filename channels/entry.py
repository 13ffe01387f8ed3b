"""What a unit tells a channel: an entry that has no seq yet, and how its body is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from realtime.models import Shape
from storage.log import Draft
from storage.rows import LogRow

Payload = Callable[[LogRow], Shape]


class Entry(NamedTuple):
    """An entry to write; `payload` is None for a technical one."""

    draft: Draft
    payload: Payload | None
