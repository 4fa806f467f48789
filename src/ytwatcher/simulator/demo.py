"""The demo's world: a dozen calibrated videos to which, within a simulated hour, all sorts of things happen."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from ytwatcher.core.model import ChatId
from ytwatcher.simulator.growth import Growth, calibrated
from ytwatcher.simulator.telegram import TelegramDouble
from ytwatcher.simulator.world import Now, SimChannel, SimVideo, World, make_channel_id, make_playlist_id, make_video_id
from ytwatcher.simulator.youtube import YouTubeDouble

CHAT_ID = ChatId(1001)
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)


class Suggestion(NamedTuple):
    """A target to watch, as a person would type it, and rule lines for it (none: the default ones)."""

    target: str
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DemoWorld:
    """Everything the demo runs against."""

    world: World
    youtube: YouTubeDouble
    telegram: TelegramDouble
    chat_id: ChatId
    suggested: tuple[Suggestion, ...]


class _Cast(NamedTuple):
    """A video of the demo: what it is called, how old it is, where it stands and how fast it is watched."""

    key: str
    title: str
    hours: float
    views: int
    likes: int
    comments: int
    per_hour: float
    rules: tuple[str, ...] = ()


_CAST = (
    _Cast("hundred", "We built a boat from 1,000 bottles 🚣‍♀️", 30, 98_900, 4_930, 311, 3_600),
    _Cast("likes", "Rain on a tin roof 🌧️ | 10 hours", 400, 1_204_500, 19_985, 1_720, 2_400, ("likes milestones", "views every 1000")),
    _Cast("comments", "Fish & chips: the “proper” way", 9, 41_800, 2_010, 488, 5_200, ("comments milestones", "comments change")),
    _Cast("renamed", "도시의 밤 산책 | 4K 브이로그", 60, 17_300, 905, 96, 700, ("title", "views milestones")),
    _Cast("muted", "Why bridges hum (and why that's fine)", 900, 233_000, 8_100, 640, 500),
    _Cast("hidden", "طريقة عمل الخبز في المنزل خطوة بخطوة", 72, 66_400, 2_950, 205, 1_500),
    _Cast("vanishing", "Learn the *_tricky_* `knots` [part 3]", 1_500, 8_650, 260, 31, 40),
    _Cast("shifting", "Un tour à vélo : 300 km en 24 h", 2_000, 154_000, 5_020, 402, 260),
    _Cast("recounted", "Our cat ♥ the robot vacuum 🐈", 200, 499_600, 15_100, 977, 2_900),
)
_EXTRAS = ("Tiny kitchen, HUGE lasagne 🍝", "Ambient mix №7 – slow tides", '5 maps that are "wrong" on purpose 🗺️')
_PREMIERE = "【Premiere, in a few minutes】Glass Mountain"


def build(now: Now, *, seed: int = 1) -> DemoWorld:
    """Build the demo's world around the present instant."""
    world = World(now, seed=seed)
    stage = _Stage(world, now(), seed)
    youtube = YouTubeDouble(world, now)
    # Time runs fast here, and with it every millisecond of latency: the rule of one message a second is loosened to five in five.
    telegram = TelegramDouble(now, burst=5)
    telegram.add_chat(CHAT_ID, "private", "Demo")
    suggested = [*stage.videos(), stage.premiere(), stage.channel(), stage.playlist()]
    stage.incidents()
    _mishaps(world, youtube, telegram)
    return DemoWorld(world, youtube, telegram, CHAT_ID, tuple(suggested))


class _Stage:
    """Sets the scenes, one after the other."""

    def __init__(self, world: World, start_at: datetime, seed: int) -> None:
        self.world = world
        self.start_at = start_at
        self.seed = seed
        self.numbers = itertools.count(1)
        self.cast: dict[str, SimVideo] = {}
        old = start_at - timedelta(days=900)
        self.studio = world.add_channel(
            make_channel_id(1), "Paper Lantern Studio", handle="@paperlanternstudio", subscribers=99_640, published_at=old
        )
        self.others = world.add_channel(make_channel_id(2), "Everyday & Elsewhere", handle="@everyday-elsewhere", published_at=old)
        self.others.subscribers = None

    def after(self, minutes: float, change: Callable[[datetime], None]) -> None:
        self.world.at(self.start_at + minutes * _MINUTE, change)

    def video(self, title: str, age: timedelta, views: int, likes: int, comments: int, growth: Growth, channel: SimChannel) -> SimVideo:
        return self.world.add_video(
            make_video_id(next(self.numbers)),
            title=title,
            channel_id=channel.id,
            published_at=self.start_at - age,
            views=views,
            likes=likes,
            comments=comments,
            growth=growth,
        )

    def videos(self) -> list[Suggestion]:
        """The cast, and a few whose numbers are drawn as the recorded ones are spread."""
        suggested = []
        for one in _CAST:
            age = one.hours * _HOUR
            shares = {"like_share": one.likes / one.views, "comment_share": one.comments / one.views}
            growth = Growth.of_rate(one.per_hour, age, seed=self.seed, **shares)
            video = self.video(one.title, age, one.views, one.likes, one.comments, growth, self.others)
            self.cast[one.key] = video
            suggested.append(Suggestion(f"https://youtu.be/{video.id}", one.rules))
        rng = random.Random(self.seed)  # noqa: S311 - a simulation, nothing secret
        for title in _EXTRAS:
            age = rng.uniform(12, 300) * _HOUR
            start = calibrated(rng, age, self.seed)
            video = self.video(title, age, start.views, start.likes, start.comments, start.growth, self.others)
            suggested.append(Suggestion(f"https://www.youtube.com/watch?v={video.id}"))
        return suggested

    def premiere(self) -> Suggestion:
        """A waiting room whose views stand still while likes come in; then it starts under another title."""
        growth = Growth(2.5e6, waiting=True, seed=self.seed)
        video = self.video(_PREMIERE, timedelta(hours=-0.25), 14, 957, 120, growth, self.others)
        video.live, video.scheduled_start_at = "upcoming", video.published_at

        def start(at: datetime) -> None:
            video.start_live(at, viewers=2_255)
            video.title = "Glass Mountain – the whole film"

        self.after(15, start)
        self.after(45, video.end_live)
        return Suggestion(f"https://youtu.be/{video.id}", ("views milestones", "likes milestones", "title"))

    def channel(self) -> Suggestion:
        """A channel near 100,000 subscribers that publishes a video after 20 minutes and then one every 6 hours."""
        titles = itertools.cycle(("Folding a crane in 60 seconds", "Lantern festival: behind the scenes 🏮", "Q&A: paper, glue & patience"))
        for title, days in (("How washi paper is made", 40), ("One sheet, no cuts: a dragon", 12)):
            age = timedelta(days=days)
            start = calibrated(random.Random(f"{self.seed}{title}"), age, self.seed)  # noqa: S311 - a simulation, nothing secret
            self.video(title, age, start.views, start.likes, start.comments, start.growth, self.studio)

        def publish(at: datetime) -> None:
            self.video(next(titles), self.start_at - at, 0, 0, 0, Growth(4e5, 0.06, 0.006, seed=self.seed), self.studio)
            self.world.at(at + 6 * _HOUR, publish)

        def subscribe(_: datetime) -> None:
            self.studio.subscribers = (self.studio.subscribers or 0) + 45

        self.after(20, publish)
        self.world.every(5 * _MINUTE, subscribe)
        return Suggestion("https://www.youtube.com/@paperlanternstudio")

    def playlist(self) -> Suggestion:
        """A playlist with a dead entry, which gets another video after 35 minutes."""
        mine = [self.cast["likes"].id, self.cast["renamed"].id]
        gone = self.video("No longer there", 700 * _HOUR, 900, 12, 3, Growth(0), self.others)
        gone.state = "deleted"
        playlist = self.world.add_playlist(make_playlist_id(1), "Slow evenings", self.others.id, [*mine, gone.id])
        self.after(35, lambda at: void(playlist.add(self.cast["shifting"].id, at)))
        return Suggestion(f"https://www.youtube.com/playlist?list={playlist.id}", ("new", "views milestones"))

    def incidents(self) -> None:
        """What happens to single videos. Of the shift and the step back nothing must be told."""
        cast = self.cast
        self.after(8, lambda _: setattr(cast["vanishing"], "state", "private"))
        self.after(75, lambda _: setattr(cast["vanishing"], "state", "public"))
        self.after(12, lambda _: setattr(cast["renamed"], "title", "도시의 밤 산책 🌃 | 4K 브이로그 (리마스터)"))
        self.after(14, lambda _: setattr(cast["muted"], "comments", None))
        self.after(24, lambda _: setattr(cast["hidden"], "likes", None))
        self.after(18, lambda _: _scale(cast["shifting"], 2.7))
        self.after(22, lambda _: _scale(cast["shifting"], 1 / 2.7))
        self.after(30, lambda _: _scale(cast["recounted"], 0.994))


def void(_: object) -> None:
    """Drops a result, for changes that are written as one expression."""


def _scale(video: SimVideo, factor: float) -> None:
    video.views = round((video.views or 0) * factor)


def _mishaps(world: World, youtube: YouTubeDouble, telegram: TelegramDouble) -> None:
    """Every 7 minutes something of the network or the services fails for a moment; nothing false must come of it."""
    plans: tuple[Callable[[], object], ...] = (
        lambda: youtube.fail("*", "html502", times=2),
        lambda: telegram.lose_answers(1),
        lambda: youtube.fail("videos.batchGetStats", "missingLikes", times=1),
        lambda: youtube.fail("videos.batchGetStats", "half", times=1),
        lambda: youtube.fail("*", "cut", times=1),
        lambda: telegram.fail("sendMessage", "html502", times=1),
        lambda: youtube.fail("*", "empty200", times=1),
    )
    turns = itertools.cycle(plans)
    world.every(7 * _MINUTE, lambda _: void(next(turns)()))
