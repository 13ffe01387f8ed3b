"""Fixtures for every floor. The servers of `tests/support` are real processes, one of each per test worker."""

pytest_plugins = ["tests.support.postgres", "tests.support.valkey", "tests.support.world"]
