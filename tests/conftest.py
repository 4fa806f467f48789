"""Settings for all tests."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is not a fault of the code: no test fails because an example took long.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

# A shell lets its background jobs ignore Ctrl-C, and with them every program they start; some tests end theirs by it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="tests of faults, fuzzing and load in their full form")


@pytest.fixture(scope="session")
def sized(pytestconfig: pytest.Config) -> Callable[[int, int], int]:
    """`sized(20, 500)`: how often, how many: the first number, or with --long the second."""
    long: bool = pytestconfig.getoption("--long")
    return lambda short, full: full if long else short
