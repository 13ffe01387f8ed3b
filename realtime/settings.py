"""Settings: one frozen object, read once from the environment, handed down by the assembly.

Every limit carries its unit in its name. `PORT`, `DATABASE_URL`, `REDIS_URL` and `WEB_CONCURRENCY` keep the
names that hosting platforms use; every other variable is `TSUDOI_` + the field's name in capitals. A value
that cannot be read is refused at start with one line that names the variable.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

from realtime.mailing import relay_of, sender_of
from realtime.places import is_loopback

PLATFORM_NAMES = {
    "port": "PORT",
    "database_url": "DATABASE_URL",
    "redis_url": "REDIS_URL",
    "processes": "WEB_CONCURRENCY",
}


class SettingsError(ValueError):
    """A setting cannot be used. The text names the variable and says what would be right."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of WIRE §5 and FEATURES §6. Each is a setting, so that a benchmark raises a number instead of
    skipping code."""

    frame_in_bytes_max: int = 64 * 1024
    json_depth_max: int = 32
    fragments_max: int = 128
    message_graphemes_max: int = 2_000
    message_bytes_max: int = 12 * 1024
    title_graphemes_max: int = 40
    group_members_max: int = 150
    rooms_per_account_max: int = 500
    communities_per_account_max: int = 200
    watched_max: int = 128
    busy_posts_per_min: int = 30
    signal_bytes_max: int = 4 * 1024
    requests_per_day_max: int = 5
    follows_max: int = 1_000
    blocks_max: int = 5_000
    nicknames_max: int = 1_000
    notifications_max: int = 1_000
    reports_per_day_max: int = 30
    bio_graphemes_max: int = 300
    status_graphemes_max: int = 60
    report_graphemes_max: int = 1_000
    erase_after_days: int = 14
    handle_change_days: int = 365
    nonce_keep_s: int = 86_400
    connections_max: int = 100_000
    connections_per_account_max: int = 5
    connections_per_address_max: int = 1_000
    handshakes_per_s: float = 1_000.0
    handshakes_burst: float = 2_000.0
    handshakes_per_address_per_s: float = 20.0
    handshakes_per_address_burst: float = 200.0
    operations_per_s: float = 20.0
    operations_burst: float = 60.0
    refusals_per_10s_max: int = 20
    operations_in_flight_max: int = 64
    queue_bytes_max: int = 1024 * 1024
    queue_frames_max: int = 1_000
    queue_age_s: float = 15.0
    queues_bytes_max: int = 256 * 1024 * 1024
    socket_send_buffer_bytes: int = 128 * 1024
    handshake_s: float = 10.0
    connect_s: float = 10.0
    ping_interval_s: float = 25.0
    pong_wait_s: float = 10.0
    close_wait_s: float = 5.0
    tcp_user_timeout_s: float = 20.0
    write_queue_items_max: int = 20_000
    guest_rate_factor: float = 1.0
    invites_live_max: int = 10
    invite_days_max: int = 7
    operator_invite_uses_max: int = 500
    operator_invite_days_max: int = 366
    invite_networks_max: int = 5
    invite_networks_s: int = 600
    attempt_s: int = 1_800
    code_s: int = 600
    code_tries_max: int = 5
    address_undo_s: int = 72 * 3_600
    device_offer_s: int = 120
    recovery_codes: int = 8
    recovery_offer_s: int = 7 * 86_400
    picture_bytes_max: int = 8 * 1024 * 1024
    picture_pixels_max: int = 40_000_000
    picture_edge_max: int = 2_048
    picture_preview_edge_max: int = 480
    picture_alt_graphemes_max: int = 500
    picture_uploads_per_min: float = 20.0
    picture_uploads_at_once_max: int = 2
    picture_unclaimed_max: int = 12
    picture_unclaimed_s: int = 3_600
    picture_upload_s: float = 120.0
    picture_bodies_bytes_max: int = 128 * 1024 * 1024
    picture_decoders_max: int = 2
    picture_decoders_waiting_max: int = 32
    picture_decode_s: float = 20.0
    picture_decode_bytes_max: int = 1024 * 1024 * 1024
    cheers_per_s: float = 8.0
    cheers_burst: float = 24.0
    toasts_per_min: float = 6.0
    picture_reads_per_s: float = 50.0
    picture_reads_burst: float = 400.0
    mails_per_hour_max: int = 5
    tries_per_day_max: int = 20


@dataclass(frozen=True, slots=True)
class Settings:
    """All a process needs to know to start. `data` is the directory of everything kept on this machine."""

    host: str = "127.0.0.1"
    port: int = 0
    port_first: int = 8000
    database_url: str = ""
    redis_url: str = ""
    processes: int = 1
    data: Path = Path("var")
    public_url: str = ""
    origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    smtp_url: str = ""
    mail_from: str = ""
    demo: bool = False
    metrics_port: int = 0
    log_level: str = "info"
    log_format: str = "auto"
    partitions: int = 64
    lease_ttl_s: float = 15.0
    lease_renew_s: float = 5.0
    lease_sweep_s: float = 1.0
    presence_grace_s: float = 10.0
    presence_pace_s: float = 5.0
    sweep_s: float = 1.5
    sweep_degraded_s: float = 0.5
    hold_s: float = 0.05
    probe_s: float = 20.0
    probe_wait_s: float = 5.0
    drain_s: float = 15.0
    redis_timeout_s: float = 1.0
    redis_prefix: str = "tsudoi"
    stream_entries_max: int = 1_000
    log_days: int = 30
    session_days: int = 90
    notification_days: int = 90
    ticket_s: int = 60
    terms: str = "1"
    limits: Limits = dataclasses.field(default_factory=Limits)

    @property
    def embedded(self) -> bool:
        """True where one SQLite file and the in-process courier serve."""
        return not self.database_url.startswith("postgres")

    @property
    def sqlite_path(self) -> Path:
        """Where the embedded database lies: `sqlite:///path` if given, else `data/tsudoi.sqlite3`."""
        if self.database_url.startswith("sqlite:"):
            return Path(self.database_url.removeprefix("sqlite:").removeprefix("//"))
        return self.data / "tsudoi.sqlite3"

    @property
    def mails(self) -> bool:
        """True where letters can leave. The demo keeps them on this machine instead of sending them."""
        return self.demo or bool(self.smtp_url)

    @classmethod
    def from_env(cls, env: Mapping[str, str], **given: Any) -> Settings:
        """Read `env`; `given` (from the command line) wins. Raises `SettingsError`."""
        limits = Limits(**_read(Limits, env, {}))
        values = _read(cls, env, PLATFORM_NAMES)
        values.update(given)
        settings = cls(**values, limits=limits)
        settings.check()
        return settings

    def check(self) -> None:
        """Refuse combinations that would break a promise. Raises `SettingsError` naming the variable."""
        scheme = self.database_url.partition(":")[0]
        if scheme not in ("", "sqlite", "postgres", "postgresql"):
            raise SettingsError(f"DATABASE_URL starts with '{scheme}:'; use sqlite:///file or postgresql://…")
        if self.redis_url.partition(":")[0] not in ("", "redis", "rediss", "unix"):
            raise SettingsError("REDIS_URL must start with redis://, rediss:// or unix://")
        try:
            _ = urlsplit(self.redis_url).port
        except ValueError as error:
            raise SettingsError(f"REDIS_URL cannot be read: {error}") from None
        if self.processes > 1 and (self.embedded or not self.redis_url):
            raise SettingsError(
                f"WEB_CONCURRENCY is {self.processes}, but several processes need DATABASE_URL=postgresql://… "
                "and REDIS_URL=redis://…: one SQLite file and the in-process courier serve one process only"
            )
        if self.processes < 1 or not 0 <= self.port <= 65535:
            raise SettingsError("WEB_CONCURRENCY must be at least 1 and PORT between 0 and 65535")
        for variable, value in (
            ("TSUDOI_PARTITIONS", self.partitions),
            ("TSUDOI_OPERATIONS_PER_S", self.limits.operations_per_s),
        ):
            if value <= 0:
                raise SettingsError(f"{variable} is {value:g}; it must be more than 0")
        self._check_mail()
        if self.demo and not is_loopback(self.host):
            raise SettingsError(
                f"the demo listens on loopback only, but TSUDOI_HOST is {self.host}: demo people have no secrets"
            )

    def _check_mail(self) -> None:
        if bool(self.smtp_url) != bool(self.mail_from):
            raise SettingsError("TSUDOI_SMTP_URL and TSUDOI_MAIL_FROM belong together: set both or neither")
        try:
            if self.smtp_url:
                relay_of(self.smtp_url)
        except ValueError as error:
            raise SettingsError(f"TSUDOI_SMTP_URL: {error}") from None
        try:
            if self.mail_from:
                sender_of(self.mail_from)
        except ValueError as error:
            raise SettingsError(f"TSUDOI_MAIL_FROM: {error}") from None


def variable_of(field: str) -> str:
    """The environment variable that sets a field of `Settings` or `Limits`."""
    return PLATFORM_NAMES.get(field, "TSUDOI_" + field.upper())


def _read(cls: type, env: Mapping[str, str], names: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    hints = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        raw = env.get(names.get(field.name, "TSUDOI_" + field.name.upper()))
        if raw is None or raw == "" or field.name == "limits":
            continue
        values[field.name] = _parse(variable_of(field.name), hints[field.name], raw)
    return values


def _parse(variable: str, kind: Any, raw: str) -> Any:
    try:
        if kind is bool:
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[
                raw.lower()
            ]
        if kind is int or kind is float:
            number = kind(raw)
            if not 0 <= number < 1e15:
                raise ValueError
            return number
    except (KeyError, ValueError):
        expected = {"bool": "true or false", "int": "a whole number", "float": "a number"}[kind.__name__]
        raise SettingsError(f"{variable} is {raw!r}; it must be {expected}, 0 or more") from None
    if kind is Path:
        return Path(raw)
    if kind is str:
        return raw
    return tuple(part.strip() for part in raw.split(",") if part.strip())
