"""The tables of `docs/protocol.md`, made from the code.

`python -m gateway.reference` rewrites what stands between `<!-- generated:NAME -->` and `<!-- /generated -->`;
with `--check` it writes nothing and fails if anything would change. The prose around the tables is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import msgspec

from gateway.asyncapi import CHANNEL_KINDS, close_rows
from gateway.schema import NOUNS, Json, by_noun, components, error_rows, errors_of, limit_rows
from realtime import (
    cheers,
    emotext,
    gate,
    models,
    notifications,
    posts,
    presence,
    reactions,
    relations,
    requests,
)
from realtime.events import EVENTS
from realtime.operations import ID_MAX, SHARED_ERRORS, Door, Operation
from realtime.settings import Limits
from realtime.table import OPERATIONS

PAGE = Path("docs/protocol.md")
BLOCK = re.compile(r"(<!-- generated:([a-z_]+) -->\n).*?(<!-- /generated -->)", re.DOTALL)
SHAPES = (
    models.AccountCard,
    models.RoomCard,
    models.Room,
    models.RoomMember,
    models.Message,
    models.Line,
    models.Picture,
    requests.Uploaded,
    models.SystemLine,
    posts.Community,
    posts.Post,
    posts.PostCounts,
    posts.OwnReactions,
    posts.Discovered,
    reactions.Reaction,
    reactions.StampNames,
    emotext.EmotextEffect,
    emotext.EmotextProgram,
    emotext.EmotextMovement,
    emotext.EmotextFrame,
    emotext.EmotextMark,
    emotext.EmotextGround,
    emotext.EmotextShape,
    emotext.EmotextScore,
    emotext.EmotextLayer,
    models.ChannelPosition,
    models.Badges,
    notifications.Notification,
    notifications.Badge,
    notifications.NotificationSwitch,
    gate.Invite,
    gate.InvitePreview,
    gate.Session,
    relations.Profile,
    relations.Relation,
    relations.Nickname,
    relations.Preferences,
    presence.Presence,
    presence.Here,
    presence.PresenceException,
)
ENUMS = (
    models.RoomKind,
    models.RoomState,
    models.MemberState,
    models.Reading,
    posts.Role,
    posts.Mask,
    posts.Timeline,
    reactions.Stamp,
    reactions.ReactionKind,
    emotext.EmotextCategory,
    emotext.EmotextMirror,
    cheers.ToastKind,
    notifications.NotificationKind,
    gate.InviteKind,
    gate.Audience,
    gate.WriteFrom,
    relations.FollowState,
    relations.FollowLists,
    relations.ReportKind,
    relations.ReportReason,
    requests.Coming,
    presence.PresenceState,
    presence.Seen,
)
_SHARED = frozenset(each.__name__ for each in (*SHAPES, *ENUMS))
_ID_PATTERN = next(meta.pattern for meta in get_args(requests.Id) if isinstance(meta, msgspec.Meta))
BOUNDS = {
    "characters": ("minLength", "maxLength"),
    "items": ("minItems", "maxItems"),
    "entries": ("minProperties", "maxProperties"),
    "": ("minimum", "maximum"),
}
_PLACES = {Door.SOCKET: "socket", Door.HTTP: "HTTP"}


class Drift(Exception):
    """The page has a block whose name no table has, or lacks a table."""


def rewritten(page: str) -> str:
    """The page with its tables made anew. Raises `Drift`."""
    names = [match.group(2) for match in BLOCK.finditer(page)]
    if sorted(names) != sorted(TABLES):
        odd = sorted(set(names) ^ set(TABLES)) or "one stands there twice"
        raise Drift(f"{PAGE} and the tables differ in their names: {odd}")
    return BLOCK.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n\n{found[3]}", page)


def operations_table() -> str:
    """All operations at a glance."""
    rows = [
        [
            f"[`{each.name}`](#{anchor(each.name)})",
            doors(each),
            each.who.value,
            f"{each.cost:g}",
            "yes" if each.durable else "",
            each.summary,
        ]
        for each in OPERATIONS.values()
    ]
    return table(["Operation", "Doors", "Who", "Cost", "Durable", "What it does"], rows)


def operations_in_full() -> str:
    """Every operation with its fields."""
    parts = []
    for noun, operations in by_noun(OPERATIONS).items():
        parts.append(f"### Operations: {noun}")
        if noun in NOUNS:
            parts.append(NOUNS[noun])
        parts += [section(operation) for operation in operations]
    return "\n\n".join(parts)


def section(operation: Operation) -> str:
    """One operation: what it does, its request, its result, its errors."""
    request, result = operation.request, operation.result
    schemas = components([request, result])
    nested = [name for name in components([request]) if name not in {request.__name__, *_SHARED}]
    facts = [f"{doors(operation)}", operation.who.value, f"cost {operation.cost:g}"]
    facts += ["durable"] if operation.durable else []
    parts = [f"#### `{operation.name}`", f"{operation.summary} *({', '.join(facts)})*"]
    parts.append(f"**Request.** {schemas[request.__name__]['description']}")
    if schemas[request.__name__]["properties"]:
        parts.append(fields(schemas[request.__name__], bounds=True))
    for name in nested:
        parts += [f"`{name}`: {schemas[name]['description']}", fields(schemas[name], bounds=True)]
    if result in SHAPES:
        parts.append(f"**Result.** [`{result.__name__}`](#{anchor(result.__name__)})")
    else:
        parts.append(f"**Result.** {schemas[result.__name__]['description']}")
        if schemas[result.__name__]["properties"]:
            parts.append(fields(schemas[result.__name__], bounds=False))
    own = [code for code in errors_of(operation) if code not in SHARED_ERRORS]
    parts.append("**Errors.** " + (", ".join(f"`{code}`" for code in own) or "The shared ones only") + ".")
    return "\n\n".join(parts)


def events_table() -> str:
    """All events, with what they carry."""
    payloads = components([event.payload for event in EVENTS.values()])
    rows = []
    for event in EVENTS.values():
        shape = payloads[event.payload.__name__]
        carried = ", ".join(f"`{name}` {kind(each)}" for name, each in shape["properties"].items())
        rows.append([f"`{event.name}`", event.kind, event.channel, event.summary, carried or "nothing"])
    return table(["Event", "Kind", "Channel", "When", "`d` carries"], rows)


def channels_table() -> str:
    """The kinds of channels."""
    rows = [[name, f"`{form}`", hearers] for name, (form, hearers) in CHANNEL_KINDS.items()]
    return table(["Kind", "Name", "Heard by"], rows)


def shapes() -> str:
    """The shapes that results and events share."""
    schemas = components([*SHAPES, *ENUMS])
    parts = []
    for shape in SHAPES:
        schema = schemas[shape.__name__]
        parts += [f"#### `{shape.__name__}`", schema["description"], fields(schema, bounds=False)]
    for values in ENUMS:
        schema = schemas[values.__name__]
        listed = ", ".join(f"`{value.value}`" for value in values)
        parts += [f"#### `{values.__name__}`", f"{schema['description']} One of {listed}."]
    return "\n\n".join(parts)


def errors_table() -> str:
    """The closed list of error codes."""
    rows = [
        [f"`{row['code']}`", str(row["status"]), "yes" if row["temporary"] else "", row["meaning"]]
        for row in error_rows()
    ]
    return table(["Code", "HTTP status", "Temporary", "Meaning"], rows)


def shared_errors() -> str:
    """The codes any operation may answer with."""
    return ", ".join(f"`{code}`" for code in SHARED_ERRORS)


def closes_table() -> str:
    """The closed list of close codes."""
    rows = [[str(row["code"]), "yes" if row["retry"] else "no", row["meaning"]] for row in close_rows()]
    return table(["Code", "Reconnect by itself", "Meaning"], rows)


def limits_table() -> str:
    """The limits, as they are unless the operator sets others."""
    rows = [
        [f"`{row['name']}`", f"{row['value']:,}".removesuffix(".0"), row["meaning"]]
        for row in limit_rows(Limits())
    ]
    return table(["Limit", "Unless set otherwise", "Meaning"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "operations": operations_table,
    "operations_in_full": operations_in_full,
    "channels": channels_table,
    "events": events_table,
    "shapes": shapes,
    "errors": errors_table,
    "shared_errors": shared_errors,
    "closes": closes_table,
    "limits": limits_table,
}


def fields(schema: Json, *, bounds: bool) -> str:
    """The fields of an object; requests also say what is required and what is assumed."""
    rows = []
    required = schema.get("required", [])
    for name, each in schema["properties"].items():
        note = note_of(each)
        if bounds:
            rows.append([f"`{name}`", kind(each), "yes" if name in required else assumed(each), note])
        else:
            rows.append([f"`{name}`", kind(each), note])
    head = ["Field", "Type", "Required", "Note"] if bounds else ["Field", "Type", "Note"]
    if not any(row[-1] for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    return table(head, rows)


def assumed(schema: Json) -> str:
    """What a field left out stands for."""
    default = schema.get("default")
    return "no" if default is None else f"no; `{msgspec.json.encode(default).decode()}`"


def note_of(schema: Json) -> str:
    """A field's own description, looked for beneath `null` too; ids are told by their type."""
    for each in (schema, *schema.get("anyOf", [])):
        if "description" in each and each.get("pattern") != _ID_PATTERN:
            return str(each["description"])
    return ""


def kind(schema: Json) -> str:
    """A JSON Schema in a few words, with its bounds."""
    match schema:
        case {"$ref": ref}:
            name = str(ref).rpartition("/")[2]
            return f"`{name}`"
        case {"allOf": [only]}:
            return kind(only)
        case {"anyOf": choices}:
            return " or ".join("null" if each == {"type": "null"} else kind(each) for each in choices)
        case {"type": "array"}:
            return f"list of {kind(schema['items'])}{span(schema, 'items')}"
        case {"type": "object"}:
            inner = schema.get("additionalProperties")
            values = f"map from string to {kind(inner)}" if inner else "object"
            return values + span(schema, "entries")
        case {"pattern": pattern} if pattern == _ID_PATTERN:
            return "id"
        case {"type": "string"}:
            return "string" + span(schema, "characters")
        case {"type": "integer"}:
            return "integer" + span(schema, "")
    return str(schema.get("type", "any"))


def span(schema: Json, unit: str) -> str:
    """The bounds of a schema in a few characters; nothing where there are none."""
    low, high = BOUNDS[unit]
    least, most = schema.get(low), schema.get(high)
    if least is None and most is None:
        return ""
    if least is None or least == most:
        bounds = f"{'≤ ' if least is None else ''}{number(most)}"
    else:
        bounds = f"≥ {number(least)}" if most is None else f"{number(least)}–{number(most)}"
    return f", {bounds} {unit}" if unit else f" {bounds}"


def number(value: Any) -> str:
    """A bound as people read it."""
    return "2⁵³−1" if value == ID_MAX else f"{value:,}"


def doors(operation: Operation) -> str:
    """Where an operation may be called."""
    return " + ".join(words for door, words in _PLACES.items() if door in operation.doors)


def anchor(name: str) -> str:
    """The anchor that Markdown renderers give a heading of one name."""
    return name.lower().replace(".", "")


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines)


def main(arguments: list[str]) -> int:
    """See the module. Returns the exit status."""
    page = PAGE.read_text(encoding="utf-8")
    made = rewritten(page)
    if made == page:
        return 0
    if "--check" in arguments:
        sys.stderr.write(f"{PAGE} is not what the code says; run: python -m gateway.reference\n")
        return 1
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
