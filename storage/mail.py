"""How mail leaves this machine: the `Mailer` contract, over SMTP or kept in memory.

Called by `gateway.postman` and the set-up. What always holds: one mail goes to one address and no further, headers
are made of what was checked here, and an error says whether another try can help, without repeating the address,
the words of the mail or the relay's password.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from typing import Protocol

import aiosmtplib

from realtime.errors import Refusal
from realtime.mailing import Relay, Tls, relay_of, sender_of
from realtime.settings import Settings
from realtime.text import fold_address

SEND_S = 20.0
STEP_S = 10.0
QUIT_S = 2.0
KEPT = 100


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one folded address. `id` makes its Message-ID: the same mail sent twice is seen to be the same."""

    id: str
    to: str
    subject: str
    text: str


class MailTrouble(Exception):
    """A mail did not leave. `temporary`: the same mail may leave later. The text is for logs and operators."""

    def __init__(self, reason: str, *, temporary: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.temporary = temporary


class Mailer(Protocol):
    """See the module."""

    async def send(self, mail: Mail) -> None:
        """Hand a mail over; on return somebody else answers for it. Raises `MailTrouble`."""

    async def check(self) -> str:
        """Reach the relay and log in, without sending; what it is. Raises `MailTrouble`."""


class SmtpMailer:
    """`Mailer` over a relay: one connection per mail."""

    def __init__(self, relay: Relay, sender: tuple[str, str]) -> None:
        self._relay = relay
        self._name, self._address = sender

    async def send(self, mail: Mail) -> None:
        """See `Mailer.send`."""
        content = message(mail, (self._name, self._address)).as_bytes()
        client = self._client()
        try:
            await _told(_deliver(client, self._address, _mailbox(mail.to), content))
            await _leave(client)
        finally:
            client.close()

    async def check(self) -> str:
        """See `Mailer.check`."""
        client = self._client()
        try:
            await _told(client.connect())
            await _leave(client)
        finally:
            client.close()
        return f"{self._relay.host}:{self._relay.port} ({self._relay.tls.value})"

    def _client(self) -> aiosmtplib.SMTP:
        relay = self._relay
        return aiosmtplib.SMTP(
            hostname=relay.host,
            port=relay.port,
            username=relay.user or None,
            password=relay.password or None,
            # Told, because otherwise the library asks the name service and blocks the loop meanwhile.
            local_hostname=self._address.partition("@")[2],
            timeout=STEP_S,
            use_tls=relay.tls is Tls.FROM_THE_START,
            start_tls=relay.tls is Tls.STARTTLS,
        )


class KeptMailer:
    """`Mailer` for the demo and for tests: mails stay here, the last hundred. `on_mail` hears of each."""

    def __init__(self) -> None:
        self.mails: deque[Mail] = deque(maxlen=KEPT)
        self.on_mail: Callable[[Mail], None] = lambda mail: None

    async def send(self, mail: Mail) -> None:
        """See `Mailer.send`."""
        self.mails.append(mail)
        self.on_mail(mail)

    async def check(self) -> str:
        """See `Mailer.check`."""
        return "kept in memory"


def mailer_of(settings: Settings) -> Mailer | None:
    """What the settings name; None where mail is not set up. The demo never sends anything."""
    if settings.demo:
        return KeptMailer()
    if not settings.smtp_url:
        return None
    return SmtpMailer(relay_of(settings.smtp_url), sender_of(settings.mail_from))


def message(mail: Mail, sender: tuple[str, str]) -> EmailMessage:
    """The mail as it travels. Raises `MailTrouble` for what is no address."""
    name, address = sender
    user, _, domain = address.partition("@")
    found = EmailMessage(policy=SMTP_POLICY)
    found["From"] = Address(name, user, domain)
    found["To"] = _mailbox(mail.to)
    found["Subject"] = " ".join("".join(c if c.isprintable() else " " for c in mail.subject).split())
    found["Date"] = format_datetime(datetime.now(UTC))
    found["Message-ID"] = f"<{mail.id}@{domain}>"
    # Answering machines leave such mail alone (RFC 3834).
    found["Auto-Submitted"] = "auto-generated"
    found.set_content(mail.text, charset="utf-8", cte="base64")
    return found


def _mailbox(address: str) -> str:
    """A folded address as SMTP writes it. Anything else, line ends above all, never reaches a relay."""
    try:
        folded = fold_address(address)
    except Refusal:
        folded = ""
    if not folded or folded != address:
        raise MailTrouble("not a mail address", temporary=False)
    user, _, domain = address.partition("@")
    # Some carriers gave out names that SMTP takes in quotes only.
    odd = user.startswith(".") or user.endswith(".") or ".." in user
    return f'"{user}"@{domain}' if odd else address


async def _deliver(client: aiosmtplib.SMTP, sender: str, to: str, content: bytes) -> None:
    await client.connect()
    await client.sendmail(sender, [to], content)


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Say goodbye. The relay has answered for the mail already, so nothing that happens here is an error."""
    with contextlib.suppress(aiosmtplib.SMTPException, OSError):
        async with asyncio.timeout(QUIT_S):
            await client.quit()


async def _told(work: Awaitable[object]) -> None:
    """Await `work` within the deadline; whatever the library and the network raise becomes `MailTrouble`.

    Only an answer to the mail itself can be final. Everything before it (name, network, TLS, log-in) is for the
    operator to mend, and the mail can leave afterwards.
    """
    try:
        async with asyncio.timeout(SEND_S):
            await work
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise _refused("recipient", error.recipients[0].code) from None
    except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
        part = "sender" if isinstance(error, aiosmtplib.SMTPSenderRefused) else "content"
        raise _refused(part, error.code) from None
    except aiosmtplib.SMTPAuthenticationError as error:
        raise MailTrouble(f"the relay refused the log-in ({error.code})", temporary=True) from None
    except aiosmtplib.SMTPResponseException as error:
        raise MailTrouble(f"the relay answered {error.code}", temporary=True) from None
    except (aiosmtplib.SMTPException, OSError) as error:
        raise MailTrouble(_unreached(error), temporary=True) from None


def _unreached(error: Exception) -> str:
    """Why no relay could be talked to, for the operator who has to mend it."""
    cause = error.__cause__ or error
    if isinstance(cause, ssl.SSLError):
        return f"no safe connection to the relay ({getattr(cause, 'verify_message', '') or cause.reason})"
    # The library raises its base class itself for what the relay lacks, and for nothing else.
    if type(error) in (aiosmtplib.SMTPException, aiosmtplib.SMTPNotSupported):
        return "the relay does not offer STARTTLS or a log-in; see ?starttls=off"
    return f"the relay cannot be reached ({getattr(cause, 'strerror', None) or type(cause).__name__})"


def _refused(part: str, code: int) -> MailTrouble:
    return MailTrouble(f"the relay refused the {part} ({code})", temporary=code < 500)
