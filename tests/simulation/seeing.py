"""Presence in the simulation: who looks away, hides and writes, what each device shows of the others, and what is true (I9).

What always holds: what a device shows of people is only what the wire told it since it was last `whole`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from presence.rules import Pair, sight
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.cluster import Cluster
    from tests.simulation.devices import Device

AUDIENCES = ("everyone", "mutuals", "mutuals", "nobody")


class Glass:
    """What one device shows of people, and what it last said of its own person on this connection."""

    def __init__(self) -> None:
        self.people: dict[str, str] = {}
        self.active = True

    def opened(self) -> None:
        """A connection begins as somebody who is there."""
        self.active = True
        self.people.clear()

    def take(self, frame: dict[str, Any]) -> None:
        """A fleeting push."""
        if frame.get("ev") != "presence.changed":
            return
        told = frame["d"]
        if told["whole"]:
            self.people.clear()
        self.people.update({account: view["state"] for account, view in told["people"].items()})


class Looking:
    """What people do about being seen."""

    def __init__(self, world: World) -> None:
        self._world = world

    def acts(self) -> tuple[tuple[Callable[[Device], None], int], ...]:
        """With their weights."""
        return ((self.look, 8), (self.hide, 2), (self.write, 4))

    def look(self, device: Device) -> None:
        """At the screen, or away."""
        if device.live:
            device.glass.active = self._world.random.random() < 0.5
            device.call("presence.set", {"active": device.glass.active})

    def hide(self, device: Device) -> None:
        """Or show oneself, to whomever."""
        audience = self._world.random.choice(AUDIENCES)
        device.call("account.update", {"presence_to": audience})

    def write(self, device: Device) -> None:
        """Begin a line that may never be sent."""
        rooms = sorted(name for name in device.core.streams.positions if name.startswith("room:"))
        if rooms:
            room = self._world.random.choice(rooms).removeprefix("room:")
            device.call("room.typing", {"room": room})


def unlike(cluster: Cluster, devices: list[Device], revoked: set[str]) -> list[str]:
    """Where a device shows somebody other than they are."""
    here: dict[str, bool] = {}
    for device in devices:
        if device.live and device.session not in revoked:
            here[device.account] = here.get(device.account, False) or device.glass.active
    found = []
    accounts = sorted({device.account for device in devices})
    for device in devices:
        if not device.live or device.session in revoked:
            continue
        for other in accounts:
            truth = "offline"
            if other in here and _sees(cluster, device.account, other):
                truth = "online" if here[other] else "idle"
            shown = device.glass.people.get(other, "offline")
            if shown != truth:
                found.append(f"{device.name} shows {other[-4:]} {shown}, who is {truth}")
    return found


def _sees(cluster: Cluster, viewer: str, target: str) -> bool:
    """What the tables say; only mutuals and oneself are shown without being asked for."""
    rows = cluster.disk.execute(
        "select t.state, t.presence_to, w.state, w.presence_to,"
        " exists (select 1 from follow where follower = :v and followee = :t)"
        " and exists (select 1 from follow where follower = :t and followee = :v),"
        " exists (select 1 from block where (blocker = :v and blocked = :t) or (blocker = :t and blocked = :v))"
        " from account t join account w on w.id = :v where t.id = :t",
        {"v": viewer, "t": target},
    )
    state, audience, viewer_state, viewer_audience, mutual, apart = rows.fetchall()[0]
    if not mutual and viewer != target:
        return False
    pair = Pair(
        viewer,
        target,
        state,
        audience,
        audience,
        None,
        bool(mutual),
        bool(apart),
        None,
        None,
        viewer_state,
        viewer_audience,
        None,
    )
    return sight(pair).live
