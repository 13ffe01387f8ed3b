"""A tiny checkout for the tests of the commands: the real `run`, `test` and `.ci`, one package of 300 bytes."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# What the commands use of the system. A PATH made of these alone shows that nothing else is needed.
TOOLS = (
    "bash",
    "cat",
    "chmod",
    "cmp",
    "cp",
    "env",
    "flock",
    "mkdir",
    "mv",
    "readlink",
    "rm",
    "sed",
    "sleep",
    "tr",
    "true",
)

# Tells how it was called and what it was given to work with.
STUB = """\
import json, sys
import tinyfixture
print(json.dumps({"argv": sys.argv[1:], "file": __file__, "fixture": tinyfixture.VERSION}))
"""

# Writes down how it is called, then is the real one. `probe` is run before any program given with -c.
FAKE_PYTHON = """\
#!/bin/sh
printf '%s\\n' "$*" >>"{calls}"
case "$*" in "-m pip "*" install "*) {at_install} ;; esac
if [ "$1" = -c ]; then
    exec "{real}" -c "{probe}
$2"
fi
exec "{real}" "$@"
"""

WITHOUT_PIP = "import sys; sys.modules['pip'] = None"
TOO_OLD = "import sys; sys.version_info = (3, 9, 2, 'final', 0)"


class Checkout:
    """A checkout, a wheelhouse and a Python that counts its calls, all beneath `base`."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.home = base / "home"
        self.wheels = base / "wheels"
        self.tools = base / "tools"
        self.calls = base / "calls"
        # Paths of people have spaces in them.
        self.root = base / "a checkout"
        for directory in (self.home, self.wheels, self.tools, self.root):
            directory.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            if found:
                (self.tools / tool).symlink_to(found)
        for name in ("run", "test"):
            shutil.copy2(ROOT / name, self.root)
        shutil.copytree(ROOT / ".ci", self.root / ".ci")
        self._write("gateway/__init__.py", "")
        self._write("gateway/cli.py", STUB)
        self._write("loadtest/__init__.py", "")
        self._write("loadtest/__main__.py", STUB)
        self._write("loadtest/bench/__init__.py", "")
        self._write("loadtest/bench/__main__.py", STUB)
        self._write("tests/__init__.py", "")
        self._write("tests/runner.py", STUB)
        self.python = self.fake_python("python")
        self.release(1)

    def _write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def release(self, version: int) -> Path:
        """Put a version of the package into the wheelhouse and into the locks; the wheel's path."""
        wheel = self.wheels / f"tinyfixture-{version}-py3-none-any.whl"
        info = f"tinyfixture-{version}.dist-info"
        files = {
            "tinyfixture.py": f"VERSION = {version}\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tinyfixture\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(f"{name},sha256={_digest(text)},{len(text)}\n" for name, text in files.items())
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
                archive.writestr(name, text)
        lock = (
            f"tinyfixture=={version} \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"
        )
        self._write("requirements.lock", lock)
        self._write("requirements-bench.lock", lock)
        self._write("requirements-test.lock", lock)
        return wheel

    def fake_python(self, name: str, probe: str = "", at_install: str = ":") -> Path:
        """An interpreter called `name` that stands in the tools' directory and so on the narrow PATH."""
        path = self.tools / name
        # Not the environment's own interpreter: that one has no pip.
        real = Path(sys.base_prefix, "bin", "python{}.{}".format(*sys.version_info))
        path.write_text(FAKE_PYTHON.format(calls=self.calls, real=real, probe=probe, at_install=at_install))
        path.chmod(0o755)
        return path

    def environment(self, **changes: str | None) -> dict[str, str]:
        """A bare environment: only the tools on PATH, an empty home, the wheelhouse. None takes away."""
        env: dict[str, str | None] = {
            "HOME": str(self.home),
            "PATH": str(self.tools),
            "TMPDIR": os.environ.get("TMPDIR"),
            "TSUDOI_PYTHON": str(self.python),
            "WHEELHOUSE": str(self.wheels),
            **changes,
        }
        return {name: value for name, value in env.items() if value is not None}

    def start(self, *arguments: str, command: str = "run", **changes: str | None) -> subprocess.Popen[str]:
        """Start a command from a directory that is not the checkout's, as leader of its own group."""
        return subprocess.Popen(
            [str(self.root / command), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.home,
            env=self.environment(**changes),
            start_new_session=True,
            text=True,
        )

    def run(self, *arguments: str, command: str = "run", **changes: str | None) -> tuple[int, str, str]:
        """Run a command to its end: status, output, and what it said besides."""
        with self.start(*arguments, command=command, **changes) as process:
            output, said = process.communicate(timeout=60)
        return process.returncode, output, said

    def installs(self) -> int:
        """How often pip was asked to install something."""
        calls = self.calls.read_text().splitlines() if self.calls.exists() else []
        return sum(1 for call in calls if call.startswith("-m pip ") and " install " in call)


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
