"""The command line of operators: suspend, restore, invites, who came by whom, reports, audit.

Registered by `gateway.cli`. Every command writes who asked for what; `--operator` names an operator's account, else
the line carries the name of the user of this machine.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

# Nothing else of ours is imported before `main` has looked whether it is ours.
if TYPE_CHECKING:
    from storage.database import Tx

T = TypeVar("T")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
operator_option = click.option("--operator", default="", help="The handle of the operator who asks.")


def work(operator: str, unit: Callable[[Tx, str], T]) -> T:
    """Run a unit on the database, on behalf of an operator; complaints become one line."""
    from channels.oversight import operator_of
    from gateway.cli import guarded, read_settings
    from gateway.offline import with_desk

    def whole(tx: Tx) -> T:
        actor = operator_of(tx, operator) if operator else "cli:" + getpass.getuser()
        return unit(tx, actor)

    return guarded(lambda: with_desk(read_settings(), lambda desk: desk.db.write(whole)))


def tell(as_json: bool, facts: Any, text: str) -> None:
    """Print for a machine or for a person."""
    from gateway.cli import say

    say(as_json, facts, text)


@click.command("suspend")
@click.argument("handle")
@click.option("--reason", required=True, help="Why; kept with the act.")
@operator_option
@json_option
def account_suspend(handle: str, reason: str, operator: str, as_json: bool) -> None:
    """Suspend HANDLE: all sessions end, all sockets close."""
    from channels import oversight

    found = work(operator, lambda tx, actor: oversight.suspend(tx, actor, handle, reason))
    tell(as_json, {"account": found, "state": "suspended"}, f"@{handle.removeprefix('@')} is suspended.")


@click.command("restore")
@click.argument("handle")
@operator_option
@json_option
def account_restore(handle: str, operator: str, as_json: bool) -> None:
    """Let the suspended HANDLE in again."""
    from channels import oversight

    found = work(operator, lambda tx, actor: oversight.restore(tx, actor, handle))
    tell(as_json, {"account": found, "state": "active"}, f"@{handle.removeprefix('@')} may come in again.")


@click.command("invites")
@click.argument("handle")
@click.option("--bar", "act", flag_value="bar", help="May not invite any more.")
@click.option("--allow", "act", flag_value="allow", help="May invite again.")
@click.option(
    "--revoke-all", "act", flag_value="revoke-all", help="End all invites that could still be used."
)
@operator_option
@json_option
def account_invites(handle: str, act: str | None, operator: str, as_json: bool) -> None:
    """Bar HANDLE from inviting, allow it, or end all of its invites."""
    from channels import oversight

    if act is None:
        raise click.UsageError("Say --bar, --allow or --revoke-all.")
    ended = work(operator, lambda tx, actor: oversight.change_invites(tx, actor, handle, act))
    tell(as_json, {"handle": handle, "act": act, "ended": ended}, f"@{handle}: {act}, {ended} invites ended.")


@click.command("tree")
@click.argument("handle")
@operator_option
@json_option
def account_tree(handle: str, operator: str, as_json: bool) -> None:
    """Show who came by HANDLE's invites, and by theirs."""
    from channels import oversight

    found = work(operator, lambda tx, actor: oversight.tree(tx, actor, handle))
    lines = ["  " * row.depth + f"@{row.handle} ({row.state})" for row in found]
    tell(as_json, {"tree": found}, "\n".join(lines))


@click.group("report")
def report() -> None:
    """Look at what members reported."""


@report.command("list")
@operator_option
@json_option
def report_list(operator: str, as_json: bool) -> None:
    """Show the open reports, danger first."""
    from channels import oversight

    found = work(operator, oversight.reports)
    facts = [{**row._asdict(), "evidence": None} for row in found]
    lines = [f"{row.id}  {row.reason:<9}  {row.kind:<7}  {row.target}" for row in found]
    tell(as_json, {"reports": facts}, "\n".join(lines) or "Nothing is reported.")


@report.command("show")
@click.argument("report_id", metavar="ID")
@operator_option
@json_option
def report_show(report_id: str, operator: str, as_json: bool) -> None:
    """Show one report with its evidence."""
    import orjson

    from channels import oversight

    row, evidence = work(operator, lambda tx, actor: oversight.report(tx, actor, report_id))
    facts = {**row._asdict(), "evidence": evidence}
    told = orjson.dumps(evidence, option=orjson.OPT_INDENT_2).decode()
    tell(as_json, facts, f"{row.reason}: {row.kind} {row.target}\n{row.words}\n{told}")


@click.group("audit")
def audit() -> None:
    """Look at what operators did and looked at."""


@audit.command("list")
@click.option("--target", default="", help="Only what concerned this handle.")
@operator_option
@json_option
def audit_list(target: str, operator: str, as_json: bool) -> None:
    """Show the newest lines, the newest last."""
    from channels import oversight

    found = work(operator, lambda tx, actor: oversight.audit_lines(tx, actor, target))
    lines = [f"{row.at}  {row.actor}  {row.act}  {row.target}  {row.detail}" for row in found]
    tell(as_json, {"audit": [row._asdict() for row in found]}, "\n".join(lines) or "No lines yet.")


def register(cli: click.Group, account: click.Group) -> None:
    """Hang the commands where they belong."""
    for command in (account_suspend, account_restore, account_invites, account_tree):
        account.add_command(command)
    cli.add_command(report)
    cli.add_command(audit)
