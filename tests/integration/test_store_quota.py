"""The ledger in a real journal file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ytwatcher.core.quota import PROBE_EVERY, Bucket, Share, Why
from ytwatcher.store.db import open_journal
from ytwatcher.store.quota import Terms, close, load, reopen, spend

NOON = datetime(2026, 11, 1, 20, tzinfo=UTC)
TOMORROW = datetime(2026, 11, 2, 8, tzinfo=UTC)
TERMS = Terms(100, 0.1)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def connection(journal: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_journal(journal)) as opened:
        yield opened


def test_what_is_spent_is_counted_by_share_and_outlives_a_restart(journal: Path) -> None:
    with closing(open_journal(journal)) as connection:
        assert spend(connection, Bucket.DEFAULT, TERMS, Share.METADATA, NOON).permits(NOON)
        spend(connection, Bucket.DEFAULT, TERMS, Share.METADATA, NOON)
        spend(connection, Bucket.DEFAULT, TERMS, Share.COMMANDS, NOON, 3)
    with closing(open_journal(journal)) as connection:
        ledger = load(connection, Bucket.DEFAULT, TERMS, NOON)
        assert ledger.used == {Share.METADATA: 2, Share.COMMANDS: 3}
        assert (ledger.limit, ledger.reserve, ledger.left) == (100, 10, 95)
        assert load(connection, Bucket.STATS, TERMS, NOON).used == {}


def test_what_a_share_may_not_have_is_refused_and_not_counted(connection: sqlite3.Connection) -> None:
    for _ in range(22):
        assert spend(connection, Bucket.DEFAULT, TERMS, Share.METADATA, NOON).permits(NOON)
    refused = spend(connection, Bucket.DEFAULT, TERMS, Share.METADATA, NOON)
    assert not refused.permits(NOON)
    assert refused.why is Why.SHARE_SPENT
    assert load(connection, Bucket.DEFAULT, TERMS, NOON).total == 22


def test_a_new_quota_day_starts_with_nothing_spent_and_everything_open(connection: sqlite3.Connection) -> None:
    spend(connection, Bucket.STATS, TERMS, Share.STATISTICS, NOON, 5)
    close(connection, Bucket.STATS, TERMS, NOON)
    before = load(connection, Bucket.STATS, TERMS, TOMORROW - timedelta(seconds=1))
    assert (before.total, before.closed_at) == (5, NOON)
    after = load(connection, Bucket.STATS, TERMS, TOMORROW)
    assert (after.total, after.closed_at) == (0, None)


def test_a_closed_bucket_gives_one_probe_an_hour_to_whoever_asks_first(connection: sqlite3.Connection) -> None:
    close(connection, Bucket.DEFAULT, TERMS, NOON)
    assert not spend(connection, Bucket.DEFAULT, TERMS, Share.METADATA, NOON).permits(NOON)
    later = NOON + PROBE_EVERY
    assert spend(connection, Bucket.DEFAULT, TERMS, Share.METADATA, later).why is Why.PROBE
    assert not spend(connection, Bucket.DEFAULT, TERMS, Share.MEMBERSHIP, later).permits(later)
    assert load(connection, Bucket.DEFAULT, TERMS, later).total == 1
    assert close(connection, Bucket.DEFAULT, TERMS, later).closed_at == NOON


def test_a_bucket_opens_again_once(connection: sqlite3.Connection) -> None:
    close(connection, Bucket.DEFAULT, TERMS, NOON)
    assert reopen(connection, Bucket.DEFAULT, NOON)
    assert not reopen(connection, Bucket.DEFAULT, NOON)
    assert spend(connection, Bucket.DEFAULT, TERMS, Share.MEMBERSHIP, NOON).why is Why.OPEN
