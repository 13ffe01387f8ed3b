"""Mutants: our own code with one thing wrong in it, to prove that the simulation would notice.

Each is a patch of production code (the first two of the simulated disk, where production leaves it to the database's
thread) that stands while a `with` lasts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from channels import arrival, relations, send
from channels.entries import MEMBER_REMOVED, SESSION_REVOKED
from gateway.fanout import Fanout
from gateway.outbound import Outbound
from realtime import recent
from realtime.channel import Channel
from realtime.hub import Hub
from realtime.parcels import Audience, Parcel
from realtime.recovery import Standing
from storage import log, nonces
from storage.database import Tx
from storage.rooms import heard_by
from tests.simulation.disk import Handle

Mutant = Callable[[ExitStack], None]
LAZY_S = 0.02


def _patch(stack: ExitStack, where: Any, name: str, what: Any) -> None:
    stack.enter_context(patch.object(where, name, what))


def reply_before_commit(stack: ExitStack) -> None:
    """Whoever waits is answered while the commit is still under way."""

    def commit(self: Handle) -> None:
        disk = self._disk
        disk.lazy = self._process
        disk.world._loop.call_later(LAZY_S, disk.settle_of, self._process)

    _patch(stack, Handle, "commit", commit)


def seq_reused_after_crash(stack: ExitStack) -> None:
    """The process counts a channel's seq and writes it down afterwards: a crash forgets the last one."""
    write = log.write

    def forgetful(tx: Tx, seqs: dict[str, int], drafts: Sequence[Any]) -> Any:
        process, disk = tx._connection._process, tx._connection._disk  # type: ignore[attr-defined]  # a simulated one
        rows = write(tx, seqs, drafts)
        for row in rows:
            if row.channel.startswith("room:"):
                disk.unwritten.setdefault(process, []).append((row.channel, row.seq))
        return rows

    _patch(stack, log, "write", forgetful)
    _patch(stack, send.log, "write", forgetful)


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
    reply_before_commit,
    seq_reused_after_crash,
    no_mark_before_the_read,
    access_not_judged_on_resume,
    sweep_off,
    dedupe_off,
    hole_not_held,
    nonce_ignored,
    removal_not_obeyed,
    removal_not_obeyed_for_a_joiner,
    revocation_not_obeyed,
    deletions_not_folded,
    cut_without_telling,
    unsent_frames_kept,
    skip_with_its_words,
    block_not_kept,
)


@contextlib.contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """The code with this mutant in it."""
    with ExitStack() as stack:
        mutant(stack)
        yield
