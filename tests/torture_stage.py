"""A month in which everything outside fails at random, without sockets, before an oracle that sees every answer."""

from __future__ import annotations

import asyncio
import io
import random
import re
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from faulty_wire import Wire
from oracle import Key, Number, Oracle
from virtual_clock import VirtualClock
from ytwatcher import config
from ytwatcher.app import App, open_app
from ytwatcher.core.model import ChatId, SubjectKind, TargetKind
from ytwatcher.simulator import TelegramDouble, World, YouTubeDouble, make_video_id
from ytwatcher.simulator.telegram import BOT_TOKEN
from ytwatcher.simulator.world import SimVideo
from ytwatcher.simulator.youtube import PACIFIC
from ytwatcher.store import recipients, subjects, watches

START = datetime(2026, 10, 5, 17, tzinfo=UTC)
OPERATOR, CHAT, GROUP, SUPERGROUP, LEAVER = 99, 1001, -2002, -1002002002002, 3003
UNITS = 1_000
LOOPS = 4
CALM = timedelta(hours=6)
"""At the end, without faults: what is not told then is lost."""
STRIKES_EVERY = 1.5
"""Hours from one thing that goes wrong to the next, on average."""
MOVES = timedelta(minutes=1)
"""Each minute another fifth of the counters moves, so that each moves every 5 minutes."""
RULES = ("views milestones", "likes milestones", "availability")
LASTING = (
    *("backend500", "backend503", "html502", "empty200", "noItems", "rateLimit", "quotaExceeded", "quotaExceeded429", "cut"),
    *("notImplemented501", "keyInvalid", "serviceDisabled"),
)
PASSING = ("half", "missingLikes", "badRequest400", "badPageToken400", "notFound404")
"""Where YouTube lies consistently for long, what it says is told: these last a call."""
AT_TELEGRAM = ("html502", "restart500", "tooMany429", "unauthorized401", "lostAnswer")
AFTER_FAULTS = timedelta(hours=1, minutes=10)
"""How long a message may still wait for its next attempt, or a chat to be asked again, when a fault is over."""
SWITCHED = {
    "No longer available": ("video", True),
    "Available again": ("video", False),
    "Likes are hidden": ("likes", True),
    "Likes are shown": ("likes", False),
    "Comments are turned off": ("comments", True),
    "Comments are turned on": ("comments", False),
}
_PASSED = re.compile(r"(Views|Likes) passed ([\d,]+)")
_TITLE = re.compile(r"Video \d+")
_REPEAT = "May be a repeat"


@dataclass(slots=True)
class Counts:
    """A video's real counts, and what YouTube adds to its views by mistake."""

    video: SimVideo
    a_step: float
    """Views that come every five minutes, on average."""
    views: float
    likes: float
    slip: int = 0
    likes_hidden: bool = False
    peaks: dict[str, int] = field(default_factory=dict)

    def move(self, dice: Random) -> None:
        more = self.a_step * 2 * dice.random()
        self.views += more
        self.likes += more / 30
        self.show()

    def show(self) -> None:
        views, likes = int(self.views), int(self.likes)
        self.peaks["views"], self.peaks["likes"] = max(views, self.peaks.get("views", 0)), max(likes, self.peaks.get("likes", 0))
        self.video.views, self.video.likes = views + self.slip, None if self.likes_hidden else likes


@dataclass(slots=True)
class Told:
    """What one chat was told, but for what messages marked as repeats brought a second time."""

    numbers: dict[Number, list[datetime]] = field(default_factory=dict)
    switches: dict[Key, list[tuple[bool, datetime]]] = field(default_factory=dict)
    """Whether it was off then."""
    other: list[str] = field(default_factory=list)

    def take(self, title: str, line: str, at: datetime, *, repeat: bool) -> bool:
        """Note the number that a line tells, and all that it says was switched; whether there was any of it."""
        found, switches = _PASSED.search(line), _switches(line)
        if found:
            number = (title, found[1].lower(), int(found[2].replace(",", "")))
            if number not in self.numbers or not repeat:
                self.numbers.setdefault(number, []).append(at)
        for what, off in switches:
            known = self.switches.setdefault((title, what), [])
            if not repeat or not known or known[-1][0] != off:
                known.append((off, at))
        return bool(found or switches)


class SetClock:
    """A clock that is wrong by a fixed span: what the app of one life goes by."""

    def __init__(self, clock: VirtualClock, ahead: timedelta) -> None:
        self._clock, self._ahead = clock, ahead

    def now(self) -> datetime:
        return self._clock.now() + self._ahead

    async def wait(self, until: datetime | None, wake: asyncio.Event | None = None) -> None:
        await self._clock.wait(None if until is None else until - self._ahead, wake)


class Month:
    """The stage, what happens on it, and what it leaves behind."""

    def __init__(self, folder: Path, seed: int, videos: int) -> None:
        self.dice = Random(seed)
        self.clock = VirtualClock(START, loops=LOOPS, patience=300)
        self.world = World(self.clock.now, seed=seed)
        self.keys = 0
        self.youtube, self.telegram = YouTubeDouble(self.world, self.clock.now), TelegramDouble(self.clock.now)
        self.youtube.bucket_limits |= {"default": UNITS, "batchGetStats": UNITS}
        self.counts = {f"Video {n}": self._add_video(n, seed) for n in range(videos)}
        self.oracle = Oracle({one.video.id: title for title, one in self.counts.items()}, self._real)
        self.wire = Wire(self.youtube, self.telegram, self.clock, self.oracle)
        self.faults: list[tuple[datetime, datetime]] = []
        """When messages could be held up, each until when that can be felt."""
        self.switched: list[tuple[Key, datetime, datetime]] = []
        """What was off from when until when: videos, likes and comments."""
        self.happened: Counter[str] = Counter()
        self._folder = folder
        self._clock_ahead = timedelta(0)
        self._restart_wanted = False
        self._app: App | None = None
        telegram = self.telegram
        telegram.add_chat(CHAT)
        telegram.add_chat(OPERATOR)
        telegram.add_chat(LEAVER)
        telegram.add_chat(GROUP, "group")

    def told(self, *chats: int) -> Told:
        """What was told in a chat; in a group that moved, under both its ids."""
        told, title = Told(), ""
        for message in self.telegram.messages:
            if message.chat_id not in chats:
                continue
            repeat = _REPEAT in message.shown
            for line in message.shown.splitlines():
                if told.take(title, line, message.at, repeat=repeat):
                    continue
                if named := _TITLE.search(line):
                    title = named[0]
                elif line.strip() and not line.startswith("↻"):
                    told.other.append(line)
        return told

    @property
    def most_units(self) -> int:
        """The most that was spent of one bucket on one quota day."""
        spent: Counter[tuple[object, str]] = Counter()
        for call in self.youtube.calls:
            spent[call.at.astimezone(PACIFIC).date(), "stats" if call.method == "videos.batchGetStats" else "default"] += call.units
        return max(spent.values())

    def _real(self, key: Key) -> int:
        return self.counts[key[0]].peaks[key[1]]

    def _add_video(self, n: int, seed: int) -> Counts:
        age = timedelta(hours=24 * 10 ** (3 * self.dice.random()))
        views = 10 ** self.dice.uniform(2, 6.5)
        video = self.world.add_video(
            make_video_id(n),
            views=int(views),
            likes=int(views / 30),
            comments=int(views / 300),
            title=f"Video {n}",
            published_at=START - age,
        )
        counts = Counts(video, 10 ** self.dice.uniform(-0.5, 3.5) / 12, views, views / 30)
        counts.show()
        return counts

    # --- its course ------------------------------------------------------------------------------------------------------

    async def run(self, days: int) -> None:
        """So many days of faults, and some hours more without any; the app is started anew whenever that is wanted."""
        groups = [list(self.counts.values())[n::5] for n in range(5)]

        def move(at: datetime) -> None:
            for one in groups[int((at - START) / MOVES) % 5]:
                one.move(self.dice)

        self.world.every(MOVES, move)
        end = START + timedelta(days=days)
        self._plan_group(days)
        while self.clock.now() < end:
            async with self._life():
                while self.clock.now() < end and not self._restart_wanted:
                    pause = timedelta(hours=self.dice.expovariate(1 / STRIKES_EVERY))
                    await self.clock.run_until(min(end, self.clock.now() + pause))
                    self._strike()
        self.youtube.clear()
        self.telegram.clear()
        self.wire.clear()
        self._set_clock(timedelta(0))
        async with self._life():
            await self.clock.run_until(end + CALM)

    @asynccontextmanager
    async def _life(self) -> AsyncIterator[None]:
        """One start of the app, and its stop."""
        self._restart_wanted = False
        settings = config.load(None, self._folder, self._environment())
        clock = SetClock(self.clock, self._clock_ahead)
        opened = open_app(settings, clock, out=io.StringIO(), look_every=None, transport=self.wire)
        async with opened as app:
            self.clock.busy[:] = [lambda: app.dispatcher.busy and not self.wire.slow_now]
            if not self.happened["start"]:
                await app.db.write(_watch, list(self.counts.values()), clock.now())
            self.happened["start"] += 1
            running = asyncio.create_task(app.run())
            await self.clock.rest()
            yield
            while self.wire.slow_now:
                await self.clock.run_until(self.clock.now() + timedelta(seconds=1))
            app.stop()
            async with asyncio.timeout(300):
                await running
        self._felt(timedelta(0))

    def _environment(self) -> dict[str, str]:
        values = {
            "YOUTUBE__BASE_URL": "http://youtube/youtube/v3",
            "YOUTUBE__API_KEY": f"key-{self.keys}",
            "YOUTUBE__DAILY_UNITS": str(UNITS),
            "YOUTUBE__DAILY_STATS_UNITS": str(UNITS),
            "TELEGRAM__BASE_URL": "http://telegram",
            "TELEGRAM__BOT_TOKEN": BOT_TOKEN,
            "TELEGRAM__OPERATOR": f"telegram:{OPERATOR}",
            "TELEGRAM__BOT": "false",
        }
        self.youtube.api_keys = frozenset([f"key-{self.keys}"])
        return {"HOME": str(self._folder), **{f"YTWATCHER_{name}": value for name, value in values.items()}}

    def _felt(self, lasts: timedelta) -> None:
        now = self.clock.now()
        self.faults.append((now, now + lasts + AFTER_FAULTS))

    # --- what goes wrong -------------------------------------------------------------------------------------------------

    def _plan_group(self, days: int) -> None:
        """The group moves once in the month, and once the bot may not write there; one chat blocks the bot for good."""
        month = timedelta(days=days)

        def moves(_: datetime) -> None:
            self.happened["the group moves"] += 1
            self.telegram.migrate(GROUP, SUPERGROUP)

        def blocks(_: datetime) -> None:
            self.happened["a chat blocks the bot"] += 1
            self.telegram.block(LEAVER)

        self.world.at(START + month * self.dice.uniform(0.2, 0.8), moves)
        self.world.at(START + month * self.dice.uniform(0.2, 0.8), blocks)

    def _strike(self) -> None:
        lasts = timedelta(minutes=10 ** self.dice.uniform(0, 2.5))
        strikes = (
            self._youtube_fails,
            self._youtube_slips,
            self._wire_fails,
            self._telegram_fails,
            self._counts_change,
            self._video_changes,
        )
        (strike,) = self.dice.choices((*strikes, self._ours), (4, 4, 3, 5, 4, 3, 1))
        strike(lasts)

    def _youtube_fails(self, lasts: timedelta) -> None:
        kind, method = self.dice.choice(LASTING), self.dice.choice(("*", "*", "videos.batchGetStats", "videos.list"))
        self.happened[kind] += 1
        self.youtube.fail(method, kind, until=self.clock.now() + lasts)

    def _youtube_slips(self, _: timedelta) -> None:
        kind, method = self.dice.choice(PASSING), self.dice.choice(("*", "videos.batchGetStats", "videos.list"))
        self.happened[kind] += 1
        self.youtube.fail(method, kind, times=1)

    def _wire_fails(self, lasts: timedelta) -> None:
        host, kind = (
            self.dice.choice(("youtube", "youtube", "telegram")),
            self.dice.choice(("slow", "timeout", "no network", "doubled", "old")),
        )
        self.happened[f"{host}: {kind}"] += 1
        self.wire.fail(host, kind, self.clock.now() + lasts, timedelta(seconds=self.dice.uniform(1, 25)))
        if host == "telegram":
            self._felt(lasts)

    def _telegram_fails(self, lasts: timedelta) -> None:
        kind = self.dice.choice((*AT_TELEGRAM, "no right to write"))
        self.happened[kind] += 1
        until = self.clock.now() + lasts
        self._felt(lasts)
        if kind == "no right to write":
            chat = SUPERGROUP if self.telegram.chats[ChatId(GROUP)].migrated_to else GROUP
            self.telegram.revoke_rights(chat)
            self.world.at(until, lambda _: self._may_write_again(chat, until - lasts))
            return
        times = self.dice.randint(1, 3) if kind in ("lostAnswer", "tooMany429") else None
        method, delivered = self.dice.choice(("sendMessage", "sendMessage", "*")), self.dice.random() < 0.2
        retry_after = int(10 ** self.dice.uniform(0, 3))
        self.telegram.fail(method, kind, times=times, until=until, retry_after=retry_after, delivered=delivered)

    def _may_write_again(self, chat: int, since: datetime) -> None:
        """The world moves when YouTube is asked: on a day without quota that is later than planned."""
        self.telegram.grant_rights(chat)
        self.faults.append((since, self.clock.now() + AFTER_FAULTS))

    def _counts_change(self, lasts: timedelta) -> None:
        """Jumps and recounts that stay, falls that pass, and slips that pass before a second look could confirm them."""
        one, kind = self.dice.choice(list(self.counts.values())), self.dice.choice(("jump", "recount", "fall", "slip", "slip"))
        self.happened[kind] += 1
        before = one.views
        if kind == "jump":
            one.views += max(1_000, one.views) * self.dice.uniform(0.1, 3)
        elif kind == "slip":
            if self.clock.now() - one.video.published_at < timedelta(days=3):
                return
            one.slip = int(max(2_000, one.peaks["views"]) * self.dice.uniform(1, 9))
            self.world.at(self.clock.now() + timedelta(minutes=4), lambda _: self._no_slip(one))
        else:
            one.views *= self.dice.uniform(0.85, 0.9999) if kind == "recount" else 0.5
        if kind == "fall":
            self.world.at(self.clock.now() + lasts * 4, lambda _: self._no_fall(one, before))
        one.show()

    def _no_slip(self, one: Counts) -> None:
        one.slip = 0
        one.show()

    def _no_fall(self, one: Counts, before: float) -> None:
        one.views += before / 2
        one.show()

    def _video_changes(self, lasts: timedelta) -> None:
        one, kind = self.dice.choice(list(self.counts.values())), self.dice.choice(("deleted", "private", "likes", "comments", "bare"))
        self.happened[f"{kind} off"] += 1
        video, back_at = one.video, self.clock.now() + lasts * 20
        if kind != "bare":
            self.switched.append(((one.video.title, kind if kind in ("likes", "comments") else "video"), self.clock.now(), back_at))
        match kind:
            case "deleted" | "private":
                video.state = "deleted" if kind == "deleted" else "private"
                self.world.at(back_at, lambda _: setattr(video, "state", "public"))
            case "likes":
                one.likes_hidden = True
                self.world.at(back_at, lambda _: setattr(one, "likes_hidden", False))
            case "comments":
                comments, video.comments = video.comments, None
                self.world.at(back_at, lambda _: setattr(video, "comments", comments or 0))
            case _:
                video.statistics = False
                self.world.at(self.clock.now() + lasts, lambda _: setattr(video, "statistics", True))

    def _ours(self, lasts: timedelta) -> None:
        """What happens at our own place: a suspended machine, a stop and start, a clock that is wrong, a new key."""
        kind = self.dice.choice(("suspended", "restarted", "clock", "key"))
        self.happened[kind] += 1
        if kind == "suspended":
            self.clock.suspend(lasts)
            self._felt(timedelta(0))
        elif kind == "key":
            # Google refuses the old one from now on; it is replaced by whoever hears of that, some hours later.
            self.keys += 1
            self.youtube.api_keys = frozenset([f"key-{self.keys}"])
            self.world.at(self.clock.now() + lasts + timedelta(hours=1), lambda _: self._want_restart())
        else:
            if kind == "clock":
                self._set_clock(timedelta(minutes=self.dice.uniform(-90, 3_000)) if not self._clock_ahead else timedelta(0))
            self._restart_wanted = True

    def _want_restart(self) -> None:
        self._restart_wanted = True

    def _set_clock(self, ahead: timedelta) -> None:
        if ahead < self._clock_ahead:
            self.oracle.forget_waits()
        else:
            self.oracle.put_forward(ahead - self._clock_ahead)
        self._clock_ahead = ahead


def _switches(line: str) -> list[tuple[str, bool]]:
    """What a line says was switched, in its order, and whether it is off now."""
    return [switch for _, switch in sorted((line.index(words), switch) for words, switch in SWITCHED.items() if words in line)]


def _watch(con: sqlite3.Connection, videos: Sequence[Counts], now: datetime) -> None:
    """One watch a video, as a person would have added them over weeks; a group and a third chat watch some of them, too."""
    chats = [recipients.ensure(con, f"telegram:{chat}") for chat in (CHAT, GROUP, LEAVER)]
    for n, one in enumerate(videos):
        target = watches.ensure_target(con, one.video.id, TargetKind.VIDEO, None, None, False, now)
        watches.join(con, target, subjects.ensure(con, one.video.id, SubjectKind.VIDEO, now), None, now)
        for recipient in chats if n % 10 == 0 else chats[:1]:
            watch, _ = watches.ensure_watch(con, target, recipient, now)
            for rule in RULES:
                watches.add_rule(con, watch, rule, now)


async def suffer(folder: Path, seed: int, videos: int, days: int) -> Month:
    """Run the app through so many days of random faults; pauses are drawn by the seed as well."""
    random.seed(seed)
    month = Month(folder, seed, videos)
    await month.run(days)
    return month
