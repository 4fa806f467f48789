"""Inputs that are nearly right: JSON answers, texts and bytes, changed a little at a place that is drawn."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

HOSTILE_TEXTS = (
    "",
    " ",
    "0",
    "-1",
    "+5",
    "1e9",
    "1_000",
    "007",
    "٣",
    "²",
    "9" * 19,
    "9" * 20,
    "9" * 5_000,
    "18446744073709551616",
    "\ud800",
    "\x00",
    "\u202e",
    "\r\n",
    "a" * 10_000,
    "{{ 7 * 7 }}",
    "<b>&amp;",
    '"',
    "'; DROP TABLE alert; --",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-10-05T17:00:00",
    "2026-10-05T17:00:00.123456789Z",
    "2026-W41-1",
    "2026-02-30T00:00:00Z",
    "nan",
    "None",
    "true",
)
_NUMBERS = (0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30, 0.5, 1e308, float("inf"), float("nan"))
HOSTILE_VALUES: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"id": None}, *_NUMBERS, *HOSTILE_TEXTS)
_FRAGMENTS = (
    b"\xff",
    b"\xef\xbb\xbf",
    b"\x00",
    b"[" * 20_000,
    b'{"a":' * 5_000,
    b"<html>",
    b"NaN",
    b"\\ud800",
    b'"',
    b",",
    b"\n",
    b"\r",
    b"{}",
    b"9" * 5_000,
)


def tree(dice: Random, value: Any) -> Any:
    """A copy of a JSON value with one to three changes: a member lost, doubled, renamed, moved, or of another kind."""
    root = [copy.deepcopy(value)]
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        _change(dice, root)
    return root[0]


def text(dice: Random, source: str, words: Sequence[str] = HOSTILE_TEXTS) -> str:
    """A text with up to four changes: a piece lost, doubled, replaced by one of `words`, or in other letters."""
    for _ in range(dice.randint(1, 4)):
        a = dice.randint(0, len(source))
        b = min(len(source), a + dice.choice((0, 1, 1, 2, 5, 20)))
        new = dice.choice(("", source[a:b] * 2, source[a:b].swapcase(), " ", chr(dice.randrange(0x250)), dice.choice(words)))
        source = source[:a] + new + source[b:]
    return source


def body(dice: Random, value: Any) -> bytes:
    """An answer as it comes over the wire: mostly JSON of a changed value, now and then broken below that."""
    raw = json.dumps(tree(dice, value) if dice.random() < 0.9 else value, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")
    return raw if dice.random() < 0.8 else blob(dice, raw)


def blob(dice: Random, raw: bytes) -> bytes:
    """Bytes cut off, with a bit turned, or with something strange in them."""
    at = dice.randint(0, len(raw))
    match dice.randrange(4):
        case 0:
            return raw[:at]
        case 1 if at < len(raw):
            return raw[:at] + bytes([raw[at] ^ 1 << dice.randrange(8)]) + raw[at + 1 :]
        case 2:
            return raw[:at] + raw[min(len(raw), at + dice.randrange(30)) :]
        case _:
            return raw[:at] + dice.choice(_FRAGMENTS) + raw[at:]


def _change(dice: Random, root: list[Any]) -> None:
    holder, key = dice.choice(list(_places(root)))
    match dice.randrange(7):
        case 0 if holder is not root:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        case 2 if isinstance(holder, dict):
            holder[text(dice, key)] = holder.pop(key)
        case 3:
            other, there = dice.choice(list(_places(root)))
            holder[key] = copy.deepcopy(other[there])
        case 4:
            holder[key] = [holder[key]] if dice.random() < 0.5 else {"id": holder[key]}
        case 5 if isinstance(holder[key], str):
            holder[key] = text(dice, holder[key])
        case _:
            holder[key] = copy.deepcopy(dice.choice(HOSTILE_VALUES))


def _places(holder: Any) -> Iterator[tuple[Any, Any]]:
    """Every member of every object and list below."""
    for key, value in list(holder.items()) if isinstance(holder, dict) else list(enumerate(holder)):
        yield holder, key
        if isinstance(value, dict | list):
            yield from _places(value)
