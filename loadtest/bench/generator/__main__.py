"""`python -m loadtest.bench.generator …`: one run against a server that is there; one line of JSON on the standard output."""

from __future__ import annotations

import gc
import random
import sys

import orjson

from loadtest.bench.generator.drive import measure
from loadtest.bench.generator.options import parse
from loadtest.bench.machine import allow_files


def main() -> int:
    """Exit status 0, 3 if nobody came in, 4 if a delivery was missing or doubled."""
    options = parse(sys.argv[1:])
    allow_files()
    # Nothing here makes cycles while it runs, and a collection over thousands of links would be a delay of our own.
    gc.disable()
    found = measure(options, random.Random())  # noqa: S311  # chooses rooms and samples, not secrets
    sys.stdout.write(orjson.dumps(found).decode() + "\n")
    if "error" in found:
        return 3
    return 4 if found["missing"] or found["dup"] else 0


if __name__ == "__main__":
    sys.exit(main())
