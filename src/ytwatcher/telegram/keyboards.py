"""The buttons of alerts, watches and rules: what they say, and the data that says what they are about.

Data is `KIND:CHAT/VALUE`, at most 64 bytes; it holds all that a press means, so that it works after a restart and on old messages. CHAT is
what the button is about: a press elsewhere is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ytwatcher.core.model import Alert, Metric, RuleKind, RuleSpec
from ytwatcher.core.rules import canonical, parse_rule
from ytwatcher.telegram.texts import Say

LONGEST = 64
CHART_LETTERS: Mapping[Metric, str] = MappingProxyType(
    {Metric.VIEWS: "v", Metric.LIKES: "l", Metric.COMMENTS: "c", Metric.SUBSCRIBERS: "s", Metric.TOTAL_VIEWS: "t"}
)
_SHORT = MappingProxyType(
    {str(word): f"{letter}{n}" for letter, words in (("m", Metric), ("k", RuleKind)) for n, word in enumerate(words)}
    | {"once": "o", "silent": "s", "cooldown": "c"}
)
_LONG = MappingProxyType({short: word for word, short in _SHORT.items()})

Rows = Sequence[Sequence[tuple[str, str]]]
"""Buttons in rows: text and data."""


def data(kind: str, address: str, value: object) -> str:
    """What a button sends that is about this recipient."""
    return f"{kind}:{address.removeprefix('telegram:')}/{value}"


def under_alert(address: str, message: int, alerts: Sequence[Alert], say: Say) -> Rows:
    """The buttons under a message with alerts, which is named by its key."""
    about = list(dict.fromkeys((alert.subject_id, CHART_LETTERS.get(alert.metric or Metric.VIEWS, "v")) for alert in alerts))
    one = len({subject for subject, _ in about}) == 1
    chart = chart_data(*about[0]) if one else data("pics", address, message)
    return [
        [(say("Why?"), data("why", address, message)), (say("Chart"), chart), (say("Quieter"), data("softer", address, message))],
        [(say("Mute 8 h"), data("hush", address, message)), (say("Stop watching"), data("end", address, message))],
    ]


def chart_data(about: str, letter: str = "v") -> str:
    """What shows the chart of a day (telegram/handlers/charts.py)."""
    return f"chart:{about}:24h:{letter}"


def packed(spec: RuleSpec) -> str:
    """A rule in few characters, for a button."""
    line = canonical(spec).replace(Metric.TOTAL_VIEWS, _SHORT[Metric.TOTAL_VIEWS])
    return "_".join(_SHORT.get(word, word) for word in line.split())


def unpacked(text: str) -> RuleSpec:
    """The reverse of `packed`.

    Raises:
        RuleError: it is not what `packed` gives.
    """
    return parse_rule(" ".join(_LONG.get(word, word) for word in text.split("_")))
