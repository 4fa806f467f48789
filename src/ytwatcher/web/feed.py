"""A feed of alerts (Atom, RFC 4287) for whoever has its link: a recipient's, or everybody's."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree as Xml

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ytwatcher.core.cleaning import clean
from ytwatcher.core.model import CHANNEL_METRICS, Alert, ChannelId, VideoId
from ytwatcher.core.plain import plain_line
from ytwatcher.core.targets import channel_url, video_url
from ytwatcher.core.wording import iso
from ytwatcher.store import pages, tokens
from ytwatcher.store.pages import AlertRow, Wanted
from ytwatcher.store.tokens import Share, ShareKind, hashed
from ytwatcher.web.api.answers import missing
from ytwatcher.web.desk import AtDesk
from ytwatcher.web.share import UNSEEN, link_of

MOST = 100
ATOM = "http://www.w3.org/2005/Atom"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to say."""
router = APIRouter()


class Told(NamedTuple):
    share: Share
    alerts: Sequence[AlertRow]


@router.get("/feed/{secret}")
async def feed(request: Request, desk: AtDesk, secret: str) -> Response:
    found = await desk.db.read(_look, secret)
    if found is None:
        raise missing("This link was revoked, or was never given.")
    body = atom(found, hashed(secret), link_of(desk.site_url(request), ShareKind.FEED, secret))
    tag = f'W/"{hashlib.sha256(body).hexdigest()[:24]}"'
    headers = {"etag": tag, "cache-control": "private, no-cache", **UNSEEN}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/atom+xml")


def _look(con: sqlite3.Connection, secret: str) -> Told | None:
    share = tokens.find_share(con, secret, ShareKind.FEED)
    return None if share is None else Told(share, pages.alerts(con, None, MOST, Wanted(address=share.address)))


def atom(told: Told, name: str, link: str) -> bytes:
    """The document. Its ids are made from the `name`, so they stay the same wherever the site is."""
    root = Xml.Element("feed", xmlns=ATOM)
    whose = f" for {told.share.address}" if told.share.address else ""
    _add(root, "id", f"urn:uuid:{uuid5(NAMESPACE_URL, name)}")
    _add(root, "title", f"YT Watcher: alerts{whose}")
    _add(root, "updated", _instant(max((row.made_at for row in told.alerts), default=told.share.made_at)))
    _add(_add(root, "author"), "name", "YT Watcher")
    _add(root, "link", rel="self", href=link)
    for row in told.alerts:
        if row.item.alert is not None:
            _entry(root, row, row.item.alert, name)
    return bytes(Xml.tostring(root, encoding="utf-8", xml_declaration=True))


def _entry(root: Xml.Element, row: AlertRow, alert: Alert, name: str) -> None:
    entry = _add(root, "entry")
    _add(entry, "id", f"urn:uuid:{uuid5(NAMESPACE_URL, f'{name}:{row.item.id}')}")
    _add(entry, "title", plain_line(alert, clean(row.item.title) if row.item.title else None))
    _add(entry, "updated", _instant(row.made_at))
    _add(entry, "published", _instant(alert.observed_at))
    _add(entry, "link", rel="alternate", href=_url(alert))
    _add(entry, "content", f"{clean(row.item.title or alert.subject_id)}: found by the rule {row.item.rule}", type="text")


def _url(alert: Alert) -> str:
    if alert.metric in CHANNEL_METRICS:
        return channel_url(ChannelId(alert.subject_id))
    return video_url(VideoId(alert.subject_id))


def _instant(at: datetime) -> str:
    return iso(at) or ""


def _add(parent: Xml.Element, name: str, text: str | None = None, **attributes: str) -> Xml.Element:
    made = Xml.SubElement(parent, name, attributes)
    made.text = None if text is None else _NOT_XML.sub("\ufffd", text)
    return made
