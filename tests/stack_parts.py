"""One stack of real parts for the whole test run: started when a test first asks for a part, ended with the run.

from stack_parts import needs, shared_stack

@needs("broker", "registry")
def test_x() -> None:
    addresses = shared_stack().addresses()
"""

import atexit
import os
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import ParamSpec

import pytest

from stack import Part, Stack
from stack.kits import missing_tools
from stack.process import Process

P = ParamSpec("P")

HOMES = Path(__file__).parents[1] / ".stack"


@cache
def shared_stack() -> Stack:
    """Its data live as long as the run. What an earlier run left behind when it was killed is ended first."""
    for left in HOMES.glob("test-*"):
        if not Process.of(int(left.name.removeprefix("test-"))):
            Stack(left).reset()
    stack = Stack(HOMES / f"test-{os.getpid()}")
    atexit.register(stack.reset)
    return stack


def needs(*parts: Part) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """The test runs with these parts up. On a machine without Maven it is skipped with the reason; in the CI it fails there."""

    def decorate(test: Callable[P, None]) -> Callable[P, None]:
        @wraps(test)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            require(*parts)
            test(*args, **kwargs)

        return run

    return decorate


def require(*parts: Part) -> Stack:
    """The same inside a fixture."""
    if missing := missing_tools():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"not run: {missing}")
    stack = shared_stack()
    stack.up(parts)
    return stack
