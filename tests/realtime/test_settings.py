"""Settings: read from the environment, refused with the name of the variable."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from realtime.places import is_loopback
from realtime.settings import Limits, Settings, SettingsError, variable_of

SHARED = {"DATABASE_URL": "postgresql://db/tsudoi", "REDIS_URL": "redis://cache"}


def test_without_an_environment_the_defaults_hold() -> None:
    assert Settings.from_env({}) == Settings()
    assert Settings().embedded
    assert Settings().sqlite_path == Path("var/tsudoi.sqlite3")


@pytest.mark.parametrize(
    ("variable", "raw", "field", "value"),
    [
        ("PORT", "8123", "port", 8123),
        ("DATABASE_URL", "postgresql://db/x", "database_url", "postgresql://db/x"),
        ("REDIS_URL", "rediss://cache", "redis_url", "rediss://cache"),
        ("TSUDOI_HOST", "0.0.0.0", "host", "0.0.0.0"),
        ("TSUDOI_DATA", "/data/tsudoi", "data", Path("/data/tsudoi")),
        ("TSUDOI_DEMO", "yes", "demo", True),
        ("TSUDOI_DEMO", "FALSE", "demo", False),
        (
            "TSUDOI_ORIGINS",
            "https://a.example, https://b.example,",
            "origins",
            ("https://a.example", "https://b.example"),
        ),
        ("TSUDOI_DRAIN_S", "2.5", "drain_s", 2.5),
        ("TSUDOI_PARTITIONS", "8", "partitions", 8),
        ("PORT", "", "port", 0),
    ],
)
def test_a_variable_is_read(variable: str, raw: str, field: str, value: Any) -> None:
    assert getattr(Settings.from_env({variable: raw}), field) == value


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Limits)])
def test_every_limit_can_be_set(field: str) -> None:
    settings = Settings.from_env({variable_of(field): "7"})
    assert getattr(settings.limits, field) == 7
    assert settings.limits == dataclasses.replace(Limits(), **{field: getattr(settings.limits, field)})


def test_the_command_line_wins() -> None:
    assert Settings.from_env({"PORT": "8123"}, port=9000).port == 9000


def test_names_of_limits_and_settings_never_meet() -> None:
    names = [field.name for cls in (Settings, Limits) for field in dataclasses.fields(cls)]
    assert len({variable_of(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"PORT": "http"}, "PORT"),
        ({"PORT": "-1"}, "PORT"),
        ({"PORT": "65536"}, "PORT"),
        ({"PORT": "80.5"}, "PORT"),
        ({"WEB_CONCURRENCY": "0"}, "WEB_CONCURRENCY"),
        ({"WEB_CONCURRENCY": "many"}, "WEB_CONCURRENCY"),
        ({"TSUDOI_DRAIN_S": "nan"}, "TSUDOI_DRAIN_S"),
        ({"TSUDOI_DRAIN_S": "inf"}, "TSUDOI_DRAIN_S"),
        ({"TSUDOI_DRAIN_S": "-0.1"}, "TSUDOI_DRAIN_S"),
        ({"TSUDOI_DEMO": "perhaps"}, "TSUDOI_DEMO"),
        ({"TSUDOI_PARTITIONS": "0"}, "TSUDOI_PARTITIONS"),
        ({"TSUDOI_OPERATIONS_PER_S": "0"}, "TSUDOI_OPERATIONS_PER_S"),
        ({"TSUDOI_QUEUE_BYTES_MAX": "1 MiB"}, "TSUDOI_QUEUE_BYTES_MAX"),
        ({"DATABASE_URL": "mysql://db"}, "DATABASE_URL"),
        ({"REDIS_URL": "http://cache"}, "REDIS_URL"),
    ],
)
def test_a_refusal_names_the_variable(env: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named) as caught:
        Settings.from_env(env)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"DATABASE_URL": SHARED["DATABASE_URL"]},
        {"REDIS_URL": SHARED["REDIS_URL"]},
        {"DATABASE_URL": "sqlite:///data/x", "REDIS_URL": SHARED["REDIS_URL"]},
    ],
)
def test_several_processes_need_what_they_share(env: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"WEB_CONCURRENCY.*DATABASE_URL.*REDIS_URL"):
        Settings.from_env({**env, "WEB_CONCURRENCY": "2"})
    assert Settings.from_env({**env, "WEB_CONCURRENCY": "1"}).processes == 1


def test_several_processes_with_what_they_share() -> None:
    settings = Settings.from_env({**SHARED, "WEB_CONCURRENCY": "4"})
    assert settings.processes == 4
    assert not settings.embedded


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("127.0.0.1", True),
        ("127.3.2.1", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("", False),
        ("127.example.org", False),
        ("127.0.0.1.example.org", False),
        ("localhost.example.org", False),
    ],
)
def test_the_demo_stays_on_this_machine(host: str, near: bool) -> None:
    assert is_loopback(host) is near
    if near:
        assert Settings.from_env({}, demo=True, host=host).demo
    else:
        with pytest.raises(SettingsError, match="TSUDOI_HOST"):
            Settings.from_env({}, demo=True, host=host)
    assert Settings.from_env({}, host=host).host == host


@pytest.mark.parametrize(
    ("url", "path"), [("sqlite:///srv/x.db", "/srv/x.db"), ("sqlite:x.db", "x.db"), ("", "d/tsudoi.sqlite3")]
)
def test_where_the_embedded_database_lies(url: str, path: str) -> None:
    assert Settings.from_env({"DATABASE_URL": url, "TSUDOI_DATA": "d"}).sqlite_path == Path(path)
