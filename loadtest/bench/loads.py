"""What is asked of servers (the load) and in which words (the dialect), as the generator's command line.

Pure. Any load can be put to any server: the same arguments but for its words, so that ratios compare like with like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

FRAME_BYTES = 193
MARK = "wsf:" + "0" * 19 + ":" + "0" * 10
ID = "0" * 26
ROOM = "%g"
# The event's last digit, where publishers speak in ten channels in turn.
TURN = "%c"


@dataclass(frozen=True, slots=True)
class Load:
    """One load. `listeners` hear events of `publishers`; with `group` they are spread over rooms of so many and speak
    themselves. `channels` are heard by everybody, publishers included. A rate (events/s) or a window (events on their way)."""

    name: str
    listeners: int
    group: int = 0
    channels: int = 1
    publishers: int = 1
    rate: float = 0.0
    burst: int = 1
    window: int = 0

    @property
    def connections(self) -> int:
        """Everybody who comes in."""
        return self.listeners + (0 if self.group else self.publishers)

    def at(self, rate: float) -> Load:
        """The same at another rate."""
        return replace(self, rate=rate)


CALM = Load("80 events/s to 1,000", 1000, rate=80)
BLASTS = tuple(
    Load(f"blast to {count:,}", count, window=window) for count, window in ((100, 32), (1000, 8), (5000, 8))
)
ROOMS = Load("1,000 rooms of 10", 10_000, group=10, window=64)
# Ten of the fifty connections speak; what they hear is sent to them, but not counted.
MANY = Load("10 channels × 1,000 events/s to 50", 40, channels=10, publishers=10, rate=10_000, burst=10)


@dataclass(frozen=True, slots=True)
class Dialect:
    """The words of a server. `enter` are steps of every connection, `join` those that subscribe to a channel, each as
    (option, text); `{ch}` stands for the channel. `pushed` is the frame that listeners get, without its padding."""

    enter: Sequence[tuple[str, str]] = ()
    join: Sequence[tuple[str, str]] = ()
    publish: str = ""
    pushed: str = ""
    path: str = "/"
    headers: Sequence[str] = ()
    replies: Sequence[str] = ()
    beat: str = ""
    binary: bool = False

    @property
    def pad(self) -> int:
        """Padding that makes a pushed frame `FRAME_BYTES` long."""
        bare = (
            self.pushed.replace("%M", MARK)
            .replace("%l", f"community:{ID}")
            .replace("{ch}", "0")
            .replace("%%", "%")
        )
        return max(0, FRAME_BYTES - len(bare))


PLAIN = Dialect(
    join=(("send", "S{ch}"), ("wait", "OK")),
    publish='P{ch} {"m":"%M","p":"%p"}',
    pushed='{"m":"%M","p":""}',
)
SOCKET_IO = Dialect(
    path="/socket.io/?EIO=4&transport=websocket",
    enter=(("wait", "0{"), ("send", "40"), ("wait", "40{")),
    join=(("send", '42["join","c{ch}"]'), ("wait", '42["joined"')),
    publish='42["pub","c{ch}",{"m":"%M","p":"%p"}]',
    pushed='42["e",{"m":"%M","p":""}]',
    replies=("2=>3",),
)
NATS_BODY = '{"m":"%M","p":"%p"}'
NATS_PAD = FRAME_BYTES - len("MSG c0 1 140\r\n\r\n") - len(NATS_BODY.replace("%M", MARK).replace("%p", ""))
NATS = Dialect(
    enter=(
        ("wait", "INFO"),
        ("send-bin", r'CONNECT {"verbose":false,"pedantic":false}\r\nPING\r\n'),
        ("wait", "PONG"),
    ),
    join=(("send-bin", r"SUB c{ch} 1\r\nPING\r\n"), ("wait", "PONG")),
    publish=f"PUB c{{ch}} {len(NATS_BODY.replace('%M', MARK).replace('%p', '')) + NATS_PAD}\\r\\n{NATS_BODY}\\r\\n",
    pushed="MSG c0 1 140\r\n\r\n" + NATS_BODY.replace("%p", ""),
    binary=True,
)
TSUDOI_ENTER = (
    ("send", '{"id":1,"op":"connect","d":{"token":"%s","client":{"name":"bench"}}}'),
    ("wait", '"ev":"live"'),
)
SIGNAL = Dialect(
    path="/gateway",
    headers=("Sec-WebSocket-Protocol: tsudoi.v1",),
    enter=TSUDOI_ENTER,
    publish='{"op":"channel.signal","d":{"ch":"%l","data":{"m":"%M","p":"%p"}}}',
    pushed='{"ch":"%l","ev":"channel.signal","at":1763625600123,"d":{"account":"'
    + ID
    + '","data":{"m":"%M","p":""}}}',
    beat='{"op":"pong"}',
)
# Where everybody speaks: each has spoken before, so that what is measured is not the first time, which asks the database.
SPEAKERS = replace(
    SIGNAL,
    enter=(
        *TSUDOI_ENTER,
        ("send", '{"id":2,"op":"channel.signal","d":{"ch":"%l","data":{}}}'),
        ("wait", '"id":2,"ok"'),
    ),
)
# What is pushed for a post is longer than the others' frames without any padding.
POST = replace(
    SIGNAL,
    publish='{"op":"post.create","d":{"community":"%l","text":"%M","nonce":"%t-%m"}}',
    pushed="x" * FRAME_BYTES,
)


@dataclass(frozen=True, slots=True)
class Target:
    """A running server: where, its processes, its words, its name; `tokens` and `lines` are files with a line per
    connection."""

    port: int
    pids: Sequence[int]
    dialect: Dialect
    name: str = ""
    tokens: Path | None = None
    lines: Path | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """How long: seconds to measure, and to warm up before."""

    seconds: float
    warm: float = 1.0


def arguments(load: Load, target: Target, span: Span) -> list[str]:
    """The generator's command line (docs/benchmarks.md, "Another generator")."""
    words = target.dialect
    found = ["--port", str(target.port), "--path", words.path, "--n", str(load.listeners), "--conc", "64"]
    for header in words.headers:
        found += ["-H", header]
    for name in ("tokens", "lines"):
        place = getattr(target, name)
        found += ["--frames" if name == "lines" else "--tokens", str(place)] if place else []
    channels = [str(number) for number in range(load.channels)] if load.channels > 1 else [ROOM]
    joins = [(option, text.replace("{ch}", ch)) for ch in channels for option, text in words.join]
    for option, text in (*words.enter, *joins):
        found += [f"--{option}", text]
    if load.group:
        found += ["--group-size", str(load.group), "--self-pub"]
    else:
        found += ["--pubs", str(load.publishers)]
        for option, text in (*words.enter, *(joins if load.channels > 1 else ())):
            found += [f"--p{option}", text]
    found += [
        "--pub",
        words.publish.replace("{ch}", TURN if load.channels > 1 else ROOM),
        "--pad",
        str(words.pad),
    ]
    found += ["--pub-bin"] if words.binary else []
    for reply in words.replies:
        found += ["--reply", reply]
    if words.beat:
        found += ["--beat", words.beat, "--beat-every", "20"]
    if load.rate:
        found += ["--mode", "rate", "--rate", f"{load.rate:g}", "--burst", str(load.burst)]
    else:
        found += ["--mode", "blast", "--window", str(load.window)]
    found += ["--secs", f"{span.seconds:g}", "--warm", f"{span.warm:g}", "--label", load.name]
    for pid in target.pids:
        found += ["--pid", str(pid)]
    return found
