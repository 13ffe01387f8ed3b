"""What all leases promise, tried on the in-process ones and on a real server; and Redis's own troubles."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from realtime.settings import Settings
from storage.leases import Announced, Leases, LeasesUnavailable
from storage.leases_memory import MemoryLeases
from storage.leases_redis import LeasesConfig, RedisLeases
from tests.support.valkey import ValkeyServer
from tests.support.waiting import until_async


class Authority:
    """Leases, and a way to let their time pass: by hand, or by waiting where the server has the clock."""

    def __init__(self, url: str, prefix: str) -> None:
        self._url = url
        self._prefix = prefix
        self._now_s = 1000.0
        self._opened: list[Leases] = []

    def open(self, ttl_s: float) -> Leases:
        """Leases of this length."""
        leases: Leases = (
            RedisLeases(LeasesConfig(self._url, self._prefix, ttl_s))
            if self._url
            else MemoryLeases(ttl_s, lambda: self._now_s)
        )
        self._opened.append(leases)
        return leases

    async def until(self, condition: Callable[[], Awaitable[object]]) -> None:
        """Let time pass, 10 ms a step, until the condition holds."""

        async def step() -> object:
            self._now_s += 0.01
            return await condition()

        await until_async(step)

    async def close(self) -> None:
        for leases in self._opened:
            await leases.close()


@pytest.fixture(params=["memory", "redis"])
async def authority(request: pytest.FixtureRequest) -> AsyncIterator[Authority]:
    if request.param == "redis":
        server = request.getfixturevalue("valkey")
        authority = Authority(server.url, server.prefix)
    else:
        authority = Authority("", "")
    yield authority
    await authority.close()


@pytest.fixture
def leases(authority: Authority) -> Leases:
    return authority.open(30.0)


async def people(leases: Leases) -> dict[str, tuple[int, dict[str, bytes]]]:
    """What all living nodes say: node → (generation, account → value)."""
    found = {lease.node: await leases.people_of(lease.node) for lease in await leases.nodes()}
    return {node: (told.generation, told.people) for node, told in found.items() if told is not None}


async def test_generations_rise_over_all_nodes(leases: Leases) -> None:
    given = [await leases.register(node) for node in ("a", "b", "a", "c", "b")]
    assert given == sorted(set(given))
    assert {lease.node: lease.generation for lease in await leases.nodes()} == dict(
        zip("acb", given[2:], strict=True)
    )


async def test_a_lease_says_what_it_has_left(leases: Leases) -> None:
    await leases.register("a")
    (lease,) = await leases.nodes()
    assert 25_000 < lease.remaining_ms <= 30_000


async def test_renewal_prolongs(authority: Authority, leases: Leases) -> None:
    generation = await leases.register("a")

    async def older() -> bool:
        return (await leases.nodes())[0].remaining_ms < 29_900

    await authority.until(older)
    (before,) = await leases.nodes()
    assert await leases.renew("a", generation)
    (after,) = await leases.nodes()
    assert after.generation == generation
    assert after.remaining_ms > before.remaining_ms


async def test_a_dead_generation_can_do_nothing(leases: Leases) -> None:
    old = await leases.register("a")
    assert await leases.announce("a", old, 1, {"aki": b"old"})
    new = await leases.register("a")
    assert await people(leases) == {"a": (new, {})}, "a new generation begins with an empty table"
    assert await leases.announce("a", new, 1, {"yuu": b"new"})
    assert not await leases.renew("a", old)
    assert not await leases.announce("a", old, 1, {"aki": b"late", "yuu": None})
    await leases.release("a", old)
    assert await people(leases) == {"a": (new, {"yuu": b"new"})}
    assert await leases.renew("a", new)


async def test_a_generation_of_another_node_opens_nothing(leases: Leases) -> None:
    a, b = await leases.register("a"), await leases.register("b")
    assert not await leases.renew("a", b)
    assert not await leases.announce("b", a, 1, {"aki": b"1"})
    assert not await leases.renew("nobody", a)


async def test_announcing_sets_and_removes(leases: Leases) -> None:
    a, b = await leases.register("a"), await leases.register("b")
    assert await leases.announce("a", a, 1, {"aki": b"1", "ユウ": "状態".encode(), "mei": b""})
    assert await leases.announce("b", b, 1, {"aki": b"2"})
    assert await leases.announce("a", a, 2, {"aki": b"\x00\xff", "mei": None, "stranger": None})
    assert await leases.announce("a", a, 3, {})
    assert await people(leases) == {
        "a": (a, {"aki": b"\x00\xff", "ユウ": "状態".encode()}),
        "b": (b, {"aki": b"2"}),
    }
    assert await leases.announce("b", b, 2, {"aki": None})
    assert (await people(leases))["b"] == (b, {})


async def test_announcements_are_numbered(leases: Leases) -> None:
    generation = await leases.register("a")
    assert [lease.number for lease in await leases.nodes()] == [0]
    for number in (1, 2):
        assert await leases.announce("a", generation, number, {"aki": b"%d" % number})
    assert [lease.number for lease in await leases.nodes()] == [2]
    assert await leases.people_of("a") == Announced(generation, 2, {"aki": b"2"})
    # What was given up and arrives after what followed it, or twice, changes nothing.
    for number in (1, 2):
        assert not await leases.announce("a", generation, number, {"aki": b"late", "yuu": b"late"})
    assert await leases.people_of("a") == Announced(generation, 2, {"aki": b"2"})
    assert await leases.announce("a", generation, 4, {"mei": b"4"}), "numbers may be left out"
    assert await leases.people_of("a") == Announced(generation, 4, {"aki": b"2", "mei": b"4"})
    again = await leases.register("a")
    assert not await leases.announce("a", generation, 5, {"aki": b"3"})
    assert await leases.people_of("a") == Announced(again, 0, {})
    assert await leases.people_of("nobody") is None


async def test_a_large_table_goes_through(leases: Leases) -> None:
    generation = await leases.register("a")
    crowd: dict[str, bytes | None] = {f"account-{number}": b"%d" % number for number in range(20_000)}
    assert await leases.announce("a", generation, 1, crowd)
    assert await people(leases) == {"a": (generation, crowd)}


async def test_people_vanish_with_their_lease(authority: Authority) -> None:
    leases = authority.open(0.5)
    kept, lost = await leases.register("kept"), await leases.register("lost")
    assert await leases.announce("kept", kept, 1, {"mei": b"1"})
    assert await leases.announce("lost", lost, 1, {"aki": b"1"})
    assert set(await people(leases)) == {"kept", "lost"}

    async def lapsed() -> bool:
        assert await leases.renew("kept", kept)
        return [lease.node for lease in await leases.nodes()] == ["kept"]

    await authority.until(lapsed)
    assert await people(leases) == {"kept": (kept, {"mei": b"1"})}
    assert not await leases.renew("lost", lost), "a lapsed lease cannot be revived"
    assert not await leases.announce("lost", lost, 1, {"aki": b"2"})
    again = await leases.register("lost")
    assert again > lost
    assert (await people(leases))["lost"] == (again, {})


async def test_announcing_does_not_prolong(authority: Authority) -> None:
    leases = authority.open(0.5)
    generation = await leases.register("a")
    numbers = itertools.count(1)

    async def refused() -> bool:
        return not await leases.announce("a", generation, next(numbers), {"aki": b"1"})

    await authority.until(refused)
    assert await people(leases) == {}


async def test_release_ends_at_once(leases: Leases) -> None:
    a, b = await leases.register("a"), await leases.register("b")
    assert await leases.announce("a", a, 1, {"aki": b"1"})
    await leases.release("a", a)
    assert await people(leases) == {"b": (b, {})}
    assert not await leases.renew("a", a)
    await leases.release("a", a)


def test_the_settings_reach_the_leases() -> None:
    config = LeasesConfig.of(
        Settings(redis_url="redis://h", redis_prefix="p", lease_ttl_s=9.0, redis_timeout_s=0.4)
    )
    assert config == LeasesConfig("redis://h", "p", 9.0, 0.4)


TIMEOUT_S = 0.3


@pytest.fixture
async def frail(own_valkey: ValkeyServer) -> AsyncIterator[RedisLeases]:
    leases = RedisLeases(LeasesConfig(own_valkey.url, "test", 30.0, TIMEOUT_S))
    yield leases
    await leases.close()


def _calls(leases: Leases, generation: int) -> list[Awaitable[object]]:
    return [
        leases.register("a"),
        leases.renew("a", generation),
        leases.announce("a", generation, 1, {"aki": b"1", "yuu": None}),
        leases.nodes(),
        leases.people_of("a"),
        leases.release("a", generation),
    ]


@pytest.mark.parametrize("fault", ["kill", "pause"])
async def test_every_call_says_unavailable_within_the_deadline(
    frail: RedisLeases, own_valkey: ValkeyServer, fault: str
) -> None:
    generation = await frail.register("a")
    getattr(own_valkey, fault)()
    loop = asyncio.get_running_loop()
    for call in _calls(frail, generation):
        begun = loop.time()
        with pytest.raises(LeasesUnavailable):
            await call
        assert loop.time() - begun < TIMEOUT_S + 0.5
    if fault == "pause":
        own_valkey.resume()
    else:
        own_valkey.start()

    assert await _register(frail, "b") > generation


async def _register(leases: Leases, node: str) -> int:
    """Register as soon as the server can be reached again."""
    given: list[int] = []

    async def registered() -> list[int]:
        with contextlib.suppress(LeasesUnavailable):
            given.append(await leases.register(node))
        return given

    await until_async(registered)
    return given[0]


async def test_generations_rise_over_the_loss_of_all_data(
    frail: RedisLeases, own_valkey: ValkeyServer
) -> None:
    before = await frail.register("a")
    own_valkey.command("FLUSHALL")
    assert not await frail.renew("a", before)
    assert await people(frail) == {}
    after = await frail.register("a")
    own_valkey.restart_empty()
    assert before < after < await _register(frail, "a")


async def test_a_server_that_forgot_its_functions_learns_them_again(
    frail: RedisLeases, own_valkey: ValkeyServer
) -> None:
    generation = await frail.register("a")
    own_valkey.command("SCRIPT", "FLUSH")
    assert await frail.renew("a", generation)
    assert (await frail.nodes())[0].generation == generation


async def test_nothing_stays_behind_without_an_expiry(frail: RedisLeases, own_valkey: ValkeyServer) -> None:
    generation = await frail.register("a")
    assert await frail.announce("a", generation, 1, {"aki": b"1"})
    for key in own_valkey.command("KEYS", "*"):
        assert b"{leases}" in key
        lasting = key.endswith((b":generation", b":nodes"))
        assert (own_valkey.command("PTTL", key) > 0) is not lasting, key
