"""Recorded readings through the real pipeline, compared alert by alert with a second evaluator (tests/brute_force.py).

Real recordings lie outside the repository, in ../shared/data; where they are missing, the small file of our own still is compared.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

import brute_force
from journal import Journal
from ytwatcher import recorded
from ytwatcher.core.model import Absence, Reading, TargetKind, from_ms

TESTS = Path(__file__).parent.parent
OWN = TESTS / "data" / "recorded_readings.csv"
SHARED = TESTS.parent.parent / "shared" / "data"
DEMO, US_FR = SHARED / "trending_demo_cc0.csv.gz", SHARED / "trending_us_fr_2017_cc0.csv.gz"
FILES = [pytest.param(OWN, id="own"), pytest.param(DEMO, id="demo"), pytest.param(US_FR, id="us_fr")]
RULES = (
    "views milestones",
    "views every 100000",
    "views reach 1M",
    "likes change",
    "comments change",
    "views rise 10%",
    "comments fall 5%",
    "views faster 2000/h",
    "views slower 500/h",
    "comments slower 1/h",
)
BATCH = 700

load = cache(brute_force.load)


class Told(dict[str, list[brute_force.Found]]):
    """What the pipeline told by rule line, and how many alerts accepting the whole file once more added."""

    again = 0


@cache
def told(path: Path, folder: Path) -> Told:
    readings: list[Reading | Absence] = []
    for row in recorded.read(path):
        assert isinstance(row, Reading), row
        readings.append(row)
    readings.sort(key=lambda reading: reading.observed_at)
    start, now = readings[0].observed_at, readings[-1].observed_at + timedelta(hours=1)
    journal = Journal(folder / f"{path.name}.db", "p1", TargetKind.PLAYLIST)
    journal.add_target({reading.subject_id for reading in readings}, start)
    for line in RULES:
        journal.add_rule(line, start, line)
    batches = [readings[i : i + BATCH] for i in range(0, len(readings), BATCH)]
    for batch in batches:
        journal.accept(batch, now, replay=True)
    found = Told({line: [] for line in RULES})
    for row in journal.con.execute(
        "SELECT rule_id, subject_id, observed_at, previous, current FROM alert ORDER BY observed_at, subject_id"
    ):
        found[row[0]].append(brute_force.Found(row[1], from_ms(row[2]), row[3], row[4]))
    found.again = sum(len(journal.accept(batch, now, replay=True).alerts) for batch in batches)
    journal.con.close()
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replays")


def there(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    return path


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("rule", RULES)
def test_the_pipeline_tells_what_the_second_evaluator_finds(path: Path, rule: str, folder: Path) -> None:
    found = brute_force.evaluate(load(there(path)), rule)
    assert found, "a comparison of nothing with nothing shows nothing"
    assert told(path, folder)[rule] == found


@pytest.mark.parametrize("path", FILES)
def test_the_same_file_once_more_tells_nothing(path: Path, folder: Path) -> None:
    assert told(there(path), folder).again == 0


@pytest.mark.parametrize(
    ("path", "views", "likes", "comments"),
    [pytest.param(US_FR, 848, 2736, 2461, id="us_fr"), pytest.param(DEMO, 288, 1263, 1104, id="demo")],
)
def test_the_numbers_of_alerts_on_real_recordings_stay(path: Path, views: int, likes: int, comments: int, folder: Path) -> None:
    counts = Counter({rule: len(alerts) for rule, alerts in told(there(path), folder).items()})
    assert (counts["views milestones"], counts["likes change"], counts["comments change"]) == (views, likes, comments)


def test_the_second_evaluator_knows_nothing_of_the_product() -> None:
    text = (TESTS / "brute_force.py").read_text(encoding="utf-8")
    assert "ytwatcher" not in text
