"""Marks: kept beside the data and in Redis, never ahead, never in the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.asyncio.connection import AbstractConnection

from realtime.settings import Settings
from storage.marks import Mark, Marks
from tests.support.valkey import Shared, ValkeyServer


@pytest.fixture(params=["file", "redis"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    if request.param == "file":
        return Settings(data=tmp_path)
    valkey: Shared = request.getfixturevalue("valkey")
    return Settings(
        data=tmp_path, database_url="postgresql://h/d", redis_url=valkey.url, redis_prefix=valkey.prefix
    )


async def test_what_was_noted_is_read_by_the_next_start(settings: Settings) -> None:
    marks, later = Marks(settings), Marks(settings)
    assert await marks.read() == []
    await marks.begin(Mark("e", 4))
    assert await later.read() == [Mark("e", 4)]
    assert await marks.note(Mark("e", 9))
    assert await marks.note(Mark("e", 9))
    assert await later.read() == [Mark("e", 9)]
    await later.begin(Mark("f", 2))
    assert await later.read() == [Mark("f", 2)]
    await marks.close()
    await later.close()


async def test_a_slower_node_does_not_take_a_mark_back(valkey: Shared, tmp_path: Path) -> None:
    settings = Settings(
        data=tmp_path, database_url="postgresql://h/d", redis_url=valkey.url, redis_prefix=valkey.prefix
    )
    one, two = Marks(settings), Marks(settings)
    await one.begin(Mark("e", 10))
    assert await two.note(Mark("e", 7))
    assert await one.read() == [Mark("e", 10)]
    await two.begin(Mark("f", 3))
    assert not await one.note(Mark("e", 11)), "another epoch has begun"
    assert await one.read() == [Mark("f", 3)]
    await one.close()
    await two.close()


async def test_a_redis_that_is_gone_is_no_trouble(own_valkey: ValkeyServer, tmp_path: Path) -> None:
    settings = Settings(
        data=tmp_path, database_url="postgresql://h/d", redis_url=own_valkey.url, redis_timeout_s=0.2
    )
    marks = Marks(settings)
    await marks.begin(Mark("e", 1))
    own_valkey.kill()
    assert await marks.note(Mark("e", 2))
    assert await marks.read() == []
    await marks.close()


async def test_a_connection_that_closes_while_it_is_made_is_no_trouble(
    own_valkey: ValkeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def closed(self: AbstractConnection) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    settings = Settings(data=tmp_path, database_url="postgresql://h/d", redis_url=own_valkey.url)
    marks = Marks(settings)
    # What the loop says of a transport that went while it was written to is no error of the network.
    monkeypatch.setattr(AbstractConnection, "connect", closed)
    await marks.begin(Mark("e", 1))
    assert await marks.note(Mark("e", 2))
    assert await marks.read() == []
    await marks.close()


@pytest.mark.parametrize("words", [b"", b"{", b"[]", b'{"epoch":"e"}', b'{"epoch":"e","n":"x"}'])
async def test_a_mark_that_cannot_be_read_is_none(tmp_path: Path, words: bytes) -> None:
    settings = Settings(data=tmp_path)
    settings.sqlite_path.with_suffix(".mark").write_bytes(words)
    assert await Marks(settings).read() == []
