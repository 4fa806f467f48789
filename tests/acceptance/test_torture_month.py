"""A month of faults drawn at random: nothing false is told, and nothing that was seen twice stays untold.

The long form writes to the journal 70,000 times a month: pytest's `--basetemp` on a RAM disk (/dev/shm) spares it the waits for the disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from oracle import Key, Number
from torture_stage import CHAT, GROUP, LEAVER, OPERATOR, SUPERGROUP, UNITS, Month, Told, suffer
from ytwatcher.core.model import ChatId

SLOT = timedelta(minutes=10)
"""How long news may wait for the subjects that are due after an hour without readings."""
LONG_OFF = timedelta(hours=48)
"""What is off for so long is noticed, whatever fails: metadata is read every 6 hours."""
CHATS = {"all": (CHAT,), "group": (GROUP, SUPERGROUP), "leaver": (LEAVER,)}


@pytest.mark.timeout(24 * 60 * 60)
def test_under_faults_at_random_chats_are_told_all_that_was_seen_and_nothing_else(tmp_path: Path, sized: Callable[[int, int], int]) -> None:
    for seed in range(sized(1, 20)):
        folder = tmp_path / str(seed)
        folder.mkdir()
        month = asyncio.run(suffer(folder, seed, sized(20, 500), sized(1, 30)))
        assert month.oracle.certain
        assert sum(month.happened.values()) > sized(5, 300), month.happened
        assert month.most_units <= UNITS
        assert {name: found for name, found in faults_of(month).items() if found} == {}, f"seed {seed}"
        _see_that_faults_would_be_found(month)


def _see_that_faults_would_be_found(month: Month) -> None:
    """What the same month would have been judged as, had a message been lost, and had a number been told that was none."""
    told = month.telegram.messages
    lost = [one for one in told if "passed" not in one.shown or one.chat_id != CHAT]
    untrue = replace(told[-1], chat_id=ChatId(CHAT), shown="Video 1\nViews passed 500,000,000,000")
    for messages, kind in ((lost, "missed"), ([*told, untrue], "false")):
        month.telegram.messages = messages
        assert faults_of(month)[kind], kind
    month.telegram.messages = told


def faults_of(month: Month) -> dict[str, list[object]]:
    """What the app did wrong, by the kind of it."""
    told = {name: month.told(*chats) for name, chats in CHATS.items()}
    return {
        "false": [fault for one in told.values() for fault in _false(month, one)],
        "twice": [(number, at) for one in told.values() for number, at in one.numbers.items() if len(at) > 1],
        "missed": [*_missed(month, told["all"], lambda _: True), *_missed(month, told["group"], _is_of_group)],
        "switched": [fault for one in told.values() for fault in _falsely_switched(month, one)],
        "not switched": [key for key, since, until in month.switched if not _noticed(month, told["all"], key, since, until)],
        "other": [line for one in told.values() for line in one.other],
        "keys": list(_unheard(month)),
        "too fast": [month.telegram.violations] if month.telegram.violations else [],
    }


def _false(month: Month, told: Told) -> Iterator[object]:
    """Numbers that were told before they were true."""
    for number, at in told.numbers.items():
        since = month.oracle.true.get(number)
        if since is None or since > at[0]:
            yield number, at[0], since


def _missed(month: Month, told: Told, is_watched: Callable[[Number], bool]) -> Iterator[object]:
    """Numbers that were not told in time; a higher number of the same counter tells a lower one as well."""
    first: dict[Key, list[tuple[int, datetime]]] = {}
    for (title, metric, passed), times in told.numbers.items():
        first.setdefault((title, metric), []).append((passed, times[0]))
    for number, certain_at in month.oracle.certain.items():
        title, metric, passed = number
        at = min((at for other, at in first.get((title, metric), []) if other >= passed), default=None)
        if is_watched(number) and (at is None or at > _deadline(month, certain_at)):
            yield number, certain_at, at


def _deadline(month: Month, at: datetime) -> datetime:
    """When news of this instant must have been told: at once, but for what held messages up from then on."""
    deadline = at + SLOT
    for since, until in sorted(month.faults):
        if since <= deadline:
            deadline = max(deadline, until)
    return deadline


def _is_of_group(number: Number) -> bool:
    return number[0].endswith("0")


def _falsely_switched(month: Month, told: Told) -> Iterator[object]:
    """What was told as off, or on again, without answers that showed it; each time is another one."""
    for key, switches in told.switches.items():
        latest, expected = datetime.min.replace(tzinfo=switches[0][1].tzinfo), True
        for off, at in switches:
            shown = (month.oracle.off if off else month.oracle.on).get(key, [])
            latest = next((one for one in shown if latest <= one <= at), datetime.max.replace(tzinfo=at.tzinfo))
            if off is not expected or latest > at:
                yield key, off, at
                break
            expected = not off


def _noticed(month: Month, told: Told, key: Key, since: datetime, until: datetime) -> bool:
    """Whether something that was off for long was told as off before it was on again, or at least soon after."""
    return until - since < LONG_OFF or any(off and since <= at <= _deadline(month, until) for off, at in told.switches.get(key, []))


def _unheard(month: Month) -> Iterator[object]:
    """Refusals of the key that the operator did not hear of."""
    heard = [message.at for message in month.telegram.messages if message.chat_id == OPERATOR and "refuses the API key" in message.shown]
    refused = month.wire.refused_at
    if refused and not any(refused[0] <= at <= _deadline(month, refused[0]) for at in heard):
        yield refused[0], heard[:1]
