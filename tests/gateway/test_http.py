"""The HTTP door with real sockets: the same operations as the socket's, and everything it refuses (WIRE §1, §7)."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from channels.accounts import NewAccount, create_session
from channels.codes import code_of
from gateway import asyncapi, http, openapi
from loadtest.client import ServerRefusal
from realtime.operations import Door
from realtime.settings import Limits
from realtime.table import OPERATIONS
from tests.support.http import http_client, post
from tests.support.nodes import RunningNode, Start
from tests.support.waiting import until

SECRETS = ("codes", "attempt", "epoch", "ticket", "link", "code", "qr", "signed", "seed")
FREE = Limits(operations_per_s=1e6, operations_burst=1e6)
GUARDS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}


def masked(value: Any) -> Any:
    """A result without what differs from one run to the next: ids, times, secrets."""
    if isinstance(value, dict):
        return {masked(name): "" if name in SECRETS else masked(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner) for inner in value]
    if isinstance(value, str):
        return re.sub("[0-9A-Z]{26}", "an id", value)
    return "a time" if isinstance(value, int) and value > 10**12 else value


class Scene:
    """People and a room, made by HTTP alone; each operation finds what it needs."""

    def __init__(self, server: RunningNode, people: list[NewAccount]) -> None:
        self.server = server
        self.aki, self.haru, self.ken = people
        self.room = ""

    async def call(self, who: NewAccount, op: str, **fields: Any) -> Any:
        """One operation that succeeds."""
        return (await post(self.server.url, op, who.token, **fields)).ok

    async def prepare(self) -> None:
        """A group of aki and haru."""
        made = await self.call(
            self.aki, "room.create", title="集い", nonce="made", accounts=[self.haru.account.id]
        )
        self.room = made["id"]

    async def invited(self) -> str:
        """A group that ken is invited to."""
        await self.call(self.aki, "room.add", room=self.room, accounts=[self.ken.account.id], nonce="asked")
        return self.room

    async def requested(self) -> str:
        """A message request of ken to aki."""
        room = await self.call(self.ken, "room.open", account=self.aki.account.id)
        await self.call(self.ken, "room.send", room=room["id"], text="はじめまして", nonce="first")
        return str(room["id"])

    async def placed(self, op: str) -> tuple[NewAccount, dict[str, Any]]:
        """The same, in a community of aki's in which haru has posted."""
        made = await self.call(self.aki, "community.create", name="電車", nonce="c")
        place = {"community": made["id"]}
        if op == "community.join":
            return self.haru, place
        await self.call(self.haru, "community.join", **place)
        posted = await self.call(self.haru, "post.create", **place, text="窓から海", nonce="p")
        match op:
            case "post.get":
                return self.aki, {"posts": [posted["post"]]}
            case "post.delete":
                return self.haru, {"post": posted["post"]}
            case "reaction.add":
                return self.aki, {"post": posted["post"], "stamp": "kawaii"}
            case "reaction.remove" | "reaction.list":
                await self.call(self.aki, "reaction.add", post=posted["post"], kind="like")
                who = self.aki if op == "reaction.remove" else self.haru
                return who, {"post": posted["post"], "kind": "like"}
            case "post.search" | "community.search":
                return self.aki, {"words": "海" if op == "post.search" else "電"}
            case "notification.list" | "notification.read":
                return self.aki, {"upto": 1} if op == "notification.read" else {}
            case "post.create":
                return self.aki, {**place, "text": "いいね", "nonce": "n"}
            case "community.arrange":
                return self.haru, {"communities": [made["id"]]}
            case "timeline.read":
                return self.aki, {"at": posted["at"]}
        return self.haru, place

    async def asked(self) -> dict[str, str]:
        """A change of address that waits for its code."""
        asked = await self.call(self.aki, "address.change", address="new@example.com")
        desk = self.server.node.desk
        ((facts,),) = await desk.db.read(lambda tx: tx.rows("select facts from letter"))
        return {"attempt": asked["attempt"], "code": code_of(desk.secret, orjson.loads(facts)["seed"])}

    async def fields(self, op: str) -> tuple[NewAccount, dict[str, Any]]:  # noqa: C901, PLR0912  # a table
        """Who calls the operation, with what."""
        aki, haru, ken, room = self.aki, self.haru, self.ken, self.room
        plain: dict[str, tuple[NewAccount, dict[str, Any]]] = {
            "clock.read": (aki, {"t": 5}),
            "session.ticket": (aki, {}),
            "room.list": (aki, {}),
            "account.get": (aki, {"handle": "haru"}),
            "room.create": (aki, {"title": "ふたつめ", "nonce": "n", "accounts": [ken.account.id]}),
            "room.open": (aki, {"account": haru.account.id}),
            "room.update": (aki, {"room": room, "nonce": "n", "title": "新しい名前"}),
            "room.add": (aki, {"room": room, "nonce": "n", "accounts": [ken.account.id]}),
            "room.send": (haru, {"room": room, "text": "やあ 👋", "nonce": "n"}),
            "room.get": (haru, {"room": room}),
            "room.leave": (haru, {"room": room}),
            "message.list": (haru, {"room": room}),
            "community.create": (aki, {"name": "電車", "purpose": "窓から", "nonce": "n"}),
            "community.list": (aki, {"joined": False}),
            "post.audience": (aki, {}),
            "reaction.get": (aki, {}),
            "emotext.list": (aki, {}),
            "channel.cheer": (aki, {"ch": f"room:{room}", "effect": "love"}),
            "channel.toast": (aki, {"ch": f"room:{room}", "what": "kanpai"}),
            "emotext.preview": (aki, {"text": "やあ", "emotext": ["hoppy"]}),
            "account.search": (aki, {"words": "HARU"}),
            "channel.signal": (aki, {"ch": f"room:{room}", "data": {"dice": [1, 6], "言": "せーの"}}),
            "invite.create": (aki, {"nonce": "n", "kind": "room", "room": room}),
            "invite.list": (aki, {}),
            "session.list": (aki, {}),
            "session.offer": (aki, {}),
            "address.change": (aki, {"address": "new@example.com"}),
            "session.revoke_all": (aki, {"others": True}),
            "account.update": (
                aki,
                {"bio": "はじめまして", "links": ["https://example.com/"], "handle": "akiko"},
            ),
            "account.hide": (aki, {}),
            "account.show": (aki, {}),
            "follow.add": (aki, {"account": ken.account.id}),
            "follow.remove": (aki, {"account": haru.account.id}),
            "follow.list": (aki, {"which": "followers"}),
            "block.add": (aki, {"account": haru.account.id}),
            "block.remove": (aki, {"account": haru.account.id}),
            "block.list": (aki, {}),
            "mute.add": (aki, {"account": haru.account.id}),
            "mute.remove": (aki, {"account": haru.account.id}),
            "mute.list": (aki, {}),
            "report.create": (
                aki,
                {"kind": "account", "target": ken.account.id, "reason": "spam", "nonce": "n"},
            ),
            "nickname.put": (aki, {"account": haru.account.id, "name": "はるちゃん"}),
            "nickname.list": (aki, {}),
            "recovery.make": (aki, {}),
            "recovery.get": (aki, {}),
            "notification.get": (aki, {}),
            "notification.update": (aki, {"kind": "like", "on": False}),
            "presence.get": (aki, {"accounts": [ken.account.id]}),
            "presence.except": (aki, {"account": ken.account.id, "shown": False}),
            "presence.exceptions": (aki, {}),
            "support.open": (aki, {"words": "たすけて", "nonce": "n"}),
        }
        if op in plain:
            return plain[op]
        if op == "channel.sync":
            seq = (await self.call(haru, "room.get", room=room))["seq"]
            return haru, {"positions": {f"room:{room}": seq}}
        if op in ("room.join", "room.decline"):
            return ken, {"room": await self.invited()}
        if op in ("invite.revoke", "invite.reissue", "invite.redeem"):
            made = await self.call(aki, "invite.create", nonce="i", kind="room", room=room)
            if op == "invite.redeem":
                return ken, {"code": made["code"]}
            return aki, {"invite": made["id"], **({"nonce": "n"} if op == "invite.reissue" else {})}
        if op in ("follow.accept", "follow.decline"):
            await self.call(aki, "account.update", private=True)
            await self.call(ken, "follow.add", account=aki.account.id)
            return aki, {"account": ken.account.id}
        if op == "address.confirm":
            return aki, await self.asked()
        if op == "session.revoke":
            db = self.server.node.desk.db
            session, _ = await db.write(lambda tx: create_session(tx, aki.account.id, "phone"))
            return aki, {"session": session}
        if op == "presence.preview":
            # Whoever connects is online; nobody sees who has hidden the account.
            await self.call(aki, "account.hide")
            return aki, {"presence_to": "everyone"}
        if op == "room.accept":
            return aki, {"room": await self.requested()}
        if op.startswith(("community.", "post.", "reaction.", "timeline.", "notification.")):
            return await self.placed(op)
        if op in ("room.read", "message.get", "message.delete", "message.react"):
            sent = await self.call(aki, "room.send", room=room, text="読んで", nonce="read")
            if op == "room.read":
                return haru, {"room": room, "seq": sent["seq"]}
            return aki, {"message": sent["message"]}
        raise AssertionError(f"the scene does not know {op}")


@pytest.fixture
async def scene(start_node: Start) -> Scene:
    """The scene on a fresh server."""
    return await fresh_scene(start_node)


async def fresh_scene(start_node: Start, **settings: Any) -> Scene:
    """As the fixture, more than once in a test."""
    server = await start_node(FREE, **settings)
    made = Scene(server, [*await server.friends("aki", "haru"), await server.account("ken")])
    await made.prepare()
    return made


@pytest.mark.parametrize(
    "op", [op for op, row in OPERATIONS.items() if row.doors == {Door.HTTP, Door.SOCKET}]
)
async def test_an_operation_answers_the_same_at_both_doors(start_node: Start, tmp_path: Any, op: str) -> None:
    by_http = await fresh_scene(start_node, data=tmp_path / "a")
    who, fields = await by_http.fields(op)
    answered = await by_http.call(who, op, **fields)

    by_socket = await fresh_scene(start_node, data=tmp_path / "b")
    who, fields = await by_socket.fields(op)
    async with by_socket.server.client(who) as client:
        assert masked(await client.call(op, **fields)) == masked(answered)


@pytest.mark.parametrize("op", [op for op, row in OPERATIONS.items() if Door.HTTP not in row.doors])
async def test_an_operation_of_the_socket_alone_is_not_here(scene: Scene, op: str) -> None:
    assert (await post(scene.server.url, op, scene.aki.token)).code == "not_found"


async def test_what_is_written_by_http_is_heard_live_and_under_its_nonce_once(scene: Scene) -> None:
    async with scene.server.client(scene.haru) as haru:
        first = await scene.call(scene.aki, "room.send", room=scene.room, text="やあ", nonce="x")
        assert await scene.call(scene.aki, "room.send", room=scene.room, text="やあ", nonce="x") == first
        await haru.until(lambda: haru.texts(scene.room) == ["やあ"])


async def test_a_client_without_a_socket_polls_what_it_missed(scene: Scene) -> None:
    channel = f"room:{scene.room}"
    first = await scene.call(scene.haru, "channel.sync")
    tops = {row["ch"]: row["seq"] for row in first["channels"]}
    authors = {f"author:{each.account.id}" for each in (scene.aki, scene.haru)}
    assert set(tops) == {channel, f"user:{scene.haru.account.id}", *authors}
    assert not any(row["recovered"] for row in first["channels"])
    for text in ("ひとつ", "ふたつ"):
        await scene.call(scene.aki, "room.send", room=scene.room, text=text, nonce=text)
    same = {"positions": tops, "epoch": first["epoch"]}
    polled = await scene.call(scene.haru, "channel.sync", **same)
    assert all(row["recovered"] for row in polled["channels"])
    assert [(f["ch"], f["seq"], f["d"]["message"]["text"]) for f in polled["frames"]] == [
        (channel, tops[channel] + 1, "ひとつ"),
        (channel, tops[channel] + 2, "ふたつ"),
    ]
    assert polled == await scene.call(scene.haru, "channel.sync", **same)
    elsewhere = await scene.call(scene.haru, "channel.sync", positions=tops, epoch="another")
    assert elsewhere["frames"] == []
    assert not any(row["recovered"] for row in elsewhere["channels"])
    # Whoever is not inside learns nothing of the room, not even that it is there.
    asked = await scene.call(scene.ken, "channel.sync", positions={channel: 0, "room:none": 0})
    assert asked == {"epoch": first["epoch"], "channels": [], "frames": []}


@pytest.mark.parametrize("op", ["no.such", "room", "ROOM.SEND", "room.send%20", "x" * 300, "..", "%00", "あ"])
async def test_an_unknown_operation_is_not_found(scene: Scene, op: str) -> None:
    async with http_client(scene.server.url) as client:
        answer = await client.post(f"/api/v1/{op}", content=b"{}")
    assert answer.status_code == 404
    if op != "..":
        assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
async def test_an_operation_is_a_post(scene: Scene, method: str) -> None:
    async with http_client(scene.server.url) as client:
        answer = await client.request(method, "/api/v1/clock.read")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


BAD_BODIES: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", "$"),
    "more than JSON": (b"{} {}", "$"),
    "blank": (b"  ", "$"),
    "null": (b"null", "$"),
    "a list": (b"[]", "$"),
    "a number": (b"1", "$"),
    "bad UTF-8": (b'{"room":"\xff\xfe"}', "$"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "$"),
    "unknown field": (b'{"room":"%s","text":"a","nonce":"n","colour":1}', "$.colour"),
    "missing field": (b'{"room":"%s","text":"a"}', "$"),
    "a number for a text": (b'{"room":"%s","text":1,"nonce":"n"}', "$.text"),
    "null for a text": (b'{"room":"%s","text":null,"nonce":"n"}', "$.text"),
    "no id": (b'{"room":"nowhere","text":"a","nonce":"n"}', "$.room"),
    "an empty nonce": (b'{"room":"%s","text":"a","nonce":""}', "$.nonce"),
    "a long nonce": (b'{"room":"%s","text":"a","nonce":"' + b"n" * 65 + b'"}', "$.nonce"),
    "NaN": (b'{"room":"%s","text":"a","nonce":"n","written_at":NaN}', "$"),
    "Infinity": (b'{"room":"%s","text":"a","nonce":"n","written_at":Infinity}', "$"),
    "a fraction": (b'{"room":"%s","text":"a","nonce":"n","written_at":1.5}', "$.written_at"),
    "a negative time": (b'{"room":"%s","text":"a","nonce":"n","written_at":-1}', "$.written_at"),
    "beyond 2^53": (b'{"room":"%s","text":"a","nonce":"n","written_at":9007199254740992}', "$.written_at"),
    "a huge integer": (b'{"room":"%s","text":"a","nonce":"n","written_at":' + b"9" * 5_000 + b"}", "$"),
    "a huge exponent": (b'{"room":"%s","text":"a","nonce":"n","written_at":1e99999}', "$"),
    "a lone surrogate": (rb'{"room":"%s","text":"\ud800","nonce":"n"}', "$"),
    "surrogates the wrong way round": (rb'{"room":"%s","text":"\udc00\ud800","nonce":"n"}', "$"),
    "a lone surrogate as a field": (rb'{"\ud800":1}', "$"),
    "deep lists": (b"[" * 2_000 + b"]" * 2_000, "$"),
    "deep objects": (b'{"a":' * 2_000 + b"1" + b"}" * 2_000, "$"),
    "deep inside a field": (b'{"room":"%s","nonce":"n","text":' + b"[" * 2_000 + b"]" * 2_000 + b"}", "$"),
    "open brackets": (b"[" * 60_000, "$"),
}


@pytest.mark.parametrize(("body", "place"), BAD_BODIES.values(), ids=BAD_BODIES)
async def test_a_bad_body_is_a_bad_request_that_names_the_place(
    scene: Scene, body: bytes, place: str
) -> None:
    reply = await post(
        scene.server.url, "room.send", scene.aki.token, body.replace(b"%s", scene.room.encode())
    )
    assert (reply.status, reply.code) == (400, "bad_request")
    assert reply.error["details"]["at"].startswith(place)
    assert reply.error["message"]
    assert reply.headers["x-request-id"] == reply.error["request_id"]


async def test_an_empty_body_is_an_empty_object(scene: Scene) -> None:
    reply = await post(scene.server.url, "room.list", scene.aki.token, b"")
    assert [room["id"] for room in reply.ok["rooms"]] == [scene.room]


async def chunks(total: int) -> Any:
    """A body of which nobody says the length."""
    for _ in range(total // 1_024):
        yield b"x" * 1_024


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_its_bound_is_too_large(scene: Scene, declared: bool) -> None:
    limit = FREE.frame_in_bytes_max
    async with http_client(scene.server.url) as client:
        for size in (limit + 1_024, 4 * limit):
            content: Any = b"x" * size if declared else chunks(size)
            answer = await client.post("/api/v1/clock.read", content=content)
            assert answer.status_code == 413
            assert answer.json()["error"]["code"] == "too_large"
            details = answer.json()["error"]["details"]
            assert (set(details), details["limit"]) == ({"limit", "used"}, limit)
            # Of what nobody declared, as much as had come by then.
            assert details["used"] == size if declared else limit < details["used"] <= size
            # The same client goes on, over the same connection or a new one.
            assert (await client.post("/api/v1/clock.read", content=b'{"t":3}')).json()["ok"]["t"] == 3


async def test_a_body_at_its_bound_is_read(scene: Scene) -> None:
    body = b'{"t":4' + b" " * (FREE.frame_in_bytes_max - 7) + b"}"
    assert (await post(scene.server.url, "clock.read", "", body)).ok["t"] == 4
    assert (await post(scene.server.url, "clock.read", "", body + b" ")).code == "too_large"


async def test_too_large_is_told_before_the_body_is_sent(scene: Scene) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", scene.server.port)
    writer.write(
        b"POST /api/v1/clock.read HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"
    )
    assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 413 ")
    writer.close()


async def test_a_caller_who_hangs_up_is_no_fault_of_ours(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", scene.server.port)
    state = scene.server.server.server_state
    with capture_logs() as logs:
        writer.write(b"POST /api/v1/clock.read HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
        await until(lambda: state.tasks, "the request has begun")
        writer.close()
        await until(lambda: not state.tasks and not state.connections, "the request has ended")
    assert logs == []
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_too_often_is_refused_with_the_time_to_wait(start_node: Start) -> None:
    server = await start_node(Limits(operations_burst=5, operations_per_s=0.5))
    aki, haru = await server.friends("aki", "haru")
    replies = [await post(server.url, "account.get", aki.token, handle="haru") for _ in range(8)]
    refused = [reply for reply in replies if reply.status != 200]
    assert len(refused) == 3
    for reply in refused:
        assert (reply.status, reply.code) == (429, "rate_limited")
        assert 0 < reply.error["retry_ms"] <= 2_000
        assert int(reply.headers["retry-after"]) == -(-reply.error["retry_ms"] // 1_000)
    assert (await post(server.url, "account.get", haru.token, handle="aki")).ok["handle"] == "aki"


async def test_who_has_no_account_is_limited_by_address(start_node: Start) -> None:
    server = await start_node(Limits(operations_burst=1, operations_per_s=0.1))
    replies = [await post(server.url, "clock.read") for _ in range(8)]
    assert {reply.status for reply in replies} == {200, 429}


async def test_answers_are_kept_by_nobody_and_guarded(scene: Scene) -> None:
    for reply in (
        await post(scene.server.url, "room.list", scene.aki.token),
        await post(scene.server.url, "room.list"),
        await post(scene.server.url, "no.such"),
        await post(scene.server.url, "clock.read", "", b"{"),
    ):
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["content-type"] == "application/json"
        assert ("x-request-id" in reply.headers) == (reply.status != 200)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/docs", 200),
        ("GET", "/web/docs.css", 200),
        ("GET", "/web/docs.js", 200),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/asyncapi.json", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/web/nowhere.js", 404),
        ("GET", "/api/v1/clock.read", 405),
        ("POST", "/healthz", 405),
        ("POST", "/api/v1/room.list", 401),
        ("POST", "/api/v1/clock.read", 200),
    ],
)
async def test_every_answer_carries_the_guards(scene: Scene, method: str, path: str, status: int) -> None:
    async with http_client(scene.server.url) as client:
        answer = await client.request(method, path)
    assert answer.status_code == status
    assert GUARDS.items() <= answer.headers.items()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "server" not in answer.headers


async def test_the_schemas_are_those_of_the_code(scene: Scene) -> None:
    async with http_client(scene.server.url) as client:
        assert (await client.get("/openapi.json")).json() == plain(
            openapi.openapi_document(http.VERSION, FREE)
        )
        assert (await client.get("/asyncapi.json")).json() == plain(
            asyncapi.asyncapi_document(http.VERSION, FREE)
        )


def plain(document: Any) -> Any:
    """As it looks once it has been JSON."""
    return orjson.loads(orjson.dumps(document))


@pytest.mark.parametrize(
    "path",
    [
        "/web/../http.py",
        "/web/..%2fhttp.py",
        "/web/%2e%2e/http.py",
        "/web/%2e%2e%2fhttp.py",
        "/web/..%5chttp.py",
        "/web//etc/passwd",
        "/web/%2fetc/passwd",
        "/web/....//http.py",
        "/web/%00",
        "/web/docs.css%00.js",
        "/web/" + "a" * 5_000,
        "/web/" + "a/" * 3_000,
        "/web/%ff%fe",
        "/web",
        "/web/",
        "/../http.py",
    ],
)
async def test_only_the_web_directory_is_served(scene: Scene, path: str) -> None:
    # A client library would tidy the path up, so it is sent as it is.
    reader, writer = await asyncio.open_connection("127.0.0.1", scene.server.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    said = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert re.match(rb"HTTP/1\.1 (307|400|404|405) ", said), said[:100]
    assert b"import" not in said
    assert b"root:" not in said


async def test_a_fault_of_ours_says_nothing_of_the_inside(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> Any:
        raise ValueError("the secret inside")

    monkeypatch.setitem(http.HANDLERS, "room.list", broken)
    with capture_logs() as logs:
        reply = await post(scene.server.url, "room.list", scene.aki.token)
    assert (reply.status, reply.code) == (500, "internal")
    assert "secret" not in str(reply.body)
    assert "ValueError" not in str(reply.body)
    assert [(entry["event"], entry["request_id"]) for entry in logs] == [
        ("internal error", reply.error["request_id"])
    ]
    assert (await post(scene.server.url, "clock.read")).status == 200
    async with scene.server.client(scene.aki) as client:
        with pytest.raises(ServerRefusal) as refused:
            await client.call("room.list")
        assert refused.value.code == "internal"
        assert (await client.call("clock.read", t=1))["t"] == 1


async def test_a_page_that_fails_says_nothing_either(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> Any:
        raise ValueError("the secret inside")

    monkeypatch.setattr(scene.server.node.readiness, "look", broken)
    async with http_client(scene.server.url) as client:
        with capture_logs() as logs:
            answer = await client.get("/readyz")
        assert answer.status_code == 500
        assert answer.json()["error"]["code"] == "internal"
        assert "secret" not in answer.text
        assert GUARDS.items() <= answer.headers.items()
        assert (await client.get("/healthz")).status_code == 200
    assert [entry["request_id"] for entry in logs] == [answer.headers["x-request-id"]]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_trouble_of_the_database_is_temporary(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from storage.database import StorageUnavailable

    async def down(*_: Any) -> Any:
        raise StorageUnavailable("the disk at /somewhere is full")

    monkeypatch.setitem(http.HANDLERS, "room.list", down)
    by_handler = await post(scene.server.url, "room.list", scene.aki.token)
    monkeypatch.setattr(scene.server.node.desk.db, "read", down)
    by_session = await post(scene.server.url, "room.get", scene.aki.token, room=scene.room)
    for reply in (by_handler, by_session):
        assert (reply.status, reply.code) == (503, "unavailable")
        assert reply.error["retry_ms"] > 0
        assert int(reply.headers["retry-after"]) >= 1
        assert "somewhere" not in str(reply.body)
