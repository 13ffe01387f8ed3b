"""Durable operations happen once: the nonce is claimed, the work done, the answer kept, in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import msgspec

from realtime.errors import Refusal
from realtime.operations import Request
from storage import nonces
from storage.database import Tx
from storage.nonces import NonceRow

R = TypeVar("R", bound=msgspec.Struct)


def digest_of(request: Request) -> str:
    """A hash of a request's content: the same nonce with another content is a conflict."""
    return hashlib.blake2b(msgspec.json.encode(request, order="sorted"), digest_size=16).hexdigest()


def check_same(known: NonceRow, operation: str, digest: str) -> None:
    """Raises `Refusal` (`conflict`) if a nonce stands for something else."""
    if known.operation != operation or known.digest != digest:
        raise Refusal("conflict", "This nonce was used with other content.", at="$.nonce")


class Key(NamedTuple):
    """What makes an act the same act."""

    account: str
    operation: str
    nonce: str


def once(tx: Tx, key: Key, request: Request, work: Callable[[], R], result: type[R]) -> R:
    """Run `work` under `key`, or return the answer it gave the first time.

    A refusal raised by `work` rolls the claim back with everything else.
    """
    account, operation, nonce = key
    digest = digest_of(request)
    row = NonceRow(account, nonce, operation, digest, None, tx.now_ms())
    known = nonces.claim(tx, [row]).get((account, nonce))
    if known is not None:
        check_same(known, operation, digest)
        if known.result is None:
            raise Refusal("unavailable")
        return msgspec.json.decode(known.result, type=result)
    answer = work()
    nonces.keep_result(tx, account, nonce, msgspec.json.encode(answer).decode())
    return answer
