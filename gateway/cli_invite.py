"""`tsudoi invite`: invites from the command line, for operators who bring in many at once.

Registered by `gateway.cli`; imports our own packages only when a command runs.
"""

from __future__ import annotations

from pathlib import Path

import click

CAPTION = "集い Tsudoi への招待"


def register(cli: click.Group) -> None:
    """Add the command to the command line."""
    cli.add_command(invite)


@click.command()
@click.argument("handle")
@click.option(
    "--uses", default=1, show_default=True, help="How often it may be used; more than once needs an operator."
)
@click.option("--days", default=7, show_default=True, help="For how long.")
@click.option(
    "--print", "sheet", type=click.Path(path_type=Path), help="Write an A4 sheet with the QR code (SVG)."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def invite(handle: str, uses: int, days: int, sheet: Path | None, as_json: bool) -> None:
    """Issue an invite to the service in the name of HANDLE. Link and code are shown this once."""
    from gateway.cli import guarded, read_settings, say
    from gateway.offline import issue_invite
    from realtime.qr import printable

    settings = read_settings()
    made = guarded(lambda: issue_invite(settings, handle, uses, days))
    if sheet is not None:
        sheet.write_text(printable(made.link, CAPTION), encoding="utf-8")
    facts = {
        "invite": made.id,
        "link": made.link,
        "code": made.code,
        "uses": made.uses_max,
        "sheet": str(sheet or ""),
    }
    say(as_json, facts, f"link: {made.link}\ncode: {made.code}" + (f"\nsheet: {sheet}" if sheet else ""))
