"""`ytwatcher doctor`: check keys, clock, database and both services."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from ytwatcher.app import journal_path
from ytwatcher.commands import checkup, wire
from ytwatcher.commands.checkup import Finding, State
from ytwatcher.commands.context import Context, context, run
from ytwatcher.commands.words import counted
from ytwatcher.core.quota import Bucket, Share
from ytwatcher.outlook import terms
from ytwatcher.store import quota
from ytwatcher.store.db import Lease
from ytwatcher.youtube.client import Raw, YouTubeClient
from ytwatcher.youtube.faults import YouTubeError

MARKS = {State.OK: ("✓", "green"), State.WARNING: ("!", "yellow"), State.FAILED: ("✗", "red")}
Count = Callable[[Bucket], None]
"""Notes a unit in the ledger before the call that costs it."""

app = typer.Typer(add_completion=False)


@dataclass(slots=True)
class Report:
    """All that was found; `forms` are YouTube's wire forms, `units` what asking for them cost, `counted` whether the ledger has them."""

    findings: list[Finding] = field(default_factory=list)
    forms: dict[str, str] = field(default_factory=dict)
    units: int = 0
    counted: bool = False


@app.command(epilog="Example: ytwatcher doctor --json")
def doctor(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Check keys, clock, database and both services.

    Says of each whether it is ok and what to do where it is not; ends with
    1 when something failed. Costs up to five units of quota. Also shows the
    forms of YouTube's answers that its documents leave open.
    """
    here = context(ctx, quiet=True)
    with here.err.status("Looking …") if here.err.is_terminal else nullcontext():
        report = _examine(here)
    if as_json:
        here.print_json({**asdict(report), "ok": not _failed(report.findings)})
    else:
        _print(here, report)
    if _failed(report.findings):
        raise typer.Exit(1)


def _failed(findings: Sequence[Finding]) -> bool:
    return any(finding.state is State.FAILED for finding in findings)


def _examine(here: Context) -> Report:
    journal = list(checkup.journal_findings(here.settings))
    report = Report([*checkup.settings_findings(here.settings), checkup.zone_finding(), *journal])
    lease = None if _failed(journal) else Lease(journal_path(here.settings))
    try:
        report.counted = lease is not None and lease.take()
        run(_ask_both(here, report))
    finally:
        if lease is not None:
            lease.release()
    return report


def _counter(here: Context, report: Report) -> Count:
    """With the lease ours, units are noted in the ledger; beside a running process only here."""

    def count(bucket: Bucket) -> None:
        report.units += 1
        if report.counted:
            with here.writing() as connection:
                quota.spend(connection, bucket, terms(here.settings)[bucket], Share.COMMANDS, here.clock.now())

    return count


async def _ask_both(here: Context, report: Report) -> None:
    if here.settings.youtube.api_key is not None:
        await _ask_youtube(here, report, _counter(here, report))
    report.findings += await checkup.telegram_findings(here.settings)
    report.findings.append(await checkup.fonts_finding())


async def _ask_youtube(here: Context, report: Report, count: Count) -> None:
    key_in = here.settings.youtube.key_in
    before = here.clock.now()
    first = await _probe(here, wire.FIRST, key_in, count)
    after = here.clock.now()
    report.findings.append(checkup.key_finding(first))
    report.findings.append(checkup.clock_finding(first.headers if isinstance(first, Raw) else None, before, after))
    if isinstance(first, YouTubeError):
        return
    taken = {key_in: first.status == 200}
    other: Literal["header", "query"] = "query" if key_in == "header" else "header"
    if other == "header" or not taken[key_in]:  # a key that is taken in the header need not be in any address
        second = await _probe(here, wire.FIRST, other, count)
        taken[other] = isinstance(second, Raw) and second.status == 200
    report.forms = {f"key in the {place}": "taken" if yes else "refused" for place, yes in taken.items()}
    if taken.get(other) and not taken[key_in]:
        text = f"the key is refused in the {key_in} and taken in the {other}"
        report.findings.append(Finding("key's place", State.FAILED, text, f'set youtube.key_in = "{other}"'))
    if taken[key_in]:
        answers = {name: await _probe(here, probe, key_in, count) for name, probe in wire.PROBES.items()}
        report.forms |= wire.forms(first, {name: raw for name, raw in answers.items() if isinstance(raw, Raw)})


async def _probe(here: Context, probe: wire.Probe, key_in: Literal["header", "query"], count: Count) -> Raw | YouTubeError:
    youtube = here.settings.youtube
    assert youtube.api_key is not None  # nothing is asked without one
    count(probe.bucket)
    try:
        async with YouTubeClient(youtube.base_url, youtube.api_key.reveal(), key_in=key_in) as client:
            return await client.raw(probe.path, probe.params)
    except YouTubeError as error:
        return error


def _print(here: Context, report: Report) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for finding in report.findings:
        mark, style = MARKS[finding.state]
        text = Text(finding.text)
        if finding.todo:
            text.append(f"\n→ {finding.todo}", style)
        table.add_row(Text(mark, style), Text(finding.name, no_wrap=True), text)
    here.out.print(table)
    if report.forms:
        here.out.print("\n[bold]Forms of YouTube's answers that its documents leave open[/bold] (all of them are understood)")
        _print_forms(here, report.forms)
    where = "counted in the ledger" if report.counted else "not counted in the ledger: another process has it, or it cannot be written"
    here.out.print(Text(f"\n{counted(report.units, 'unit')} of quota used, {where}." if report.units else "\nNo quota was used."))


def _print_forms(here: Context, forms: Mapping[str, str]) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for question, seen in forms.items():
        table.add_row(Text(question, "cyan"), Text(seen))
    here.out.print(table)
