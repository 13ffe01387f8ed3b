"""The protocol of a client as a silent core: no socket, no clock, no randomness of its own (docs/clients.md).

Its shell is `loadtest.client`; `gateway/web/protocol.js` is the same core for browsers, and `tests/golden/` holds
what both must do, step by step. Times are milliseconds of a clock that never goes back. The shell tells what
happened, then empties `out`, in order, and calls `tick` at `deadline`:

- to do: `("open",)`, `("send", frame)`, `("close", code)`
- told: `("state", state, reason)`, `("hello", d)`, `("live", {account, badges, stale})`, `("event", frame)`,
  `("skip", frame)`, `("reload", channel, seq)`, `("busy", channel, seq)`, `("ok", number, result)`, `("error", number, error)`

What always holds: the durable events of a channel are handed out once and in order, or the channel is named in
`stale` or `reload`; every call ends in one `ok` or `error`; after a final verdict nothing opens again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loadtest import rules
from loadtest.backoff import Backoff
from loadtest.lanes import Lanes
from loadtest.rules import own_error, verdict
from loadtest.streams import Frame, Streams

CLOSE = ("close", 1000)


class Protocol:
    """See the module. With `stay` it opens again by itself; without, the first loss is the end.

    Phases: off, wait (until `_open_at`), opening, greeting (hello is awaited), asking (connect was sent), joining (it
    was answered, what was missed comes), live.
    """

    __slots__ = (
        "_account",
        "_backoff",
        "_calls",
        "_client",
        "_credential",
        "_fed_at",
        "_lanes",
        "_last",
        "_live_at",
        "_move_at",
        "_open_at",
        "_phase",
        "_probe_at",
        "_random",
        "_rejected",
        "_stay",
        "connected",
        "out",
        "state",
        "streams",
    )

    def __init__(self, client: dict[str, str], random: Callable[[], float], *, stay: bool = True) -> None:
        self._client = client
        self._random = random
        self._stay = stay
        self.out: list[tuple[Any, ...]] = []
        self.state = "stopped"
        self.streams = Streams()
        self.connected: dict[str, Any] = {}
        self._phase = "off"
        self._account = ""
        self._credential: dict[str, str] = {}
        # Number: (what it is for, when its answer is overdue, the channels it is about).
        self._calls: dict[int, tuple[str, float, list[str]]] = {}
        self._lanes = Lanes()
        self._last = self._rejected = 0
        self._backoff = Backoff(random)
        self._fed_at = self._open_at = 0.0
        self._live_at: float | None = None
        self._move_at: float | None = None
        self._probe_at: float | None = None

    @property
    def deadline(self) -> float | None:
        """When `tick` is due at the latest; None while nothing is awaited."""
        if self._phase == "off":
            return None
        if self._phase == "wait":
            return self._open_at
        times = [self._fed_at + self._silence_ms() if self._probe_at is None else self._probe_at]
        if self._move_at is not None:
            times.append(self._move_at)
        if self._calls:
            times.append(next(iter(self._calls.values()))[1])
        waits = self._lanes.next_at() if self._phase == "live" else None
        if waits is not None:
            times.append(waits)
        return min(times)

    # Life

    def start(self, now: float) -> None:
        """Connect; with `stay`, until `stop` or a final verdict."""
        self._backoff.tries = self._rejected = 0
        self._open(now)

    def stop(self, now: float) -> None:
        """Leave. Positions are kept for whoever goes on from them."""
        self._end("stopped", "", now)

    def forget(self) -> None:
        """Another account may come: nothing of this one is continued."""
        self.streams.forget()
        self._account = ""

    def opened(self, credential: dict[str, str], now: float) -> None:
        """The socket is open. `credential` is `{token}` or `{ticket}`, shown in `connect`."""
        if self._phase == "opening":
            self._phase = "greeting"
            self._credential = credential
            self._fed_at = now

    def failed(self, code: str, retry_ms: float | None, now: float) -> None:
        """The socket could not be opened: an error code of the server's table for the ticket, else `offline`."""
        if self._phase != "opening":
            return
        final = {"unauthenticated": "signed_out", "forbidden": "not_allowed"}
        self._backoff.least_ms = retry_ms or 0
        if code in final:
            self._quiet(now)
            self._end("refused", final[code], now)
        else:
            self._again(now)

    def lost(self, code: int, now: float) -> None:
        """The socket is closed, by whomever; 1006 where no code came."""
        if self._phase in ("off", "wait"):
            return
        reason = verdict(code)
        # A ticket that came too late is refused like a session that ended; a fresh ticket tells them apart.
        late_ticket = reason == "signed_out" and "ticket" in self._credential and not self._rejected
        if late_ticket and self._stay:
            self._rejected += 1
            self._again(now, soon=True)
        elif reason == "again":
            self._again(now)
        else:
            self._quiet(now)
            self._end("refused", reason, now)

    def online(self, now: float) -> None:
        """The system believes that there is a network again: the next try comes within half a second."""
        if self._phase == "wait":
            self._open_at = min(self._open_at, now + self._random() * rules.SOON_MS)
        else:
            self.woke(now)

    def woke(self, now: float) -> None:
        """Clocks may have stood still: ask whether the link still carries, and whether anything was missed."""
        if self._phase == "wait":
            self.online(now)
        if self._phase != "live" or self._probe_at is not None:
            return
        self._probe_at = now + rules.PROBE_MS
        asked = list(self.streams.asked())
        if asked and now - self._fed_at >= rules.ASLEEP_MS:
            self._ask_rest(self.streams.pause(asked), now)
        else:
            self._ask("probe", "clock.read", {"t": int(now)}, now)

    def tick(self, now: float) -> None:
        """Time has passed."""
        if self._phase == "wait" and now >= self._open_at:
            self._open(now)
        elif self._phase not in ("off", "wait"):
            self._look(now)

    def _look(self, now: float) -> None:
        silent = now - self._fed_at - self._silence_ms()
        if self._move_at is not None and now >= self._move_at:
            self.out.append(CLOSE)
            self._quiet(now)
            self._open(now)
            return
        if self._probe_at is not None:
            if now >= self._probe_at:
                self.out.append(CLOSE)
                self._again(now, soon=True)
                return
        elif silent >= rules.LATE_MS and self._phase == "live":
            # The clock stood still with us: what came meanwhile may only be unread.
            self.woke(now)
        elif silent >= 0:
            self.out.append(CLOSE)
            self._again(now)
            return
        self._overdue(now)
        self._flush(now)

    def _overdue(self, now: float) -> None:
        # All wait equally long, so the first one given is the first one due.
        while self._calls:
            number, (kind, due, _) = next(iter(self._calls.items()))
            if now < due:
                return
            del self._calls[number]
            self._refused(number, kind, own_error("timeout"), now)
            if self._phase == "wait":
                return

    def _silence_ms(self) -> int:
        return rules.SILENCE_MS if self._phase == "live" else rules.HANDSHAKE_MS

    def _open(self, now: float) -> None:
        if self._phase not in ("off", "wait"):
            self.out.append(CLOSE)
            self._quiet(now)
        self._phase = "opening"
        self._fed_at = now
        self._enter("connecting")
        self.out.append(("open",))

    def _again(self, now: float, *, soon: bool = False) -> None:
        """Open again after a random time: full jitter (WIRE §3.8)."""
        lived_ms = None if self._live_at is None else now - self._live_at
        self._quiet(now)
        if not self._stay:
            self._end("stopped", "lost", now)
            return
        self._phase = "wait"
        self._open_at = now + self._backoff.wait_ms(lived_ms, soon=soon)
        self._enter("waiting")

    def _end(self, state: str, reason: str, now: float) -> None:
        if self._phase not in ("off", "wait"):
            self.out.append(CLOSE)
        self._quiet(now)
        self._phase = "off"
        self._give_up()
        self._enter(state, reason)

    def _give_up(self) -> None:
        self.out += [("error", number, own_error("offline")) for number in self._lanes.clear()]

    def _quiet(self, now: float) -> None:
        """Nothing is awaited of this connection any more."""
        self._phase = "off"
        self._live_at = self._move_at = self._probe_at = None
        self.streams.lost()
        self._lanes.lost()
        calls, self._calls = self._calls, {}
        for number, (kind, _, _) in calls.items():
            if kind == "call":
                self.out.append(("error", number, own_error("offline")))

    def _enter(self, state: str, reason: str = "") -> None:
        if state != self.state or reason:
            self.state = state
            self.out.append(("state", state, reason))

    # Calls

    def call(self, op: str, d: dict[str, Any], now: float) -> int:
        """Run an operation now or not at all; the number under which `ok` or `error` will tell of it."""
        if self._phase == "live":
            return self._ask("call", op, d, now)
        return self._offline()

    def send(self, op: str, d: dict[str, Any], now: float) -> int:
        """Run a durable operation, whose `d` has a `nonce`, surely: again under the same nonce, over lost connections
        and refusals for a while, until it is acknowledged or refused for good. What names a `room` keeps its order."""
        if self._phase == "off":
            return self._offline()
        self._last += 1
        number = self._last
        self._lanes.add(number, op, d)
        self._flush(now)
        return number

    def _offline(self) -> int:
        self._last += 1
        self.out.append(("error", self._last, own_error("offline")))
        return self._last

    def _ask(self, kind: str, op: str, d: dict[str, Any], now: float, names: list[str] | None = None) -> int:
        self._last += 1
        self._calls[self._last] = (kind, now + rules.CALL_MS, names or [])
        self.out.append(("send", {"id": self._last, "op": op, "d": d}))
        return self._last

    def _flush(self, now: float) -> None:
        if self._phase != "live":
            return
        for item in self._lanes.ready(now):
            self._calls[item.number] = ("line", now + rules.CALL_MS, [])
            self.out.append(("send", {"id": item.number, "op": item.op, "d": item.d}))

    # Frames

    def frame(self, frame: Frame, now: float) -> None:
        """One frame of the server, parsed."""
        if self._phase in ("off", "wait", "opening"):
            return
        self._fed_at = now
        self._probe_at = None
        if "ch" not in frame:
            if "ev" in frame:
                self._control(frame["ev"], frame["d"], now)
            elif "id" in frame:
                self._reply(frame, now)
        elif self._phase not in ("joining", "live"):
            # Before the answer to `connect` nobody knows where a channel begins.
            return
        elif "seq" not in frame:
            self.out.append(("event", frame))
        elif self.streams.take(frame, self.out):
            self._ask_rest([frame["ch"]], now)

    def _control(self, event: str, d: dict[str, Any], now: float) -> None:
        if event == "ping":
            self.out.append(("send", {"op": "pong"}))
        elif event == "hello" and self._phase == "greeting":
            self._hello(d, now)
        elif event == "live" and self._phase == "joining":
            self._live(now)
        elif self._phase not in ("joining", "live"):
            return
        elif event == "resync":
            self.streams.reload(d["ch"], d["seq"], self.out)
        elif event == "behind":
            self._ask_rest(self.streams.behind(d, self.out), now)
        elif event == "reconnect" and self._stay:
            self._move_at = now + d["after_ms"]

    def _hello(self, hello: dict[str, Any], now: float) -> None:
        self.out.append(("hello", hello))
        if hello["protocol"] != rules.PROTOCOL:
            self._end("refused", "fault", now)
            return
        self._backoff.jitter_ms = hello["reconnect_jitter_ms"]
        self.streams.greet(hello["epoch"])
        request = {"client": self._client, "epoch": hello["epoch"], "positions": self.streams.asked()}
        self._phase = "asking"
        self._ask("connect", "connect", {**self._credential, **request}, now)

    def _live(self, now: float) -> None:
        self._phase = "live"
        self._live_at = now
        self._rejected = 0
        stale = self.streams.go_live()
        self._enter("live")
        told = {"account": self.connected["account"], "badges": self.connected["badges"], "stale": stale}
        self.out.append(("live", told))
        self._flush(now)

    def _reply(self, frame: Frame, now: float) -> None:
        number = frame["id"]
        call = self._calls.pop(number, None)
        if call is None:
            return
        kind, _, names = call
        if "error" in frame:
            self._refused(number, kind, frame["error"], now)
            return
        result = frame["ok"]
        if kind == "connect":
            self._phase = "joining"
            same = self._account in ("", result["account"]["id"])
            self._account = result["account"]["id"]
            self.connected = result
            self.streams.join(result["channels"], same=same)
            if not same:
                # What one account was to say is never said by another.
                self._give_up()
        elif kind == "sync":
            self.streams.synced(names, result["channels"], self.out)
        elif kind != "probe":
            self.out.append(("ok", number, result))
        if kind == "line":
            self._lanes.done(number)
            self._flush(now)

    def _refused(self, number: int, kind: str, error: dict[str, Any], now: float) -> None:
        if kind == "call":
            self.out.append(("error", number, error))
        elif kind == "line":
            if self._lanes.refused(number, error, now, self._random()):
                self.out.append(("error", number, error))
            self._flush(now)
        elif kind == "connect":
            # The close code that follows is the verdict; this says how soon another try makes sense.
            self._backoff.least_ms = error["retry_ms"] or 0
        elif kind == "sync":
            # What is missing is missing still: a new connection continues from the positions.
            self._backoff.least_ms = error["retry_ms"] or 0
            self.out.append(CLOSE)
            self._again(now)

    def _ask_rest(self, names: list[str], now: float) -> None:
        positions = {name: self.streams.positions.get(name, 0) for name in names}
        if names:
            request = {"positions": positions, "epoch": self.streams.epoch}
            self._ask("sync", "channel.sync", request, now, names)
