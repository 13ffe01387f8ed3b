"""What the generator is told on its command line (docs/benchmarks.md), as one object.

Read by the other modules of the generator; made by `parse`.
"""

from __future__ import annotations

import argparse
import codecs
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MODES = ("rate", "blast")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a connection's beginning: something to send, or a piece of text to wait for in a frame."""

    text: bytes
    wait: bool = False
    binary: bool = False


@dataclass(slots=True)
class Options:
    """The command line. Seconds, bytes, events per second; templates are bytes with `%` marks (`template`)."""

    port: int
    host: str = "127.0.0.1"
    path: str = "/"
    headers: list[str] = field(default_factory=list)
    n: int = 100
    pubs: int = 1
    conc: int = 64
    group_size: int = 0
    steps: list[Step] = field(default_factory=list)
    psteps: list[Step] = field(default_factory=list)
    tokens: list[bytes] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    pub: bytes = b""
    pub_bin: bool = False
    pad: int = 0
    self_pub: bool = False
    mode: str = "rate"
    rate: float = 100.0
    burst: int = 1
    window: int = 1
    secs: float = 5.0
    warm: float = 1.0
    settle: float = 0.5
    hs_timeout: float = 60.0
    marker: bytes = b"wsf:"
    replies: list[tuple[bytes, bytes]] = field(default_factory=list)
    beat: bytes = b""
    beat_every: float = 0.0
    pids: list[int] = field(default_factory=list)
    label: str = ""
    sample: int = 0

    @property
    def publishers(self) -> int:
        """Connections that only publish."""
        return 0 if self.self_pub else self.pubs

    @property
    def groups(self) -> int:
        """How many rooms the listeners are spread over."""
        return -(-self.n // self.group_size) if self.group_size else 1

    def group_of(self, index: int) -> int:
        """The room of a listener; publishers belong to the first."""
        return index // self.group_size if self.group_size and index < self.n else 0


def unescaped(text: str) -> bytes:
    r"""`\n`, `\r`, `\t`, `\\` and `\xNN` as the bytes they stand for."""
    return bytes(codecs.escape_decode(text.encode())[0])


def parse(arguments: Sequence[str]) -> Options:
    """The options of a command line. Ends the program with its usage if it cannot be understood."""
    given = _parser().parse_args(arguments)
    values = {name: value for name, value in vars(given).items() if value is not None}
    for name in ("pub", "beat"):
        if name in values:
            values[name] = unescaped(values[name])
    if "marker" in values:
        values["marker"] = values["marker"].encode()
    for name in ("tokens", "frames"):
        if name in values:
            values[name] = Path(values[name]).read_bytes().splitlines()
    values["replies"] = [_reply(text) for text in values.pop("reply", ())]
    return Options(**values)


def _reply(text: str) -> tuple[bytes, bytes]:
    heard, arrow, said = text.partition("=>")
    if not arrow:
        raise SystemExit("--reply needs HEARD=>SAID")
    return unescaped(heard), unescaped(said)


class _StepAction(argparse.Action):
    """Steps keep their order among each other, whatever their kind."""

    def __call__(self, _parser: Any, namespace: Any, values: Any, option: str | None = None) -> None:
        name = str(option)
        which = "psteps" if name.startswith("--p") else "steps"
        steps = getattr(namespace, which) or []
        step = Step(unescaped(values), wait=name.endswith("wait"), binary=name.endswith("bin"))
        setattr(namespace, which, [*steps, step])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="generator", allow_abbrev=False)
    for name in (
        "--host",
        "--path",
        "--tokens",
        "--frames",
        "--pub",
        "--marker",
        "--beat",
        "--label",
    ):
        parser.add_argument(name)
    parser.add_argument("--port", type=int, required=True)
    for name in ("--n", "--pubs", "--conc", "--group-size", "--pad", "--burst", "--window", "--sample"):
        parser.add_argument(name, type=int)
    for name in ("--rate", "--secs", "--warm", "--settle", "--hs-timeout", "--beat-every"):
        parser.add_argument(name, type=float)
    parser.add_argument("--mode", choices=MODES)
    for name in ("--self-pub", "--pub-bin"):
        parser.add_argument(name, action="store_true", default=None)
    parser.add_argument("-H", dest="headers", action="append")
    parser.add_argument("--reply", action="append")
    parser.add_argument("--pid", dest="pids", type=int, action="append")
    for name in ("--send", "--send-bin", "--wait"):
        parser.add_argument(name, action=_StepAction, dest="steps")
    for name in ("--psend", "--psend-bin", "--pwait"):
        parser.add_argument(name, action=_StepAction, dest="psteps")
    return parser
