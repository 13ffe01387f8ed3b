"""Reports, words to the operators, and the record of what operators did."""

from __future__ import annotations

from typing import NamedTuple

from storage.database import Tx, first


class ReportRow(NamedTuple):
    """`evidence` is JSON of what the reported thing looked like. `reporter` is null once that account is erased."""

    id: str
    reporter: str | None
    kind: str
    target: str
    reason: str
    words: str
    evidence: str
    state: str
    at: int


class AuditRow(NamedTuple):
    """One act or look of an operator. `target` is an id, `detail` a few words."""

    id: str
    actor: str
    act: str
    target: str
    detail: str
    at: int


_REPORT = ", ".join(ReportRow._fields)
_AUDIT = ", ".join(AuditRow._fields)


def insert_report(tx: Tx, row: ReportRow) -> None:
    """Keep a report."""
    names = ", ".join(f":{name}" for name in ReportRow._fields)
    tx.rows(f"insert into report ({_REPORT}) values ({names})", **row._asdict())


def open_reports(tx: Tx, limit: int) -> list[ReportRow]:
    """The operators' queue: danger first, then underage, then the eldest."""
    rows = tx.rows(
        f"select {_REPORT} from report where state = 'open' order by case reason when 'danger' then 0"
        " when 'underage' then 1 else 2 end, at, id limit :most",
        most=limit,
    )
    return [ReportRow(*row) for row in rows]


def report_by_id(tx: Tx, report: str) -> ReportRow | None:
    """One report."""
    row = first(tx.rows(f"select {_REPORT} from report where id = :id", id=report))
    return ReportRow(*row) if row else None


def insert_support(tx: Tx, account: str, words: str, request_id: str) -> str:
    """Keep a word to the operators; its id."""
    made = tx.new_id()
    tx.rows(
        "insert into support (id, account, words, request_id, state, at)"
        " values (:id, :account, :words, :request_id, 'open', :at)",
        id=made,
        account=account,
        words=words,
        request_id=request_id,
        at=tx.now_ms(),
    )
    return made


def count_filed_since(tx: Tx, account: str, since_ms: int) -> int:
    """How many reports and words to the operators an account has sent since then."""
    rows = tx.rows(
        "select (select count(*) from report where reporter = :me and at >= :since)"
        " + (select count(*) from support where account = :me and at >= :since)",
        me=account,
        since=since_ms,
    )
    return int(rows[0][0])


def audit(tx: Tx, actor: str, act: str, target: str, detail: str = "") -> None:
    """Note an act or a look; the line stays."""
    tx.rows(
        "insert into audit (id, actor, act, target, detail, at) values (:id, :actor, :act, :target, :detail, :at)",
        id=tx.new_id(),
        actor=actor,
        act=act,
        target=target,
        detail=detail,
        at=tx.now_ms(),
    )


def audit_lines(tx: Tx, target: str, limit: int) -> list[AuditRow]:
    """The newest lines, the eldest of them first; `target` '' means of everybody."""
    rows = tx.rows(
        f"select {_AUDIT} from audit where (:target = '' or target = :target) order by id desc limit :most",
        target=target,
        most=limit,
    )
    return [AuditRow(*row) for row in rows[::-1]]
