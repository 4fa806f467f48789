"""YouTube's JSON as values: every form a counter is known to take, and everything that is no answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ytwatcher.core.model import Absent, ChannelId, Lane, Metric, PlaylistId, SubjectKind, VideoId
from ytwatcher.youtube import parse
from ytwatcher.youtube.faults import YouTubeError

A, B, C = VideoId("aaaaaaaaaaA"), VideoId("bbbbbbbbbbA"), VideoId("ccccccccccA")
AT = datetime(2026, 11, 24, 10, tzinfo=UTC)


def values(**statistics: Any) -> dict[Metric, Any]:
    answer = parse.videos_answer({"items": [{"id": A, "statistics": statistics}]}, [A])
    return dict(answer.items[A].values)


@pytest.mark.parametrize("raw", ["1234", 1234])
def test_a_counter_may_be_a_string_or_a_number(raw: object) -> None:
    assert values(viewCount=raw)[Metric.VIEWS] == 1234


def test_the_largest_counter_is_the_largest_64_bit_number() -> None:
    assert values(viewCount=str(2**63 - 1))[Metric.VIEWS] == 2**63 - 1
    assert values(viewCount=0)[Metric.VIEWS] == 0


@pytest.mark.parametrize(
    "raw", ["", "-1", "1.5", "1e3", "12a", " 1", "٣", "²", "9" * 5_000, str(2**63), -1, 2**63, 1.0, True, None, [], {}, float("nan")]
)
def test_what_is_no_counter_is_not_returned(raw: object) -> None:
    assert values(viewCount=raw, likeCount=raw) == {
        Metric.VIEWS: Absent.NOT_RETURNED,
        Metric.LIKES: Absent.NOT_RETURNED,
        Metric.COMMENTS: Absent.NOT_RETURNED,
        Metric.FAVORITES: Absent.NOT_RETURNED,
    }


def test_left_out_beside_the_views_means_hidden_or_disabled() -> None:
    assert values(viewCount="5", favoriteCount="0") == {
        Metric.VIEWS: 5,
        Metric.LIKES: Absent.HIDDEN,
        Metric.COMMENTS: Absent.DISABLED,
        Metric.FAVORITES: 0,
    }


def test_there_but_unreadable_does_not_mean_hidden() -> None:
    assert values(viewCount="5", likeCount=None, commentCount="many")[Metric.LIKES] is Absent.NOT_RETURNED


@pytest.mark.parametrize("item", [{"id": A}, {"id": A, "statistics": None}, {"id": A, "statistics": []}])
def test_without_statistics_nothing_was_returned(item: dict[str, Any]) -> None:
    assert set(parse.stats_answer({"items": [item]}, [A]).items[A].values.values()) == {Absent.NOT_RETURNED}


def test_the_statistics_answer_carries_no_favorites_and_its_own_name_for_the_time() -> None:
    item = {
        "id": A,
        "snippet": {"publishTime": "2026-09-02T01:00:00+01:00"},
        "statistics": {"viewCount": "5", "likeCount": "2", "commentCount": 1},
    }
    answer = parse.stats_answer({"items": [item], "summary": {"failedVideoIds": [A]}}, [A, B])
    reading = answer.items[A].reading(AT, Lane.STATISTICS)
    assert reading.values == {Metric.VIEWS: 5, Metric.LIKES: 2, Metric.COMMENTS: 1}
    assert (str(reading.subject_id), reading.observed_at, reading.published_at) == (str(A), AT, datetime(2026, 9, 2, tzinfo=UTC))
    assert answer.missing == (B,)


def test_ids_are_missing_in_the_order_asked_and_each_once() -> None:
    answer = parse.videos_answer({"items": [{"id": B}]}, [C, B, A, C])
    assert answer.missing == (C, A)


def test_the_first_of_equal_items_wins_and_what_was_not_asked_for_is_ignored() -> None:
    items = [{"id": A, "statistics": {"viewCount": "1"}}, {"id": A, "statistics": {"viewCount": "2"}}, {"id": C}]
    answer = parse.videos_answer({"items": items}, [A, B])
    assert list(answer.items) == [A]
    assert answer.items[A].values[Metric.VIEWS] == 1


def test_a_videos_answer_carries_its_metadata() -> None:
    snippet = {
        "title": "Tea & \U0001f375",
        "publishedAt": "2020-01-02T03:04:05Z",
        "channelId": "UC" + "c" * 21 + "A",
        "channelTitle": "Tea",
        "liveBroadcastContent": "upcoming",
    }
    reading = parse.videos_answer({"items": [{"id": A, "snippet": snippet}]}, [A]).items[A].reading(AT, Lane.METADATA)
    assert (reading.title, reading.channel_id, reading.channel_title, reading.live) == (
        "Tea & \U0001f375",
        snippet["channelId"],
        "Tea",
        "upcoming",
    )
    assert reading.published_at == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("raw", [None, 5, "", "yesterday", "2020-01-02T03:04:05", "0001-01-01T00:00:00+23:59", "2020-13-01T00:00:00Z"])
def test_what_is_no_time_is_not_known(raw: object) -> None:
    answer = parse.videos_answer({"items": [{"id": A, "snippet": {"publishedAt": raw}}]}, [A])
    assert answer.items[A].published_at is None


def test_a_title_with_half_a_character_can_be_stored() -> None:
    answer = parse.videos_answer(
        parse.decode(b'{"kind": "k", "items": [{"id": "aaaaaaaaaaA", "snippet": {"title": "x\\ud83c"}}]}', "k"), [A]
    )
    assert answer.items[A].title == "x?"


def channel(**statistics: Any) -> parse.ChannelItem:
    item = {
        "id": "UC" + "c" * 21 + "A",
        "snippet": {"title": "Tea", "customUrl": "@tea", "publishedAt": "2020-01-02T03:04:05Z"},
        "statistics": statistics,
        "contentDetails": {"relatedPlaylists": {"uploads": "UU" + "c" * 21 + "A", "likes": ""}},
    }
    return parse.channels_answer({"items": [item, {**item, "snippet": {"title": "again"}}]})[0]


def test_a_channels_answer_carries_its_numbers_and_its_uploads() -> None:
    found = channel(viewCount="9000", subscriberCount="1230", hiddenSubscriberCount=False, videoCount="7")
    reading = found.reading(AT, Lane.METADATA)
    assert reading.values == {Metric.SUBSCRIBERS: 1230, Metric.VIDEOS: 7, Metric.TOTAL_VIEWS: 9000}
    assert (reading.kind, reading.title, found.handle) == (SubjectKind.CHANNEL, "Tea", "@tea")
    assert found.uploads == "UU" + "c" * 21 + "A"


def test_hidden_subscribers_are_hidden_whatever_their_count_says() -> None:
    assert channel(subscriberCount="0", hiddenSubscriberCount=True).values[Metric.SUBSCRIBERS] is Absent.HIDDEN


def test_an_answer_without_items_is_about_an_unknown_channel() -> None:
    assert parse.channels_answer({"pageInfo": {"totalResults": 0}}) == ()
    assert parse.channels_answer({"items": []}) == ()
    assert parse.channels_answer({"items": [{"id": "UC"}]})[0].uploads is None


def test_a_playlists_answer_carries_its_owner_and_size() -> None:
    items = [
        {"id": "PL1", "snippet": {"title": "Teas", "channelId": "UC1", "channelTitle": "Tea"}, "contentDetails": {"itemCount": 3}},
        {"id": "PL2"},
    ]
    assert parse.playlists_answer({"items": items}) == (
        parse.PlaylistItem(PlaylistId("PL1"), "Teas", ChannelId("UC1"), "Tea", 3),
        parse.PlaylistItem(PlaylistId("PL2")),
    )


def test_an_entry_is_dead_when_its_owner_is_gone_whatever_its_title() -> None:
    def entry(video: str, **snippet: str) -> dict[str, Any]:
        return {"id": f"item-{video}", "snippet": {"publishedAt": "2020-01-02T03:04:05Z", "resourceId": {"videoId": video}, **snippet}}

    page = parse.page(
        {"items": [entry(A, title="Deleted video", videoOwnerChannelId="UC1"), entry(B, title="Private video")], "nextPageToken": "T"}
    )
    assert [(e.video_id, e.title, e.dead) for e in page.entries] == [(A, "Deleted video", False), (B, "Private video", True)]
    assert page.entries[0].added_at == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert page.next_token == "T"
    assert parse.page({"items": []}) == parse.Page((), None)


@pytest.mark.parametrize(
    "answer", [{}, {"items": None}, {"items": [{"id": "x"}]}, {"items": [{"id": "x", "snippet": {"resourceId": {"videoId": 5}}}]}]
)
def test_a_page_that_cannot_be_read_is_no_empty_page(answer: dict[str, Any]) -> None:
    with pytest.raises(YouTubeError, match="could not be read"):
        parse.page(answer)


@pytest.mark.parametrize("items", [None, {}, "x", [1], [{}], [{"id": 5}], [{"id": A}, None]])
def test_items_that_cannot_be_told_apart_are_a_fault_not_missing_videos(items: object) -> None:
    with pytest.raises(YouTubeError, match="could not be read"):
        parse.videos_answer({"items": items}, [A])


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"kind": "k", "items": [', b"[]", b"null", b"{}", b'{"kind": "other"}', b"\xff", b"[" * 99_999, b'{"kind": 5}'],
)
def test_a_body_that_is_not_the_answer_is_a_fault(body: bytes) -> None:
    with pytest.raises(YouTubeError) as caught:
        parse.decode(body, "k")
    assert caught.value.reason == "malformed"


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from([A, B, "12", "2020-01-02T03:04:05Z"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["items", "id", "snippet", "statistics", "viewCount", "likeCount", "publishedAt", "title"]), inner, max_size=5
        )
    ),
    max_leaves=20,
)


@given(NESTED)
def test_any_json_is_an_answer_or_a_fault_and_every_value_is_a_count_or_a_reason(parsed: Any) -> None:
    body = json.dumps({"kind": "k", "items": parsed}).encode()
    try:
        answer = parse.videos_answer(parse.decode(body, "k"), [A, B])
    except YouTubeError:
        return
    assert set(answer.items) | set(answer.missing) == {A, B}
    for item in answer.items.values():
        assert all(isinstance(value, Absent) or 0 <= value < 2**63 for value in item.values.values())
