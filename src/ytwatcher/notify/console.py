"""The console as a recipient: messages as plain text, or one JSON object a line for each alert."""

from __future__ import annotations

import json
from typing import TextIO

from ytwatcher.core.findings import Item
from ytwatcher.core.model import Alert
from ytwatcher.core.phrases import Phrase
from ytwatcher.core.plain import plain_line
from ytwatcher.core.reasons import NOBODY_READS, NOT_WRITTEN
from ytwatcher.core.retry import UNPACED, Pace
from ytwatcher.notify.delivery import DeliveryError, Failure, Outgoing, Sent


class ConsoleSender:
    """Writes to a stream; with `as_json` every alert is a line of its own, also those whose news another line tells."""

    def __init__(self, stream: TextIO, *, as_json: bool = False) -> None:
        self._stream = stream
        self._as_json = as_json

    async def send(self, address: str, message: Outgoing) -> Sent:
        text = "".join(f"{json_line(item)}\n" for item in message.items) if self._as_json else f"{message.plain}\n\n"
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError as error:
            raise DeliveryError(Failure.LOST, NOBODY_READS) from error
        except OSError as error:
            raise DeliveryError(Failure.UNREACHABLE, Phrase(NOT_WRITTEN, fault=error.strerror)) from error
        return Sent()

    async def alive(self) -> bool:
        return True

    def pace(self, address: str) -> Pace:
        return UNPACED


def json_line(item: Item) -> str:
    """One alert for a program: id, rule (its line), video_id (or the channel's id), metric, previous, current, observed_at, text."""
    alert = item.alert
    values = _notice(item) if alert is None else _values(item, alert)
    return json.dumps(values, ensure_ascii=False)


def _notice(item: Item) -> dict[str, object]:
    nothing = dict.fromkeys(("rule", "video_id", "metric", "previous", "current", "observed_at"))
    return {"id": item.id, **nothing, "text": item.text}


def _values(item: Item, alert: Alert) -> dict[str, object]:
    return {
        "id": item.id,
        "rule": item.rule,
        "video_id": alert.subject_id,
        "metric": alert.metric,
        "previous": alert.previous,
        "current": alert.current,
        "observed_at": alert.observed_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "text": plain_line(alert, item.title),
    }
