"""What a benchmark hands back, and how it is written down."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Figure(NamedTuple):
    """One measured figure as it is printed; `baseline` is of the same run, `target` what was asked for."""

    what: str
    measured: str
    baseline: str = ""
    target: str = ""


class Figures(NamedTuple):
    """All figures of one benchmark: `how` it was measured, and what `limits` it."""

    title: str
    how: str
    rows: Sequence[Figure]
    limits: str = ""


def section(name: str, figures: Figures, machine: str) -> str:
    """The benchmark's part of the page."""
    lines = [
        f"## {figures.title}",
        "",
        f"`./dev bench {name}` · {machine}",
        "",
        figures.how,
        "",
        "| what | measured | baseline of the same run | target |",
        "| --- | --- | --- | --- |",
        *(f"| {' | '.join(row)} |" for row in figures.rows),
    ]
    return "\n".join([*lines, *(["", f"What limits it: {figures.limits}"] if figures.limits else []), ""])


def replaced(page: str, sections: dict[str, str], order: Sequence[str]) -> str:
    """The page with these sections put in place of their older selves; the others stay."""
    head, *old = page.split("\n<!-- bench: ")
    parts = {name: text.strip("\n") for name, _, text in (part.partition(" -->\n") for part in old)}
    parts |= {name: text.strip("\n") for name, text in sections.items()}
    return head.rstrip("\n") + "\n" + "".join(f"\n<!-- bench: {name} -->\n{parts[name]}\n" for name in order if name in parts)


def count(value: float) -> str:
    """A number for people: 25,312; 3.21."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def of_rounds(values: Sequence[float]) -> str:
    """The median of some rounds, and between what they lay: 25,312 (19,120 to 26,004)."""
    middle = count(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({count(min(values))} to {count(max(values))})"


def megabytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB"


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms"


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
