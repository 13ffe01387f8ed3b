"""The table of WebSocket close codes (WIRE §6): the range is the verdict."""

from __future__ import annotations

from enum import IntEnum


class Close(IntEnum):
    """Why the server ends a connection. 4000–4099: change the client; 4400–4499: the person must act;
    4500–4599: reconnect with jitter."""

    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    INVALID_TEXT = 1007
    TOO_BIG = 1009
    NOT_THIS_PROTOCOL = 4001
    PROTOCOL_VERSION = 4004
    ABUSIVE_RATE = 4029
    SESSION_INVALID = 4401
    SUSPENDED = 4403
    RETIRED = 4409
    ADDRESS_FULL = 4429
    DRAINING = 4501
    SERVER_ERROR = 4502
    NO_PONG = 4503
    NO_CONNECT = 4504
    TOO_SLOW = 4508


MEANINGS = {
    Close.GOING_AWAY: "the server stops at once",
    Close.PROTOCOL_ERROR: "a frame breaks RFC 6455",
    Close.UNSUPPORTED_DATA: "a binary frame; only text is spoken here",
    Close.INVALID_TEXT: "a text frame is not UTF-8",
    Close.TOO_BIG: "a message is larger than `limits.frame_in_bytes`",
    Close.NOT_THIS_PROTOCOL: "the first frame was not `connect`",
    Close.PROTOCOL_VERSION: "this protocol version is not served",
    Close.ABUSIVE_RATE: "too many refused operations, fragments or control frames",
    Close.SESSION_INVALID: "the session is unknown, revoked or expired",
    Close.SUSPENDED: "the account is suspended",
    Close.RETIRED: "a newer connection of the account took the place of this one",
    Close.ADDRESS_FULL: "too many connections from this address",
    Close.DRAINING: "the node drains",
    Close.SERVER_ERROR: "a fault of the server",
    Close.NO_PONG: "no pong and no traffic in time",
    Close.NO_CONNECT: "no `connect` in time",
    Close.TOO_SLOW: "the reader is too slow, or lost a channel with frames still unsent",
}


def may_retry(code: int) -> bool:
    """True where a client should reconnect with jitter: 4500–4599 and faults of the path (1001, 1006, 1012)."""
    return 4500 <= code <= 4599 or code in (1001, 1006, 1011, 1012, 1013)
