"""Many token buckets by name, bounded: where there is no connection to hang a bucket on (HTTP)."""

from __future__ import annotations

from collections import OrderedDict

from realtime.bucket import TokenBucket

NAMES_MAX = 10_000


class Buckets:
    """Buckets of one rate; beyond `NAMES_MAX` the one unused longest is forgotten, which only ever refills it."""

    __slots__ = ("_buckets", "_burst", "_rate")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, name: str, cost: float, now: float) -> int:
        """0, or the milliseconds until `cost` tokens will be there."""
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = TokenBucket(self._rate, self._burst, now)
            if len(self._buckets) > NAMES_MAX:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(name)
        return bucket.take(cost, now)
