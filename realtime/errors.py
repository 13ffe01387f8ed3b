"""The closed table of error codes (WIRE §7) and the one exception that carries them.

Use cases raise `Refusal`; it is caught in exactly two places, the socket door and the HTTP door. Any other
exception is a bug: it is logged with its request id and answered `internal`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One row of the table. `temporary`: the same request may succeed later without being changed."""

    code: str
    status: int
    temporary: bool
    meaning: str


_TABLE = (
    ErrorCode("bad_request", 400, False, "The request is malformed; `details.at` names the place."),
    ErrorCode("unauthenticated", 401, False, "No valid session came with the request."),
    ErrorCode("forbidden", 403, False, "You may know of this, but not do this."),
    ErrorCode("not_found", 404, False, "No such thing, or you may not know of it."),
    ErrorCode("conflict", 409, False, "The nonce was used with other content, or the state has moved on."),
    ErrorCode("rate_limited", 429, True, "Too often; try again after `retry_ms`."),
    ErrorCode(
        "too_large",
        413,
        False,
        "The body is larger than the limit, or a picture has more pixels; details say limit and used.",
    ),
    ErrorCode("text_too_long", 422, False, "The text is longer than the limit; details say limit and used."),
    ErrorCode("text_invalid", 422, False, "The text is empty or has characters that cannot be shown."),
    ErrorCode("bad_picture", 422, False, "This is no picture of a kind that can be read."),
    ErrorCode("emotext_conflict", 422, False, "Two effects of one category."),
    ErrorCode("emotext_unknown", 422, False, "An effect that this server does not know."),
    ErrorCode("invite_required", 403, False, "An account needs an invite."),
    ErrorCode("invite_invalid", 404, False, "The invite cannot be used."),
    ErrorCode("invite_quota", 429, False, "All of your invites are out."),
    ErrorCode("underage", 403, False, "Members are 18 or older."),
    ErrorCode("handle_taken", 409, False, "The handle is taken, or was."),
    ErrorCode("code_wrong", 403, False, "The code is wrong or has expired."),
    ErrorCode("blocked", 403, False, "You block this account."),
    ErrorCode(
        "not_member", 403, False, "Only members may do this; you know of the place, but are not inside."
    ),
    ErrorCode("full", 409, False, "No seat is left; `details.limit` says how many there are."),
    ErrorCode("partner_forbidden", 403, False, "Partner accounts may not do this."),
    ErrorCode("unavailable", 503, True, "The server cannot do this now; try again with the same nonce."),
    ErrorCode("internal", 500, True, "A fault of the server; the request id helps to find it."),
)
ERRORS = {row.code: row for row in _TABLE}


class Refusal(Exception):
    """A request that is understood and not granted.

    `code` is a row of `ERRORS`, `message` a sentence for a person, `retry_ms` the wait before another try,
    `details` JSON values for a program.
    """

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        retry_ms: int | None = None,
        **details: Any,
    ) -> None:
        row = ERRORS[code]
        super().__init__(code)
        self.code = code
        self.message = message or row.meaning
        self.retry_ms = retry_ms
        self.details = details

    def body(self, request_id: str) -> dict[str, Any]:
        """The error object of WIRE §2."""
        return {
            "code": self.code,
            "message": self.message,
            "retry_ms": self.retry_ms,
            "details": self.details,
            "request_id": request_id,
        }
