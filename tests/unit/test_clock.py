"""The system's clock: a wall clock that jumps, a machine that sleeps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ytwatcher.clock import SystemClock

START = datetime(2026, 10, 5, 12, tzinfo=UTC)


@dataclass
class Machine:
    """What a computer says the time is."""

    wall: float = START.timestamp()
    monotonic: float = 1000.0

    def clock(self) -> SystemClock:
        return SystemClock(wall=lambda: self.wall, monotonic=lambda: self.monotonic)

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


def test_time_passes() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.passes(90)
    assert clock.now() - START == timedelta(seconds=90)


def test_a_wall_clock_that_is_set_back_does_not_turn_time_back() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.passes(60)
    machine.wall -= 3600
    seen = [clock.now()]
    for _ in range(3):
        machine.passes(10)
        seen.append(clock.now())
    assert [at - START for at in seen] == [timedelta(seconds=seconds) for seconds in (60, 70, 80, 90)]


def test_a_machine_that_slept_is_at_the_present_again() -> None:
    """Monotonic time stood still meanwhile."""
    machine = Machine()
    clock = machine.clock()
    machine.wall += 8 * 3600
    assert clock.now() - START == timedelta(hours=8)
    machine.passes(10)
    assert clock.now() - START == timedelta(hours=8, seconds=10)


def test_a_wall_clock_that_was_ahead_for_a_moment_leaves_time_there_until_it_is_caught_up_with() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += 100
    ahead = clock.now()
    machine.wall -= 100
    machine.passes(5)
    assert clock.now() - ahead == timedelta(seconds=5)


def test_small_corrections_of_a_second_are_not_followed() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += 0.9
    assert clock.now() == START
