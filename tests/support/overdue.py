"""Ends a test process that hangs where no time limit reaches it.

A pytest plugin. pytest-timeout raises in the main thread once per test: a test that swallows it, code that is stuck in C
and a tear-down that waits for ever after a limit was passed would all hold up the run without a word. So every phase of
every test has a last bound, the test's own limit and `overdue_grace` seconds: then the stacks of all threads are told and
the process ends. With workers the run goes on in a new one and the test counts as failed. Nothing else in the tests may
use `faulthandler.dump_traceback_later`, of which a process has one.
"""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Generator

import pytest

GRACE = "overdue_grace"
_file = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The setting."""
    parser.addini(GRACE, "seconds after a test's limit until its process is ended", default="60")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the way out: tests replace sys.stderr, and pytest what is behind it."""
    assert sys.__stderr__ is not None
    config.stash[_file] = os.dup(sys.__stderr__.fileno())


def pytest_unconfigure(config: pytest.Config) -> None:
    """Nothing can be late any more."""
    faulthandler.cancel_dump_traceback_later()
    os.close(config.stash[_file])
    del config.stash[_file]


def _within(item: pytest.Item) -> Generator[None, object, object]:
    mark = item.get_closest_marker("timeout")
    own = (mark.args[0] if mark.args else mark.kwargs.get("timeout")) if mark else None
    config = item.config
    limit = float(own or config.getoption("timeout") or config.getini("timeout") or 0)
    if not limit or config.getoption("usepdb"):
        return (yield)
    late = limit + float(config.getini(GRACE))
    faulthandler.dump_traceback_later(late, file=config.stash[_file], exit=True)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


# One bound for each phase: pytest takes the running one back when a phase has failed, and pytest-timeout has none left then.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Its fixtures."""
    return (yield from _within(item))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """The test itself."""
    return (yield from _within(item))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """What its fixtures leave."""
    return (yield from _within(item))
