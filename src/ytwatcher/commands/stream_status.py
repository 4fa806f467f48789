"""`ytwatcher stream status`: every stage of the streaming way in one picture, and what needs a hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from ytwatcher.commands.context import Context, context, run
from ytwatcher.commands.stream_engine import EngineOption, FlavourOption, chosen, streaming_of, wanted_on, with_engine
from ytwatcher.commands.words import age, counted, iso
from ytwatcher.core.cleaning import clean
from ytwatcher.settings import Streaming
from ytwatcher.store import mirror, publications
from ytwatcher.store.mirror import Judged, Options
from ytwatcher.store.publications import Backlog
from ytwatcher.streaming import lookout, names, strangers
from ytwatcher.streaming.engines.plan import Flavour, Part
from ytwatcher.streaming.lookout import Found
from ytwatcher.streaming.publisher import TELL_AFTER

OPEN_LONG = timedelta(minutes=1)
"""Flink ends a transaction each second; what is open for so long is stuck."""


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is known at one moment. `connects`: there is a Connect; `stored_at`: the engine's newest alert in the journal."""

    found: Found
    engine: Sequence[Part]
    connects: bool
    publisher: Backlog
    rules: Sequence[Judged]
    stored_at: datetime | None
    runs: bool


def status(
    ctx: typer.Context,
    engine: EngineOption = None,
    flavour: FlavourOption = Flavour.OWN,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Every stage: is it there, does it run, how far is it.

    Topics, the engine, who reads what and how far behind, what waits to be
    published, and which rules are judged where, with the reason. Ends with 1
    when something needs a hand.
    """
    here = context(ctx, quiet=True)
    streaming = streaming_of(here)
    parts: list[Part] = []
    which = ""
    if engine is not None or streaming.engine != "embedded":
        which = chosen(here, engine)[1]
        parts = run(with_engine(streaming, which, wanted_on(streaming, which, flavour, "0"), lambda one: one.status()))
    picture = _look(here, streaming, which, parts)
    trouble = list(needs_a_hand(picture, streaming, here.clock.now()))
    if as_json:
        here.print_json({**_as_json(picture, streaming), "needs_a_hand": trouble})
    else:
        _print(here, picture, streaming)
        for line in trouble:
            here.out.print(Text(line, "red"))
    if trouble:
        raise typer.Exit(1)


def _look(here: Context, streaming: Streaming, which: str, parts: Sequence[Part]) -> Picture:
    found = run(lookout.ask(streaming, which, parts))
    with here.journal() as con:
        publisher = publications.backlog(con)
        options = Options(connect=streaming.delivery == "connect")
        rules = mirror.judges(con, here.clock.now(), options, engine=streaming.engine != "embedded")
        stored_at = mirror.newest_from_engine(con)
    return Picture(found, parts, streaming.connect_url is not None, publisher, rules, stored_at, here.runs())


def needs_a_hand(picture: Picture, streaming: Streaming, now: datetime) -> Iterator[str]:
    """What a person has to look at, each in one line."""
    absent = [topic.topic for topic in picture.found.topics if not topic.partitions]
    if absent:
        yield f"not there: {', '.join(absent)}; `ytwatcher run` and `ytwatcher stream deploy` make topics"
    for part in picture.engine:
        if part.fault:
            yield f"{part.name}: {clean(strangers.explained(streaming, part.fault), 800)}"
    if streaming.delivery == "connect" and not (picture.found.connector and picture.found.connector.runs):
        why = (picture.found.connector.failure or "its tasks do not run") if picture.found.connector else "it is not there"
        yield f"connector: {clean(why, 500)}; `ytwatcher stream connector deploy` makes it, `… restart` starts it anew"
    if picture.publisher.oldest_at is not None and now - picture.publisher.oldest_at > TELL_AFTER:
        why = "the log of `ytwatcher run` says why" if picture.runs else "`ytwatcher run` is not running"
        yield f"publisher: readings wait since {age(picture.publisher.oldest_at, now)}; {why}"
    held = [one.open_since for one in picture.found.readers if one.open_since is not None and now - one.open_since > OPEN_LONG]
    if held:
        yield (
            f"alerts of {age(min(held), now)} cannot be read yet, their transaction is open: the engine ends it with a checkpoint, or else"
            " the broker does after transaction.timeout.ms (ten minutes with ours)"
        )
    if not picture.runs and streaming.delivery == "ours" and any(one.behind for one in picture.found.readers[:1]):
        yield "alerts wait in the topic: `ytwatcher run` is not running"


def _stages(picture: Picture, streaming: Streaming) -> dict[str, datetime | None]:
    """When the last record went through each stage."""
    topics = names.topics(streaming.prefix)
    newest = {topic.topic: topic.newest_at for topic in picture.found.topics}
    return {**{topic: newest[topic] for topic in (topics.videos, topics.changes, topics.outbound)}, "alerts stored": picture.stored_at}


def _as_json(picture: Picture, streaming: Streaming) -> dict[str, Any]:
    return {
        **lookout.as_json(picture.found, picture.engine),
        "publisher": {"waiting": picture.publisher.waiting, "oldest_at": iso(picture.publisher.oldest_at)},
        "stages": {stage: iso(at) for stage, at in _stages(picture, streaming).items()},
        "rules": [asdict(one) for one in picture.rules],
        "runs": picture.runs,
    }


def _print(here: Context, picture: Picture, streaming: Streaming) -> None:
    now = here.clock.now()
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for row in (*_topic_rows(picture, now), *_part_rows(picture, now), *_reader_rows(picture), *_delivery_rows(picture, now)):
        table.add_row(*row)
    here.out.print(table)
    way = [f"{stage} {age(at, now) if at else 'none yet'}" for stage, at in _stages(picture, streaming).items()]
    here.out.print(Text(f"Last: {' -> '.join(way)}"))
    for group in picture.rules:
        here.out.print(Text(f"{counted(group.rules, 'rule')} judged by the {group.judge}" + (f" judge: {group.why}" if group.why else "")))


Row = tuple[Text, Text, Text]


def _topic_rows(picture: Picture, now: datetime) -> Iterator[Row]:
    for topic in picture.found.topics:
        held = f"{counted(topic.partitions, 'partition')}, {counted(topic.offsets, 'offset')}" if topic.partitions else "not there"
        newest = f"newest {age(topic.newest_at, now)}" if topic.newest_at else "empty" if topic.partitions else ""
        yield Text(topic.topic, "cyan"), Text(held), Text(newest)


def _part_rows(picture: Picture, now: datetime) -> Iterator[Row]:
    for part in picture.engine:
        checkpoint = f"checkpoint {age(part.checkpoint_at, now)}" if part.checkpoint_at else ""
        yield Text(part.name, "cyan"), Text(part.state.lower(), "red" if part.fault else "green"), Text(checkpoint)


def _reader_rows(picture: Picture) -> Iterator[Row]:
    for one in picture.found.readers:
        most = f", {one.most:,} of them in partition {one.worst}" if one.most < one.behind else ""
        yield Text(one.group, "cyan"), Text(f"{one.behind:,} behind{most}" if one.behind else "has read all"), Text(one.topic)


def _delivery_rows(picture: Picture, now: datetime) -> Iterator[Row]:
    if picture.connects:
        found = picture.found.connector
        tasks = ", ".join(f"task {task.number} {task.state.lower()}" for task in found.tasks) if found else ""
        yield Text("connector", "cyan"), Text(found.state.lower() if found else "not there"), Text(tasks)
    waiting, oldest_at = picture.publisher
    words = f"{counted(waiting, 'reading')} to publish" if waiting else "all is published"
    yield Text("publisher", "cyan"), Text(words), Text(f"oldest {age(oldest_at, now)}" if oldest_at else "")
