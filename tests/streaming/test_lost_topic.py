"""The topic of readings is deleted while the engine is away."""

from __future__ import annotations

from pathlib import Path

import pytest

from fault_stage import check, lose_topic, stage
from stack import PARTS
from stack_parts import require, shared_stack


@pytest.mark.timeout(1800)
def test_an_engine_that_goes_on_in_the_middle_of_a_topic_that_was_made_anew_misses_nothing(tmp_path: Path) -> None:
    """Away while its topic is lost, it would go on at its offsets in the old one: here between readings that it never saw."""
    require(*PARTS)
    with stage(tmp_path, seed=11) as s:
        s.growing = True
        s.until_alerts(5)
        s.home.ok("stream", "resend")
        s.come_to_rest()
        was_at = s.readings_end()
        shared_stack().kill("jobmanager")
        lose_topic(s)
        s.growing = True
        s.until("the new one will reach beyond them", lambda: s.waiting() > sum(was_at))
        shared_stack().start("jobmanager")
        check(s)
