"""What other systems are told of an accepted reading of a video: its record in the topic of readings (docs/streaming.md)."""

from __future__ import annotations

from collections.abc import Mapping

from ytwatcher.core.model import VIDEO_METRICS, Metric, SubjectState, to_ms
from ytwatcher.core.settle import Verdict

Record = dict[str, int | str | None]
"""By the fields of avro/reading-wide.avsc, without the description, which is laid beside it when it is sent."""


def records(
    before: SubjectState, after: SubjectState, verdicts: Mapping[Metric, Verdict], channel_id: str | None, channel_title: str | None
) -> list[Record]:
    """The records of the reading that led from one state to the other: settled values, and the peaks before it.

    The first value after a counting break is compared with nothing. Where the record before holds a number of before the break, two are
    made: the first without the value, the second, of the same instant, with it. Of two records of one instant an engine judges the
    first, and compares the next reading with the second.
    """
    rebased = [metric for metric in VIDEO_METRICS if verdicts.get(metric) is Verdict.REBASED]
    record = _record(after, {m: (after if m in rebased else before) for m in VIDEO_METRICS}, channel_id, channel_title)
    hidden = {metric.upper(): None for metric in rebased if before.metric(metric).value is not None}
    return [{**record, **hidden}, record] if hidden else [record]


def baseline(state: SubjectState, channel_id: str | None, channel_title: str | None) -> list[Record]:
    """The records that tell an engine where a video stands; the next reading is compared with them.

    They raise nothing, whatever stands before them in the topic: of two records of one instant an engine judges the first, which has no
    number.
    """
    record = _record(state, dict.fromkeys(VIDEO_METRICS, state), channel_id, channel_title)
    return [{**record, **{metric.upper(): None for metric in VIDEO_METRICS}}, record]


def _record(after: SubjectState, peaks_of: Mapping[Metric, SubjectState], channel_id: str | None, channel_title: str | None) -> Record:
    return {
        "VIDEO_TIMESTAMP": f"{after.published_at:%Y-%m-%dT%H:%M:%SZ}" if after.published_at else None,
        "TITLE": after.title,
        **{metric.upper(): after.metric(metric).value for metric in VIDEO_METRICS},
        "OBSERVED_AT": to_ms(after.newest_at) if after.newest_at else None,
        "CHANNEL_ID": channel_id,
        "CHANNEL_TITLE": channel_title,
        **{f"PEAK_{metric.upper()}": state.metric(metric).peak for metric, state in peaks_of.items()},
    }
