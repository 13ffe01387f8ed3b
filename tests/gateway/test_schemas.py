"""The two documents of the wire: valid by their official schemas, complete, and true of what the decoders take."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from gateway.asyncapi import asyncapi_document
from gateway.openapi import http_errors_of, openapi_document
from gateway.schema import LIMITS, components, errors_of
from realtime.closes import MEANINGS
from realtime.errors import ERRORS
from realtime.events import EVENTS
from realtime.operations import Door, Operation, Request
from realtime.settings import Limits
from realtime.table import OPERATIONS

SCHEMAS = Path(__file__).resolve().parent.parent / "schemas"
HTTP = openapi_document("1.2.3", Limits())
SOCKET = asyncapi_document("1.2.3", Limits())
DOCUMENTS = {"openapi-3.1": HTTP, "asyncapi-3.0.0": SOCKET}
ID = "01KAFV3Q8Z7M0T5R1XH6W9C2DE"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_document_is_valid_by_the_official_schema(name: str) -> None:
    validator = official(name)
    assert [str(error) for error in validator.iter_errors(DOCUMENTS[name])] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_official_schema_can_find_a_fault(name: str) -> None:
    broken = json.loads(json.dumps(DOCUMENTS[name]))
    del broken["info"]["title"]
    assert not official(name).is_valid(broken)


def official(name: str) -> Any:
    """A validator made from a schema kept under tests/schemas."""
    return jsonschema_rs.validator_for(json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8")))


def walk(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of a document."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_reference_leads_somewhere(name: str) -> None:
    document = DOCUMENTS[name]
    references = [node["$ref"] for node in walk(document) if "$ref" in node]
    assert references
    for reference in references:
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
        assert isinstance(place, dict)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_references_stand_alone(name: str) -> None:
    assert all(len(node) == 1 for node in walk(DOCUMENTS[name]) if "$ref" in node)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_schema_is_used(name: str) -> None:
    used = {node["$ref"].rpartition("/")[2] for node in walk(DOCUMENTS[name]) if "$ref" in node}
    assert set(DOCUMENTS[name]["components"]["schemas"]) <= used


def test_every_operation_stands_at_its_doors() -> None:
    posts = {path.removeprefix("/api/v1/") for path, item in HTTP["paths"].items() if "post" in item}
    posts -= {"/export", "/media"}  # no operations, because a zip and a picture are no JSON
    assert posts == {name for name, each in OPERATIONS.items() if Door.HTTP in each.doors}
    received = {name for name, each in SOCKET["operations"].items() if each["action"] == "receive"}
    assert received == {name for name, each in OPERATIONS.items() if Door.SOCKET in each.doors}
    assert posts | received == set(OPERATIONS)


def test_every_event_is_pushed() -> None:
    sent = {
        name.removeprefix("push.") for name, each in SOCKET["operations"].items() if each["action"] == "send"
    }
    assert sent == {*EVENTS, "skip"}
    for name, event in EVENTS.items():
        assert SOCKET["components"]["messages"][f"push.{name}"]["x-kind"] == event.kind


def test_plain_pages_are_listed() -> None:
    assert {"/healthz", "/readyz", "/openapi.json", "/asyncapi.json"} <= set(HTTP["paths"])


def test_every_error_of_an_operation_has_its_status() -> None:
    for name, operation in OPERATIONS.items():
        if Door.HTTP not in operation.doors:
            continue
        responses = HTTP["paths"][f"/api/v1/{name}"]["post"]["responses"]
        assert {int(status) for status in responses} == {
            200,
            *(ERRORS[code].status for code in http_errors_of(operation)),
        }
        assert set(operation.errors) <= set(errors_of(operation)) <= set(http_errors_of(operation))


def test_the_tables_are_carried_whole() -> None:
    assert [row["code"] for row in SOCKET["x-close-codes"]] == [int(code) for code in MEANINGS]
    assert [row["code"] for row in SOCKET["x-error-codes"]] == list(ERRORS)
    assert {row["name"] for row in SOCKET["x-limits"]} == set(LIMITS)
    assert SOCKET["x-limits"] == HTTP["x-limits"]


def test_limits_are_those_of_the_server() -> None:
    raised = asyncapi_document("1.2.3", Limits(group_members_max=7))
    rows = {row["name"]: row for row in raised["x-limits"]}
    assert rows["group_members_max"]["value"] == 7
    assert rows["group_members_max"]["variable"] == "TSUDOI_GROUP_MEMBERS_MAX"


@pytest.mark.parametrize("make", [openapi_document, asyncapi_document])
def test_the_documents_are_the_same_each_time(make: Any) -> None:
    first, second = (json.dumps(make("1.2.3", Limits())) for _ in range(2))
    assert first == second


# Requests: the schema says the same as the decoder

GOOD: dict[str, dict[str, Any]] = {
    "connect": {"client": {"name": "x"}, "token": "tsd_x", "positions": {f"room:{ID}": 4}},
    "channel.sync": {"positions": {f"room:{ID}": 4}},
    "room.create": {"title": "花見", "nonce": "1", "accounts": [ID], "reading": "all"},
    "room.open": {"account": ID},
    "room.update": {"room": ID, "nonce": "1", "title": "月見"},
    "room.add": {"room": ID, "accounts": [ID], "nonce": "1"},
    "room.send": {"room": ID, "text": "今から", "nonce": "1", "reply_to": None},
    "room.read": {"room": ID, "seq": 3},
    "message.get": {"message": ID},
    "channel.watch": {"channels": [f"community:{ID}"], "positions": {f"community:{ID}": 4}},
    "channel.unwatch": {"channels": [f"community:{ID}"]},
    "channel.signal": {"ch": f"room:{ID}", "data": {"a": [1, "二"]}},
    "community.create": {"name": "電車", "nonce": "n"},
    "community.get": {"community": ID},
    "community.list": {"joined": False},
    "community.join": {"community": ID},
    "community.leave": {"community": ID},
    "post.create": {"community": ID, "text": "窓から海", "nonce": "n"},
    "post.audience": {"community": ID},
    "reaction.add": {"post": ID, "stamp": "kawaii"},
    "reaction.remove": {"post": ID, "kind": "like"},
    "reaction.list": {"post": ID, "kind": "like", "limit": 5},
    "post.get": {"posts": [ID, ID]},
    "post.delete": {"post": ID},
    "post.search": {"words": "海"},
    "account.search": {"words": "あき", "after": "12"},
    "community.search": {"words": "電車", "limit": 3},
    "timeline.list": {"community": ID, "before": 9},
    "timeline.read": {"at": 1},
    "message.delete": {"message": ID},
    "message.react": {"message": ID, "stamp": "sugoi"},
    "notification.list": {"before": 7, "limit": 20},
    "notification.read": {"upto": 7},
    "notification.update": {"kind": "like", "on": False},
}
GOOD |= {
    name: {"room": ID} for name in ("room.get", "room.join", "room.accept", "room.decline", "room.leave")
}
GOOD["room.send"] |= {"pictures": [{"id": ID, "alt": "海"}]}
GOOD |= {"emotext.preview": {"text": "今から", "emotext": ["big", 131075]}}
GOOD |= {"channel.cheer": {"ch": f"room:{ID}", "effect": "love"}, "channel.toast": {"ch": f"room:{ID}"}}
GOOD["room.send"] |= {"emotext": ["shake", 1]}
GOOD["post.create"] |= {"emotext": ["uruuru"]}
GOOD["post.create"] |= {"pictures": [{"id": ID}] * 4}
GOOD |= {"message.list": {"room": ID, "before": 9, "limit": 100}, "account.get": {"handle": "hanako"}}
GOOD |= {
    "invite.create": {"nonce": "1", "kind": "room", "room": ID},
    "invite.revoke": {"invite": ID},
    "invite.reissue": {"invite": ID, "nonce": "1"},
    "account.resume": {"attempt": "x"},
    "account.address": {"attempt": "x", "address": "a@example.com", "adult": True, "terms": "1"},
    "account.verify": {"attempt": "x", "code": "１２３４５６"},
    "account.create": {"attempt": "x", "handle": "hanako", "name": "はなこ", "presence_to": "nobody"},
    "session.begin": {"address": "a@example.com"},
    "session.create": {"attempt": "x", "code": "123456"},
    "session.look": {"token": "x"},
    "session.recover": {"handle": "aki", "code": "0000-0000-0000-0000", "label": "電話"},
    "community.arrange": {"communities": [ID, ID]},
    "nickname.put": {"account": ID, "name": "はなちゃん"},
    "session.take": {"token": "x", "label": "電話"},
    "address.change": {"address": "a@example.com"},
    "address.confirm": {"attempt": "x", "code": "123456"},
    "address.undo": {"attempt": "x", "code": "123456"},
    "session.revoke": {"session": ID},
}
GOOD |= {
    name: {"account": ID}
    for name in OPERATIONS
    if name.startswith(("follow.", "block.", "mute.")) and not name.endswith(".list")
}
GOOD |= {
    "account.update": {
        "bio": "はじめまして",
        "links": ["https://example.com/"],
        "private": True,
        "write_from": "everyone",
    },
    "follow.list": {"which": "followers", "account": ID, "limit": 100},
    "block.list": {"after": ID},
    "report.create": {"kind": "message", "target": ID, "reason": "danger", "nonce": "1", "words": "こわい"},
    "presence.set": {"active": False, "place": f"room:{ID}"},
    "presence.watch": {"accounts": [ID] * 500, "places": [f"community:{ID}"]},
    "presence.get": {"accounts": [ID]},
    "presence.except": {"account": ID, "shown": None},
    "presence.exceptions": {"after": ID},
    "presence.preview": {"presence_to": "nobody", "account": ID},
    "room.typing": {"room": ID, "on": False},
    "support.open": {"words": "たすけて", "nonce": "1", "request_id": "ab12-c"},
}

BAD: list[tuple[str, dict[str, Any]]] = [
    ("reaction.add", {"post": ID, "stamp": "thumbs_up"}),
    ("post.create", {"text": "x", "nonce": "1", "mask": "secret"}),
    ("timeline.list", {"which": "friends"}),
    ("message.react", {"message": ID, "stamp": "like"}),
    ("notification.read", {}),
    ("notification.update", {"kind": "everything", "on": True}),
    ("account.update", {"links": ["https://example.com/"] * 5}),
    ("account.update", {"presence_to": "strangers"}),
    ("follow.list", {}),
    ("report.create", {"kind": "person", "target": ID, "reason": "spam", "nonce": "1"}),
    ("report.create", {"kind": "room", "target": ID, "reason": "boring", "nonce": "1"}),
    ("room.send", {"room": ID, "text": "x"}),
    ("room.send", {"room": ID.lower(), "text": "x", "nonce": "1"}),
    ("room.send", {"room": ID + "\n", "text": "x", "nonce": "1"}),
    ("room.send", {"room": "8" + ID[1:], "text": "x", "nonce": "1"}),
    ("room.send", {"room": ID, "text": 5, "nonce": "1"}),
    ("room.send", {"room": ID, "text": "x", "nonce": ""}),
    ("room.send", {"room": ID, "text": "x", "nonce": "1" * 65}),
    ("room.send", {"room": ID, "text": "x", "nonce": "1", "colour": "red"}),
    ("room.send", {"room": ID, "text": "x", "nonce": "1", "written_at": -1}),
    ("room.send", {"room": ID, "text": "x", "nonce": "1", "pictures": [{"id": ID}] * 5}),
    ("room.send", {"room": ID, "text": "x", "nonce": "1", "pictures": [{"id": "x"}]}),
    ("post.create", {"text": "x", "nonce": "1", "pictures": [{"alt": "海"}]}),
    ("post.create", {"text": "x", "nonce": "1", "pictures": [{"id": ID, "url": "https://example.com"}]}),
    ("room.read", {"room": ID, "seq": 2**53}),
    ("room.read", {"room": ID, "seq": 1.5}),
    ("room.create", {"title": "x", "nonce": "1", "reading": "some"}),
    ("room.add", {"room": ID, "accounts": [], "nonce": "1"}),
    ("room.add", {"room": ID, "accounts": [ID] * 151, "nonce": "1"}),
    ("invite.create", {"nonce": "1", "uses": 501}),
    ("invite.create", {"nonce": "1", "kind": "everything"}),
    ("account.address", {"attempt": "x", "address": "a@example.com", "adult": "yes", "terms": "1"}),
    ("message.list", {"room": ID, "limit": 0}),
    ("message.list", {"room": ID, "limit": 101}),
    ("connect", {"client": {"name": "x", "colour": "red"}}),
    ("connect", {"client": {"name": "x"}, "positions": {"room:x": -1}}),
    ("connect", {"client": {"name": "x"}, "positions": {f"room:{n}": 1 for n in range(1_001)}}),
    ("connect", {"client": {"name": "x"}, "positions": {"r" * 65: 1}}),
]


def request_validator(operation: Operation) -> Any:
    """A validator of an operation's request, from the generated schemas alone."""
    schemas = components([operation.request])
    root = {"$ref": f"#/components/schemas/{operation.request.__name__}", "components": {"schemas": schemas}}
    return jsonschema_rs.Draft202012Validator(root)


def decodes(kind: type[Request], request: dict[str, Any]) -> bool:
    """True if the doors' decoder takes it."""
    try:
        msgspec.json.decode(json.dumps(request), type=kind)
    except msgspec.DecodeError:
        return False
    return True


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_good_request_is_good_for_schema_and_decoder(name: str) -> None:
    operation, request = OPERATIONS[name], GOOD.get(name, {})
    assert decodes(operation.request, request)
    assert request_validator(operation).is_valid(request)


@pytest.mark.parametrize(("name", "request_"), BAD)
def test_a_bad_request_is_bad_for_schema_and_decoder(name: str, request_: dict[str, Any]) -> None:
    operation = OPERATIONS[name]
    assert not decodes(operation.request, request_)
    assert not request_validator(operation).is_valid(request_)


def test_descriptions_have_no_source_in_them() -> None:
    for document in DOCUMENTS.values():
        for schema in document["components"]["schemas"].values():
            assert schema["description"]
            assert "\n" not in schema["description"]
            assert "  " not in schema["description"]
