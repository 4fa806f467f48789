"""Readings for properties: of one instant, to be set to their times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from ytwatcher.core.model import VIDEO_METRICS, Absent, Lane, Reading, SubjectId, Value

VALUES: st.SearchStrategy[Value] = st.one_of(
    st.integers(0, 3_000), st.integers(0, 2**63 - 1), st.sampled_from([a for a in Absent if a is not Absent.RECOUNTED])
)
"""Whatever YouTube may say of a count."""


def any_reading(
    subjects: Sequence[SubjectId],
    at: datetime,
    values: st.SearchStrategy[Value] = VALUES,
    ages: Sequence[timedelta] = (timedelta(hours=47), timedelta(days=9)),
    more: Mapping[str, st.SearchStrategy[Any]] | None = None,
) -> st.SearchStrategy[Reading]:
    """A reading at `at` of one of the subjects, by any lane; `ages`: how old the video is, where that is said; `more` of its fields."""
    return st.builds(
        Reading,
        st.sampled_from(subjects),
        st.just(at),
        st.sampled_from(Lane),
        st.dictionaries(st.sampled_from(VIDEO_METRICS), values),
        title=st.sampled_from([None, "A", "B"]),
        published_at=st.sampled_from([None, *(at - age for age in ages)]),
        **(more or {}),
    )
