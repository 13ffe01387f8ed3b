"""Mutants: our own code with one thing wrong in it, to prove that the simulation would notice.

Each is a patch of production code that stands while a `with` lasts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from channels import arrival, relations
from channels.entries import MEMBER_REMOVED, SESSION_REVOKED
from channels.post_entries import AUTHOR_LEFT, COMMUNITY_LEFT
from gateway.fanout import Fanout
from gateway.outbound import Outbound
from realtime import recent
from realtime.channel import Channel
from realtime.hub import Hub
from realtime.parcels import Audience, Parcel
from realtime.recovery import Standing
from storage import log, nonces
from storage.database import StorageUnavailable, Tx
from storage.lanes import Job, Outcome
from storage.rooms import heard_by
from storage.sqlite import _Writer
from tests.simulation.mutants_presence import PRESENCE

Mutant = Callable[[ExitStack], None]


def _patch(stack: ExitStack, where: Any, name: str, what: Any) -> None:
    stack.enter_context(patch.object(where, name, what))


def answer_whatever_the_commit_says(stack: ExitStack) -> None:
    """Whoever waits is answered with what was to be kept, whether the commit succeeds or not."""
    serve, run = _Writer.__call__, _Writer._run
    hoped: list[tuple[Job, Any]] = []
    parcels: list[Parcel] = []

    def ran(self: _Writer, connection: Any, jobs: list[Job]) -> list[Parcel]:
        found = run(self, connection, jobs)
        hoped.extend((job, job.result) for job in jobs if job.error is None)
        parcels.extend(found)
        return found

    def hasty(self: _Writer, jobs: list[Job]) -> Outcome:
        hoped.clear()
        parcels.clear()
        outcome = serve(self, jobs)
        for job, result in hoped:
            job.result, job.error = result, None
        return Outcome(outcome.jobs, list(parcels))

    _patch(stack, _Writer, "_run", ran)
    _patch(stack, _Writer, "__call__", hasty)


def seq_written_down_afterwards(stack: ExitStack) -> None:
    """The process counts a room's seq and writes it down after the commit: whoever is quicker, or a crash, gives it again."""
    write, committed = log.write, Fanout.committed
    counted: dict[tuple[str, str], int] = {}

    def forgetful(tx: Tx, seqs: dict[str, int], drafts: Sequence[Any]) -> Any:
        for channel, seq in seqs.items():
            seqs[channel] = max(seq, counted.get((tx.node, channel), 0))
        rows = write(tx, seqs, drafts)
        for row in rows:
            if row.channel.startswith("room:"):
                tx.later("update channel set seq = :seq where id = :id", id=row.channel, seq=row.seq - 1)
        return rows

    async def write_down(self: Fanout, parcel: Parcel) -> None:
        sql = "update channel set seq = max(seq, :seq) where id = :id"
        with contextlib.suppress(StorageUnavailable):
            await self._desk.db.write(lambda tx: tx.later(sql, id=parcel.channel, seq=parcel.seq))

    def and_write_down(self: Fanout, parcels: Sequence[Parcel]) -> None:
        committed(self, parcels)
        for parcel in parcels:
            if parcel.seq and parcel.channel.startswith("room:"):
                counted[parcel.origin, parcel.channel] = parcel.seq
                self._spawn(write_down(self, parcel))

    _patch(stack, log, "write", forgetful)
    _patch(stack, Fanout, "committed", and_write_down)


def no_mark_before_the_read(stack: ExitStack) -> None:
    """What was offered between the snapshot and the joining is not played to the newcomer."""
    _patch(stack, Hub, "_play", lambda self, channel, listener, parcels, *, obeyed: None)


def access_not_judged_on_resume(stack: ExitStack) -> None:
    """Whoever shows a position hears the channel, member or not."""

    def standings(tx: Tx, account: str) -> dict[str, Standing]:
        found = {name: Standing(*at) for name, at in heard_by(tx, account).items()}
        rows = tx.rows(
            "select c.id, c.seq from member m join channel c on c.id = 'room:' || m.room where m.account = :me",
            me=account,
        )
        return {**{name: Standing(seq, 0) for name, seq in rows}, **found}

    _patch(stack, arrival, "_standings", standings)


def sweep_off(stack: ExitStack) -> None:
    """Nobody looks at the log's tail."""

    async def nothing(self: Fanout) -> None:
        return

    _patch(stack, Fanout, "_sweep_once", nothing)


def dedupe_off(stack: ExitStack) -> None:
    """What comes a second time is told a second time."""
    take = Hub._take

    def again(self: Hub, channel: Channel, parcel: Parcel) -> None:
        if parcel.seq == channel.last:
            channel.last -= 1
        take(self, channel, parcel)

    _patch(stack, Hub, "_take", again)


def hole_not_held(stack: ExitStack) -> None:
    """What comes too early is told at once."""

    def at_once(self: Hub, channel: Channel, parcel: Parcel) -> None:
        if parcel.seq > channel.last:
            self._deliver(channel, parcel)

    _patch(stack, Hub, "_take", at_once)


def nonce_ignored(stack: ExitStack) -> None:
    """Every request is a new one."""
    _patch(stack, nonces, "claim", lambda tx, rows: {})


def _deaf_to(stack: ExitStack, deaf: Callable[[Parcel, Any], bool]) -> None:
    obey = Fanout._obey

    def some(self: Fanout, parcel: Parcel, only: Any) -> None:
        if not deaf(parcel, only):
            obey(self, parcel, only)

    _patch(stack, Fanout, "_obey", some)


def removal_not_obeyed(stack: ExitStack) -> None:
    """Hubs let everybody hear on."""
    _deaf_to(stack, lambda parcel, only: parcel.kind == MEMBER_REMOVED)


def removal_not_obeyed_for_a_joiner(stack: ExitStack) -> None:
    """Who is removed between snapshot and joining hears on."""
    _deaf_to(stack, lambda parcel, only: parcel.kind == MEMBER_REMOVED and only is not None)


def unfollowing_not_obeyed(stack: ExitStack) -> None:
    """Who follows no more hears on."""
    _deaf_to(stack, lambda parcel, only: parcel.kind == AUTHOR_LEFT)


def leaving_not_obeyed(stack: ExitStack) -> None:
    """Who left a community hears on."""
    _deaf_to(stack, lambda parcel, only: parcel.kind == COMMUNITY_LEFT)


def block_not_heard_of(stack: ExitStack) -> None:
    """A block stands in the database, and no node looks."""
    _patch(stack, Hub, "part", lambda self, account, other: None)


def revocation_not_obeyed(stack: ExitStack) -> None:
    """Connections outlive their session."""
    _deaf_to(stack, lambda parcel, only: parcel.kind == SESSION_REVOKED)


def deletions_not_folded(stack: ExitStack) -> None:
    """A replay from memory tells what was deleted since."""
    _patch(stack, recent, "folded", list)


def cut_without_telling(stack: ExitStack) -> None:
    """A slow reader's channel is cut, and no `behind` says so."""

    def silently(self: Outbound, cut: dict[str, int]) -> None:
        for name in cut:
            self.node.hub.leave(self, name)  # type: ignore[arg-type]  # the whole socket is a Listener
            if self._slow is not None:
                self._slow.cut.discard(name)

    _patch(stack, Outbound, "_fall_behind", silently)


def unsent_frames_kept(stack: ExitStack) -> None:
    """What waits for a slow reader still leaves after the room was taken from it."""
    _patch(stack, Outbound, "lost", lambda self, channel: None)


def skip_with_its_words(stack: ExitStack) -> None:
    """Who may not see an entry is told its body instead of `skip`."""
    append = Channel.append

    def openly(self: Channel, parcel: Parcel) -> None:
        if parcel.audience is Audience.ONLY:
            parcel = Parcel(
                parcel.channel,
                parcel.seq,
                parcel.kind,
                Audience.ALL,
                parcel.author,
                "",
                parcel.at,
                parcel.origin,
                parcel.frame,
            )
        append(self, parcel)

    _patch(stack, Channel, "append", openly)


def block_not_kept(stack: ExitStack) -> None:
    """A block is acknowledged and stands nowhere."""
    _patch(stack, relations.relations, "add_mark", lambda tx, kind, me, other: True)


MUTANTS: tuple[Mutant, ...] = (
    answer_whatever_the_commit_says,
    seq_written_down_afterwards,
    no_mark_before_the_read,
    access_not_judged_on_resume,
    sweep_off,
    dedupe_off,
    hole_not_held,
    nonce_ignored,
    removal_not_obeyed,
    removal_not_obeyed_for_a_joiner,
    unfollowing_not_obeyed,
    leaving_not_obeyed,
    block_not_heard_of,
    revocation_not_obeyed,
    deletions_not_folded,
    cut_without_telling,
    unsent_frames_kept,
    skip_with_its_words,
    block_not_kept,
    *PRESENCE,
)


@contextlib.contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """The code with this mutant in it."""
    with ExitStack() as stack:
        mutant(stack)
        yield
