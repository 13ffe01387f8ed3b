"""How a client is to behave, what it tells, and how it says no. Used by `loadtest.client` and whoever has one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Told = tuple[Any, ...]


class ServerRefusal(Exception):
    """The server answered with an error; the fields are those of WIRE §2."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code: str = error["code"]
        self.retry_ms: int | None = error["retry_ms"]
        self.details: Mapping[str, Any] = error["details"]
        self.request_id: str = error.get("request_id", "")


class Hole(AssertionError):
    """A channel's seq did not go on by one: the server broke its promise."""


class Overrun(RuntimeError):
    """More happened than anybody looked at: iterate faster, or take events by `Options.told`."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a client behaves.

    `stay`: come back by itself, and keep durable operations until they are acknowledged; without it, the first loss
    is the end. `told`: called for each event at once, instead of iterating. `strict`: a hole or a double is a fault.
    `remember`: keep every push in `Client.ear`. `ticket`: gets a fresh ticket for each connection, where there is no
    bearer token; may raise `ServerRefusal`. `local_address`: where to come from. `tap`: called with every frame of the wire,
    `("out", frame)` and `("in", frame)`, and with `("open", {})` when a connection begins. `reachable`: False while there is no
    network. `presence`: how each connection begins, `online`, `idle` or `offline`.
    """

    stay: bool = False
    told: Callable[[Told], None] | None = None
    strict: bool = False
    remember: bool = False
    ticket: Callable[[], Awaitable[str]] | None = None
    local_address: str | None = None
    tap: Callable[[str, dict[str, Any]], None] | None = None
    reachable: Callable[[], bool] | None = None
    name: str = "tsudoi client"
    presence: str = "online"


WATCHING = Options(strict=True, remember=True)


@dataclass(slots=True)
class Ear:
    """What was heard: pushes as they came, and the last seq per channel, to be continued by another client."""

    pushes: list[dict[str, Any]] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
