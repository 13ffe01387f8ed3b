"""The closed lists of error and close codes, as the wire contract fixes them."""

from __future__ import annotations

import msgspec
import pytest

from realtime.closes import MEANINGS, Close, may_retry
from realtime.errors import ERRORS, Refusal

STATUSES = {
    "bad_request": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "rate_limited": 429,
    "too_large": 413,
    "text_too_long": 422,
    "text_invalid": 422,
    "bad_picture": 422,
    "emotext_conflict": 422,
    "emotext_unknown": 422,
    "invite_required": 403,
    "invite_invalid": 404,
    "invite_quota": 429,
    "underage": 403,
    "handle_taken": 409,
    "code_wrong": 403,
    "blocked": 403,
    "not_member": 403,
    "full": 409,
    "partner_forbidden": 403,
    "unavailable": 503,
    "internal": 500,
}
CLOSES = {
    1001,
    1002,
    1003,
    1007,
    1009,
    4001,
    4004,
    4029,
    4401,
    4403,
    4409,
    4429,
    4501,
    4502,
    4503,
    4504,
    4508,
}


def test_the_list_of_errors_is_closed() -> None:
    assert {code: row.status for code, row in ERRORS.items()} == STATUSES
    assert {code for code, row in ERRORS.items() if row.temporary} == {
        "rate_limited",
        "unavailable",
        "internal",
    }
    assert all(row.code == code and row.meaning.endswith(".") for code, row in ERRORS.items())


def test_the_list_of_closes_is_closed_and_told() -> None:
    assert {int(code) for code in Close} == CLOSES
    assert set(MEANINGS) == set(Close)
    assert all(MEANINGS.values())


@pytest.mark.parametrize("code", list(Close))
def test_the_range_is_the_verdict(code: Close) -> None:
    if code < 2000:
        assert may_retry(code) is (code is Close.GOING_AWAY)
    else:
        assert 4000 <= code <= 4099 or 4400 <= code <= 4499 or 4500 <= code <= 4599
        assert may_retry(code) is (4500 <= code <= 4599)


@pytest.mark.parametrize(
    ("code", "retry"),
    [(1000, False), (1005, False), (1006, True), (1012, True), (4499, False), (4500, True), (4600, False)],
)
def test_codes_of_the_path(code: int, retry: bool) -> None:
    assert may_retry(code) is retry


def test_a_refusal_says_all_that_the_wire_wants() -> None:
    refusal = Refusal("rate_limited", retry_ms=40, limit=5)
    body = refusal.body("r-1")
    assert body == {
        "code": "rate_limited",
        "message": ERRORS["rate_limited"].meaning,
        "retry_ms": 40,
        "details": {"limit": 5},
        "request_id": "r-1",
    }
    assert msgspec.json.decode(msgspec.json.encode(body)) == body
    assert Refusal("full", "No seat.").body("")["message"] == "No seat."


def test_a_code_outside_the_list_is_a_bug() -> None:
    with pytest.raises(KeyError):
        Refusal("teapot")
