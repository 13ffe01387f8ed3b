"""Operators at the command line: what is printed, and the line that every act and look leaves."""

from __future__ import annotations

import json

import pytest

from tests.gateway.test_cli import Shell, shell

__all__ = ["shell"]


def test_an_operator_looks_after_people_and_every_command_leaves_a_line(shell: Shell) -> None:
    shell("account", "create", "aki")
    shell("account", "create", "ken")
    assert shell("account", "suspend", "ken", "--reason", "spam") == "@ken is suspended.\n"
    assert shell("account", "restore", "@ken") == "@ken may come in again.\n"
    assert "bar, 0 invites ended" in shell("account", "invites", "ken", "--bar")
    assert shell("account", "tree", "aki") == "@aki (active)\n"
    assert shell("report", "list") == "Nothing is reported.\n"
    lines = json.loads(shell("audit", "list", "--json"))["audit"]
    assert [line["act"] for line in lines] == [
        "account.suspend",
        "account.restore",
        "invites.bar",
        "account.tree",
        "report.list",
    ]
    assert {line["actor"].partition(":")[0] for line in lines} == {"cli"}
    assert "audit.list" in shell("audit", "list")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("account", "suspend", "nobody", "--reason", "x"), "There is no account with the handle nobody."),
        (("account", "restore", "aki"), "@aki is active."),
        (("account", "tree", "nobody"), "There is no account with the handle nobody."),
        (("report", "show", "0" * 26), f"There is no report {'0' * 26}."),
        (("report", "list", "--operator", "aki"), "@aki is not an operator."),
        (("audit", "list", "--target", "nobody"), "There is no account with the handle nobody."),
    ],
)
def test_what_an_operator_cannot_do_is_one_line(shell: Shell, words: tuple[str, ...], told: str) -> None:
    shell("account", "create", "aki")
    assert shell.complaint(*words, code=1) == told
