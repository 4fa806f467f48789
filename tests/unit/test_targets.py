"""Every way to name a target, and every fault."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ytwatcher.core import targets
from ytwatcher.core.model import ChannelId, PlaylistId, TargetKind, VideoId
from ytwatcher.core.targets import (
    ChannelRef,
    CustomRef,
    HandleRef,
    PlaylistRef,
    TargetRef,
    UserRef,
    VideoRef,
    channel_url,
    is_channel_id,
    is_playlist_id,
    is_video_id,
    parse_target,
    playlist_url,
    uploads_playlist,
    video_url,
)
from ytwatcher.errors import TargetError

V = VideoId("jNQXAC9IVRw")
W = VideoId("-_abcdEFGHk")
C = ChannelId("UC4QobU6STFB0P71PMvOGN5A")
P = PlaylistId("PLabcdefghijklmnopqrstuvwxyz012345")
U = PlaylistId("UU4QobU6STFB0P71PMvOGN5A")
VIDEO, CHANNEL, PLAYLIST = VideoRef(V), ChannelRef(C), PlaylistRef(P)

NAMED: dict[str, TargetRef] = {
    # videos
    f"https://www.youtube.com/watch?v={V}": VIDEO,
    f"http://youtube.com/watch?v={V}": VIDEO,
    f"www.youtube.com/watch?v={V}": VIDEO,
    f"youtube.com/watch?v={V}": VIDEO,
    f"HTTPS://WWW.YouTube.COM/watch?v={V}": VIDEO,
    f"https://m.youtube.com/watch?app=desktop&v={V}&feature=youtu.be": VIDEO,
    f"https://music.youtube.com/watch?v={V}": VIDEO,
    f"https://gaming.youtube.com/watch?v={V}": VIDEO,
    f"https://www.youtubekids.com/watch?v={V}": VIDEO,
    f"https://www.youtube-nocookie.com/embed/{V}?rel=0": VIDEO,
    f"https://www.youtube.com:443/watch?v={V}": VIDEO,
    f"https://www.youtube.com/watch/{V}": VIDEO,
    f"https://www.youtube.com/watch_popup?v={V}": VIDEO,
    f"https://www.youtube.com/?v={V}": VIDEO,
    f"https://www.youtube.com/ytscreeningroom?v={V}": VIDEO,
    f"https://www.youtube.com/watch?v={V}?t=5": VIDEO,
    f"https://www.youtube.com/watch?v={V}#t=5": VIDEO,
    f"https://www.youtube.com/watch?feature=share&amp;v={V}&amp;t=9": VIDEO,
    f"https://youtu.be/{V}": VIDEO,
    f"youtu.be/{V}?si=abcDEF&t=12": VIDEO,
    f"https://youtu.be/{V}&t=3": VIDEO,
    f"https://youtu.be/{W}": VideoRef(W),
    f"https://youtu.be/?v={V}": VIDEO,
    f"https://www.youtube.com/shorts/{V}?feature=share": VIDEO,
    f"https://www.youtube.com/live/{V}?si=x": VIDEO,
    f"https://www.youtube.com/embed/{V}": VIDEO,
    f"https://www.youtube.com/v/{V}": VIDEO,
    f"https://www.youtube.com/e/{V}": VIDEO,
    f"https://studio.youtube.com/video/{V}/edit": VIDEO,
    V: VIDEO,
    f"  {V}\n": VIDEO,
    # a video together with a list
    f"https://www.youtube.com/watch?v={V}&list={P}&index=3": VideoRef(V, P),
    f"https://youtu.be/{V}?list={P}": VideoRef(V, P),
    f"https://www.youtube.com/watch?v={V}&list=RD{V}&start_radio=1": VIDEO,
    f"https://www.youtube.com/watch?v={V}&list=WL": VIDEO,
    # playlists
    f"https://www.youtube.com/playlist?list={P}": PLAYLIST,
    f"https://music.youtube.com/playlist?list={P}&si=x": PLAYLIST,
    f"https://music.youtube.com/browse/VL{P}": PLAYLIST,
    f"https://www.youtube.com/watch?list={P}": PLAYLIST,
    f"https://www.youtube.com/embed/videoseries?list={P}": PLAYLIST,
    f"https://www.youtube.com/?list={P}": PLAYLIST,
    "https://music.youtube.com/playlist?list=OLAK5uy_abcdefghijklmnopqrstuvwxyz0123456": PlaylistRef(
        PlaylistId("OLAK5uy_abcdefghijklmnopqrstuvwxyz0123456")
    ),
    P: PLAYLIST,
    U: PlaylistRef(U),
    f"https://www.youtube.com/embed?listType=playlist&list={P}": PLAYLIST,
    f"https://www.youtube.com/feeds/videos.xml?playlist_id={P}": PLAYLIST,
    # channels
    f"https://www.youtube.com/feeds/videos.xml?channel_id={C}": CHANNEL,
    f"https://www.youtube.com/channel/{C}": CHANNEL,
    f"https://www.youtube.com/channel/{C}/videos?view=0": CHANNEL,
    f"https://music.youtube.com/browse/{C}": CHANNEL,
    f"https://studio.youtube.com/channel/{C}/analytics": CHANNEL,
    f"https://www.youtube.com/embed/live_stream?channel={C}": CHANNEL,
    C: CHANNEL,
    "@jawed": HandleRef("@jawed"),
    "@the.name_of-a·1": HandleRef("@the.name_of-a·1"),
    "https://www.youtube.com/@jawed": HandleRef("@jawed"),
    "youtube.com/@jawed/shorts": HandleRef("@jawed"),
    "https://m.youtube.com/@jawed/videos?sub_confirmation=1": HandleRef("@jawed"),
    "https://www.youtube.com/@%EA%B3%A0%EC%96%91%EC%9D%B4/about": HandleRef("@고양이"),
    "@हिन्दी": HandleRef("@हिन्दी"),
    "https://www.youtube.com/user/jawed": UserRef("jawed"),
    "https://www.youtube.com/user/jawed/featured": UserRef("jawed"),
    "https://www.youtube.com/c/jawed/playlists": CustomRef("jawed"),
    "https://www.youtube.com/jawed": CustomRef("jawed"),
    "youtube.com/jawed/videos": CustomRef("jawed"),
    # links that lead on to another
    f"https://www.youtube.com/attribution_link?a=x&u=%2Fwatch%3Fv%3D{V}%26feature%3Dshare": VIDEO,
    f"https://www.youtube.com/redirect?event=d&q=https%3A%2F%2Fyoutu.be%2F{V}&v={W}": VIDEO,
    f"https://www.youtube.com/oembed?url=https%3A//www.youtube.com/watch%3Fv%3D{V}&format=json": VIDEO,
    f"https://www.youtube.com/signin?next=%2Fchannel%2F{C}": CHANNEL,
    "https://consent.youtube.com/m?continue=https%3A%2F%2Fwww.youtube.com%2F%40jawed%3Fcbrd%3D1&gl=DE": HandleRef("@jawed"),
    f"https://www.google.com/url?sa=t&url=https%3A%2F%2Fwww.youtube.com%2Fwatch%3Fv%3D{V}&usg=x": VIDEO,
    # pasted texts
    f"Look at this! (https://youtu.be/{V}), it is good": VIDEO,
    f"“Me at the zoo” https://youtu.be/{V}. See also https://youtu.be/{W}": VIDEO,
    f"[zoo](https://youtu.be/{V})": VIDEO,
    f"me@youtube.com wrote: https://example.org/a then youtube.com/channel/{C}!": CHANNEL,
    f'<a href="https://www.youtube.com/playlist?list={P}">list</a>': PLAYLIST,
}

FAULTS = {
    "": "nothing was named",
    "   ": "nothing was named",
    "hello": "“hello” is no link, id or @handle",
    "jNQXAC9IVRx": "no link, id or @handle",
    "https://vimeo.com/12345": "“https://vimeo.com/12345” is not a link to YouTube",
    "https://notyoutube.com/watch?v=jNQXAC9IVRw": "not a link to YouTube",
    "https://youtube.com.example.org/watch?v=jNQXAC9IVRw": "not a link to YouTube",
    "https://www.youtube.com": "names no video and no playlist",
    "https://www.youtube.com/": "names no video and no playlist",
    "https://www.youtube.com/watch": "names no video and no playlist",
    "https://www.youtube.com/watch?v=short": "“short” in “www.youtube.com/watch?v=short” is not a video id",
    "https://youtu.be/jNQXAC9IVRwX": "is not a video id; one has 11 characters",
    "https://www.youtube.com/shorts": "“” in “www.youtube.com/shorts” is not a video id",
    "https://www.youtube.com/playlist": "names no video and no playlist",
    "https://www.youtube.com/playlist?list=XYZ": "“XYZ” is not a playlist id",
    "https://www.youtube.com/playlist?list=WL": "“Watch later” is private",
    "https://www.youtube.com/playlist?list=LL": "“Liked videos” is private",
    "HL": "The watch history is private",
    "https://www.youtube.com/watch?list=RDjNQXAC9IVRw": "is a mix",
    "RDjNQXAC9IVRw": "is a mix",
    "https://www.youtube.com/channel/UCshort": "“UCshort” in “www.youtube.com/channel/UCshort” is not a channel id",
    "https://music.youtube.com/browse/MPREb_abc": "is not a channel id",
    "https://www.youtube.com/embed/live_stream": "is not a channel id",
    "https://www.youtube.com/feeds/videos.xml?user=jawed": "is not a channel id",
    "https://www.youtube.com/clip/Ugkxabc": "is a clip",
    "https://www.youtube.com/results?search_query=zoo": "is a page of YouTube",
    "https://www.youtube.com/hashtag/zoo": "is a page of YouTube",
    "https://www.youtube.com/redirect?q=https%3A%2F%2Fexample.org": "does not lead to",
    "https://www.youtube.com/redirect": "does not lead to",
    "https://www.youtube.com/c/": "“” in “www.youtube.com/c/” is not a channel's name",
    "https://www.youtube.com/user/a%00b": "is not a channel's name",
    "@": "“@” is not a handle",
    "@two words": "“@two words” is not a handle",
    "@" + "x" * 31: "is not a handle",
    "https://www.youtube.com/@%FF": "is not a handle",
}


@pytest.mark.parametrize("text", NAMED)
def test_a_target_is_found_in(text: str) -> None:
    assert parse_target(text) == NAMED[text]


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_says_what_was_seen(text: str) -> None:
    with pytest.raises(TargetError) as caught:
        parse_target(text)
    assert FAULTS[text] in str(caught.value)


def test_links_inside_links_are_followed_three_deep_only() -> None:
    link = f"https://youtu.be/{V}"
    for _ in range(3):
        link = "https://www.youtube.com/redirect?q=" + link.replace("%", "%25").replace(":", "%3A").replace("?", "%3F").replace("=", "%3D")
    assert parse_target(link) == VIDEO
    link = "https://www.youtube.com/redirect?q=" + link.replace("%", "%25").replace("?", "%3F").replace("=", "%3D")
    with pytest.raises(TargetError, match="does not lead to"):
        parse_target(link)


def test_uploads_lists_are_known_by_their_id() -> None:
    assert uploads_playlist(C) == U
    assert PlaylistRef(U).is_uploads
    assert PlaylistRef(PlaylistId("UUSH" + U[2:])).is_uploads
    assert not PlaylistRef(PlaylistId("UULP" + U[2:])).is_uploads  # by popularity, not by age
    assert not PLAYLIST.is_uploads


def test_the_kinds_of_ids_are_told_apart() -> None:
    assert is_video_id(V) and is_channel_id(C) and is_playlist_id(P)
    assert not is_video_id(C) and not is_channel_id(P) and not is_playlist_id("RDjNQXAC9IVRw")
    assert (video_url(V), channel_url(C), playlist_url(P)) == (VIDEO.url, CHANNEL.url, PLAYLIST.url)


# A full stop behind a link belongs to the sentence, so a name that ends in one is not found there.
NAMES = st.text(st.characters(categories=["Ll", "Lo", "Nd"]) | st.sampled_from("_-.·"), min_size=1, max_size=10).filter(
    lambda name: not name.endswith(".")
)


@given(
    st.one_of(
        st.from_regex(r"[A-Za-z0-9_-]{10}[AEIMQUYcgkosw048]", fullmatch=True).map(lambda text: VideoRef(VideoId(text))),
        st.from_regex(r"UC[A-Za-z0-9_-]{21}[AQgw]", fullmatch=True).map(lambda text: ChannelRef(ChannelId(text))),
        st.from_regex(r"PL[A-Za-z0-9_-]{32}", fullmatch=True).map(lambda text: PlaylistRef(PlaylistId(text))),
    )
)
def test_an_id_is_found_in_its_own_url_and_alone(ref: VideoRef | ChannelRef | PlaylistRef) -> None:
    assert parse_target(ref.url) == ref
    assert parse_target(f"look: {ref.url}, nice") == ref
    assert parse_target(ref.id) == ref


@given(NAMES)
def test_a_name_is_found_in_its_own_url(text: str) -> None:
    for form in ("@{}", "https://www.youtube.com/@{}", "https://youtube.com/user/{}", "https://youtube.com/c/{}/videos"):
        ref = parse_target(form.format(text))
        assert parse_target(ref.url) == ref


PIECES = st.lists(
    st.sampled_from(["https://", "www.", "youtube.com", "youtu.be", "/", "watch", "?", "v=", "&", "list=", "q=", "redirect", "embed"])
    | st.sampled_from(["%", "%2F", "@", "#", ":", "[", " ", V, C, P, "RD", "WL", "channel", "live_stream", "\x00", "\ud800", "·", "c", "é"])
    | st.text(max_size=5),
    max_size=14,
).map("".join)


@given(st.text() | PIECES)
@example("https://www.youtube.com/redirect?q=https://www.youtube.com/redirect")
@example("youtube.com/[::1]")
@example("youtube.com//[/watch?v=")
def test_any_text_is_a_target_or_a_fault(text: str) -> None:
    try:
        ref = parse_target(text)
    except TargetError as error:
        assert str(error) and "\n" not in str(error)
    else:
        assert ref.url.startswith("https://www.youtube.com/")


def test_links_are_found_once_each_and_what_is_watched_has_its_page() -> None:
    assert targets.links("see https://youtu.be/dQw4w9WgXcQ, and https://youtu.be/dQw4w9WgXcQ.") == ["youtu.be/dQw4w9WgXcQ"]
    assert targets.target_url("dQw4w9WgXcQ", TargetKind.VIDEO).endswith("v=dQw4w9WgXcQ")
    assert targets.target_url("PLx", TargetKind.PLAYLIST).endswith("list=PLx")
    assert targets.target_url("UCx", TargetKind.CHANNEL).endswith("/channel/UCx")
