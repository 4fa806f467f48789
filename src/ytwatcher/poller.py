"""The poller's loop: plan → ask → accept, lane by lane, one call at a time.

Everything that decides is elsewhere: the plan in core/schedule.py, what a refusal means in youtube/faults.py, what an answer means in
the pipeline. Here is only who is asked next, and what is done when YouTube says no.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import cycle
from typing import NamedTuple, TypeVar

import structlog

from ytwatcher.clock import Clock, Pulse
from ytwatcher.core.intervals import IDS_PER_CALL, PACE, Pace
from ytwatcher.core.model import (
    MILLISECOND,
    Absence,
    ChannelId,
    Entry,
    Lane,
    Listing,
    PlaylistId,
    Reading,
    SubjectId,
    SubjectKind,
    VideoId,
    from_ms,
    to_ms,
)
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.quota import Allowance, Bucket, Share, allowance
from ytwatcher.core.retry import backoff
from ytwatcher.core.schedule import (
    ListPlan,
    Plan,
    Settings,
    plan_channels,
    plan_membership,
    plan_metadata,
    plan_statistics,
)
from ytwatcher.pipeline import Accepted, Fate, accept, accept_listing
from ytwatcher.reader import Notify, Reader
from ytwatcher.silence import Silence
from ytwatcher.store import subjects, watches
from ytwatcher.store.db import Database
from ytwatcher.workload import Workload
from ytwatcher.youtube.faults import Act, YouTubeError, malformed
from ytwatcher.youtube.parse import Answer

FAILURES_TO_FALL_BACK = 3
METHOD_AGAIN = timedelta(hours=1)
STATISTICS_AGAIN = timedelta(minutes=15)
LIST_TRIES, LIST_AGAIN = 10, timedelta(hours=1)
PAUSES = {Act.STOP: timedelta(minutes=10), Act.OUR_BUG: timedelta(hours=1)}
READ_NOW_CALLS = 4
"""A command that added a target waits for at most so many statistics calls; the plan reads the rest."""
WITNESSES = (VideoId("jNQXAC9IVRw"), VideoId("dQw4w9WgXcQ"))
"""Two of the oldest and most watched videos, of two channels: asked along when nothing else can prove an answer whole."""

T = TypeVar("T")
log = structlog.get_logger(__name__)


class Rest(NamedTuple):
    """Nothing is due before `until` (None: before something new is watched); `failed`: but for what failed and waits to be tried again."""

    until: datetime | None
    failed: bool = False


Step = Callable[[], Awaitable[Rest | None]]
"""Does the next piece of a lane's work (None), or says until when there is none."""


@dataclass(slots=True)
class LaneState:
    """A lane's work, and what it remembers of its failures: how many in a row, and until when it waits after the last one."""

    name: str
    step: Step
    failures: int = 0
    not_before: datetime | None = None


class Aside(NamedTuple):
    """A list that lets the others go first, and waits at least until then: how often its reading failed, since when, and how many answers
    YouTube had given before."""

    failures: int
    answers: int
    since: datetime
    until: datetime


class Poller:
    """Reads what is watched. `run` is a loop for a TaskGroup; set `wake` when something new is wanted.

    Args:
        told: called after a commit that brought alerts.
        notify: tells the operator once per incident.
        published: called after a commit that brought something to publish; None: nothing is to be published.
        jitter: a source of numbers in [0, 1).
    """

    def __init__(
        self,
        db: Database,
        reader: Reader,
        clock: Clock,
        settings: Settings,
        silence: Silence,
        told: Callable[[], None],
        notify: Notify,
        *,
        published: Callable[[], None] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.wake = asyncio.Event()
        self._db, self._reader, self._settings = db, reader, settings
        self.pulse = self._clock = Pulse(clock)
        self._silence, self._told, self._notify, self._published, self._jitter = silence, told, notify, published, jitter
        steps = {"statistics": self._statistics, "metadata": self._metadata, "channels": self._channels, "lists": self._lists}
        self._lanes = [LaneState(name, step) for name, step in steps.items()]
        self._aside: dict[str, Aside] = {}
        self._answers = 0
        self._one_call = asyncio.Lock()
        self._workload, self._pace = Workload(), PACE
        self._statistics_again_at: datetime | None = None
        self._stamped_at: datetime | None = None
        self._stopping = False

    async def run(self) -> None:
        """Read for ever; after `stop` the call in hand is finished and recorded."""
        self._silence.begin(await self._db.read(subjects.last_read_at))
        while not self._stopping:
            self.wake.clear()
            next_at = await self._turn()
            silent_at = await self._silence.watch(failing=self._failing() and self._reader.refused_at is None)
            await self._clock.wait(_earliest(next_at, silent_at), self.wake)

    def stop(self) -> None:
        self._stopping = True
        self.wake.set()

    async def _turn(self) -> datetime | None:
        """Make every call that is due, one lane after the other, so that none of them starves while another always has something to do;
        returns when the next one is (None: nothing is watched)."""
        rests: list[Rest] = []
        lanes = cycle(self._lanes)
        while len(rests) < len(self._lanes) and not self._stopping:
            rest = await self._work(next(lanes))
            rests = [] if rest is None else [*rests, rest]
        if not self._failing():
            self._silence.caught_up()
        return _earliest(*(rest.until for rest in rests))

    def _failing(self) -> bool:
        return any(lane.failures for lane in self._lanes)

    async def _work(self, lane: LaneState) -> Rest | None:
        """Let a lane do its next piece of work; it rests where nothing is due, or after a failure."""
        now = self._clock.now()
        if lane.not_before is not None and now < lane.not_before:
            return Rest(lane.not_before)
        try:
            rest = await lane.step()
        except YouTubeError as error:
            await self._failed(lane, error)
            return None
        if rest is None or not rest.failed:
            lane.failures, lane.not_before = 0, None
        return rest

    async def _failed(self, lane: LaneState, error: YouTubeError) -> None:
        """What a failure means for the lane: a closed bucket shows in the next plan, everything else is a pause."""
        now = self._clock.now()
        lane.failures += 1
        if error.act is Act.OUR_BUG:
            key = f"bug:{lane.name}:{error.reason}:{now:%Y-%m-%d}"
            text = Phrase("YouTube refused a request of the {lane} lane as wrong: {error}", lane=lane.name, error=error.phrase)
            await self._notify(key, text)
        if lane.name == "statistics" and self._to_fall_back(lane, error, now):
            return
        if error.act is Act.CLOSE_BUCKET and error.reason != "own ledger":
            return
        pause = max(backoff(lane.failures, self._jitter()), error.retry_after or timedelta(0))
        if lane.name != "lists" or error.act is not Act.OUR_BUG:  # that one list alone has to wait
            pause = PAUSES.get(error.act) or pause
        lane.not_before = now + pause
        log.info("lane_waits", lane=lane.name, until=lane.not_before, reason=error.reason, failures=lane.failures)

    def _to_fall_back(self, lane: LaneState, error: YouTubeError, now: datetime) -> bool:
        """Whether statistics go on through videos.list: the method is not there, does not take our request, or fails again and again."""
        if self._uses_fallback(now):
            return False
        if error.act in (Act.METHOD_ABSENT, Act.OUR_BUG):
            self._statistics_again_at = now + METHOD_AGAIN
        elif error.act is Act.BACK_OFF and lane.failures >= FAILURES_TO_FALL_BACK:
            self._statistics_again_at = now + STATISTICS_AGAIN
        else:
            return False
        lane.failures = 0
        log.warning("statistics_fall_back", until=self._statistics_again_at, reason=error.reason)
        return True

    def _uses_fallback(self, now: datetime) -> bool:
        return self._statistics_again_at is not None and now < self._statistics_again_at

    # --- the lanes ---------------------------------------------------------------------------------------------------

    async def _statistics(self) -> Rest | None:
        now = self._clock.now()
        bucket, plan = await self._db.read(self._plan_statistics, now)
        self._pace = plan.pace
        if not plan.ids:
            return Rest(_earliest(plan.at, self._statistics_again_at if self._uses_fallback(now) else None))
        await self._read_statistics(bucket, Share.STATISTICS, [VideoId(one) for one in plan.ids])
        return None

    def _plan_statistics(self, con: sqlite3.Connection, now: datetime) -> tuple[Bucket, Plan]:
        bucket, allowed = self._statistics_allowance(con, Share.STATISTICS, now)
        load = self._workload.of(con, Lane.STATISTICS, now)
        return bucket, plan_statistics(subjects.due_statistics(con), load, allowed, now, self._settings)

    def _statistics_allowance(self, con: sqlite3.Connection, share: Share, now: datetime) -> tuple[Bucket, Allowance]:
        """The bucket that statistics draw on next: their own, or the default one while theirs is closed, spent or unreachable."""
        default = self._allowance(con, share, now)
        if self._uses_fallback(now):
            return Bucket.DEFAULT, default
        own = allowance(self._reader.ledger(con, Bucket.STATS, now), share, now)
        return (Bucket.STATS, own) if own.from_at <= default.from_at else (Bucket.DEFAULT, default)

    def _allowance(self, con: sqlite3.Connection, share: Share, now: datetime) -> Allowance:
        """What a share of the default bucket may spend."""
        return allowance(self._reader.ledger(con, Bucket.DEFAULT, now), share, now)

    async def _read_statistics(self, bucket: Bucket, share: Share, ids: Sequence[VideoId]) -> None:
        if bucket is Bucket.DEFAULT:
            await self._read_videos(share, ids)
            return
        answer = await self._ask(bucket, share, lambda: self._reader.client.batch_stats(ids))
        at = self._stamp()
        readings = [item.reading(at, Lane.STATISTICS) for item in answer.items.values()]
        take = partial(_take_statistics, publish=self._published is not None, pace=self._pace)
        await self._take(take, Lane.STATISTICS, readings, ids, answer.missing, at)
        self._workload.asked(at, Lane.STATISTICS)

    async def _metadata(self) -> Rest | None:
        plan = await self._db.read(self._plan_metadata, self._clock.now())
        if not plan.ids:
            return Rest(plan.at)
        await self._read_videos(Share.METADATA, [VideoId(one) for one in plan.ids])
        return None

    def _plan_metadata(self, con: sqlite3.Connection, now: datetime) -> Plan:
        allowed = self._allowance(con, Share.METADATA, now)
        return plan_metadata(subjects.due_metadata(con), self._workload.of(con, Lane.METADATA, now), allowed, now)

    async def _read_videos(self, share: Share, ids: Sequence[VideoId]) -> None:
        """A metadata answer; ids that are missing from it are absent only if it proves to be a whole one."""
        client = self._reader.client
        answer = await self._ask(Bucket.DEFAULT, share, lambda: client.videos(ids))
        if not answer.items:
            answer = await self._ask_with_witness(share, ids)
        at = self._stamp()
        readings = [item.reading(at, Lane.METADATA) for item in answer.items.values()]
        absences = [Absence(SubjectId(one), at) for one in answer.missing]
        await self._take(
            partial(_take_metadata, publish=self._published is not None, pace=self._pace),
            Lane.METADATA,
            [*readings, *absences],
            [*answer.items, *answer.missing],
            at,
        )
        self._workload.asked(at, Lane.STATISTICS, Lane.METADATA)

    async def _ask_with_witness(self, share: Share, ids: Sequence[VideoId]) -> Answer:
        """Ask again, along with a video of another channel: an answer without even that one is no answer."""
        stored = await self._db.read(subjects.witness, ids)
        witness = stored or next((one for one in WITNESSES if one not in ids), None)
        asked = list(ids[: IDS_PER_CALL - 1])
        if witness is None:
            raise malformed(Phrase("it is empty, and no witness is left to ask for"))
        answer = await self._ask(Bucket.DEFAULT, share, lambda: self._reader.client.videos([*asked, witness]))
        if not answer.items:
            raise malformed(Phrase("it is empty, although a video was asked for that is there"))
        return answer

    async def _channels(self) -> Rest | None:
        plan = await self._db.read(self._plan_channels, self._clock.now())
        if not plan.ids:
            return Rest(plan.at)
        await self._read_channels(Share.MEMBERSHIP, plan.ids)
        return None

    def _plan_channels(self, con: sqlite3.Connection, now: datetime) -> Plan:
        allowed = self._allowance(con, Share.MEMBERSHIP, now)
        return plan_channels(subjects.due_channels(con), self._workload.of(con, Lane.MEMBERSHIP, now), allowed, now)

    async def _read_channels(self, share: Share, ids: Sequence[SubjectId]) -> None:
        client = self._reader.client
        found = await self._ask(Bucket.DEFAULT, share, lambda: client.channels(ids=[ChannelId(one) for one in ids]))
        at = self._stamp()
        await self._take(_take_channels, Lane.MEMBERSHIP, [channel.reading(at, Lane.MEMBERSHIP) for channel in found], ids, at)
        self._workload.asked(at, Lane.MEMBERSHIP)

    async def _lists(self) -> Rest | None:
        plan, target = await self._db.read(self._plan_lists, self._clock.now())
        if target is None:
            return Rest(plan.at, failed=bool(self._aside))
        try:
            await self._read_list(Share.MEMBERSHIP, target, plan.whole)
        except YouTubeError as error:
            if error.act not in (Act.CLOSE_BUCKET, Act.STOP):
                await self._set_aside(target, error)
            raise
        self._aside.pop(target.id, None)
        return None

    def _plan_lists(self, con: sqlite3.Connection, now: datetime) -> tuple[ListPlan, watches.Target | None]:
        """What is to be listed next; one whose reading failed only where no other is, and not while it waits."""
        listings, allowed = watches.listings(con), self._allowance(con, Share.MEMBERSHIP, now)
        self._aside = {one.target_id: self._aside[one.target_id] for one in listings if one.target_id in self._aside}
        waits = {target_id: aside.until for target_id, aside in self._aside.items() if aside.until > now}
        sound = [one for one in listings if one.target_id not in self._aside]
        failed = [one for one in listings if one.target_id in self._aside and one.target_id not in waits]
        plans = [plan_membership(some, allowed, now) for some in (sound, failed)]
        for plan in plans:
            if plan.target_id is not None:
                return plan, watches.find_target(con, plan.target_id)
        return plans[0]._replace(at=_earliest(*(plan.at for plan in plans), *waits.values())), None

    async def _set_aside(self, target: watches.Target, error: YouTubeError) -> None:
        """A list whose reading failed lets the others go first; one that fails again and again while YouTube answers is asked hourly."""
        now = self._clock.now()
        failures, answers, since = self._aside.get(target.id, (0, self._answers, now))[:3]
        failures += 1
        own_fault = failures > LIST_TRIES and self._answers - answers > LIST_TRIES
        pause = LIST_AGAIN if own_fault or error.act is Act.OUR_BUG else backoff(failures, self._jitter())
        self._aside[target.id] = Aside(failures, answers, since, now + pause)
        if own_fault:
            await self._notify(
                f"lists:{since:%Y-%m-%d}",
                Phrase(
                    "“{title}” cannot be listed since {at} UTC: {error}. Lists that fail at present: {count}."
                    " Their known videos are still read; each list is tried again at least every hour.",
                    title=target.title or target.id,
                    at=f"{since:%Y-%m-%d %H:%M}",
                    error=error.phrase,
                    count=str(len(self._aside)),
                ),
            )

    async def _read_list(self, share: Share, target: watches.Target, whole: bool) -> None:
        """Read a list to its end, or up to the first entry that is known; one that cannot be read is marked."""
        known = frozenset() if whole else frozenset(await self._db.read(watches.members, target.pk))
        try:
            entries, complete = await self._pages(share, PlaylistId(target.list_id or ""), known)
        except YouTubeError as error:
            if error.act is not Act.MARK_TARGET:
                raise
            await self._mark(target, error)
            return
        listing = Listing(target.id, self._stamp(), tuple(entries), complete)
        await self._take(_take_listing, Lane.MEMBERSHIP, target.pk, listing)

    async def _pages(self, share: Share, playlist_id: PlaylistId, known: frozenset[str]) -> tuple[list[Entry], bool]:
        entries: list[Entry] = []
        token, restarts = None, 0
        while True:
            ask_page = partial(self._reader.client.playlist_page, playlist_id, token)
            try:
                page = await self._ask(Bucket.DEFAULT, share, ask_page)
            except YouTubeError as error:
                if error.act is not Act.RESTART_LISTING or restarts:
                    raise
                entries, token, restarts = [], None, restarts + 1
                continue
            entries += page.entries
            if any(entry.video_id in known for entry in page.entries):
                return entries, False
            if page.next_token is None:
                return entries, True
            if self._stopping:
                return entries, False
            token = page.next_token

    async def _mark(self, target: watches.Target, error: YouTubeError) -> None:
        """A list that cannot be read is marked; the second time in a row the operator is told."""
        await self._db.write(watches.mark_fault, target.pk, error.reason, self._clock.now())
        log.warning("target_unreadable", target=target.id, reason=error.reason)
        if target.fault is not None:
            since = f"{target.completed_at:%Y-%m-%dT%H:%M}" if target.completed_at else "never"
            await self._notify(
                f"target:{target.id}:{since}",
                Phrase(
                    "“{title}” cannot be listed any more ({reason}): private, deleted or closed."
                    " Its known videos are still read; its list is tried again.",
                    title=target.title or target.id,
                    reason=error.reason,
                ),
            )

    async def read_now(self, target_id: str) -> None:
        """For a command: list a target that is wanted and read its subjects at once, as far as that is quick; the plan does the rest."""
        target = await self._db.read(watches.find_target, target_id)
        if target is None:
            return
        try:
            if target.list_id is not None and target.wanted_at is not None:
                await self._read_list(Share.COMMANDS, target, target.completed_at is None or not target.newest_first)
            members = await self._db.read(watches.members, target.pk)
            await self._read_members([m for m in members.values() if m.left_at is None])
        except YouTubeError as error:
            log.warning("read_now_failed", target=target_id, reason=error.reason)
        self.wake.set()

    async def _read_members(self, members: Sequence[watches.Member]) -> None:
        channels = [SubjectId(m.subject_id) for m in members if m.kind is SubjectKind.CHANNEL]
        videos = [VideoId(m.subject_id) for m in members if m.kind is SubjectKind.VIDEO]
        if channels:
            await self._read_channels(Share.COMMANDS, channels)
        for start in range(0, min(len(videos), READ_NOW_CALLS * IDS_PER_CALL), IDS_PER_CALL):
            ids = videos[start : start + IDS_PER_CALL]
            bucket, _ = await self._db.read(self._statistics_allowance, Share.COMMANDS, self._clock.now())
            try:
                await self._read_statistics(bucket, Share.COMMANDS, ids)
            except YouTubeError as error:
                if bucket is Bucket.DEFAULT or error.act is Act.STOP:
                    raise
                await self._read_statistics(Bucket.DEFAULT, Share.COMMANDS, ids)  # somebody waits: the other way at once

    async def _ask(self, bucket: Bucket, share: Share, call: Callable[[], Awaitable[T]]) -> T:
        """One call at a time; a command's calls come in between those of a long list.

        Raises:
            YouTubeError: as `Reader.ask`.
        """
        async with self._one_call:
            return await self._reader.ask(bucket, share, call)

    # --- what an answer does -----------------------------------------------------------------------------------------

    async def _take(self, function: Callable[..., Accepted], lane: Lane, *args: object) -> None:
        """Accept an answer in one transaction, and say in one line what it brought."""
        self._silence.answered()
        self._answers += 1
        result = await self._db.write(function, *args, self._clock.now())
        log.info(
            "answer_taken",
            lane=lane,
            **{fate.name.lower(): count for fate, count in result.fates.items()},
            alerts=len(result.alerts),
            joined=len(result.joined),
        )
        if result.alerts:
            self._told()
        if self._published is not None and result.fates[Fate.ACCEPTED]:
            self._published()
        if result.joined:
            self.wake.set()  # their first readings are due now

    def _stamp(self) -> datetime:
        """The instant of an answer: strictly rising, so that readings of two lanes never share one."""
        now = from_ms(to_ms(self._clock.now()))
        self._stamped_at = now if self._stamped_at is None else max(now, self._stamped_at + MILLISECOND)
        return self._stamped_at


def _earliest(*instants: datetime | None) -> datetime | None:
    return min((at for at in instants if at is not None), default=None)


def _take_statistics(
    con: sqlite3.Connection,
    readings: Sequence[Reading],
    asked: Sequence[str],
    missing: Sequence[str],
    at: datetime,
    now: datetime,
    *,
    publish: bool,
    pace: Pace,
) -> Accepted:
    """A statistics answer. What it lacks proves nothing: the metadata lane is asked at once."""
    result = accept(con, readings, now, publish=publish, pace=pace)
    subjects.mark_asked(con, asked, at, metadata=False)
    subjects.want_proof(con, missing, at)
    return result


def _take_metadata(
    con: sqlite3.Connection,
    observations: Sequence[Reading | Absence],
    asked: Sequence[str],
    at: datetime,
    now: datetime,
    *,
    publish: bool,
    pace: Pace,
) -> Accepted:
    result = accept(con, observations, now, publish=publish, pace=pace)
    subjects.mark_asked(con, asked, at, metadata=True)
    subjects.mark_asked(con, asked, at, metadata=False)
    return result


def _take_channels(con: sqlite3.Connection, readings: Sequence[Reading], asked: Sequence[str], at: datetime, now: datetime) -> Accepted:
    result = accept(con, readings, now)
    subjects.mark_asked(con, asked, at, metadata=False)
    return result


def _take_listing(con: sqlite3.Connection, target_pk: int, listing: Listing, now: datetime) -> Accepted:
    return accept_listing(con, target_pk, listing, now)
