"""The AsyncAPI 3.0 document of the WebSocket door, made from the tables of operations and events.

Called by the HTTP door for `/asyncapi.json` and by the tests. A pure function: equal tables give equal documents.
It describes the server: it *receives* operations and *sends* events.
"""

from __future__ import annotations

from gateway.schema import (
    ERROR,
    LICENCE,
    TITLE,
    Json,
    components,
    describe,
    error_rows,
    facts,
    limit_rows,
    noun_of,
    reference_to,
    tags,
)
from realtime.closes import MEANINGS, may_retry
from realtime.events import EVENTS, Event
from realtime.operations import ID_MAX, Door, Operation
from realtime.settings import Limits
from realtime.table import OPERATIONS

SUBPROTOCOL = "tsudoi.v1"
ERROR_MESSAGE = "error"
SKIP_MESSAGE = "skip"

DESCRIPTION = """\
The WebSocket door of Tsudoi: `GET /gateway`, subprotocol `tsudoi.v1`, text frames, one JSON object a frame. A \
client sends operations and gets one reply to each that carries an `id`; the server pushes events. The same \
operations run over HTTP, which `/openapi.json` describes; `docs/protocol.md` tells how the two belong together."""

KINDS = {
    "durable": "Part of the channel's log: it carries a `seq`, rises by one, and is sent again after a reconnect.",
    "ephemeral": "Kept nowhere: it has no `seq`, and whoever is away misses it.",
    "control": "About the connection itself.",
}
CHANNEL_KINDS = {
    "room": ("room:<room id>", "whoever is inside the room"),
    "posts": (
        "author:<account id>, community:<community id>",
        "the author and who follows it, whoever is inside the community; besides them who watches",
    ),
    "any": ("<channel>", "whoever hears the channel"),
    "inbox": ("user:<account id>", "that account alone"),
}
"""Kinds of channels: how their names are made, and who hears them."""

_CH = {"type": "string", "description": "The channel."}
_SEQ = {
    "type": "integer",
    "minimum": 1,
    "maximum": ID_MAX,
    "description": "The entry's place in its channel.",
}
_AT = {"type": "integer", "description": "Unix milliseconds by the database's clock."}


def asyncapi_document(version: str, limits: Limits) -> Json:
    """The whole document; `version` is that of the server."""
    served = [each for each in OPERATIONS.values() if Door.SOCKET in each.doors]
    types = [kind for each in served for kind in (each.request, each.result)]
    types += [event.payload for event in EVENTS.values()]
    messages = _messages(served)
    operations = {operation.name: _received(operation) for operation in served}
    operations.update({f"push.{event.name}": _sent(event.name, event.summary) for event in EVENTS.values()})
    operations[f"push.{SKIP_MESSAGE}"] = _sent(SKIP_MESSAGE, "Something one may not see stood here.")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": TITLE,
            "version": version,
            "description": DESCRIPTION,
            "license": {"name": LICENCE["name"]},
            "tags": tags(dict.fromkeys(noun_of(each.name) for each in served)),
        },
        "defaultContentType": "application/json",
        "channels": {"gateway": _channel(list(messages))},
        "operations": operations,
        "components": {"messages": messages, "schemas": {**components(types), "Error": ERROR}},
        "x-close-codes": close_rows(),
        "x-error-codes": error_rows(),
        "x-limits": limit_rows(limits),
    }


def close_rows() -> list[Json]:
    """The closed table of close codes."""
    return [
        {"code": int(code), "name": code.name.lower(), "retry": may_retry(code), "meaning": meaning}
        for code, meaning in MEANINGS.items()
    ]


def push_schema(event: Event) -> Json:
    """The frame of an event."""
    properties: Json = {} if event.kind == "control" else {"ch": _CH}
    if event.kind == "durable":
        properties["seq"] = _SEQ
    properties["ev"] = {"type": "string", "const": event.name}
    if event.kind != "control":
        properties["at"] = _AT
    properties["d"] = reference_to(event.payload)
    return {"type": "object", "properties": properties, "required": list(properties)}


def request_schema(operation: Operation) -> Json:
    """The frame that calls an operation. `d` may be left out where no field is required."""
    fields = components([operation.request])[operation.request.__name__]
    return {
        "type": "object",
        "properties": {
            "id": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": ID_MAX,
                "description": "Chosen by the client and echoed in the reply; without it no `ok` is sent.",
            },
            "op": {"type": "string", "const": operation.name},
            "d": reference_to(operation.request),
        },
        "required": ["op", "d"] if fields.get("required") else ["op"],
        "additionalProperties": False,
    }


def _messages(served: list[Operation]) -> Json:
    messages: Json = {}
    for operation in served:
        name = operation.name
        messages[name] = _message(name, operation.summary, request_schema(operation), replied=True)
        ok = {
            "type": "object",
            "properties": {"id": {"type": "integer"}, "ok": reference_to(operation.result)},
            "required": ["id", "ok"],
        }
        messages[f"{name}.ok"] = _message(f"{name}.ok", f"`ok` to `{name}`.", ok, replied=True)
    messages[ERROR_MESSAGE] = _message(ERROR_MESSAGE, "An error reply.", _error_reply(), replied=True)
    for event in EVENTS.values():
        message = _message(f"push.{event.name}", event.summary, push_schema(event))
        message["description"] = " ".join([KINDS[event.kind], *_channel_of(event)])
        messages[f"push.{event.name}"] = {**message, "x-kind": event.kind, "x-channel": event.channel}
    skip = _message(f"push.{SKIP_MESSAGE}", "Something one may not see stood here.", _skip())
    skip["description"] = "From `seq` to `upto` there is nothing for this client; it counts as seen."
    messages[f"push.{SKIP_MESSAGE}"] = {**skip, "x-kind": "skip", "x-channel": ""}
    return messages


def _channel_of(event: Event) -> list[str]:
    if event.channel not in CHANNEL_KINDS:
        return []
    form, hearers = CHANNEL_KINDS[event.channel]
    return [f"Its channel is `{form}`, heard by {hearers}."]


def _message(name: str, summary: str, payload: Json, *, replied: bool = False) -> Json:
    message: Json = {"name": name, "summary": summary, "payload": payload}
    if replied:
        message["correlationId"] = {"location": "$message.payload#/id"}
    return message


def _error_reply() -> Json:
    return {
        "type": "object",
        "properties": {
            "id": {
                "type": ["integer", "null"],
                "description": "Null where the request had none, or none could be read.",
            },
            "error": {"$ref": "#/components/schemas/Error"},
        },
        "required": ["id", "error"],
    }


def _skip() -> Json:
    properties = {"ch": _CH, "seq": _SEQ, "ev": {"type": "string", "const": "skip"}, "upto": _SEQ}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _channel(messages: list[str]) -> Json:
    return {
        "address": "/gateway",
        "title": "The gateway",
        "description": f"One WebSocket, subprotocol `{SUBPROTOCOL}`.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
    }


def _received(operation: Operation) -> Json:
    return {
        "action": "receive",
        "channel": {"$ref": "#/channels/gateway"},
        "summary": operation.summary,
        "description": describe(operation),
        "tags": [{"name": noun_of(operation.name)}],
        "messages": [_of_channel(operation.name)],
        "reply": {
            "channel": {"$ref": "#/channels/gateway"},
            "messages": [_of_channel(f"{operation.name}.ok"), _of_channel(ERROR_MESSAGE)],
        },
        **facts(operation),
    }


def _sent(event: str, summary: str) -> Json:
    return {
        "action": "send",
        "channel": {"$ref": "#/channels/gateway"},
        "summary": summary,
        "messages": [_of_channel(f"push.{event}")],
    }


def _of_channel(message: str) -> Json:
    return {"$ref": f"#/channels/gateway/messages/{message}"}
