"""What arrives, counted: every marker on every connection, every id on some of them.

Used by `drive`, which asks for `receive` after each look at the sockets. What always holds: each marker is counted once,
however the bytes were cut; a connection's count is compared with what its room was sent, so what is missing anywhere is
found; order, doubles and delays are judged on the sampled connections, whose ids are read one by one.
"""

from __future__ import annotations

import random
import re
import select
import time
from array import array
from collections.abc import Iterable

from loadtest.bench.generator.links import CLOSE, PONG, Link, Links
from loadtest.bench.generator.options import Options
from loadtest.bench.generator.template import TIME_BASE

BUFFER_BYTES = 1 << 18
# Ids read per second that leave the generator most of its core.
READ_PER_S = 20_000
SAMPLED_BLAST = 16
# How far back a late event is told from a double.
WINDOW_PLACES = 1024
WINDOW = (1 << WINDOW_PLACES) - 1


class Tally:
    """See the module. `received` counts deliveries to listeners; `delays_ns` those of sampled ones since `measure`."""

    def __init__(self, options: Options, links: Links, chance: random.Random) -> None:
        self._options = options
        self._links = links
        self._buffer = bytearray(BUFFER_BYTES)
        marker = options.marker
        self._cuts = tuple(marker[:size] for size in range(1, len(marker)))
        self._id = re.compile(re.escape(marker) + rb"(\d{19}):(\d{10})")
        self._id_bytes = len(marker) + 30
        listening = [link for link in links.all if not link.publisher and link.ready]
        self._counts = dict.fromkeys((link.sock.fileno() for link in listening), 0)
        self._listening = listening
        # Links whose bytes are not only counted.
        self._careful = {link.sock.fileno(): link for link in links.all if link.publisher and link.ready}
        for link in self._sample(listening, chance):
            link.sampled = True
            link.tail = b""
            self._careful[link.sock.fileno()] = link
        self.ids: dict[int, tuple[int, int]] = {}
        self.received = 0
        self.bytes_in = 0
        self.reads = 0
        self.doubles = 0
        self.disorder = 0
        self.wrong = 0
        self.measuring = False
        self.delays_ns = array("q")

    def _sample(self, listening: list[Link], chance: random.Random) -> list[Link]:
        options = self._options
        wanted = options.sample
        if not wanted and options.mode == "rate":
            wanted = int(READ_PER_S * options.groups / max(1.0, options.rate))
        wanted = min(len(listening), max(1, wanted or SAMPLED_BLAST))
        return chance.sample(listening, wanted)

    def receive(self, events: Iterable[tuple[int, int]]) -> None:
        """Read what is there, and count."""
        buffer, counts, careful, by_fd = self._buffer, self._counts, self._careful, self._links.by_fd
        marker, cuts, count, find, ends = (
            self._options.marker,
            self._cuts,
            buffer.count,
            buffer.find,
            buffer.endswith,
        )
        received = got = reads = 0
        for fd, event in events:
            link = by_fd.get(fd)
            if link is None:
                continue
            if event & select.EPOLLOUT:
                self._links.flush(link)
                if event == select.EPOLLOUT:
                    continue
            try:
                size = link.sock.recv_into(buffer)
            except BlockingIOError:
                continue
            except OSError as error:
                self._links.die(link, str(error))
                continue
            if not size:
                self._links.die(link, "the server hung up")
                continue
            got += size
            reads += 1
            if fd in careful:
                found = self._look(link, bytes(buffer[:size]))
            else:
                found = count(marker, 0, size)
                if ends(cuts, 0, size):
                    link.tail = bytes(buffer[max(0, size - len(marker) + 1) : size])
                    careful[fd] = link
                if not found or find(b"\x89", 0, size) >= 0:
                    self._control(link, bytes(buffer[:size]))
            if found:
                counts[fd] += found
                received += found
        self.received += received
        self.bytes_in += got
        self.reads += reads

    def _look(self, link: Link, data: bytes) -> int:
        """A link whose bytes are looked into: sampled, or a publisher, or cut within a marker before."""
        if link.publisher:
            self._control(link, data)
            return 0
        data = link.tail + data
        if link.sampled:
            return self._read_ids(link, data)
        del self._careful[link.sock.fileno()]
        link.tail = b""
        if data.endswith(self._cuts):
            link.tail = data[-len(self._options.marker) + 1 :]
            self._careful[link.sock.fileno()] = link
        found = data.count(self._options.marker)
        if not found:
            self._control(link, data)
        return found

    def _read_ids(self, link: Link, data: bytes) -> int:
        now = time.monotonic_ns() + TIME_BASE
        end = found = 0
        for match in self._id.finditer(data):
            found += 1
            end = match.end()
            at, number = int(match[1]), int(match[2])
            if self.measuring:
                self.delays_ns.append(now - at)
            group, place = self.ids.get(number, (-1, 0))
            if group != link.speaker.group:
                self.wrong += 1
            elif not self._in_turn(link, place):
                # A double must not stand in for one that is missing.
                self.doubles += 1
                found -= 1
        rest = data[end:]
        if not end:
            self._control(link, rest)
        link.tail = rest[-self._id_bytes + 1 :]
        return found

    def _in_turn(self, link: Link, place: int) -> bool:
        """Notes the event that was the room's `place`th. False if the connection has had it. Two speakers of one room are
        heard in the order in which the server took them, so disorder is told of and is no fault."""
        ahead = place - link.last
        if ahead > 0:
            link.seen = (link.seen << ahead | 1) & WINDOW if ahead < WINDOW_PLACES else 1
            link.last = place
            return True
        self.disorder += 1
        bit = 1 << -ahead
        if link.seen & bit:
            self.disorder -= 1
            return False
        link.seen |= bit
        return True

    def _control(self, link: Link, data: bytes) -> None:
        """Bytes without a marker, or with what may be a ping: answer pings, the WebSocket's and the application's."""
        at = data.find(b"\x89")
        if at >= 0 and at + 1 < len(data) and data[at + 1] < 126 and at + 2 + data[at + 1] <= len(data):
            self._links.send(link, data[at + 2 : at + 2 + data[at + 1]], PONG)
        if data[:1] == bytes((0x80 | CLOSE,)):
            self._links.die(link, f"closed with {int.from_bytes(data[2:4], 'big')}")
        for heard, said in self._options.replies:
            if bytes((0x81, len(heard))) + heard in data and not link.dead:
                self._links.send(link, said)

    def missing(self, sent: list[int]) -> tuple[int, int]:
        """(missing, too many) over all listeners, `sent` being what each room was sent."""
        missing = extra = 0
        for link in self._listening:
            fd = link.sock.fileno() if not link.dead else -1
            have = self._counts.get(fd, 0) if fd >= 0 else 0
            want = sent[link.speaker.group]
            missing += max(0, want - have)
            extra += max(0, have - want)
        return missing, extra
