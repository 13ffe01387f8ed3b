"""The calm after a run: everything works again, and within a bound everybody must stand where the database stands."""

from __future__ import annotations

import asyncio

from channels.entries import APART
from tests.simulation.cluster import LIMITS, Cluster
from tests.simulation.devices import Device
from tests.simulation.script import People
from tests.simulation.seeing import unlike

CALM_S = 150.0
STEP_S = 0.5
Lines = dict[int, tuple[str, str | None]]
REPLAY_BYTES = 512 * 1024
"""What a resume may put into a transport at once: a channel's replay, of lines as long as here."""


class Ending:
    """See the module."""

    def __init__(self, cluster: Cluster, people: People) -> None:
        self.cluster = cluster
        self.people = people
        self.world = cluster.world

    async def calm_down(self) -> None:
        """Heal everything, then wait until all is as it should be, for as long as is promised at most."""
        world, cluster = self.world, self.cluster
        world.calm = True
        cluster.disk.away = cluster.bus.leases_away = False
        if cluster.bus.state != "ok":
            cluster.bus.set("ok")
        for link in cluster.links():
            link.stall(False)
        for device in self.people.devices:
            if device.core.state == "stopped":
                device.start()
        end = world.now() + CALM_S
        while world.now() < end:
            await asyncio.sleep(STEP_S)
            if not self._missing():
                return
        for text in self._missing():
            world.violated("I3/I18", f"{CALM_S:.0f} s after the last fault {text}")

    def _missing(self) -> list[str]:
        """What keeps the world from being whole."""
        found = [f"{node.process.name} is down" for node in self.cluster.nodes if not node.up]
        for device in self.people.devices:
            if device.session in self.people.history.revoked or device.core.state == "refused":
                continue
            if not device.live:
                found.append(f"{device.name} is {device.core.state}")
                continue
            found += self._behind(device)
        return found or unlike(self.cluster, self.people.devices, self._ended())

    def _ended(self) -> set[str]:
        """Sessions that are over, as far as anybody knows."""
        refused = {each.session for each in self.people.devices if each.core.state == "refused"}
        return refused | set(self.people.history.revoked)

    def _heard_by(self, account: str) -> dict[str, int]:
        rows = self.cluster.disk.execute(
            "select c.id, c.seq from member m join channel c on c.id = 'room:' || m.room"
            " where m.account = :me and m.state = 'inside'"
            " union all select c.id, c.seq from community_member m join channel c on c.id = 'community:' || m.community"
            " where m.account = :me and m.state = 'inside'"
            " union all select c.id, c.seq from follow f join channel c on c.id = 'author:' || f.followee"
            " where f.follower = :me"
            " union all select id, seq from channel where id in ('user:' || :me, 'author:' || :me)",
            {"me": account},
        )
        return dict(rows.fetchall())

    def _behind(self, device: Device) -> list[str]:
        tops = self._heard_by(device.account)
        found = []
        positions = device.core.streams.positions
        for name, top in tops.items():
            if positions.get(name) != top:
                found.append(f"{device.name} is at {positions.get(name)} of {top} in {name}")
        # An author who blocks is not told of: their page cannot be read, and is nobody's business any more.
        found += [
            f"{device.name} has no page of {n}"
            for n, view in device.views.items()
            if view.stale and (n in tops or n.startswith("room:"))
        ]
        return found

    def compare(self) -> None:
        """I5: what each device shows is what the database says."""
        for device in self.people.devices:
            if not device.live or device.session in self.people.history.revoked:
                continue
            heard = self._heard_by(device.account)
            inside = {name for name in heard if name.startswith("room:")}
            # A draft that ends because the other one asked first is not announced to whoever blocks them: it is empty.
            rooms = {n: view for n, view in device.views.items() if n.startswith("room:")}
            shown = {n for n, view in rooms.items() if n in inside or view.lines()}
            if shown != inside:
                self.world.violated("I5", f"{device.name} shows {sorted(shown)}, is in {sorted(inside)}")
            for name in sorted(shown & inside):
                self._compare_room(device, name)
            for name in sorted(set(heard) - inside - {f"user:{device.account}"}):
                self._compare_posts(device, name)
        for node in self.cluster.nodes:
            for link in node.links.values():
                self._bounded(link.transport.most)

    def _compare_room(self, device: Device, name: str) -> None:
        view = device.views[name]
        rows = self.cluster.disk.execute(
            "select x.seq, x.id, x.body from message x join member m on m.room = x.room and m.account = :me"
            " where x.room = :room and x.seq > :low and x.seq > m.from_seq and x.deleted_at is null"
            " and (x.only_for is null or x.only_for = :me)",
            {"me": device.account, "room": name.removeprefix("room:"), "low": view.low},
        )
        truth = {row[0]: (row[1], row[2]) for row in rows.fetchall()}
        self._equal(device, name, {seq: line for seq, line in view.lines().items() if seq > view.low}, truth)

    def _compare_posts(self, device: Device, name: str) -> None:
        """An author or a community. Of whom somebody was ever apart from, what stands on the screen is of before and after."""
        view = device.views.get(name)
        if view is None:
            self.world.violated("I5", f"{device.name} shows nothing of {name}")
            return
        apart = self._ever_apart(device.account)
        rows = self.cluster.disk.execute(
            "select seq, id, body, author, deleted_at from post where home = ?", (name,)
        ).fetchall()
        authors = {row[1]: row[3] for row in rows}
        truth = {
            row[0]: (row[1], row[2])
            for row in rows
            if row[4] is None and row[0] > view.low and row[3] not in apart
        }
        shown = {
            seq: line
            for seq, line in view.lines().items()
            if seq > view.low and authors.get(line[0]) not in apart
        }
        self._equal(device, name, shown, truth)

    def _ever_apart(self, me: str) -> set[str]:
        rows = self.cluster.disk.execute(
            "select target from log where kind = :kind and channel = 'user:' || :me"
            " union select substr(channel, 6) from log where kind = :kind and target = :me",
            {"kind": APART, "me": me},
        )
        return {row[0] for row in rows.fetchall()}

    def _equal(self, device: Device, name: str, shown: Lines, truth: Lines) -> None:
        if shown != truth:
            odd = {seq for seq in {*shown, *truth} if shown.get(seq) != truth.get(seq)}
            self.world.violated("I5", f"{device.name} shows {name} otherwise at {sorted(odd)[:8]}")

    def _bounded(self, most: int) -> None:
        if most > LIMITS.queue_bytes_max + REPLAY_BYTES:
            self.world.violated("I17", f"a transport held {most} bytes")

    def close(self) -> None:
        """Nothing runs on."""
        for device in self.people.devices:
            device.stop()
        for node in self.cluster.nodes:
            node.process.alive = False
