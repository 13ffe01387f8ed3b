"""The postman: takes letters that are due, writes them out, hands them to the mailer.

One loop per process, started by the node. What always holds: a letter that left is deleted at once; one that could
not leave is tried again, ever more rarely, until it is too old to be of use; no log line holds a whole address or
what a letter says. Several nodes share the letters; each claims only as many as it can send at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable

import structlog

from channels.letters import keep_ms, letter_text, with_code
from storage import letters
from storage.database import Database, StorageUnavailable, Tx
from storage.mail import Mail, Mailer, MailTrouble
from storage.rows import LetterRow

log = structlog.get_logger("postman")
POLL_S = 2.0
AT_ONCE = 8
# Longer than a mail may take (`storage.mail.SEND_S`): a letter in our hands is not due for others.
LEASE_MS = 60_000
RETRY_MS = (5_000, 300_000)
STOP_S = 2.0


class Postman:
    """See the module. `secret` is the installation's, from which codes are made. `mailer` is None where mail is not set up: letters wait until they are too old."""

    def __init__(self, db: Database, mailer: Mailer | None, public_url: str, secret: str) -> None:
        self._db = db
        self.mailer = mailer
        self._public_url = public_url
        self._secret = secret
        self._bell = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        self._more = False
        self._random = random.SystemRandom()
        self.poll_s = POLL_S
        self.retry_ms = RETRY_MS
        self.sent = 0
        self.failed = 0
        self.given_up = 0

    def wake(self) -> None:
        """A letter was committed: look now instead of at the next poll."""
        self._bell.set()

    async def run(self) -> None:
        """Work until cancelled; what is on its way then gets a moment to arrive."""
        try:
            while True:
                await self._claim()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.poll_s):
                        await self._bell.wait()
                self._bell.clear()
        finally:
            if self._sending:
                await asyncio.wait(self._sending, timeout=STOP_S)
            for task in self._sending:
                task.cancel()

    async def _claim(self) -> None:
        free = AT_ONCE - len(self._sending)
        if not free:
            self._more = True
            return
        try:
            rows = await self._db.write(lambda tx: letters.claim_due(tx, free, LEASE_MS))
        except StorageUnavailable as error:
            log.warning("letters cannot be read", error=str(error))
            return
        self._more = len(rows) == free
        for row in rows:
            task = asyncio.create_task(self._handle(row))
            self._sending.add(task)
            task.add_done_callback(self._handled)

    def _handled(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        if self._more:
            self.wake()
        if not task.cancelled() and task.exception() is not None:
            log.error("a letter was not handled", exc_info=task.exception())

    async def _handle(self, row: LetterRow) -> None:
        """Send one letter and note how it went. If that cannot be noted, the lease brings the letter back."""
        retry_ms = await self._send(row)
        try:
            if retry_ms is None:
                await self._db.write(lambda tx: letters.done(tx, [row.id]))
            else:
                await self._db.write(_failed(row.id, retry_ms))
        except StorageUnavailable as error:
            log.warning("a letter's end cannot be noted", kind=row.kind, error=str(error))

    async def _send(self, row: LetterRow) -> int | None:
        """None if the letter is done with, else when to try again."""
        if row.kind == letters.NOTHING:
            return None
        facts = {"kind": row.kind, "to": masked(row.address), "tries": row.tries}
        if row.age_ms > keep_ms(row.kind):
            self.given_up += 1
            log.warning("letter given up: too old", **facts)
            return None
        try:
            await self._hand_over(row)
        except MailTrouble as trouble:
            self.failed += 1
            if not trouble.temporary:
                self.given_up += 1
                log.warning("letter given up", reason=trouble.reason, **facts)
                return None
            retry_ms = self._pause_ms(row.tries)
            log.warning("letter waits", reason=trouble.reason, retry_ms=retry_ms, **facts)
            return retry_ms
        self.sent += 1
        log.info("letter sent", **facts)
        return None

    async def _hand_over(self, row: LetterRow) -> None:
        if self.mailer is None:
            raise MailTrouble("mail is not set up: tsudoi setup", temporary=True)
        try:
            facts = with_code(row.facts, self._secret)
            text = letter_text(row.kind, facts, public_url=self._public_url)
        except ValueError as error:
            raise MailTrouble(f"a fault of the server: {error}", temporary=False) from None
        await self.mailer.send(Mail(row.id, row.address, text.subject, text.body))

    def _pause_ms(self, tries: int) -> int:
        least, most = self.retry_ms
        wait_ms = min(most, least * 3 ** min(tries - 1, 10))
        # Spread, so that a relay that comes back is not met by all letters at once.
        return int(wait_ms * self._random.uniform(0.75, 1.25))


def masked(address: str) -> str:
    """An address for logs: enough to find a fault with, too little to write to."""
    user, _, domain = address.partition("@")
    return f"{user[:1]}***@{domain}"


def _failed(letter: str, retry_ms: int) -> Callable[[Tx], None]:
    return lambda tx: letters.failed(tx, letter, retry_ms)
