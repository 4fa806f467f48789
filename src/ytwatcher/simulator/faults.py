"""What shall go wrong, how often and until when; shared by both doubles."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class Fault:
    """One planned fault of one method (`*`: of every method).

    It strikes `times` times (None: without end) and never from `until` on. `serial` tells it from its like.
    """

    method: str
    kind: str
    serial: int
    times: int | None = None
    until: datetime | None = None
    seconds: float = 1.0
    retry_after: int = 5
    form: str = "html"
    delivered: bool = False

    def over(self, now: datetime) -> bool:
        return self.times == 0 or (self.until is not None and now >= self.until)


@dataclass(slots=True)
class Faults:
    """The planned faults in the order they were planned; the first that matches strikes."""

    kinds: frozenset[str]
    methods: frozenset[str]
    planned: list[Fault] = field(default_factory=list)
    serial: int = 0

    def add(self, method: str, kind: str, times: int | None, until: datetime | None) -> Fault:
        """Plan a fault.

        Raises:
            ValueError: no such kind or method here.
        """
        if kind not in self.kinds:
            raise ValueError(f"no fault is called {kind!r}; there are {', '.join(sorted(self.kinds))}")
        if method != "*" and method not in self.methods:
            raise ValueError(f"no method is called {method!r}; there are {', '.join(sorted(self.methods))}")
        self.serial += 1
        self.planned.append(Fault(method, kind, self.serial, times, until))
        return self.planned[-1]

    def strike(self, method: str, now: datetime) -> Fault | None:
        """The fault that this call meets, counted."""
        self.planned = [fault for fault in self.planned if not fault.over(now)]
        fault = next((fault for fault in self.planned if fault.method in ("*", method)), None)
        if fault is not None and fault.times is not None:
            fault.times -= 1
        return fault
