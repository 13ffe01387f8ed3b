"""One-time codes: six digits made from a seed and the installation's key, so that no code is ever stored.

The letter that waits to leave carries the seed; whoever sends it makes the code again.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

DIGITS = 6


def code_of(secret: str, seed: str) -> str:
    """The code of a seed."""
    digest = hmac.new(secret.encode(), f"code:{seed}".encode(), sha256).digest()
    return f"{int.from_bytes(digest[:8], 'big') % 10**DIGITS:0{DIGITS}}"


def stored(secret: str, subject: str, code: str) -> str:
    """What is kept to judge a typed code by; `subject` is the attempt or account that it is of. Six digits are few: without the
    key, hashes of all of them help nobody."""
    return hmac.new(secret.encode(), f"{subject}:{code}".encode(), sha256).hexdigest()
