"""Invites under any sequence of events: never used more often than they may be, uses equal those who came, and an
invite to one place never opens another (I10, I11)."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels import codes, invites, signup
from channels.desk import Desk, Visitor
from realtime import gate as g
from realtime.errors import Refusal
from realtime.ids import IdMaker
from realtime.settings import Limits, Settings
from storage.accounts import bar_invites
from storage.database import Means
from storage.sqlite import SqliteDatabase
from tests.support.world import World

HERE = Visitor("192.0.2.7")
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "issue",
                "issue room",
                "begin",
                "begin",
                "finish",
                "finish",
                "expire",
                "revoke",
                "reissue",
                "bar",
            ]
        ),
        st.integers(0, 2**16),
    ),
    min_size=5,
    max_size=40,
)


class Story:
    """Random events on a real database, beside a model of what must hold."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.made: list[g.NewInvite] = []
        self.open: list[tuple[str, g.NewInvite]] = []
        self.came: Counter[str] = Counter()
        self.number = 0

    async def prepare(self) -> None:
        self.aki, self.haru = await self.world.people("aki", "haru")
        self.rooms = [await self.world.group(self.aki) for _ in range(2)]
        await self.world.desk.db.write(lambda tx: tx.rows("update account set role = 'operator'"))

    async def step(self, event: str, dice: int) -> None:
        try:
            await getattr(self, event.replace(" ", "_"))(dice)
        except Refusal as refusal:
            if refusal.code not in ("invite_invalid", "not_found", "forbidden", "conflict"):
                raise

    async def issue(self, dice: int, **fields: Any) -> None:
        request = g.InviteCreate(nonce=self.world.nonce, uses=1 + dice % 3, **fields)
        self.made.append(await invites.create(self.world.desk, self.aki, request))

    async def issue_room(self, dice: int) -> None:
        await self.issue(dice, kind=g.InviteKind.ROOM, room=self.rooms[dice % 2].id)

    async def begin(self, dice: int) -> None:
        if self.made:
            invite = self.made[dice % len(self.made)]
            key = (
                g.InviteKey(token=invite.link.partition("#")[2])
                if dice % 2
                else g.InviteKey(code=invite.code)
            )
            begun = await signup.begin(self.world.desk, HERE, key)
            self.open.append((begun.attempt, invite))

    async def finish(self, dice: int) -> None:
        if not self.open:
            return
        attempt, invite = self.open.pop(dice % len(self.open))
        self.number += 1
        address = f"p{self.number}@example.com"
        request = g.AccountAddress(attempt=attempt, address=address, adult=True, terms="1")
        await signup.give_address(self.world.desk, HERE, request)
        rows = await self.world.desk.db.read(
            lambda tx: tx.rows("select facts from letter order by id desc limit 1")
        )
        seed = rows[0][0].partition('"seed":"')[2].partition('"')[0]
        code = codes.code_of(self.world.desk.secret, seed)
        await signup.verify(self.world.desk, HERE, g.AccountVerify(attempt=attempt, code=code))
        entered = await signup.create(
            self.world.desk, HERE, g.AccountCreate(attempt=attempt, handle=f"p{self.number}", name="p")
        )
        self.came[invite.id] += 1
        inside = await self.world.desk.db.read(
            lambda tx: tx.rows("select room from member where account = :id", id=entered.account.id)
        )
        assert [row[0] for row in inside] == ([invite.room] if invite.room else [])

    async def expire(self, dice: int) -> None:
        if self.open:
            self.open.pop(dice % len(self.open))
            await self.world.desk.db.write(
                lambda tx: tx.rows(
                    "update attempt set expires_at = 1 where id = (select min(id) from attempt)"
                )
            )

    async def revoke(self, dice: int) -> None:
        if self.made:
            await invites.revoke(
                self.world.desk, self.aki, g.InviteRef(invite=self.made[dice % len(self.made)].id)
            )

    async def reissue(self, dice: int) -> None:
        if self.made:
            old = self.made[dice % len(self.made)]
            request = g.InviteReissue(invite=old.id, nonce=self.world.nonce)
            self.made.append(await invites.reissue(self.world.desk, self.aki, request))

    async def bar(self, dice: int) -> None:
        barred = dice % 4 == 0
        await self.world.desk.db.write(lambda tx: bar_invites(tx, self.aki.account, barred=barred))

    async def check(self) -> dict[str, int]:
        """No invite is used more often than it may be; how often each was."""
        rows = await self.world.desk.db.read(
            lambda tx: tx.rows(
                "select i.id, i.uses, i.uses_max, (select count(*) from invite_use u where u.invite = i.id),"
                " (select count(*) from attempt a where a.invite = i.id and a.expires_at > 1) from invite i"
            )
        )
        for invite, uses, uses_max, users, held in rows:
            assert uses == users == self.came[invite]
            assert uses + held <= uses_max
        return {row[0]: row[1] for row in rows}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS)
def test_uses_never_exceed_and_equal_those_who_came(events: list[tuple[str, int]]) -> None:
    async def play() -> tuple[dict[str, int], dict[str, int]]:
        with tempfile.TemporaryDirectory() as home:
            means = Means("test", lambda: time.time_ns() // 1_000_000, IdMaker(random.Random(7).getrandbits))
            database = SqliteDatabase(Path(home) / "f", means)
            database.migrate()
            await database.open(lambda parcels: None)
            try:
                story = Story(World(Desk(database, Settings(limits=Limits()), "a secret"), []))
                await story.prepare()
                for event, dice in events:
                    await story.step(event, dice)
                    await story.check()
                uses = await story.check()
                return uses, {invite: story.came[invite] for invite in uses}
            finally:
                await database.close()

    uses, came = asyncio.run(play())
    assert uses == came
