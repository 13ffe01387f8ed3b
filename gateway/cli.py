"""The command line: `tsudoi` (or `./run`), every command with `--json` for machines.

Reads the settings from the environment, prints for people, and exits with 0, 1 (refused) or 2 (set up wrongly).
What was asked for goes to standard output, everything else to standard error. A person's mistake is one line.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway import cli_invite, cli_operator, own_packages

# Nothing else of ours is imported before `main` has looked whether it is ours.
if TYPE_CHECKING:
    from channels.desk import Desk
    from gateway.node import Node
    from realtime.settings import Settings
    from storage.mail import Mail

T = TypeVar("T")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def cli(context: click.Context) -> None:
    """Tsudoi (集い): share now, gather fast.

    \b
    Without a command it serves. Settings come from the environment:
      PORT                 listen here (else the first free port from 8000)
      DATABASE_URL         postgresql://… (else one SQLite file under ./var)
      REDIS_URL            redis://…      (else the in-process courier)
      WEB_CONCURRENCY      processes; more than one needs both of the above
      TSUDOI_DATA, TSUDOI_HOST, TSUDOI_PUBLIC_URL, …   see README.md
    What is not set there is looked up in tsudoi.env in the data directory.

    \b
    Examples:
      tsudoi demo                       try it on this machine
      tsudoi setup                      make an installation of your own
      tsudoi account create mio --name みお
      tsudoi doctor
    """
    if context.invoked_subcommand is None:
        context.invoke(serve)


@cli.command()
@click.option("--worker", type=int, hidden=True, help="Serve as one of several; the pipe to the supervisor.")
@click.option("--ready", type=int, hidden=True, help="Where to say that it answers.")
def serve(worker: int | None, ready: int | None) -> None:
    """Serve until SIGTERM or SIGINT; applies migrations first."""
    from gateway import server, workers
    from gateway.logs import configure

    settings = read_settings()
    configure(settings)
    if settings.processes > 1 and worker is None:
        sys.exit(
            guarded(lambda: workers.supervise(settings, lambda listener: _say_address(settings, listener)))
        )
    guarded(lambda: make_directory(settings.data))
    listener = guarded(lambda: server.bind(settings, shared=worker is not None))

    def told(node: object) -> None:
        if worker is None:
            _say_address(settings, listener)
        if ready is not None:
            os.write(ready, b"1")
            os.close(ready)

    guarded(lambda: server.run(settings, listener, server.Owner(told, worker)))


@cli.command()
def demo() -> None:
    """Serve a demo on this machine only: a few people in a group room, data in var/demo."""
    from gateway import server
    from gateway.logs import configure

    data = Path(os.environ.get("TSUDOI_DATA") or Path(os.environ.get("TSUDOI_ROOT", ".")) / "var" / "demo")
    level = os.environ.get("TSUDOI_LOG_LEVEL", "warning")
    settings = read_settings(demo=True, data=data, log_level=level)
    configure(settings)
    guarded(lambda: make_directory(settings.data))
    listener = guarded(lambda: server.bind(settings))
    address = server.address_of(settings, listener)
    # Links and QR codes of invites lead to where the demo was opened.
    settings = replace(settings, public_url=settings.public_url or address)
    click.echo(f"Starting Tsudoi on {address} …", err=True)
    owner = server.Owner(lambda node: _say_demo(node, address))
    guarded(lambda: server.run(settings, listener, owner))


@cli.command()
@click.option("--data", help="Directory of everything kept on this machine.")
@click.option("--public-url", help="How browsers reach the server: https://tsudoi.example")
@click.option("--database-url", help="postgresql://… instead of one SQLite file.")
@click.option("--redis-url", help="redis://…, for several processes.")
@click.option("--smtp-url", help="The mail relay: smtp://user:password@host:587 or smtps://…")
@click.option("--mail-from", help="Who mails are from: 'Tsudoi <hello@tsudoi.example>'")
@click.option("--operator-handle", help="Handle of the first operator.")
@click.option("--operator-name", help="Display name of the first operator.")
@click.option("--operator-email", help="Mail address of the first operator.")
@click.option("--test-mail/--no-test-mail", default=True, help="Mail the operator to see that mail works.")
@click.option("--yes", is_flag=True, help="Ask nothing: options, else what is there.")
@json_option
def setup(as_json: bool, yes: bool, test_mail: bool, **given: str | None) -> None:
    """Set this installation up: ask, try, and write it down. May be run again.

    Makes the first operator and prints a token. The answers go to tsudoi.env in the data directory, which every
    command reads beneath the real environment.
    """
    from gateway.setup import Wishes, run

    named = {option: value for option, value in given.items() if value is not None}
    report = guarded(lambda: run(Wishes(named, yes, test_mail)))
    say(as_json, report.facts(), report.text())


@cli.command()
@json_option
def migrate(as_json: bool) -> None:
    """Bring the database's schema up to date."""
    from gateway.offline import migrate as run

    applied = guarded(lambda: run(read_settings()))
    say(
        as_json,
        {"applied": applied},
        f"applied: {', '.join(applied)}" if applied else "The schema is up to date.",
    )


@cli.command()
@json_option
def doctor(as_json: bool) -> None:
    """Say what this installation is, and what is wrong with it, in words."""
    from gateway.doctor import examine

    report = examine(read_settings())
    lines = [f"{'ok ' if row['ok'] else 'BAD'} {row['what']}: {row['says']}" for row in report]
    say(as_json, {"ok": all(row["ok"] for row in report), "checks": report}, "\n".join(lines))
    if not all(row["ok"] for row in report):
        sys.exit(1)


@cli.command()
@click.option("--people", type=click.IntRange(1, 100_000), help="Make so many people for load tests instead.")
@click.option(
    "--circle",
    type=click.IntRange(1, 10_000),
    default=10,
    show_default=True,
    help="Friends per circle, the first of whom all others follow; at most 150 where they have groups.",
)
@click.option("--rooms", type=click.IntRange(0, 500), default=1, show_default=True, help="Groups per circle.")
@click.option(
    "--communities",
    type=click.IntRange(0, 200),
    default=0,
    show_default=True,
    help="Public communities that all of them are in.",
)
@click.option(
    "--follows",
    type=click.Choice(["first", "all"]),
    default="first",
    show_default=True,
    help="Who follows each other in a circle: everybody and the first, or everybody everybody.",
)
@click.option("--prefix", default="load", show_default=True, help="How their handles begin.")
@json_option
def seed(people: int | None, as_json: bool, **crowd: Any) -> None:
    """Make the demo people and their room in this database.

    With --people, make people for load tests instead and print one line of JSON per circle of friends: their tokens and
    the ids of their rooms and communities. Keep the output secret: whoever has a token is that person.
    """
    from gateway.crowd import CIRCLE_IN_A_ROOM_MAX, Crowd
    from gateway.offline import seed as run
    from gateway.offline import seed_crowd

    if people is not None:
        if crowd["rooms"] and crowd["circle"] > CIRCLE_IN_A_ROOM_MAX:
            raise click.UsageError(
                f"A group holds {CIRCLE_IN_A_ROOM_MAX} people: a smaller --circle, or --rooms 0."
            )
        guarded(lambda: seed_crowd(read_settings(), Crowd(people, **crowd), click.echo))
        return
    made = guarded(lambda: run(read_settings()))
    say(as_json, {"made": made}, "Made the demo people." if made else "The demo people are there already.")


@cli.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []}, add_help_option=False
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def loadtest(words: tuple[str, ...]) -> None:
    """Let simulated people talk on a server, and check every word they were told; `loadtest --help` tells more."""
    from importlib.util import find_spec

    if find_spec("hdrh") is None or find_spec("rich") is None:
        raise click.ClickException("The load test needs what `./run loadtest` installs; use that.")
    os.execv(sys.executable, [sys.executable, "-P", "-m", "loadtest", *words])  # noqa: S606  # our own


@cli.group()
def account() -> None:
    """Make accounts, let them follow each other, and look after them."""


@account.command("create")
@click.argument("handle")
@click.option("--name", default="", help="Display name, 1 to 30 characters; the handle if left out.")
@json_option
def account_create(handle: str, name: str, as_json: bool) -> None:
    """Make an account and print its first session's token.

    The token is shown once. Bots, tests and load generators start here.
    """
    from gateway.offline import create_account

    new = guarded(lambda: create_account(read_settings(), handle, name))
    facts = {
        "account": new.account.id,
        "handle": new.account.handle,
        "name": new.account.name,
        "session": new.session,
        "token": new.token,
    }
    say(
        as_json, facts, f"@{new.account.handle} ({new.account.name}), id {new.account.id}\ntoken: {new.token}"
    )


@account.command("follow")
@click.argument("follower")
@click.argument("followee")
@click.option("--mutual", is_flag=True, help="Both follow each other.")
@json_option
def account_follow(follower: str, followee: str, mutual: bool, as_json: bool) -> None:
    """Let FOLLOWER follow FOLLOWEE (handles)."""
    from gateway.offline import follow

    guarded(lambda: follow(read_settings(), follower, followee, mutual=mutual))
    text = (
        f"@{follower} and @{followee} follow each other." if mutual else f"@{follower} follows @{followee}."
    )
    say(as_json, {"follower": follower, "followee": followee, "mutual": mutual}, text)


cli_invite.register(cli)
cli_operator.register(cli, account)


def read_settings(**given: Any) -> Settings:
    """Settings from the environment, else from the set-up's file; or one line that says which variable is wrong.

    The demo takes nothing from the file: it must not touch what a real installation works with.
    """
    from gateway import envfile
    from realtime.settings import Settings

    def read() -> Settings:
        data = Path(os.environ.get("TSUDOI_DATA") or Settings().data)
        kept = {} if given.get("demo") else envfile.read(data)
        return Settings.from_env({**kept, **os.environ}, **given)

    return guarded(read)


def make_directory(path: Path) -> None:
    """Make the data directory. Raises `SettingsError`."""
    from realtime.settings import SettingsError

    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"cannot make {path}: {error.strerror}; set TSUDOI_DATA") from None


def guarded(work: Callable[[], T]) -> T:
    """Run `work`; what a person can mend becomes one line instead of a traceback."""
    from realtime.errors import Refusal
    from realtime.settings import SettingsError
    from storage.database import StorageUnavailable
    from storage.migrate import MigrationError

    try:
        return work()
    except Refusal as refusal:
        raise SystemExit(_complain(refusal.message, 1)) from None
    except SettingsError as error:
        raise SystemExit(_complain(str(error), 2)) from None
    except (StorageUnavailable, MigrationError) as error:
        raise SystemExit(_complain(str(error), 1)) from None


def say(as_json: bool, facts: Any, text: str) -> None:
    """Print for a machine or for a person."""
    import msgspec
    import orjson

    click.echo(orjson.dumps(facts, default=msgspec.to_builtins).decode() if as_json else text)


def _say_address(settings: Settings, listener: socket.socket) -> None:
    from gateway.server import address_of

    click.echo(f"Tsudoi serves on {address_of(settings, listener)}")


def _say_demo(node: Node, address: str) -> None:
    from storage.mail import KeptMailer

    if isinstance(node.mailer, KeptMailer):
        node.mailer.on_mail = _say_mail
    node.spawn(_say_link(node.desk, address))


def _say_mail(mail: Mail) -> None:
    """The demo sends nothing; whoever started it reads over its shoulder."""
    click.echo(f"\n--- mail to {mail.to}: {mail.subject}\n\n{mail.text}---\n", err=True)


async def _say_link(desk: Desk, address: str) -> None:
    from gateway.demo import link_key

    key = await link_key(desk)
    click.echo(
        f"Tsudoi is here. Open this link and be one of the demo people:\n\n  {address}/#demo={key}\n",
        err=True,
    )


def _complain(text: str, code: int) -> int:
    click.echo(f"tsudoi: {text}", err=True)
    return code


def main() -> None:
    """Entry point of `tsudoi` and `./run`."""
    wrong = own_packages.foreign()
    if wrong:
        sys.exit(_complain(wrong, 2))
    cli()


if __name__ == "__main__":
    main()
