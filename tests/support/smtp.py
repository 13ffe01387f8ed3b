"""A mail relay for tests, inside the test's own loop: it takes what it is told to take and keeps what it took."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import EmailMessage

import pytest

END = b"\r\n.\r\n"


@dataclass(slots=True)
class Taken:
    """One mail as it came in: the envelope, and the message."""

    sender: str
    to: str
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        """The message, parsed."""
        found = email.message_from_bytes(self.raw, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        return found

    @property
    def text(self) -> str:
        """The plain body, with plain line ends."""
        return str(self.message.get_content()).replace("\r\n", "\n")


@dataclass(slots=True)
class SmtpServer:
    """A relay on a free port. `answers["RCPT"].append("451 later")` lets the next RCPT fail so, once."""

    mails: list[Taken] = field(default_factory=list)
    answers: dict[str, deque[str]] = field(
        default_factory=lambda: {verb: deque() for verb in ("EHLO", "MAIL", "RCPT", "DATA", ".")}
    )
    connections: int = 0
    port: int = 0
    _server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """For `TSUDOI_SMTP_URL`."""
        return f"smtp://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen; again on the same port after a stop."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        sender = to = ""
        try:
            writer.write(b"220 test\r\n")
            while line := (await reader.readline()).decode():
                verb = line[:4].upper()
                answer = self._answer(verb)
                if verb == "QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                if verb == "MAIL":
                    sender = line.partition("<")[2].partition(">")[0]
                elif verb == "RCPT":
                    to = line.partition("<")[2].partition(">")[0]
                elif verb == "DATA" and answer.startswith("250"):
                    writer.write(b"354 go on\r\n")
                    raw = await reader.readuntil(END)
                    answer = self._answer(".")
                    if answer.startswith("250"):
                        self.mails.append(
                            Taken(sender, to, raw.removesuffix(END).replace(b"\r\n..", b"\r\n."))
                        )
                writer.write(f"{answer}\r\n".encode())
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _answer(self, verb: str) -> str:
        scripted = self.answers.get(verb)
        return scripted.popleft() if scripted else "250 ok"


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpServer]:
    """A relay that listens."""
    server = SmtpServer()
    await server.start()
    yield server
    await server.stop()
