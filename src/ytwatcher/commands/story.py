"""The demo as a story in the terminal: what arrives, what goes wrong, and what it cost, for a person who sees it first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ytwatcher.clock import Clock
from ytwatcher.commands.words import counted
from ytwatcher.core.cleaning import clean
from ytwatcher.simulator.demo import DemoWorld
from ytwatcher.simulator.telegram import BotCall
from ytwatcher.simulator.telegram_messages import Delivered
from ytwatcher.simulator.youtube import Call

WIDEST = 80
INTRO = """\
[bold]YT Watcher, a demo.[/bold] A simulated YouTube and a simulated Telegram run inside this process; between them works the real thing: it
reads, settles, judges and sends, {speed:g} times faster than life. No key is needed, nothing leaves this machine, and nothing is kept.
Ctrl-C ends it.
"""
TROUBLE = MappingProxyType(
    {
        "html502": "YouTube answers with an error page (502) now. Statistics are asked for again in a moment.",
        "missingLikes": "YouTube leaves all like counts out of an answer. One such answer proves nothing, so nobody is told.",
        "half": "YouTube leaves half of the videos out of an answer. Nothing is concluded from that; they are asked for again.",
        "cut": "An answer of YouTube's breaks off in the middle. It is thrown away and asked for again.",
        "empty200": "YouTube answers 200 with nothing in it. No video is taken for deleted because of that.",
        "lostAnswer": "A message arrived, but Telegram's answer was lost on the way. It is sent again, and says that it may be a repeat.",
        "telegram 502": "Telegram answers with an error page (502) now. The message is kept and sent again.",
    }
)
_STYLES = MappingProxyType({"bold": "bold", "italic": "italic", "underline": "underline", "strikethrough": "strike", "code": "cyan"})


class Story:
    """Tells what the doubles have seen since it was last asked to look."""

    def __init__(self, console: Console, demo: DemoWorld, clock: Clock, zone: ZoneInfo) -> None:
        self._console, self._demo, self._clock, self._zone = console, demo, clock, zone
        self._start_at = clock.now()
        self._messages = self._calls = self._bot_calls = 0
        self._troubles = 0
        self._width = min(WIDEST, console.width)

    def begin(self, speed: float) -> None:
        self._console.print(INTRO.format(speed=speed).replace("\n", " ").strip(), width=self._width)
        self._console.print("\nAdding what there is to watch, as [cyan]ytwatcher add LINK[/cyan] does:", width=self._width)

    def added(self, target: str, outcome: dict[str, Any]) -> None:
        """One answer to `add`."""
        if "error" in outcome:
            self._console.print(Text(f"  ✗ {target}: {outcome['error']}", "yellow"), width=self._width)
            return
        answer = outcome["ok"]
        rules = ", ".join(rule["rule"] for rule in answer["rules"])
        self._console.print(Text.assemble(("  ✓ ", "green"), (clean(answer["title"] or answer["id"], 70), "bold")), width=self._width)
        self._console.print(Padding(Text(f"{_standing(answer)} · {rules}", "dim"), (0, 0, 0, 4)), width=self._width)

    def started(self) -> None:
        self._console.print("\nNow it runs. Messages appear as they arrive; the times are the simulated world's.\n", width=self._width)

    def look(self) -> None:
        """Tell what is new, in its order: the messages that arrived, and what went wrong."""
        demo = self._demo
        calls, self._calls = demo.youtube.calls[self._calls :], len(demo.youtube.calls)
        bot_calls, self._bot_calls = demo.telegram.calls[self._bot_calls :], len(demo.telegram.calls)
        messages, self._messages = demo.telegram.messages[self._messages :], len(demo.telegram.messages)
        faults = {fault: at for at, fault in reversed([*_faults(calls), *_bot_faults(bot_calls)])}
        self._troubles += len(faults)
        news: list[tuple[datetime, RenderableType]] = [(message.at, self._bubble(message)) for message in messages]
        news += [(at, self._line(at, "⚡", TROUBLE.get(fault, f"The simulator: {fault}."), "yellow")) for fault, at in faults.items()]
        for _, one in sorted(news, key=lambda entry: entry[0]):
            self._console.print(one, width=self._width)

    def sum_up(self) -> None:
        """One quiet line of where it stands."""
        self._console.print(self._line(self._clock.now(), "·", f"{self._figures()}.", "dim"), width=self._width)

    def end(self) -> None:
        """What it came to, and what a person would do next."""
        minutes = round((self._clock.now() - self._start_at).total_seconds() / 60)
        mishaps = counted(self._troubles, "mishap")
        self._console.print(
            f"\n[bold]That was the demo:[/bold] {minutes:,} simulated minutes; {self._figures()}; {mishaps} along the way;"
            " nothing false was told.\n\nTo go live: [cyan]ytwatcher init[/cyan] asks for a YouTube API key and a Telegram bot token and"
            " checks both, [cyan]ytwatcher add LINK[/cyan] says what to watch, [cyan]ytwatcher run[/cyan] watches.",
            width=self._width,
            highlight=False,
        )

    def _figures(self) -> str:
        calls = self._demo.youtube.calls
        readings = sum(len(call.ids) for call in calls if call.status == 200 and call.fault is None and call.method != "playlistItems.list")
        units = sum(self._demo.youtube.used(bucket) for bucket in self._demo.youtube.bucket_limits)
        messages = counted(len(self._demo.telegram.messages), "message")
        return f"{counted(len(calls), 'call')}, {counted(units, 'unit')} of quota, {counted(readings, 'reading')}, {messages}"

    def _line(self, at: datetime, mark: str, text: str, style: str) -> Table:
        line = Table.grid(padding=(0, 1))
        line.add_row(*(Text(part, style) for part in (self._time(at), mark, text)))
        return line

    def _time(self, at: datetime) -> str:
        return f"{at.astimezone(self._zone):%H:%M}"

    def _bubble(self, message: Delivered) -> Padding:
        title = f"{'🔕 ' if message.silent else ''}Telegram · {self._time(message.at)}"
        panel = Panel(shown(message), title=title, title_align="left", border_style="blue", padding=(0, 1), width=self._width - 8)
        return Padding(panel, (0, 0, 0, 6), expand=False)


def _faults(calls: Sequence[Call]) -> list[tuple[datetime, str]]:
    return [(call.at, call.fault) for call in calls if call.fault]


def _bot_faults(calls: Sequence[BotCall]) -> list[tuple[datetime, str]]:
    return [(call.at, "telegram 502" if call.fault == "html502" else call.fault) for call in calls if call.fault]


def _standing(answer: dict[str, Any]) -> str:
    """What it is and where it stands: `video · 98,900 views`."""
    if answer["kind"] == "playlist":
        return f"playlist · {answer['videos']:,} videos"
    metric = "views" if answer["kind"] == "video" else "subscribers"
    value = answer["numbers"].get(metric)
    return f"{answer['kind']} · {value:,} {metric}" if value is not None else answer["kind"]


def shown(message: Delivered) -> Text:
    """The message as Telegram shows it: its markup as styles, its links clickable and named."""
    text = Text()
    done = 0
    raw = message.shown.encode("utf-16-le")  # entities count in UTF-16 units

    def piece(start: int, end: int) -> str:
        return raw[2 * start : 2 * end].decode("utf-16-le")

    for entity in sorted(message.entities, key=lambda one: (one.offset, -one.length)):
        if entity.offset < done:
            continue
        text.append(piece(done, entity.offset))
        done = entity.offset + entity.length
        if entity.kind == "text_link" and entity.url:
            text.append(piece(entity.offset, done), f"bold underline link {entity.url}")
            text.append(f"  {entity.url.removeprefix('https://')}", "dim")
        else:
            text.append(piece(entity.offset, done), _STYLES.get(entity.kind, ""))
    text.append(piece(done, len(raw) // 2))
    return text
