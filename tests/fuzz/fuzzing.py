"""Runs a check on inputs that are made from dice: the dice are Hypothesis's, and a failure names its input."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

T = TypeVar("T")
BATCH = 50
"""Inputs to one draw: drawing costs more than most checks."""
LONGEST = 20.0
"""Seconds of the processor that any one input may take; the usual one takes less than a millisecond."""


def fuzz(inputs: int, make: Callable[[Random], T], check: Callable[[T], object]) -> None:
    """Make so many inputs and check each. The same are made in every run, more of them in a longer one."""

    @settings(
        max_examples=-(-inputs // BATCH),
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**63))
    def batch(seed: int) -> None:
        for number in range(BATCH):
            made = make(Random(f"{seed} {number}"))
            began = time.process_time()
            try:
                check(made)
                assert time.process_time() - began < LONGEST, "took too long"
            except BaseException as error:
                error.add_note(f"the input was {made!r:.3000}")
                raise

    batch()
