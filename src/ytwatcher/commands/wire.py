"""Forms of YouTube's answers that no document settles, as they are on the wire now.

The program takes every form that is known of; what is seen here goes into a report to its authors.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ytwatcher.commands.keys import KNOWN_VIDEO
from ytwatcher.core.quota import Bucket
from ytwatcher.youtube.client import BATCH_STATS, CHANNELS, VIDEOS, Raw

OTHER_VIDEO, NO_VIDEO, NO_ID = "dQw4w9WgXcQ", "AAAAAAAAAAA", "not!an!id!!"
CHANNEL_IDS = (
    "UC_x5XG1OV2P6uZZ5FSM9Ttw",
    "UCBR8-60-B28hp2BmDPdntcQ",
    "UC4QobU6STFB0P71PMvOGN5A",
    "UCX6OQ3DkcsbYNE6H8uQQuVA",
    "UC-lHJZR3Gqxm24_Vd_AJ5Yw",
    "UCq-Fj5jknLsUf-MWSy4_brA",
    "UCHnyfMqiRRG1u-2MsSQLbXA",
)
"""More well-known channels than the default of 5 that an answer may end at."""
_EVERYTHING = "id,snippet,statistics,contentDetails"


class Probe(NamedTuple):
    """One request that costs one unit of its bucket."""

    path: str
    bucket: Bucket
    params: Mapping[str, str]


FIRST = Probe(VIDEOS.path, Bucket.DEFAULT, MappingProxyType({"part": _EVERYTHING, "id": f"{KNOWN_VIDEO},{NO_VIDEO}"}))
"""The one that shows whether the key is taken at all."""
PROBES: Mapping[str, Probe] = MappingProxyType(
    {
        "stats": Probe(
            BATCH_STATS.path,
            Bucket.STATS,
            MappingProxyType({"part": _EVERYTHING, "id": f"{KNOWN_VIDEO},{OTHER_VIDEO},{NO_VIDEO}"}),
        ),
        "channels": Probe(CHANNELS.path, Bucket.DEFAULT, MappingProxyType({"part": "id", "id": ",".join(CHANNEL_IDS)})),
        "misshapen": Probe(VIDEOS.path, Bucket.DEFAULT, MappingProxyType({"part": "id", "id": f"{KNOWN_VIDEO},{NO_ID}"})),
    }
)


def forms(first: Raw, others: Mapping[str, Raw]) -> dict[str, str]:
    """What the answers show, by question."""
    seen = {"videos.list: counters are": _kinds(_items(first), "statistics")}
    if (stats := others.get("stats")) is not None:
        seen |= _stats_forms(stats)
    if (channels := others.get("channels")) is not None:
        seen["channels.list: without maxResults"] = f"{len(_items(channels))} of {len(CHANNEL_IDS)} channels are in the answer"
    if (misshapen := others.get("misshapen")) is not None:
        seen["videos.list: with a misshapen id"] = f"HTTP {misshapen.status}, {len(_items(misshapen))} of 1 videos are in the answer"
    return seen


def _stats_forms(raw: Raw) -> dict[str, str]:
    items = _items(raw)
    name = "videos.batchGetStats:"
    return {
        f"{name} HTTP status": str(raw.status),
        f"{name} items": f"{len(items)} of 2 that are there, asked along with one that is not",
        f"{name} counters are": _kinds(items, "statistics"),
        f"{name} summary": "there" if "summary" in _document(raw) else "not there",
        f"{name} duration": _sample(items, "contentDetails", ("duration", "durationMillis")),
        f"{name} time of publication": _sample(items, "snippet", ("publishTime", "publishedAt")),
    }


def _document(raw: Raw) -> Mapping[str, Any]:
    try:
        found = json.loads(raw.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _items(raw: Raw) -> list[Mapping[str, Any]]:
    found = _document(raw).get("items", [])
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _parts(items: Iterable[Mapping[str, Any]], part: str) -> list[Mapping[str, Any]]:
    return [item[part] for item in items if isinstance(item.get(part), dict)]


def _kinds(items: Iterable[Mapping[str, Any]], part: str) -> str:
    kinds = {type(value).__name__ for found in _parts(items, part) for name, value in found.items() if name.endswith("Count")}
    words = {"str": "strings", "int": "numbers"}
    return " and ".join(sorted(words.get(kind, kind) for kind in kinds)) or "not in the answer"


def _sample(items: Iterable[Mapping[str, Any]], part: str, names: Iterable[str]) -> str:
    found = _parts(items, part)
    samples = [f"{name} = {json.dumps(one[name])[:40]}" for name in names for one in found[:1] if name in one]
    return ", ".join(samples) or "not in the answer"
