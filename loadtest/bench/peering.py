"""Other people's servers, as test subjects: where each comes from, how it is installed and started.

Used by `./run bench peers`. Each Python one has an environment of its own under the data directory, made on first use from
a pinned list beside its server (`peers/`); the stamp is written last, so half an environment is never believed. What cannot
be had here is said with its reason.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from loadtest.bench.loads import NATS, PLAIN, SOCKET_IO, Dialect, Target
from loadtest.bench.subjects import free_port, program
from loadtest.serving import CHECKOUT

PROGRAMS = Path(__file__).resolve().parent / "peers"
INSTALL_S = 600.0


class Unavailable(RuntimeError):
    """A peer that cannot be had on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One of them. `calm_rate` is a rate (events/s to 1,000) that it can carry; `prepare` installs what it needs into a
    directory and gives its command, the port still to come."""

    name: str
    dialect: Dialect
    calm_rate: float
    prepare: Callable[[Path], list[str]]

    @contextlib.contextmanager
    def running(self, base: Path) -> Iterator[Target]:
        """The server. Raises `Unavailable`."""
        command = self.prepare(base)
        port = free_port()
        try:
            with program([*command, *self._where(base, port)], port) as pid:
                yield Target(port, [pid], self.dialect, self.name)
        except RuntimeError as error:
            raise Unavailable(str(error)) from error

    def _where(self, base: Path, port: int) -> list[str]:
        if self.dialect is not NATS:
            return [str(port)]
        config = base / "nats.conf"
        config.parent.mkdir(parents=True, exist_ok=True)
        listener = f"websocket {{ host: 127.0.0.1, port: {port}, no_tls: true }}\n"
        config.write_text((PROGRAMS / "nats.conf").read_text() + listener)
        return ["-c", str(config)]


def _python(name: str) -> Callable[[Path], list[str]]:
    def prepare(base: Path) -> list[str]:
        python = _environment(base / name, PROGRAMS / f"{name}.txt")
        # -I: `channels` is a package of ours, too.
        return [
            str(python),
            "-I",
            str(PROGRAMS / f"{name.replace('-', '_').removeprefix('python_')}_server.py"),
        ]

    return prepare


def _node(script: str) -> Callable[[Path], list[str]]:
    def prepare(base: Path) -> list[str]:
        return [_on_path("node"), str(_packages(base / "node") / script)]

    return prepare


def _on_path(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin")
    if found is None:
        raise Unavailable(f"{name} is not on PATH")
    return found


PEERS = (
    Peer("socketify (uWebSockets)", PLAIN, 80, _python("socketify")),
    Peer("nats-server", NATS, 80, lambda _base: [_on_path("nats-server")]),
    Peer("Node ws", PLAIN, 80, _node("ws_server.mjs")),
    Peer("socket.io", SOCKET_IO, 40, _node("socketio_server.mjs")),
    Peer("websockets.broadcast", PLAIN, 80, _python("websockets")),
    Peer("Starlette", PLAIN, 40, _python("starlette")),
    Peer("python-socketio", SOCKET_IO, 10, _python("python-socketio")),
    Peer("Django Channels", PLAIN, 2, _python("channels")),
)


def peers_home() -> Path:
    """Where environments are kept between runs."""
    return Path(os.environ.get("TSUDOI_DATA") or CHECKOUT / "var") / "peers"


def stamp_of(*sources: Path) -> str:
    """What an environment was made from."""
    digest = hashlib.sha256(sys.version.encode())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _is_made(place: Path, stamp: str) -> bool:
    with contextlib.suppress(OSError):
        return (place / ".stamp").read_text() == stamp
    return False


def _environment(place: Path, wanted: Path) -> Path:
    """An environment with exactly the pinned packages; its interpreter. Raises `Unavailable`."""
    python, stamp = place / "bin" / "python", stamp_of(wanted)
    if not _is_made(place, stamp):
        shutil.rmtree(place, ignore_errors=True)
        venv.create(place, with_pip=False, symlinks=True)
        # Our own environment has no pip; the interpreter it was made with has.
        pip = [str(Path(sys.base_prefix, "bin", "python{}.{}".format(*sys.version_info))), "-m", "pip"]
        install = ["--python", str(python), "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        # socketify's only archive holds its compiled library, but is not called a wheel.
        wheels = ["--only-binary", ":all:", "--no-binary", "socketify"]
        _run([*pip, *install, *wheels, "-r", str(wanted)], place)
        (place / ".stamp").write_text(stamp)
    return python


def _packages(place: Path) -> Path:
    """A directory with the Node servers and their packages. Raises `Unavailable`."""
    _on_path("node")
    npm = _on_path("npm")
    sources = sorted((PROGRAMS / "node").iterdir())
    stamp = stamp_of(*sources)
    if not _is_made(place, stamp):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(PROGRAMS / "node", place)
        _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], place)
        (place / ".stamp").write_text(stamp)
    return place


def _run(command: list[str], place: Path) -> None:
    done = subprocess.run(  # noqa: S603  # package managers, with pinned lists of ours
        command, cwd=place, capture_output=True, text=True, check=False, timeout=INSTALL_S
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Unavailable(
            f"{Path(command[0]).name} could not install it: {said[-1] if said else done.returncode}"
        )
