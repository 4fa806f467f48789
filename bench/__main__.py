"""./dev bench [NAME…]: measure, print, and write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench.apart import measured
from bench.figures import replaced, section

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BENCHES = ("accept", "fanout", "response", "sending", "memory", "size", "publishing", "ways", "planner", "detection", "web", "bot")
"""The modules of this package that measure, in the order of the page. Each has `run(folder) -> Figures`."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench", description="Measure the product and write docs/benchmarks.md.")
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], metavar="NAME", help=f"{', '.join(BENCHES)}; all when none is named")
    names = parser.parse_args().names or BENCHES
    for name in names:
        sys.stderr.write(f"./dev bench: {name} …\n")
        text = section(name, measured(name), machine())
        sys.stdout.write(text + "\n")
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), {name: text}, BENCHES), encoding="utf-8")
    return 0


def machine() -> str:
    """What it was measured on, in one line."""
    cores, load = os.cpu_count(), os.getloadavg()[0]
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return f"{datetime.now(UTC):%Y-%m-%d}, {_processor()}, {cores} cores, {versions}, load {load:.1f} after the run"


def _processor() -> str:
    """As the kernel names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main())
