"""The gauges: what they count, what they show, and that the dashboard asks for nothing else."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from virtual_clock import VirtualClock
from web_stage import site
from ytwatcher.clock import Pulse
from ytwatcher.core.model import SubjectKind
from ytwatcher.core.quota import Bucket, Ledger, Share, quota_day
from ytwatcher.store.events import Event, EventKind
from ytwatcher.store.publications import Backlog
from ytwatcher.web.metrics import Gauges, Snapshot

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana-dashboard.json"
SNAPSHOT = Snapshot(
    {SubjectKind.VIDEO: 3, SubjectKind.CHANNEL: 1},
    {"waiting": 2, "dead": 1, "sent": 40},
    NOW - timedelta(minutes=2),
    NOW - timedelta(seconds=30),
    (Ledger(Bucket.STATS, quota_day(NOW), 10_000, 500, {Share.STATISTICS: 12}, NOW, NOW),),
    Backlog(5, NOW - timedelta(seconds=9)),
)


def samples(text: str) -> dict[str, float]:
    """`name{label="value"}` → value."""
    found = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(one.labels.items()))
            found[f"{one.name}{{{labels}}}" if labels else one.name] = one.value
    return found


def message(state: str, attempts: int = 1, **more: float) -> Event:
    return Event(1, EventKind.MESSAGE, NOW, {"message": 1, "state": state, "to": "console", "attempts": attempts, **more})


def test_what_happens_is_counted_once() -> None:
    gauges = Gauges()
    for event in (
        Event(1, EventKind.READING, NOW, {"kind": "video"}),
        Event(2, EventKind.ALERT, NOW, {"kind": "change", "state": "waiting"}),
        Event(3, EventKind.ALERT, NOW, {"kind": "change", "state": "message"}),
        Event(4, EventKind.ALERT, NOW, {"kind": "notice", "state": "waiting"}),
        message("pending", attempts=0),
        message("sending"),
        message("pending"),
        message("sent", lag=3.0),
        message("dead"),
        Event(9, EventKind.STARTED, None, {}),
    ):
        gauges.observe(event)
    found = samples(gauges.text(SNAPSHOT, {}, 0, NOW).decode())
    assert found['ytwatcher_readings_total{kind="video"}'] == 1
    assert found['ytwatcher_alerts_total{kind="change"}'] == 1 and 'ytwatcher_alerts_total{kind="notice"}' not in found
    assert [found[f'ytwatcher_messages_total{{outcome="{one}"}}'] for one in ("sent", "dead", "dropped")] == [1, 1, 0]
    assert found["ytwatcher_message_retries_total"] == 1
    assert (found["ytwatcher_lag_seconds_count"], found["ytwatcher_lag_seconds_sum"]) == (1, 3)


def test_a_look_shows_the_journal_and_the_loops() -> None:
    async def go() -> dict[str, float]:
        clock = VirtualClock(NOW)
        waits, hangs = Pulse(clock), Pulse(clock)
        await hangs.wait(NOW - timedelta(seconds=1))
        later = NOW + timedelta(minutes=6)
        assert waits.works_for(later) == timedelta(0) and hangs.works_for(later) == timedelta(minutes=6)
        return samples(Gauges().text(SNAPSHOT, {"poller": waits, "dispatcher": hangs}, 7, later).decode())

    found = asyncio.run(go())
    assert found['ytwatcher_outbox{state="waiting"}'] == 2 and found['ytwatcher_outbox{state="held"}'] == 0
    assert found["ytwatcher_oldest_unsent_seconds"] == 480 and found["ytwatcher_last_read_timestamp_seconds"] == NOW.timestamp() - 30
    assert found[f'ytwatcher_quota_used_units{{bucket="{Bucket.STATS}",share="statistics"}}'] == 12
    assert found[f'ytwatcher_quota_closed{{bucket="{Bucket.STATS}"}}'] == 1
    assert (found['ytwatcher_loop_up{loop="poller"}'], found['ytwatcher_loop_up{loop="dispatcher"}']) == (1, 0)
    assert found["ytwatcher_live_listeners"] == 7 and found["ytwatcher_publisher_backlog"] == 5


def test_every_query_of_the_dashboard_is_about_a_gauge_that_is_there(tmp_path: Path) -> None:
    queries = [target["expr"] for panel in panels() for target in panel["targets"]]
    asked = {name for query in queries for name in re.findall(r"ytwatcher_\w+", query)}
    with site(tmp_path, videos=1) as s:
        text = s.get("/metrics").text
    known = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ") and "_created" not in line}
    counted = {f"{name}_bucket" for name in known} | known
    assert len(queries) >= 15 and asked <= counted, asked - counted
    left = {name for name in known if not any(one.startswith(name) for one in asked)}
    assert not left, f"nobody looks at {left}"


def test_every_label_that_the_dashboard_asks_for_is_served() -> None:
    gauges = Gauges()
    gauges.observe(Event(1, EventKind.READING, NOW, {"kind": "video"}))
    gauges.observe(Event(2, EventKind.ALERT, NOW, {"kind": "change", "state": "waiting"}))
    gauges.observe(message("sent", lag=3.0))
    served: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(gauges.text(SNAPSHOT, {"poller": Pulse(VirtualClock(NOW))}, 0, NOW).decode()):
        for one in family.samples:
            for label, value in one.labels.items():
                served.setdefault(one.name, {}).setdefault(label, set()).add(value)
    for query, legend in ((one["expr"], one["legendFormat"]) for panel in panels() for one in panel["targets"]):
        names = re.findall(r"ytwatcher_\w+", query)
        together = [label for group in re.findall(r"(?:by|on) \(([^)]*)\)", query) for label in group.split(", ")]
        for name in names:
            assert set(together) <= served.get(name, {}).keys(), query
        assert set(re.findall(r"{{(\w+)}}", legend)) <= served.get(names[0], {}).keys(), (query, legend)
        for name, label, value in re.findall(r'(ytwatcher_\w+){(\w+)="(\w+)"}', query):
            assert value in served[name][label], query


def test_the_dashboard_shows_seconds_as_seconds_and_shares_as_shares() -> None:
    for panel in panels():
        unit = panel["fieldConfig"]["defaults"]["unit"]
        own = {one["matcher"]["options"]: one["properties"][0]["value"] for one in panel["fieldConfig"]["overrides"]}
        for target in panel["targets"]:
            wanted = "s" if "_seconds" in target["expr"] else "percentunit" if " / " in target["expr"] else "short"
            assert own.get(target["legendFormat"], unit) == wanted, (panel["title"], target["expr"])


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return found


def test_every_gauge_is_documented() -> None:
    page = (DASHBOARD.parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
    text = Gauges().text(SNAPSHOT, {}, 0, NOW).decode()
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ") and "_created" not in line}
    assert not [name for name in names if f"`{name}" not in page]
