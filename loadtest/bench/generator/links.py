"""The generator's connections: from the TCP link over the upgrade and the steps to "ready".

Used by `drive` alone; one thread, one epoll. After "ready" frames are no longer taken apart: `tally` counts markers in what
arrives, because a generator that parses every frame is slower than the servers it measures.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from dataclasses import dataclass, field

from loadtest.bench.generator.options import Options, Step
from loadtest.bench.generator.template import Speaker, Template
from loadtest.bench.lean import client_frame

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
PER_ADDRESS = 25_000
READ = select.EPOLLIN | select.EPOLLRDHUP
PING, CLOSE, PONG, BINARY = 9, 8, 10, 2


def frame_of(payload: bytes, opcode: int = 1) -> bytes:
    """A frame of a client, of another kind than text if need be."""
    made = client_frame(payload)
    return made if opcode == 1 else bytes((0x80 | opcode,)) + made[1:]


@dataclass(slots=True, eq=False)
class Link:
    """One connection. `tail` holds bytes that are not a whole frame, later those that may begin a marker."""

    speaker: Speaker
    publisher: bool
    steps: list[Step]
    sock: socket.socket
    begun: float
    step: int = 0
    upgraded: bool = False
    ready: bool = False
    dead: str = ""
    tail: bytes = b""
    out: bytearray = field(default_factory=bytearray)
    sampled: bool = False
    last: int = 0
    seen: int = 0
    pub: Template | None = None


class Links:
    """All of them. `ready` and `dead` count; `took` are seconds from the start of a link to its being ready."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.epoll = select.epoll()
        self.all: list[Link] = []
        self.by_fd: dict[int, Link] = {}
        self.ready = 0
        self.dead = 0
        self.took: list[float] = []
        self.first_fault = ""

    @property
    def under_way(self) -> int:
        """Links begun that are neither ready nor dead."""
        return len(self.all) - self.ready - self.dead

    def open_all(self) -> None:
        """Everybody in, `conc` at a time, within `hs_timeout` seconds; who is not in by then counts as dead."""
        options = self._options
        total = options.n + options.publishers
        end = time.perf_counter() + options.hs_timeout
        while self.ready + self.dead < total and time.perf_counter() < end:
            while len(self.all) < total and self.under_way < options.conc:
                self._open(len(self.all))
            for fd, event in self.epoll.poll(0.01):
                self._step_event(self.by_fd[fd], event)
        for link in self.all:
            if not link.ready and not link.dead:
                self.die(link, "not ready in time")

    def _open(self, index: int) -> None:
        options = self._options
        publisher = index >= options.n
        speaker = Speaker(
            index, options.group_of(index), _line(options.tokens, index), _line(options.frames, index)
        )
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if options.host.startswith("127."):
            # One address has 28,000 ports to connect from; a process of its own gets addresses of its own.
            sock.bind((f"127.{os.getpid() % 200 + 2}.{index // PER_ADDRESS}.1", 0))
        with contextlib.suppress(BlockingIOError):
            sock.connect((options.host, options.port))
        link = Link(
            speaker, publisher, options.psteps if publisher else options.steps, sock, time.perf_counter()
        )
        self.all.append(link)
        self.by_fd[sock.fileno()] = link
        self.epoll.register(sock.fileno(), READ | select.EPOLLOUT)
        link.out += self._request(link)

    def _request(self, link: Link) -> bytes:
        options = self._options
        lines = [
            f"GET {options.path} HTTP/1.1",
            f"Host: {options.host}:{options.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {KEY}",
            "Sec-WebSocket-Version: 13",
            *options.headers,
            "\r\n",
        ]
        return Template("\r\n".join(lines).encode(), link.speaker).make()

    def _step_event(self, link: Link, event: int) -> None:
        if link.dead:
            return
        if event & select.EPOLLOUT:
            self.flush(link)
        if event & ~select.EPOLLOUT:
            self._step_read(link)

    def _step_read(self, link: Link) -> None:
        try:
            data = link.sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError as error:
            self.die(link, str(error))
            return
        if not data:
            self.die(link, "the server hung up")
            return
        self.take(link, data)

    def take(self, link: Link, data: bytes) -> None:
        """Bytes of a link whose frames matter: the upgrade's answer, then frames."""
        link.tail += data
        if not link.upgraded:
            head, blank, rest = link.tail.partition(b"\r\n\r\n")
            if not blank:
                return
            if not head.startswith(b"HTTP/1.1 101") or ACCEPT not in head:
                self.die(link, head.split(b"\r\n")[0].decode(errors="replace"))
                return
            link.upgraded = True
            link.tail = rest
            self._run_steps(link)
        for opcode, payload in frames_of(link):
            self._frame(link, opcode, payload)

    def _frame(self, link: Link, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self.send(link, payload, PONG)
        elif opcode == CLOSE:
            self.die(
                link,
                f"closed with {int.from_bytes(payload[:2], 'big')} {payload[2:].decode(errors='replace')}",
            )
        elif not self._answered(link, payload, opcode) and link.step < len(link.steps) and not link.dead:
            step = link.steps[link.step]
            if step.wait and step.text in payload:
                link.step += 1
                self._run_steps(link)

    def _answered(self, link: Link, payload: bytes, opcode: int) -> bool:
        for heard, said in self._options.replies:
            if payload == heard:
                self.send(link, said, opcode)
                return True
        return False

    def _run_steps(self, link: Link) -> None:
        while link.step < len(link.steps) and not link.steps[link.step].wait:
            step = link.steps[link.step]
            self.send(link, Template(step.text, link.speaker).make(), BINARY if step.binary else 1)
            link.step += 1
        if link.step == len(link.steps) and not link.ready and not link.dead:
            link.ready = True
            self.ready += 1
            self.took.append(time.perf_counter() - link.begun)

    def send(self, link: Link, payload: bytes, opcode: int = 1) -> None:
        """One frame, now or as soon as the socket takes it."""
        data = frame_of(payload, opcode)
        if not link.out:
            try:
                sent = link.sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self.die(link, str(error))
                return
            if sent == len(data):
                return
            data = data[sent:]
            self.epoll.modify(link.sock.fileno(), READ | select.EPOLLOUT)
        link.out += data

    def flush(self, link: Link) -> None:
        """Hand over what waits; the rest goes when there is room."""
        if link.dead:
            return
        try:
            sent = link.sock.send(link.out) if link.out else 0
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.die(link, str(error))
            return
        del link.out[:sent]
        if not link.out:
            self.epoll.modify(link.sock.fileno(), READ)

    def die(self, link: Link, why: str) -> None:
        """A link that is gone."""
        if link.dead:
            return
        link.dead = why
        self.first_fault = self.first_fault or why
        self.dead += 1
        self.ready -= link.ready
        del self.by_fd[link.sock.fileno()]
        self.epoll.unregister(link.sock.fileno())
        link.sock.close()


def frames_of(link: Link) -> list[tuple[int, bytes]]:
    """The whole frames at the front of the link's bytes; what is left stays."""
    data, at, found = link.tail, 0, []
    while len(data) - at >= 2:
        size, head = data[at + 1] & 0x7F, 2
        if size >= 126:
            head = 4 if size == 126 else 10
            if len(data) - at < head:
                break
            size = int.from_bytes(data[at + 2 : at + head], "big")
        if len(data) - at < head + size:
            break
        found.append((data[at] & 15, data[at + head : at + head + size]))
        at += head + size
    link.tail = data[at:]
    return found


def _line(lines: list[bytes], index: int) -> bytes:
    return lines[index % len(lines)] if lines else b""
