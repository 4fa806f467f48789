"""`ytwatcher export`: write readings or watches to a file."""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

import typer

from ytwatcher import moving, watch_files
from ytwatcher.commands.context import Context, context
from ytwatcher.commands.finding import find_subjects, find_targets
from ytwatcher.commands.output import PRIVATE, written
from ytwatcher.commands.words import counted
from ytwatcher.core.durations import parse_duration
from ytwatcher.errors import InputError

Format = Literal["csv", "json"]
Row = Mapping[str, Any]
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a field that begins so for a formula; titles are written by strangers."""

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Write readings or watches to a file.",
    epilog="Examples: ytwatcher export readings readings.csv.gz · ytwatcher export watches watches.jsonl",
)
FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="Where to; - is standard output, a name that ends in .gz is gzipped.")]
FormatOption = Annotated[
    str | None, typer.Option("--format", metavar="csv|json", help="Table or JSON lines; without it by the name of the file.")
]
TargetOption = Annotated[str | None, typer.Option("--target", metavar="TARGET", help="Only this one: its link, id or exact title.")]


@app.command(epilog="Example: ytwatcher export readings --since 7d --target @NASA readings.csv")
def readings(
    ctx: typer.Context,
    file: FileArgument,
    form: FormatOption = None,
    since: Annotated[str | None, typer.Option(metavar="DURATION", help="Only what is younger, for example 24h.")] = None,
    target: TargetOption = None,
) -> None:
    """One row for each span in which nothing changed: what was taken as true, and what YouTube said where that is something else."""
    chosen = _format(form, file)
    here = context(ctx, quiet=True)
    start_at = here.clock.now() - _duration(since) if since is not None else None
    with here.journal() as con, _open(here, file) as stream:
        rows = moving.export_rows(con, find_subjects(con, target), start_at)
        count = _table(stream, moving.COLUMNS, map(_flat, rows)) if chosen == "csv" else _lines(stream, rows)
    _say(here, file, counted(count, "row"))


@app.command(epilog="Example: ytwatcher export watches - --format json")
def watches(ctx: typer.Context, file: FileArgument, form: FormatOption = None, target: TargetOption = None) -> None:
    """What is watched, with its rules and who is told; in a table one row for each rule."""
    chosen = _format(form, file)
    here = context(ctx, quiet=True)
    with here.journal() as con:
        ids = None if target is None else [found.id for found in find_targets(con, target)]
        if ids == []:
            raise InputError(f"“{target}” is not watched; `ytwatcher list` shows what is")
        found = list(watch_files.export_watches(con, ids))
    with _open(here, file) as stream:
        if chosen == "csv":
            _table(stream, watch_files.COLUMNS, (_flat(row) for watch in found for row in watch_files.as_table(watch)))
        else:
            _lines(stream, found)
    _say(here, file, counted(len(found), "watch", "watches"))


def _say(here: Context, file: str, what: str) -> None:
    if file != "-":
        here.err.print(f"{what} written to {file}", highlight=False, markup=False, soft_wrap=True)


def _format(form: str | None, file: str) -> Format:
    wanted = (form or "").lower()
    if form is None:
        return "json" if file.removesuffix(".gz").endswith((".json", ".jsonl", ".ndjson")) else "csv"
    if wanted not in ("csv", "json"):
        raise InputError(f"--format {form}: there are csv and json")
    return "csv" if wanted == "csv" else "json"


def _duration(text: str) -> Any:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InputError(f"--since: {error}") from error


@contextmanager
def _open(here: Context, file: str) -> Iterator[TextIO]:
    """The file is there whole or not at all; `-` is standard output.

    Raises:
        InputError, StorageError: see `written`.
    """
    if file == "-":
        yield sys.stdout
        return
    opener: Callable[..., Any] = gzip.open if file.endswith(".gz") else open
    # Private: chat ids are nobody else's business.
    with written(here, Path(file), PRIVATE) as path, opener(path, "wt", encoding="utf-8", newline="") as stream:
        yield stream


def _table(stream: TextIO, columns: Iterable[str], rows: Iterable[Row]) -> int:
    writer = csv.DictWriter(stream, list(columns), lineterminator="\n")
    writer.writeheader()
    count = 0
    for row in rows:
        writer.writerow(row)
        count += 1
    return count


def _flat(row: Row) -> Row:
    """A row as the fields of a table."""
    title = row["title"]
    flat = {**row, "title": f"'{title}" if title and title.startswith(FORMULA) else title}
    if row.get("raw"):
        flat["raw"] = json.dumps(row["raw"], separators=(",", ":"))
    return flat


def _lines(stream: TextIO, rows: Iterable[Row]) -> int:
    count = 0
    for row in rows:
        stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        count += 1
    return count
