"""`ytwatcher list`: what is watched."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.padding import Padding
from rich.text import Text

from ytwatcher.commands.context import Context, context
from ytwatcher.commands.standing import as_json, still_text
from ytwatcher.commands.words import NOTHING_WATCHED, age, counted, iso, passed_text, title, value
from ytwatcher.core.model import SubjectId, SubjectKind, TargetKind
from ytwatcher.core.rules import explain
from ytwatcher.core.targets import target_url
from ytwatcher.standing import WAITS, Standing, standing
from ytwatcher.store import declared, subjects, watches

INDENT = (0, 0, 0, 2)

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True)
class Watch:
    """One watch with all that is shown of it; `own` is the video or channel itself, a playlist has no numbers.

    Each rule comes with how it is marked (`passed_text`).
    """

    target: watches.Target
    address: str
    videos: int
    own: Standing | None
    read_at: datetime | None
    rules: Sequence[tuple[watches.StoredRule, str | None]]
    file: str | None
    """The configuration file that holds it."""


@app.command(name="list", epilog="Example: ytwatcher list --json")
def list_(
    ctx: typer.Context,
    output_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """What is watched, with today's numbers.

    Each watch with its numbers as they were last read, its rules and who is told. A count that stood still for more than an hour says
    since when YouTube has not changed it.
    """
    here = context(ctx, quiet=True)
    with here.journal() as con:
        found = _watches(con)
    if output_json:
        here.print_json([_json(watch) for watch in found])
    elif not found:
        here.out.print(NOTHING_WATCHED)
    else:
        for watch in found:
            _print(here, watch)


def _watches(con: sqlite3.Connection) -> list[Watch]:
    known, found = subjects.watched(con), []
    standings: dict[str, Standing | None] = {}
    for target, address in watches.watches(con):
        if target.id not in standings:
            own = known.get(SubjectId(target.id))
            standings[target.id] = standing(con, own) if own else None
        members = [m for m in watches.members(con, target.pk).values() if m.left_at is None]
        read = [known[SubjectId(m.subject_id)].state.newest_at for m in members if m.subject_id in known]
        videos = sum(1 for m in members if m.kind is SubjectKind.VIDEO)
        rules = [(rule, passed_text(rule, watches.passed(con, rule))) for rule in watches.rules(con, target.id, address)]
        entry = declared.of_watch(con, target.id, address)
        file = entry.file if entry else None
        found.append(Watch(target, address, videos, standings[target.id], max((at for at in read if at), default=None), rules, file))
    return found


def _json(watch: Watch) -> dict[str, Any]:
    target = watch.target
    own = as_json(watch.own) if watch.own else None
    return {
        "id": target.id,
        "kind": target.kind,
        "title": target.title,
        "url": target_url(target.id, target.kind),
        "to": watch.address,
        "videos": watch.videos,
        "read_at": iso(watch.read_at),
        "numbers": own["numbers"] if own else {},
        "fault": target.fault,
        "file": watch.file,
        "rules": [
            {"id": rule.id, "rule": rule.line, "explained": explain(rule.spec, target.kind), "passed": passed}
            for rule, passed in watch.rules
        ],
    }


def _print(here: Context, watch: Watch) -> None:
    target, now = watch.target, here.clock.now()
    what = target.kind if target.kind is TargetKind.VIDEO else f"{target.kind}, {counted(watch.videos, 'video')}"
    here.out.print(Text.assemble((title(target.title, target.id).plain, "bold"), f" ({what}) → {watch.address}"))
    lines = [target_url(target.id, target.kind)]
    if watch.own is not None:
        lines += _numbers(watch.own, now)
    lines.append(f"read {age(watch.read_at, now)}")
    lines += [f"from {watch.file}"] if watch.file else []
    lines += [f"{rule.id}  {rule.line}{f' ({passed})' if passed else ''}" for rule, passed in watch.rules] or [
        "no rule: `ytwatcher rules add` makes one"
    ]
    for line in lines:
        here.out.print(Padding(Text(line), INDENT, expand=False))
    if target.fault:
        here.out.print(Padding(Text(f"cannot be read at present: {target.fault}", style="yellow"), INDENT, expand=False))
    here.out.print()


def _numbers(own: Standing, now: datetime) -> list[str]:
    if own.state.newest_at is None:
        return []
    shown = [
        f"{metric} {value(own.state.metric(metric))}{f' ({WAITS})' if own.state.metric(metric).wait else ''}" for metric in own.metrics
    ]
    still = [f"{metric}: {still_text(since, now)}" for metric in own.metrics if (since := own.still_since(metric))]
    vanished = ["vanished from YouTube"] if own.state.presence.vanished_at else []
    return [" · ".join(shown), *still, *vanished]
