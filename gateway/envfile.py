"""`tsudoi.env` in the data directory: what the set-up was told, beneath the real environment.

Written by `tsudoi setup`, read whenever the command line reads its settings. Lines of `NAME=value`, as systemd's
`EnvironmentFile` takes them too. It may hold passwords, so only its owner can read it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from realtime.settings import SettingsError

NAME = "tsudoi.env"
HEAD = (
    "# Written by `tsudoi setup`; variables of the real environment win. Only its owner may read this file.\n"
)


def path_of(data: Path) -> Path:
    """Where the file of an installation lies."""
    return data / NAME


def read(data: Path) -> dict[str, str]:
    """The variables of the file; none if there is no file. Raises `SettingsError` that names the line."""
    path = path_of(data)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    found = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip().isidentifier():
            raise SettingsError(f"{path}, line {number}: expected NAME=value")
        found[name.strip()] = _bare(value.strip())
    return found


def write(data: Path, values: Mapping[str, str]) -> Path:
    """Replace the file, whole or not at all; readable by its owner only."""
    path = path_of(data)
    text = HEAD + "".join(f"{name}={value}\n" for name, value in sorted(values.items()))
    data.mkdir(parents=True, exist_ok=True)
    new = data / f".{NAME}.{secrets.token_hex(4)}"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    return path


def _bare(value: str) -> str:
    """Without the quotes that hands like to add."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
