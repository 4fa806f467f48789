"""Gauges for Prometheus: what happened since the process began, and how the journal is at the moment of asking."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ytwatcher import __version__
from ytwatcher.clock import Pulse
from ytwatcher.core.model import SubjectKind
from ytwatcher.core.quota import Bucket, Ledger, Share
from ytwatcher.outlook import terms
from ytwatcher.settings import Settings
from ytwatcher.store import outbox_list, overview, publications, quota, subjects
from ytwatcher.store.events import Event, EventKind

STUCK = timedelta(minutes=5)
"""A loop that is at one piece of work for longer hangs: no call and no write takes as long."""
LAGS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 6 * 3600)
OPEN_STATES = ("waiting", "held", "pending", "sending", "dead")
OUTCOMES = ("sent", "dead", "dropped")


class Snapshot(NamedTuple):
    """What a look at the journal shows."""

    watched: Mapping[SubjectKind, int]
    outbox: Mapping[str, int]
    unsent_at: datetime | None
    read_at: datetime | None
    buckets: tuple[Ledger, ...]
    backlog: publications.Backlog | None


def look(con: sqlite3.Connection, settings: Settings, now: datetime) -> Snapshot:
    unsent = overview.oldest_unsent(con)
    return Snapshot(
        {kind: subjects.counted(con, kind) for kind in SubjectKind},
        outbox_list.counts(con),
        unsent.since_at if unsent else None,
        subjects.last_read_at(con),
        tuple(quota.load(con, bucket, terms(settings)[bucket], now) for bucket in Bucket),
        publications.backlog(con) if settings.streaming.bootstrap else None,
    )


class Gauges:
    """All gauges of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=self.registry), partial(Gauge, registry=self.registry)
        self.readings = counter("ytwatcher_readings", "Readings accepted, by kind of subject.", ["kind"])
        self.alerts = counter("ytwatcher_alerts", "Alerts found, by kind of rule.", ["kind"])
        self.messages = counter("ytwatcher_messages", "Messages done, by outcome.", ["outcome"])
        self.retries = counter("ytwatcher_message_retries", "Attempts that failed, and are made again.")
        self.lag = Histogram("ytwatcher_lag_seconds", "From a reading to the message of it.", buckets=LAGS, registry=self.registry)
        self.watched = gauge("ytwatcher_watched", "Subjects watched, by kind.", ["kind"])
        self.outbox = gauge("ytwatcher_outbox", "Alerts (waiting, held) and messages (pending, sending, dead) not done.", ["state"])
        self.unsent = gauge("ytwatcher_oldest_unsent_seconds", "Age of the oldest news that may leave and has not; 0: there is none.")
        self.read = gauge("ytwatcher_last_read_timestamp_seconds", "When YouTube last answered; 0: never.")
        self.used = gauge("ytwatcher_quota_used_units", "Units used today.", ["bucket", "share"])
        self.limit = gauge("ytwatcher_quota_limit_units", "Units that a day has.", ["bucket"])
        self.closed = gauge("ytwatcher_quota_closed", "1 while YouTube says that the bucket is spent.", ["bucket"])
        self.busy = gauge("ytwatcher_loop_busy_seconds", "For how long a loop is at one piece of work; 0: it waits.", ["loop"])
        self.up = gauge("ytwatcher_loop_up", "1 while the loop is alive, and not at one piece of work for minutes.", ["loop"])
        self.listeners = gauge("ytwatcher_live_listeners", "Who listens to the live stream.")
        self.backlog = gauge("ytwatcher_publisher_backlog", "Readings that wait to be published to Kafka.")
        self.backlog_age = gauge("ytwatcher_publisher_backlog_seconds", "Age of the oldest of them.")
        self.build = gauge("ytwatcher_build_info", "Always 1; the version is a label.", ["version"])
        self.build.labels(__version__).set(1)
        for outcome in OUTCOMES:
            self.messages.labels(outcome)  # a rate needs the zero before the first one

    def observe(self, event: Event) -> None:
        """Count what happened."""
        state = event.facts.get("state")
        if event.kind is EventKind.READING:
            self.readings.labels(event.facts["kind"]).inc()
        elif event.kind is EventKind.ALERT and state == "waiting" and event.facts["kind"] != "notice":
            self.alerts.labels(event.facts["kind"]).inc()
        elif event.kind is EventKind.MESSAGE:
            self._observe_message(event, str(state))

    def _observe_message(self, event: Event, state: str) -> None:
        if state in OUTCOMES:
            self.messages.labels(state).inc()
        elif state == "pending" and event.facts["attempts"]:
            self.retries.inc()
        if "lag" in event.facts:
            self.lag.observe(max(0.0, event.facts["lag"]))

    def text(self, found: Snapshot, pulses: Mapping[str, Pulse], listeners: int, now: datetime) -> bytes:
        """Everything in Prometheus' text format."""
        for kind, count in found.watched.items():
            self.watched.labels(kind).set(count)
        for state in OPEN_STATES:
            self.outbox.labels(state).set(found.outbox.get(state, 0))
        self.unsent.set((now - found.unsent_at).total_seconds() if found.unsent_at else 0)
        self.read.set(found.read_at.timestamp() if found.read_at else 0)
        for ledger in found.buckets:
            self._set_bucket(ledger)
        for name, pulse in pulses.items():
            self.busy.labels(name).set(pulse.works_for(now).total_seconds())
            self.up.labels(name).set(pulse.works_for(now) < STUCK)
        self.listeners.set(listeners)
        if found.backlog is not None:
            self.backlog.set(found.backlog.waiting)
            self.backlog_age.set((now - found.backlog.oldest_at).total_seconds() if found.backlog.oldest_at else 0)
        return bytes(generate_latest(self.registry))

    def _set_bucket(self, ledger: Ledger) -> None:
        self.limit.labels(ledger.bucket).set(ledger.limit)
        self.closed.labels(ledger.bucket).set(ledger.closed_at is not None)
        for share in Share:
            self.used.labels(ledger.bucket, share).set(ledger.used.get(share, 0))
