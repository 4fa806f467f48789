"""What a person names: any link form YouTube has, a pasted text with a link in it, a bare id, an @handle. Nothing is looked up here.

The shapes of video and channel ids are those of https://wiki.archiveteam.org/index.php/YouTube/Technical_details.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from ytwatcher.core.model import ChannelId, PlaylistId, TargetKind, VideoId
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.wording import quoted
from ytwatcher.errors import TargetError

SITE = "https://www.youtube.com"

_VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{10}[AEIMQUYcgkosw048]")
_CHANNEL_ID = re.compile(r"UC[A-Za-z0-9_-]{21}[AQgw]")
_PLAYLIST_ID = re.compile(r"(?:PL|UU|FL|OLAK5uy_|RDCLAK5uy_)[A-Za-z0-9_-]{10,64}")
_UPLOADS_ID = re.compile(r"UU(?:LF|SH|LV)?[A-Za-z0-9_-]{21}[AQgw]")
_ID_CHARACTERS = re.compile(r"[A-Za-z0-9_-]+")
_PRIVATE_LISTS = MappingProxyType(
    {"WL": Phrase("“Watch later”"), "LL": Phrase("“Liked videos”"), "LM": Phrase("“Liked music”"), "HL": Phrase("The watch history")},
)

# A host may stand in the middle of a text, but not at the end of an address (me@youtube.com) or of another name.
_LINK = re.compile(
    r"(?<![\w.@-])(?:(?:www|m|music|gaming|kids|tv|studio|consent)\.)?"
    r"(youtube\.com|youtu\.be|youtube-nocookie\.com|youtubekids\.com)(?![\w-]|\.\w)"
    r"(?::[0-9]+)?([/?#][^\s<>\"“”«»]*)?",
    re.IGNORECASE,
)
_SENTENCE_MARKS = ").,;:!?'’]}…"
_NO_END = "."
"""No name ends with it: it belongs to the sentence, as behind a link."""
_INNER_LINKS = ("u", "q", "url", "continue", "next")
_DEEPEST = 3

EXAMPLES = Phrase("write a link such as {link}, an id or an @handle", link=f"{SITE}/watch?v=jNQXAC9IVRw")


@dataclass(frozen=True, slots=True)
class VideoRef:
    """A video; `also_playlist` is the list that its link mentioned."""

    id: VideoId
    also_playlist: PlaylistId | None = None

    @property
    def url(self) -> str:
        return video_url(self.id)


@dataclass(frozen=True, slots=True)
class PlaylistRef:
    id: PlaylistId

    @property
    def is_uploads(self) -> bool:
        """Whether YouTube keeps the list itself, newest first: a channel's uploads (UU), or only its videos, Shorts or streams."""
        return _UPLOADS_ID.fullmatch(self.id) is not None

    @property
    def url(self) -> str:
        return playlist_url(self.id)


@dataclass(frozen=True, slots=True)
class ChannelRef:
    id: ChannelId

    @property
    def url(self) -> str:
        return channel_url(self.id)


@dataclass(frozen=True, slots=True)
class HandleRef:
    """A channel by its handle, with the leading @; letters of any script."""

    handle: str

    @property
    def url(self) -> str:
        return f"{SITE}/{quote(self.handle, safe='@')}"


@dataclass(frozen=True, slots=True)
class UserRef:
    """A channel by its old user name (/user/NAME)."""

    name: str

    @property
    def url(self) -> str:
        return f"{SITE}/user/{quote(self.name)}"


@dataclass(frozen=True, slots=True)
class CustomRef:
    """A channel by its old custom name (/c/NAME, /NAME), which the API cannot look up; often the handle is the same."""

    name: str

    @property
    def url(self) -> str:
        return f"{SITE}/c/{quote(self.name)}"


TargetRef = VideoRef | PlaylistRef | ChannelRef | HandleRef | UserRef | CustomRef


class _Link(NamedTuple):
    """A link taken apart: the path's segments and the first value of each parameter, both without percent signs."""

    shown: str
    segments: tuple[str, ...]
    params: Mapping[str, str]
    depth: int

    def segment(self, index: int) -> str:
        return self.segments[index] if index < len(self.segments) else ""


def is_video_id(text: str) -> bool:
    return _VIDEO_ID.fullmatch(text) is not None


def is_channel_id(text: str) -> bool:
    return _CHANNEL_ID.fullmatch(text) is not None


def is_playlist_id(text: str) -> bool:
    """Whether it is the id of a list that everybody sees alike."""
    return _PLAYLIST_ID.fullmatch(text) is not None


def uploads_playlist(channel_id: ChannelId) -> PlaylistId:
    """The list that holds a channel's public videos, newest first."""
    return PlaylistId("UU" + channel_id[2:])


def video_url(video_id: VideoId) -> str:
    return f"{SITE}/watch?v={video_id}"


def playlist_url(playlist_id: PlaylistId) -> str:
    return f"{SITE}/playlist?list={playlist_id}"


def channel_url(channel_id: ChannelId) -> str:
    return f"{SITE}/channel/{channel_id}"


def target_url(target_id: str, kind: TargetKind) -> str:
    """The page of what is watched."""
    if kind is TargetKind.VIDEO:
        return video_url(VideoId(target_id))
    return playlist_url(PlaylistId(target_id)) if kind is TargetKind.PLAYLIST else channel_url(ChannelId(target_id))


def parse_target(text: str) -> TargetRef:
    """Find what a text names: its first YouTube link, or the id or handle that it is.

    Raises:
        TargetError: it names nothing that can be watched; the text says what was seen and what would be right.
    """
    text = text.strip()
    if not text:
        raise TargetError("nothing was named; {examples}", examples=EXAMPLES)
    # A link inside another service's redirect is percent-encoded as a whole.
    match = _LINK.search(text) or _LINK.search(unquote(text))
    return _from_link(match, 0) if match else _from_word(text)


def links(text: str) -> list[str]:
    """The links to YouTube in a text, each once, in their order."""
    return list(dict.fromkeys(match[0].rstrip(_SENTENCE_MARKS) for match in _LINK.finditer(text)))


def _from_word(word: str) -> TargetRef:
    if word.startswith("@"):
        return _handle(word)
    if is_video_id(word):
        return VideoRef(VideoId(word))
    if is_channel_id(word):
        return ChannelRef(ChannelId(word))
    if _names_a_list(word):
        return _playlist(word)
    if "://" in word:
        raise TargetError("{word} is not a link to YouTube; {examples}", word=quoted(word), examples=EXAMPLES)
    raise TargetError("{word} is no link, id or @handle of YouTube; {examples}", word=quoted(word), examples=EXAMPLES)


def _from_link(match: re.Match[str], depth: int) -> TargetRef:
    # A closing mark belongs to the sentence around the link; a link copied out of a page's source has &amp; for &.
    rest = (match[2] or "").rstrip(_SENTENCE_MARKS).replace("&amp;", "&")
    parts = urlsplit(f"https://host{rest}")
    params: dict[str, str] = {}
    for key, value in parse_qsl(parts.query):
        params.setdefault(key, value)
    segments = tuple(unquote(segment) for segment in parts.path.split("/") if segment)
    link = _Link(quoted(match[0]), segments, params, depth)
    if match[1].lower() == "youtu.be" and link.segments:
        return _video(link.segments[0], link)
    return _from_path(link)


def _from_path(link: _Link) -> TargetRef:
    first = link.segment(0)
    if first.startswith("@"):
        return _handle(first)
    form = _FORMS.get(first.lower())
    if form is not None:
        return form(link)
    if "v" in link.params:
        return _video(link.params["v"], link)
    if first.lower() in _PAGES:
        raise TargetError("{link} is a page of YouTube, not a video, playlist or channel; {examples}", link=link.shown, examples=EXAMPLES)
    return CustomRef(_name(first, link))


def _watch(link: _Link) -> TargetRef:
    if "v" in link.params or link.segment(1):
        return _video(link.params.get("v") or link.segment(1), link)
    return _listed(link)


def _embedded(link: _Link) -> TargetRef:
    if link.segment(1) == "live_stream":
        return _channel_id(link.params.get("channel", ""), link)
    return _listed(link) if link.segment(1) in ("", "videoseries") else _second(link)


def _second(link: _Link) -> TargetRef:
    return _video(link.segment(1), link)


def _listed(link: _Link) -> TargetRef:
    if "list" not in link.params:
        raise TargetError("{link} names no video and no playlist; {examples}", link=link.shown, examples=EXAMPLES)
    return _playlist(link.params["list"])


def _channel(link: _Link) -> TargetRef:
    return _channel_id(link.segment(1), link)


def _channel_id(text: str, link: _Link) -> TargetRef:
    if not is_channel_id(text):
        raise TargetError(
            "{text} in {link} is not a channel id; one is UC and 22 characters, as in {like}",
            text=quoted(text),
            link=link.shown,
            like=f"{SITE}/channel/UC…",
        )
    return ChannelRef(ChannelId(text))


def _custom(link: _Link) -> TargetRef:
    return CustomRef(_name(link.segment(1), link))


def _user(link: _Link) -> TargetRef:
    return UserRef(_name(link.segment(1), link))


def _browse(link: _Link) -> TargetRef:
    """YouTube Music writes VL before a playlist's id; a channel's id stands as it is."""
    text = link.segment(1)
    if text.startswith("VL"):
        return _playlist(text[2:])
    return _channel_id(text, link)


def _inner(link: _Link) -> TargetRef:
    """A page that leads on to the link in one of its parameters, written whole or from the site's root."""
    inner = next((link.params[key] for key in _INNER_LINKS if key in link.params), "")
    match = _LINK.search(SITE + inner if inner.startswith("/") else inner)
    if match is None or link.depth == _DEEPEST:
        raise TargetError("{link} does not lead to a video, playlist or channel; {examples}", link=link.shown, examples=EXAMPLES)
    return _from_link(match, link.depth + 1)


def _feed(link: _Link) -> TargetRef:
    """An RSS feed is that of a channel or of a playlist."""
    if "playlist_id" in link.params:
        return _playlist(link.params["playlist_id"])
    return _channel_id(link.params.get("channel_id", ""), link)


def _clip(link: _Link) -> TargetRef:
    raise TargetError("{link} is a clip, and YouTube gives no numbers for clips; take the link of the video it is from", link=link.shown)


_FORMS: Mapping[str, Callable[[_Link], TargetRef]] = MappingProxyType(
    {
        **dict.fromkeys(("", "watch", "watch_popup"), _watch),
        **dict.fromkeys(("shorts", "live", "v", "e", "vi", "video"), _second),
        **dict.fromkeys(("playlist", "show"), _listed),
        **dict.fromkeys(("attribution_link", "redirect", "signin", "oembed", "m"), _inner),
        "embed": _embedded,
        "channel": _channel,
        "browse": _browse,
        "feeds": _feed,
        "c": _custom,
        "user": _user,
        "clip": _clip,
    }
)
_PAGES = frozenset(
    {
        *("about", "account", "ads", "feed", "gaming", "hashtag", "howyoutubeworks", "jobs", "kids", "music"),
        *("playables", "post", "premium", "results", "search", "t", "trending", "tv"),
    }
)


def _video(text: str, link: _Link) -> VideoRef:
    """A video id; what follows it after a character that no id has (`?t=5` pasted behind) does not count."""
    match = _ID_CHARACTERS.match(text)
    if match is None or not is_video_id(match[0]):
        raise TargetError(
            "{text} in {link} is not a video id; one has 11 characters, as in {like}",
            text=quoted(text),
            link=link.shown,
            like=f"{SITE}/watch?v=jNQXAC9IVRw",
        )
    also = link.params.get("list", "")
    return VideoRef(VideoId(match[0]), PlaylistId(also) if is_playlist_id(also) else None)


def _names_a_list(text: str) -> bool:
    return text in _PRIVATE_LISTS or is_playlist_id(text) or re.fullmatch(r"RD[A-Za-z0-9_-]{9,}", text) is not None


def _playlist(text: str) -> PlaylistRef:
    if is_playlist_id(text):
        return PlaylistRef(PlaylistId(text))
    if text in _PRIVATE_LISTS:
        raise TargetError(
            "{list} is private to its owner and cannot be watched; take a public or unlisted playlist", list=_PRIVATE_LISTS[text]
        )
    if text.startswith("RD"):
        raise TargetError("{text} is a mix, which YouTube makes for each viewer; take a playlist that starts with PL", text=quoted(text))
    raise TargetError("{text} is not a playlist id; one starts with PL, as in {like}", text=quoted(text), like=f"{SITE}/playlist?list=PL…")


def _handle(text: str) -> HandleRef:
    name = unicodedata.normalize("NFC", text[1:]).rstrip(_NO_END)
    if not _is_name(name):
        raise TargetError("{text} is not a handle; one is @ and up to 30 letters, digits, “_”, “-”, “.” or “·”", text=quoted(text))
    return HandleRef(f"@{name}")


def _name(text: str, link: _Link) -> str:
    name = unicodedata.normalize("NFC", text).rstrip(_NO_END)
    if not _is_name(name):
        raise TargetError("{text} in {link} is not a channel's name; {examples}", text=quoted(text), link=link.shown, examples=EXAMPLES)
    return name


def _is_name(text: str) -> bool:
    """Letters of any script with the marks that belong to them, digits, and the four signs YouTube allows."""
    return 0 < len(text) <= 30 and all(sign.isalnum() or sign in "_-.·" or unicodedata.category(sign)[0] == "M" for sign in text)
