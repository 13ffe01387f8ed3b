"""What each connection is told of the people it shows: views, crowds, who is writing; coalesced, as bytes.

Owned by the presence service. What always holds: a view is judged at the moment it is told; nothing is told because of
somebody the viewer may not see, so that a hidden person's trace is that of one who is offline; a connection that takes
nothing now is told the last word when it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Set
from dataclasses import dataclass

from presence.circles import Circles, Ear
from presence.coalescing import Coalescing
from presence.marks import Mark
from presence.pace import Pace
from presence.roster import UNKNOWN, Changes, Roster, Standing
from presence.rules import Sight
from presence.sights import Sights
from presence.typists import Typists
from realtime.events import ephemeral_frame
from realtime.ids import COMMUNITY, ROOM, inbox_channel, room_channel
from realtime.presence import (
    CHANGED,
    FEW,
    SAMPLE_MAX,
    TYPING,
    Here,
    Presence,
    PresenceChanged,
    PresenceState,
    Seen,
    Typing,
    seen_within,
)
from realtime.sendqueue import Piece
from realtime.ws import frame

WHOLE = "*"
TELL_S = 0.5
SLICE_S = 0.003
BETWEEN_SLICES_S = 0.003
LOOKED_AT_MAX = 200
OFFLINE = Presence(state=PresenceState.OFFLINE)
LEFT = Presence(state=PresenceState.OFFLINE, seen=Seen.MINUTES_5)
ONLINE = Presence(state=PresenceState.ONLINE)
IDLE = Presence(state=PresenceState.IDLE)
IN_DOUBT = Presence(state=PresenceState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is asked of the node: whether a connection hears a channel, from whom an account is apart, what time it is in Unix
    milliseconds."""

    hears: Callable[[Ear, str], bool]
    apart: Callable[[str], Set[str]]
    clock_ms: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Tempo:
    """In seconds: a connection is told at most each `tell`, after gathering for `gather`; a person's changes are told `change`
    apart. A telling may be half a second late, so that is half a second more than the five between two that anybody sees."""

    tell: float = TELL_S
    gather: float = 0.05
    change: float = 5.0 + TELL_S

    @classmethod
    def of(cls, pace_s: float) -> Tempo:
        """So that nobody sees two changes of a person within `pace_s`."""
        return cls(change=pace_s + TELL_S)


class Telling:
    """See the module."""

    def __init__(
        self,
        roster: Roster,
        circles: Circles,
        typists: Typists,
        outlook: Outlook,
        tempo: Tempo,
    ) -> None:
        self._roster = roster
        self._circles = circles
        self._typists = typists
        self._outlook = outlook
        self._clock_ms = outlook.clock_ms
        self._tempo = tempo
        self._loop = asyncio.get_running_loop()
        self._pace = Pace(tempo.change)
        self._waiting: Coalescing[Ear] = Coalescing(tempo.tell, tempo.gather)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self.sights: Sights | None = None
        self.before_telling: Callable[[], None] = lambda: None
        self.frames = 0

    # What has changed

    def changed(self, changes: Changes) -> None:
        """People are not what they were."""
        now = self._loop.time()
        for account, before in changes:
            after = self._roster.standing(account)
            if before is UNKNOWN or after is UNKNOWN or self._pace.changed(account, before, now):
                self.person(account)
            self._crowds(account, before, after)

    def due(self) -> None:
        """Called now and then: those who changed again too soon are told by now."""
        for account in self._pace.due(self._loop.time()):
            self.person(account)

    def person(self, account: str) -> None:
        """Whoever shows somebody and may see them is told."""
        for ear in self._circles.told_of(account):
            self._note(ear, account)

    def pair(self, viewer: str, target: str) -> None:
        """What one may see of another has changed. Nothing is told where they look the same as before."""
        if self._shown(target) is not None:
            for ear in self._circles.ears_of(viewer):
                self._note(ear, target)
        for room in self._typists.rooms_of(target):
            for ear in self._circles.ears_of(viewer):
                if self._outlook.hears(ear, room_channel(room)):
                    self._note(ear, room_channel(room))
        standing = self._roster.standing(target)
        # Whoever counts nowhere changes no crowd, and so no crowd is told because of them.
        if _counts(standing):
            for ear in self._circles.lookers(_place(standing)):
                if ear.account == viewer:
                    self._note(ear, _place(standing))

    def unshown(self, ear: Ear, target: str) -> None:
        """A connection shows somebody no more: the last word is that nothing is known of them."""
        if self._shown(target) is not None:
            self._note(ear, target)

    def whole(self, ear: Ear) -> None:
        """A connection is told of everybody it shows."""
        self._note(ear, WHOLE)

    def typing(self, room: str, account: str) -> None:
        """Somebody began or ceased to write."""
        name = room_channel(room)
        for ear in self._circles.told_of(account):
            if ear.account != account and self._outlook.hears(ear, name):
                self._note(ear, name)

    def forget(self, ear: Ear) -> None:
        """A connection is gone."""
        self._waiting.forget(ear)

    # What is told

    def view(self, ear: Ear, target: str, sight: Sight | None = None) -> Presence:
        """Somebody as a connection may see them now; `sight`, where the tables were just asked."""
        live = sight.live if sight is not None else self._circles.shows(ear, target)
        apart = self._outlook.apart(ear.account)
        standing = self._shown(target) if live and target not in apart else None
        if isinstance(standing, Mark):
            return self._view_of(ear, standing)
        if standing is not None:
            return IN_DOUBT
        if sight is None:
            return LEFT if self._may_know(ear, target) else OFFLINE
        if not sight.knows or sight.seen_at is None or target in apart:
            return OFFLINE
        return Presence(state=PresenceState.OFFLINE, seen=seen_within(self._clock_ms() - sight.seen_at))

    @property
    def _rights(self) -> Sights:
        assert self.sights is not None
        return self.sights

    def here(self, ear: Ear, place: str) -> Here:
        """The crowd of a community as a connection may see it."""
        dark = self._circles.dark(ear.account) | self._outlook.apart(ear.account)
        crowd = self._roster.at(place)
        count = self._roster.crowd(place) - sum(
            1 for account in dark if account in crowd and _counts(self._roster.standing(account))
        )
        people: list[str] = []
        for number, account in enumerate(crowd):
            if number >= LOOKED_AT_MAX or len(people) == SAMPLE_MAX:
                break
            if (
                account not in dark
                and not self._rights.suspended(account)
                and _counts(self._roster.standing(account))
                and self._circles.shows(ear, account)
            ):
                people.append(account)
        return Here(count=count if count >= FEW else 0, few=0 < count < FEW, people=sorted(people))

    def as_seen_by(self, account: str, now_ms: int, sight: Sight) -> Presence:
        """Somebody as those see them who have this sight; what they look at depends on who looks, and is left out. Who would
        hide by it looks as if they had just left."""
        standing = self._shown(account)
        if sight.live and isinstance(standing, Mark):
            return ONLINE if standing.active else IDLE
        if not sight.knows:
            return OFFLINE
        if standing is not None:
            return LEFT
        if sight.seen_at is None:
            return OFFLINE
        return Presence(state=PresenceState.OFFLINE, seen=seen_within(now_ms - sight.seen_at))

    def _view_of(self, ear: Ear, mark: Mark) -> Presence:
        if not mark.active:
            return IDLE
        if mark.place and (mark.open or self._outlook.hears(ear, mark.place)):
            return Presence(state=PresenceState.ONLINE, doing=mark.place)
        return ONLINE

    def _may_know(self, ear: Ear, target: str) -> bool:
        """Whether somebody who went out of sight looks as if they had just left: not where the viewer lost or gave up the
        right to know."""
        return (
            target not in self._outlook.apart(ear.account)
            and self._circles.interests(ear, target)
            and ear.account not in self._circles.dark(ear.account)
        )

    def _shown(self, account: str) -> Standing:
        return self._pace.shown(account, self._roster.standing(account))

    def _crowds(self, account: str, before: Standing, after: Standing) -> None:
        """Whoever shows a community that somebody came to or left is told, unless it is hidden from them."""
        if not (_counts(before) or _counts(after)):
            return
        for place in dict.fromkeys((_place(before), _place(after))):
            for ear in self._circles.lookers(place):
                hidden = account in self._circles.dark(ear.account) or account in self._outlook.apart(
                    ear.account
                )
                if not hidden:
                    self._note(ear, place)

    # Flushing

    def stop(self) -> None:
        """Tell nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _note(self, ear: Ear, what: str) -> None:
        self._waiting.note(ear, what, self._loop.time())
        self._arm()

    def _arm(self) -> None:
        at = self._waiting.next_due()
        if at is None or (self._timer is not None and self._timer_at <= at):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._flush)

    def _flush(self) -> None:
        """A slice of what is due; messages go between one slice and the next."""
        self._timer = None
        self.before_telling()
        begun = now = self._loop.time()
        while now - begun < SLICE_S:
            item = self._waiting.take(now)
            if item is None:
                self._arm()
                return
            ear, what = item
            if ear.choked:
                self._waiting.later(ear, what, now)
            else:
                self._waiting.later(ear, self._tell(ear, what), now)
            now = self._loop.time()
        self._timer_at = now + BETWEEN_SLICES_S
        self._timer = self._loop.call_at(self._timer_at, self._flush)

    def _tell(self, ear: Ear, what: list[str]) -> list[str]:
        """Returns what cannot be told yet, because the rights are being read."""
        sights = self._rights
        if sights.suspended(ear.account):
            return what
        whole = WHOLE in what
        shown = (
            self._circles.shown_by(ear.account, ear) if whole else (each for each in what if ":" not in each)
        )
        names = dict.fromkeys(shown)
        held = [each for each in names if sights.suspended(each)]
        people = {
            target: self.view(ear, target)
            for target in names
            if target not in held and (not whole or self._shown(target) is not None)
        }
        places = {each: self.here(ear, each) for each in what if each.startswith(COMMUNITY)}
        rooms = [each for each in what if each.startswith(ROOM)]
        late = [each for each in rooms if any(map(sights.suspended, self._writers(each)))]
        chunks = [frame(self._typing(ear, each)) for each in rooms if each not in late]
        if people or places or whole:
            told = PresenceChanged(people=people, places=places, known=self._roster.known, whole=whole)
            chunks.append(frame(ephemeral_frame(inbox_channel(ear.account), CHANGED, self._clock_ms(), told)))
        if chunks:
            self.frames += len(chunks)
            ear.write(Piece(b"".join(chunks), len(chunks)))
        return held + late

    def _writers(self, name: str) -> list[str]:
        return self._typists.writing(name.removeprefix(ROOM))

    def _typing(self, ear: Ear, name: str) -> bytes:
        room = name.removeprefix(ROOM)
        seen = [
            account
            for account in self._writers(name)
            if account != ear.account
            and self._circles.shows(ear, account)
            and account not in self._outlook.apart(ear.account)
        ]
        return ephemeral_frame(name, TYPING, self._clock_ms(), Typing(room=room, accounts=seen))


def _place(standing: Standing) -> str:
    return standing.place if isinstance(standing, Mark) else ""


def _counts(standing: Standing) -> bool:
    return isinstance(standing, Mark) and standing.counted and bool(standing.place)
