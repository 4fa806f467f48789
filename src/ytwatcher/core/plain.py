"""One alert as one line without markup: the words that the streaming engines' SQL makes, too."""

from __future__ import annotations

from ytwatcher.core.model import CHANNEL_METRICS, Alert, ChannelId, RuleKind
from ytwatcher.core.targets import channel_url


def plain_line(alert: Alert, title: str | None) -> str:
    """One alert as one line without markup, numbers as they are; the same words as the streaming engines' SQL."""
    kind = "Channel" if alert.metric in CHANNEL_METRICS else "Video"
    return f"{kind}: {title or alert.subject_id} | {_plain_body(alert)} | {alert_url(alert)}"


def alert_url(alert: Alert) -> str:
    return channel_url(ChannelId(alert.subject_id)) if alert.metric in CHANNEL_METRICS else f"https://youtu.be/{alert.subject_id}"


def _plain_body(alert: Alert) -> str:
    previous, current = alert.previous, alert.current
    if alert.metric is None:
        return _plain_facts(alert)
    moved = abs((current or 0) - (previous or 0))
    body = {
        RuleKind.CHANGE: f"changed: {previous} -> {current}",
        RuleKind.REACH: f"reached {alert.mark}: now {current}",
        RuleKind.RISE: f"rose by {moved}: {previous} -> {current}",
        RuleKind.FALL: f"fell by {moved}: {previous} -> {current}",
        RuleKind.FASTER: f"faster than {''.join(alert.facts)}: {previous} -> {current}",
        RuleKind.SLOWER: f"slower than {''.join(alert.facts)}: {previous} -> {current}",
    }.get(alert.kind, f"passed {alert.mark}: now {current}")
    return f"{alert.metric.capitalize()} {body}"


def _plain_facts(alert: Alert) -> str:
    if alert.kind is RuleKind.TITLE:
        return f"Title changed: {alert.facts[0]} -> {alert.facts[-1]}"
    if alert.kind is RuleKind.NEW:
        return "New video"
    return ", ".join(alert.facts).capitalize()
