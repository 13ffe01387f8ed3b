"""The OpenAPI 3.1 document of the HTTP door, made from the operations table.

Called by the HTTP door for `/openapi.json` and by the tests. A pure function: equal tables give equal documents.
"""

from __future__ import annotations

from typing import Any

from gateway.schema import (
    ERROR,
    LICENCE,
    TITLE,
    Json,
    by_noun,
    components,
    describe,
    error_rows,
    errors_of,
    facts,
    limit_rows,
    noun_of,
    reference_to,
    tags,
)
from realtime.errors import ERRORS
from realtime.operations import Door, Operation, Who
from realtime.posts import PostRef
from realtime.requests import PictureRef, Uploaded
from realtime.settings import Limits
from realtime.table import OPERATIONS

SESSION_COOKIE = "tsudoi_session"
HTTP_ERRORS = ("too_large",)
SESSION_ERRORS = ("forbidden",)
"""Over HTTP every request shows its session: a suspended account or a foreign `Origin` is refused here."""

DESCRIPTION = """\
The HTTP door of Tsudoi. Every operation is `POST /api/v1/<operation>` with a JSON object, and answers 200 with \
`{"ok": …}` or a fitting status with `{"error": …}`. The same operations run over the WebSocket of `/gateway`, \
which `/asyncapi.json` describes; `docs/protocol.md` tells how the two belong together."""

PLAIN = (
    ("/healthz", "The process lives.", ((200, "It does."),)),
    (
        "/readyz",
        "The node may be given connections.",
        ((200, "It may; `degraded` where the courier is down."), (503, "Starting, draining, or cut off.")),
    ),
    ("/openapi.json", "This document.", ((200, "OpenAPI 3.1."),)),
    ("/asyncapi.json", "The document of the WebSocket door.", ((200, "AsyncAPI 3.0."),)),
)


def openapi_document(version: str, limits: Limits) -> Json:
    """The whole document; `version` is that of the server."""
    served = {name: each for name, each in OPERATIONS.items() if Door.HTTP in each.doors}
    types = [kind for each in served.values() for kind in (each.request, each.result)]
    paths: Json = {f"/api/v1/{name}": {"post": _operation(each)} for name, each in served.items()}
    paths.update({path: {"get": _plain(path, summary, answers)} for path, summary, answers in PLAIN})
    paths["/export"] = {"post": _export()}
    paths["/media"] = {"post": _upload(limits)}
    paths["/media/{picture}"] = {
        "get": _look("plain.picture", "A picture, for whoever may see what shows it.")
    }
    paths["/media/{picture}/preview"] = {"get": _look("plain.preview", "A small one of it.")}
    paths["/posts/{post}.svg"] = {
        "get": _drawn("plain.moving_post", "post", "A post that moves, as an animated picture.")
    }
    paths["/emotext/{signed}.svg"] = {
        "get": _drawn("plain.moving_preview", "signed", "What `emotext.preview` showed, for ten minutes.")
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": version, "description": DESCRIPTION, "license": LICENCE},
        "servers": [{"url": "/"}],
        "tags": [
            *tags(by_noun(served)),
            {"name": "plain", "description": "Plain pages for probes and tools."},
        ],
        "paths": paths,
        "components": {
            "schemas": {**components([*types, Uploaded]), "Error": ERROR},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A session's token, for apps and bots.",
                },
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": SESSION_COOKIE,
                    "description": "An HttpOnly, SameSite cookie, for browsers; `Origin` is checked.",
                },
            },
        },
        "x-error-codes": error_rows(),
        "x-limits": limit_rows(limits),
    }


def http_errors_of(operation: Operation) -> list[str]:
    """All codes an operation may answer with over HTTP, in the order of the error table."""
    more = HTTP_ERRORS if operation.who is Who.ANYONE else (*HTTP_ERRORS, *SESSION_ERRORS)
    codes = {*errors_of(operation), *more}
    return [code for code in ERRORS if code in codes]


def _operation(operation: Operation) -> Json:
    document: Json = {
        "operationId": operation.name,
        "tags": [noun_of(operation.name)],
        "summary": operation.summary,
        "description": describe(operation),
        "security": [] if operation.who is Who.ANYONE else [{"bearer": []}, {"cookie": []}],
        "requestBody": {"required": True, "content": _json(reference_to(operation.request))},
        "responses": {"200": {"description": "Done.", "content": _json(_ok(operation))}},
    }
    by_status: dict[int, list[str]] = {}
    for code in http_errors_of(operation):
        by_status.setdefault(ERRORS[code].status, []).append(code)
    for status in sorted(by_status):
        document["responses"][str(status)] = _refusal(by_status[status])
    return {**document, **facts(operation)}


def _ok(operation: Operation) -> Json:
    return {"type": "object", "properties": {"ok": reference_to(operation.result)}, "required": ["ok"]}


def _refusal(codes: list[str]) -> Json:
    error = {
        "allOf": [
            {"$ref": "#/components/schemas/Error"},
            {"type": "object", "properties": {"code": {"enum": codes}}},
        ]
    }
    return {
        "description": "\n\n".join(f"`{code}`: {ERRORS[code].meaning}" for code in codes),
        "content": _json({"type": "object", "properties": {"error": error}, "required": ["error"]}),
    }


def _json(schema: Json) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _export() -> Json:
    """The one answer that is no JSON: one's own data, packed."""
    codes = ("unauthenticated", "forbidden", "rate_limited", "unavailable", "internal")
    return {
        "operationId": "plain.export",
        "tags": ["plain"],
        "summary": "One's own data as a zip.",
        "security": [{"bearer": []}, {"cookie": []}],
        "responses": {
            "200": {"description": "The archive.", "content": {"application/zip": {}}},
            **{str(ERRORS[code].status): _refusal([code]) for code in codes},
        },
    }


UPLOAD_ERRORS = (
    "unauthenticated",
    "forbidden",
    "full",
    "rate_limited",
    "too_large",
    "bad_picture",
    "unavailable",
    "internal",
)
LOOK_ERRORS = ("unauthenticated", "forbidden", "not_found", "rate_limited", "unavailable", "internal")


def _upload(limits: Limits) -> Json:
    """The one request that is no JSON: the bytes of a picture."""
    bounds = f"At most {limits.picture_bytes_max} bytes and {limits.picture_pixels_max} pixels."
    ok = {"type": "object", "properties": {"ok": reference_to(Uploaded)}, "required": ["ok"]}
    return {
        "operationId": "plain.upload",
        "tags": ["plain"],
        "summary": "Put up a picture that a post or message will show.",
        "description": f"The body is the file itself: JPEG, PNG, WebP, AVIF, or GIF, of which the first image counts. {bounds}",
        "security": [{"bearer": []}, {"cookie": []}],
        "requestBody": {"required": True, "content": {"application/octet-stream": {}}},
        "responses": {
            "200": {"description": "What was made of it.", "content": _json(ok)},
            **_refusals(UPLOAD_ERRORS),
        },
    }


def _look(name: str, summary: str) -> Json:
    """Bytes of a picture."""
    schema = components([PictureRef])["PictureRef"]["properties"]["id"]
    return {
        "operationId": name,
        "tags": ["plain"],
        "summary": summary,
        "security": [{"bearer": []}, {"cookie": []}],
        "parameters": [{"name": "picture", "in": "path", "required": True, "schema": schema}],
        "responses": {
            "200": {"description": "The picture.", "content": {"image/webp": {}}},
            "304": {"description": "The browser has it, and may still show it."},
            **_refusals(LOOK_ERRORS),
        },
    }


def _drawn(name: str, what: str, summary: str) -> Json:
    """An animated picture: of a post for who may read it, of a preview for who holds its signed id."""
    open_to_all = what == "signed"
    schema = {"type": "string"} if open_to_all else components([PostRef])["PostRef"]["properties"]["post"]
    codes = tuple(
        code for code in LOOK_ERRORS if not open_to_all or code not in ("unauthenticated", "forbidden")
    )
    return {
        "operationId": name,
        "tags": ["plain"],
        "summary": summary,
        "security": [] if open_to_all else [{"bearer": []}, {"cookie": []}],
        "parameters": [{"name": what, "in": "path", "required": True, "schema": schema}],
        "responses": {
            "200": {"description": "The picture.", "content": {"image/svg+xml": {}}},
            **_refusals(codes),
        },
    }


def _refusals(codes: tuple[str, ...]) -> Json:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(ERRORS[code].status, []).append(code)
    return {str(status): _refusal(by_status[status]) for status in sorted(by_status)}


def _plain(path: str, summary: str, answers: tuple[tuple[int, str], ...]) -> Json:
    return {
        "operationId": "plain." + path.strip("/").partition(".")[0],
        "tags": ["plain"],
        "summary": summary,
        "security": [],
        "responses": {str(status): {"description": meaning} for status, meaning in answers},
    }
