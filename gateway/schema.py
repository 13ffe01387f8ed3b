"""What `/openapi.json`, `/asyncapi.json` and the reference share: the tables of the ground floor as JSON Schema.

Called by `gateway.openapi`, `gateway.asyncapi` and `gateway.reference`. Everything here is a pure function of the
tables in `realtime`; the same tables always give the same documents, in the same order.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from realtime.errors import ERRORS
from realtime.operations import SHARED_ERRORS, Operation, Who
from realtime.settings import Limits, variable_of

Json = dict[str, Any]

TITLE = "Tsudoi"
LICENCE = {"name": "MIT", "identifier": "MIT"}
REF = "#/components/schemas/{name}"

NOUNS = {
    "connection": "The connection itself: who is on it, and whether it lives.",
    "clock": "The server's clock.",
    "session": "Logins of an account.",
    "address": "The mail address of one's account.",
    "invite": "The gate: nobody comes in without one.",
    "account": "People, and the steps by which one becomes one of them.",
    "channel": "Channels of entries, and from where they are heard.",
    "room": "DMs and groups.",
    "message": "Lines of a room.",
    "community": "Places with one interest, open to everybody.",
    "post": "Very short texts, of a community or of a person.",
    "emotext": "Effects by which text moves.",
    "timeline": "Posts by page: of whom one follows, of places, people and threads.",
    "reaction": "Stamps and likes under posts.",
    "notification": "What others did that concerns one.",
    "presence": "Who is here, as far as one may see them.",
    "follow": "Who follows whom.",
    "block": "Whom one blocks.",
    "mute": "Whom one mutes.",
    "recovery": "Ways in without mail.",
    "nickname": "What one calls others, for oneself.",
    "report": "What operators should look at.",
    "support": "Words to the operators.",
}
"""What a noun stands for. A noun without a line here is shown without one."""

LIMITS = {
    "frame_in_bytes_max": "Bytes of one frame to the server, or of one HTTP body.",
    "json_depth_max": "How deeply a request's JSON may nest.",
    "fragments_max": "Fragments of one WebSocket message.",
    "message_graphemes_max": "Grapheme clusters of a message.",
    "message_bytes_max": "UTF-8 bytes of a message.",
    "title_graphemes_max": "Grapheme clusters of a group's title.",
    "group_members_max": "People inside a group.",
    "rooms_per_account_max": "Rooms one account may be inside.",
    "communities_per_account_max": "Communities one account may be inside.",
    "watched_max": "Channels one connection may watch besides.",
    "busy_posts_per_min": "Posts a minute above which a community pauses for who does not watch it; 0: never.",
    "cheers_per_s": "Taps an account gets back each second.",
    "cheers_burst": "Taps an account may make at once.",
    "toasts_per_min": "How often in a minute an account may count down with others.",
    "signal_bytes_max": "Bytes of the data of a signal, as JSON.",
    "requests_per_day_max": "Message requests an account may begin within 24 hours.",
    "follows_max": "Accounts one account may follow.",
    "blocks_max": "Accounts one account may block, and as many to mute; as many exceptions of presence.",
    "recovery_codes": "Recovery codes that are made at a time.",
    "recovery_offer_s": "Age of an account from which recovery codes are offered.",
    "nicknames_max": "People whom one account may give a name of its own.",
    "notifications_max": "Lines of an account's list of notifications that are kept, the newest ones.",
    "reports_per_day_max": "Reports and words to the operators within 24 hours.",
    "bio_graphemes_max": "Grapheme clusters of a bio.",
    "status_graphemes_max": "Grapheme clusters of a status.",
    "report_graphemes_max": "Grapheme clusters of the words of a report.",
    "erase_after_days": "Days between deleting an account and erasing it.",
    "handle_change_days": "Days between two changes of a handle.",
    "nonce_keep_s": "For how long a nonce returns the first result.",
    "connections_max": "Connections of one process; never more than it may have files.",
    "connections_per_account_max": "Connections of one account; one more retires the one silent longest.",
    "connections_per_address_max": "Connections of one address (of one /64); one more is closed with 4429.",
    "handshakes_per_address_per_s": "Handshakes an address gets back each second; beyond it 503 with `Retry-After`.",
    "handshakes_per_address_burst": "Handshakes an address may begin at once.",
    "operations_per_s": "Cost units a connection gets back each second.",
    "operations_burst": "Cost units a connection may spend at once.",
    "refusals_per_10s_max": "`rate_limited` answers within 10 s before the connection is closed.",
    "operations_in_flight_max": "Operations of one connection that may wait for their answers.",
    "queue_bytes_max": "Bytes that may wait for a slow reader.",
    "queue_frames_max": "Frames that may wait for a slow reader.",
    "queue_age_s": "For how long a frame may wait for a slow reader.",
    "picture_bytes_max": "Bytes of a picture that is put up.",
    "picture_pixels_max": "Pixels of a picture that is put up.",
    "picture_edge_max": "Pixels of the longer side of a picture that is kept; larger ones are made smaller.",
    "picture_preview_edge_max": "Pixels of the longer side of a preview.",
    "picture_alt_graphemes_max": "Grapheme clusters that say what is on a picture.",
    "picture_uploads_per_min": "Pictures that an account may put up each minute.",
    "picture_uploads_at_once_max": "Pictures that an account may be putting up at once.",
    "picture_unclaimed_max": "Pictures of an account that nothing shows yet.",
    "picture_unclaimed_s": "For how long a picture waits to be shown.",
    "picture_upload_s": "Time for the bytes of a picture to arrive.",
    "picture_reads_per_s": "Looks at pictures that an account gets back each second.",
    "picture_reads_burst": "Looks at pictures that an account may spend at once.",
    "address_undo_s": "For how long a change of address can be undone.",
    "device_offer_s": "For how long a further device may be let in by what another one shows.",
    "handshake_s": "Time for the HTTP upgrade.",
    "connect_s": "Time for `connect` after `hello`.",
    "ping_interval_s": "Time between two pings.",
    "pong_wait_s": "Time to answer a ping.",
}
"""The limits a client's author should know, of those in `realtime.settings.Limits`."""

ERROR = {
    "title": "Error",
    "description": "Why a request was not granted.",
    "type": "object",
    "properties": {
        "code": {"type": "string", "enum": list(ERRORS), "description": "What a program decides by."},
        "message": {"type": "string", "description": "A sentence for a person."},
        "retry_ms": {
            "type": ["integer", "null"],
            "minimum": 0,
            "description": "How long to wait before trying again, where that is known.",
        },
        "details": {"type": "object", "description": "Facts for a program, such as `at`, `limit`, `used`."},
        "request_id": {"type": "string", "description": "Names this request in the server's log."},
    },
    "required": ["code", "message", "retry_ms", "details", "request_id"],
}


def components(types: Iterable[Any]) -> Json:
    """Types → JSON Schemas of all of them and all they use, by name, in alphabetical order."""
    _, found = msgspec.json.schema_components(list(types), ref_template=REF)
    return {name: _polished(found[name]) for name in sorted(found)}


def reference_to(kind: Any) -> Json:
    """A `$ref` to the schema of a Struct."""
    return {"$ref": REF.format(name=kind.__name__)}


def noun_of(operation: str) -> str:
    """`room.send` → `room`; what has no noun concerns the connection."""
    noun, dot, _ = operation.partition(".")
    return noun if dot else "connection"


def by_noun(operations: Mapping[str, Operation]) -> dict[str, list[Operation]]:
    """Operations under their nouns, both in the order of the table."""
    nouns: dict[str, list[Operation]] = {}
    for operation in operations.values():
        nouns.setdefault(noun_of(operation.name), []).append(operation)
    return nouns


def tags(nouns: Iterable[str]) -> list[Json]:
    """Tag objects, which both document formats write alike."""
    return [{"name": noun, **({"description": NOUNS[noun]} if noun in NOUNS else {})} for noun in nouns]


def errors_of(operation: Operation) -> list[str]:
    """All codes an operation may answer with, in the order of the error table."""
    codes = {*operation.errors, *SHARED_ERRORS}
    if operation.who is Who.ANYONE and operation.name != "connect":
        codes.discard("unauthenticated")
    return [code for code in ERRORS if code in codes]


def error_rows() -> list[Json]:
    """The closed table of error codes."""
    return [
        {"code": row.code, "status": row.status, "temporary": row.temporary, "meaning": row.meaning}
        for row in ERRORS.values()
    ]


def limit_rows(limits: Limits) -> list[Json]:
    """The limits a client's author should know, with the variable that sets each."""
    return [
        {"name": name, "value": getattr(limits, name), "variable": variable_of(name), "meaning": meaning}
        for name, meaning in LIMITS.items()
    ]


def facts(operation: Operation) -> Json:
    """What neither document format has a word for."""
    return {
        "x-who": operation.who.value,
        "x-doors": sorted(door.value for door in operation.doors),
        "x-cost": operation.cost,
        "x-durable": operation.durable,
        "x-errors": errors_of(operation),
    }


def describe(operation: Operation) -> str:
    """A paragraph on how an operation may be used, made from its row."""
    who = "Anyone may call it." if operation.who is Who.ANYONE else "It needs a session."
    lines = [operation.summary, f"{who} It costs {operation.cost:g} of the connection's rate."]
    if operation.durable:
        lines.append("Durable: `ok` is sent only after the database has committed it.")
    return "\n\n".join(lines)


def _polished(schema: Any) -> Any:
    """Docstrings without the indentation of the source; references without siblings, which only the newest
    dialect of JSON Schema reads; enumerations with their type."""
    if isinstance(schema, list):
        return [_polished(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _polished(value) for key, value in schema.items()}
    if isinstance(made.get("description"), str):
        made["description"] = " ".join(inspect.cleandoc(made["description"]).split())
    if "$ref" in made and len(made) > 1:
        made = {"allOf": [{"$ref": made.pop("$ref")}], **made}
    values = made.get("enum")
    if isinstance(values, list) and "type" not in made and all(isinstance(value, str) for value in values):
        made = {"type": "string", **made}
    return made
