"""What operators do and look at, by the command line. Every act and every look leaves a line (FEATURES §9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from channels.accounts import find_account
from channels.entries import account_back, account_suspended, emit
from channels.invites import end_all_of
from channels.operators import OPERATOR
from channels.post_entries import EVERYONE, author_closed
from channels.rules.accounts import ADMITTED, AccountState
from channels.sessions import end_sessions
from realtime.errors import Refusal
from realtime.ids import AUTHOR, author_channel
from realtime.text import clean_handle
from storage import log, moderation
from storage.accounts import accounts_by_id, bar_invites, set_state
from storage.database import Tx
from storage.invites import brought_by
from storage.moderation import AuditRow, ReportRow

LINES_MAX = 200
BRANCHES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Brought:
    """Somebody in the tree of invites. `depth` 0 is the account asked about."""

    depth: int
    account: str
    handle: str
    state: str
    invite: str
    at: int


def operator_of(tx: Tx, handle: str) -> str:
    """The name an operator's lines carry. Errors: `not_found`, `forbidden`."""
    row = find_account(tx, handle)
    if row.role != OPERATOR:
        raise Refusal("forbidden", f"@{row.handle} is not an operator.")
    return "@" + row.handle


def suspend(tx: Tx, actor: str, handle: str, reason: str) -> str:
    """Suspend an account: its sessions end, its sockets close with 4403. Errors: `not_found`, `conflict`."""
    row = find_account(tx, handle)
    if row.state not in ADMITTED:
        raise Refusal("conflict", f"@{row.handle} is {row.state}.")
    log.lock_made(tx, [author_channel(row.id)], AUTHOR)
    # Held while the state changes, so that nothing of theirs is posted after it.
    emit(tx, [author_closed(row.id, EVERYONE)])
    set_state(tx, row.id, AccountState.SUSPENDED)
    # First why, then that the sessions ended: sockets close with the first they hear.
    emit(tx, [account_suspended(row.id)])
    end_sessions(tx, row.id)
    moderation.audit(tx, actor, "account.suspend", row.id, reason)
    return row.id


def restore(tx: Tx, actor: str, handle: str) -> str:
    """Let a suspended account in again. Errors: `not_found`, `conflict`."""
    row = find_account(tx, handle)
    if row.state != AccountState.SUSPENDED:
        raise Refusal("conflict", f"@{row.handle} is {row.state}.")
    set_state(tx, row.id, AccountState.ACTIVE)
    emit(tx, [account_back(row.id)])
    moderation.audit(tx, actor, "account.restore", row.id)
    return row.id


def change_invites(tx: Tx, actor: str, handle: str, act: str) -> int:
    """`bar`, `allow` or `revoke-all`; how many invites ended. Errors: `not_found`."""
    row = find_account(tx, handle)
    ended = 0
    if act == "revoke-all":
        ended = end_all_of(tx, row.id)
    else:
        bar_invites(tx, row.id, barred=act == "bar")
    moderation.audit(tx, actor, f"invites.{act}", row.id)
    return ended


def tree(tx: Tx, actor: str, handle: str) -> list[Brought]:
    """Who came by whose invites, beginning with one account; depth first. Errors: `not_found`."""
    root = find_account(tx, handle)
    moderation.audit(tx, actor, "account.tree", root.id)
    found = [Brought(0, root.id, root.handle, root.state, "", root.created_at)]
    waiting = [(1, *row) for row in reversed(brought_by(tx, root.id))]
    seen = {root.id}
    while waiting and len(found) < BRANCHES_MAX:
        depth, account, invite, at = waiting.pop()
        if account in seen:
            # Members may redeem invites of people they brought: everyone stands in the tree once.
            continue
        seen.add(account)
        row = accounts_by_id(tx, [account])[account]
        found.append(Brought(depth, row.id, row.handle, row.state, invite, at))
        waiting += [(depth + 1, *child) for child in reversed(brought_by(tx, account))]
    return found


def reports(tx: Tx, actor: str) -> list[ReportRow]:
    """The queue, danger first."""
    moderation.audit(tx, actor, "report.list", "")
    return moderation.open_reports(tx, LINES_MAX)


def report(tx: Tx, actor: str, report_id: str) -> tuple[ReportRow, object]:
    """One report with its evidence; the look is noted with the people concerned. Errors: `not_found`."""
    row = moderation.report_by_id(tx, report_id)
    if row is None:
        raise Refusal("not_found", f"There is no report {report_id}.")
    evidence = orjson.loads(row.evidence)
    moderation.audit(tx, actor, "report.show", _concerned(row, evidence), row.id)
    return row, evidence


def _concerned(row: ReportRow, evidence: dict[str, Any]) -> str:
    """Whose data a look at a report shows: the author of a line, the founder of a room, or the account itself."""
    if row.kind == "account":
        return row.target
    authors = {line["id"]: line["author"] for line in evidence["lines"]}
    return str(authors.get(row.target, evidence["room"]["creator"]))


def audit_lines(tx: Tx, actor: str, handle: str) -> list[AuditRow]:
    """What operators did and looked at; with a handle, to one account. Errors: `not_found`."""
    target = find_account(tx, clean_handle(handle)).id if handle else ""
    found = moderation.audit_lines(tx, target, LINES_MAX)
    moderation.audit(tx, actor, "audit.list", target)
    return found
