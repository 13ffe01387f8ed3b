"""Ids and channel names.

An id is a UUIDv7 (RFC 9562 §5.7) written as 26 characters of Crockford base32, so ids sort by time as text.
Time and randomness come in as arguments: the database's clock stamps what the database keeps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ID_CHARS = 26
_PAIRS = tuple(a + b for a in ALPHABET for b in ALPHABET)
_VALUES = {c: i for i, c in enumerate(ALPHABET)}
_RAND_BITS = 74
_RAND_MASK = (1 << _RAND_BITS) - 1
_STEP_BITS, _STEPS = 16, 64
_STEP_MASK = (1 << _STEP_BITS) - 1

AUTHOR = "author:"
ROOM = "room:"
COMMUNITY = "community:"
INBOX = "user:"
# Channel rows are locked in the order of their names; inboxes sort behind every other kind, so a unit may lock the
# place it acts in first and the inboxes of the people concerned later.


class IdMaker:
    """Makes ids that rise strictly within one maker, whatever the clock does. Safe to call from any thread.

    `randbits(n)` returns n random bits as an int (`secrets.randbits` in production, seeded in tests).
    """

    __slots__ = ("_last_ms", "_last_rand", "_lock", "_randbits", "_steps", "_steps_left")

    def __init__(self, randbits: Callable[[int], int]) -> None:
        self._randbits = randbits
        self._last_ms = 0
        self._last_rand = 0
        # Random steps are drawn many at a time: each drawing is a call into the system.
        self._steps = 0
        self._steps_left = 0
        self._lock = threading.Lock()

    def make(self, now_ms: int) -> str:
        """Unix milliseconds → a new id. A clock that stands or steps back keeps the last time and counts up."""
        with self._lock:
            if now_ms > self._last_ms:
                self._last_ms = now_ms
                # The top bit stays free, so that counting up within one millisecond cannot overflow.
                self._last_rand = self._randbits(_RAND_BITS - 1)
            else:
                self._last_rand += 1 + self._step()
            return encode(self._last_ms, self._last_rand & _RAND_MASK)

    def _step(self) -> int:
        if not self._steps_left:
            self._steps = self._randbits(_STEP_BITS * _STEPS)
            self._steps_left = _STEPS
        self._steps_left -= 1
        step = self._steps & _STEP_MASK
        self._steps >>= _STEP_BITS
        return step


def encode(time_ms: int, rand: int) -> str:
    """48 bits of Unix milliseconds and 74 random bits → 26 characters (version 7, variant 0b10)."""
    number = (time_ms & 0xFFFF_FFFF_FFFF) << 80 | 7 << 76 | rand >> 62 << 64 | 2 << 62 | rand & (1 << 62) - 1
    return of_bits(number)


def of_bits(number: int) -> str:
    """128 random bits → an id that tells nothing, not even when it was made."""
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


def is_id(text: str) -> bool:
    """True for 26 characters of the alphabet that fit 128 bits."""
    return len(text) == ID_CHARS and text[0] < "8" and all(c in _VALUES for c in text)


def time_of(an_id: str) -> int:
    """Id → the Unix milliseconds it was made at."""
    number = 0
    for char in an_id:
        number = number << 5 | _VALUES[char]
    return number >> 80


def room_channel(room: str) -> str:
    """Room id → the channel that carries its entries."""
    return ROOM + room


def community_channel(community: str) -> str:
    """Community id → the channel that carries its entries."""
    return COMMUNITY + community


def author_channel(account: str) -> str:
    """Account id → the channel that carries its posts of no community."""
    return AUTHOR + account


def inbox_channel(account: str) -> str:
    """Account id → the channel of what concerns this account alone."""
    return INBOX + account
