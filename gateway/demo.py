"""The demo: a few people in a group room, and a page that lets whoever holds the printed link be one of them.

Only on loopback (the settings refuse anything else) and only with the key of the link, so that other users of the
same machine, and pages of other origins, stay outside.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from channels import accounts, messages, rooms
from channels.cards import account_card
from channels.desk import Actor, Desk
from gateway.answers import Answer, answer
from gateway.auth import check_origin, set_cookie
from gateway.bodies import read_body
from gateway.http import node_of, respond
from gateway.node import Node
from realtime.errors import Refusal
from realtime.operations import Request as Shape
from realtime.operations import decode_request
from realtime.requests import RoomCreate, RoomSend
from realtime.text import fold_address
from storage.accounts import account_by_handle, keep_meta_once, meta
from storage.database import Tx
from storage.mail import KeptMailer

PEOPLE = (("aki", "あき"), ("haru", "はる"), ("mio", "みお"), ("ken", "けん"))
TITLE = "はじめての集い"
LINES = (
    ("aki", "集まれた!"),
    ("haru", "はや。いま帰りの電車"),
    ("mio", "今日の月、見た?"),
    ("ken", "見た。でかい"),
)
KEY_NAME = "demo_key"


class DemoSession(Shape, frozen=True, kw_only=True):
    """Be one of the demo people."""

    key: str
    handle: str = ""


class DemoMails(Shape, frozen=True, kw_only=True):
    """Read the mails that were kept instead of sent: those to an address, or all."""

    key: str
    address: str = ""


T = TypeVar("T", DemoSession, DemoMails)
_decoder = msgspec.json.Decoder(DemoSession)
_mails_decoder = msgspec.json.Decoder(DemoMails)


def routes() -> list[BaseRoute]:
    """Routes that exist in the demo only."""
    return [
        Route("/demo/people", _people, methods=["POST"]),
        Route("/demo/session", _session, methods=["POST"]),
        Route("/demo/mails", _mails, methods=["POST"]),
    ]


async def prepare(desk: Desk) -> bool:
    """Make the demo people and their room on first start. False if they are there already."""
    key = secrets.token_urlsafe(16)
    if not await desk.db.write(lambda tx: _make(tx, key)):
        return False
    await _talk(desk)
    return True


async def link_key(desk: Desk) -> str:
    """The key of the printed link."""
    return await desk.db.read(lambda tx: meta(tx, KEY_NAME) or "")


def _make(tx: Tx, key: str) -> bool:
    if keep_meta_once(tx, KEY_NAME, key) != key:
        return False
    for handle, name in PEOPLE:
        if account_by_handle(tx, handle) is None:
            accounts.create_account(tx, handle, name, "demo")
    for a, _ in PEOPLE:
        for b, _ in PEOPLE:
            if a != b:
                accounts.follow(tx, a, b)
    return True


async def _talk(desk: Desk) -> None:
    people = {handle: await _actor(desk, handle) for handle, _ in PEOPLE}
    others = [actor.account for handle, actor in people.items() if handle != "aki"]
    request = RoomCreate(title=TITLE, nonce="demo", accounts=others)
    room = await rooms.create(desk, people["aki"], request)
    for number, (handle, text) in enumerate(LINES):
        await messages.send(desk, people[handle], RoomSend(room=room.id, text=text, nonce=f"demo-{number}"))


async def _actor(desk: Desk, handle: str) -> Actor:
    row = await desk.db.read(lambda tx: accounts.find_account(tx, handle))
    return Actor(row.id, "")


async def _people(request: Request) -> Response:
    node = node_of(request)
    return respond(await answer(_list(node, request), "demo.people", node.request_ids))


async def _list(node: Node, request: Request) -> Any:
    await _checked(node, request, _decoder)
    rows = await node.desk.db.read(lambda tx: [accounts.find_account(tx, handle) for handle, _ in PEOPLE])
    return {"people": [account_card(row) for row in rows]}


async def _session(request: Request) -> Response:
    node = node_of(request)
    outcome = await answer(_begin(node, request), "demo.session", node.request_ids)
    if outcome.error is not None:
        return respond(outcome)
    token, card = outcome.result
    response = respond(Answer({"account": card}))
    set_cookie(response, token, node.settings)
    return response


async def _begin(node: Node, request: Request) -> Any:
    body = await _checked(node, request, _decoder)

    def unit(tx: Tx) -> Any:
        if body.handle not in dict(PEOPLE):
            raise Refusal("not_found")
        row = accounts.find_account(tx, body.handle)
        _, token = accounts.create_session(tx, row.id, "demo page")
        return token, account_card(row)

    return await node.desk.db.write(unit)


async def _mails(request: Request) -> Response:
    node = node_of(request)
    return respond(await answer(_kept(node, request), "demo.mails", node.request_ids))


async def _kept(node: Node, request: Request) -> Any:
    body = await _checked(node, request, _mails_decoder)
    if not isinstance(node.mailer, KeptMailer):
        raise Refusal("not_found")
    address = fold_address(body.address) if body.address else ""
    found = [mail for mail in reversed(node.mailer.mails) if address in ("", mail.to)]
    return {"mails": [{"to": mail.to, "subject": mail.subject, "text": mail.text} for mail in found]}


async def _checked(node: Node, request: Request, decoder: msgspec.json.Decoder[T]) -> T:
    check_origin(request, node.settings)
    body: T = decode_request(decoder, await read_body(request, 4_096), "$")
    if not hmac.compare_digest(body.key.encode(), (await link_key(node.desk)).encode()):
        raise Refusal("forbidden", "Open the link that was printed at the start.")
    return body
