"""The arguments of a Bot API call: in the query, urlencoded, multipart or JSON, all of them one flat mapping; a file is bytes."""

from __future__ import annotations

import email.parser
import email.policy
import json
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

Arguments = dict[str, Any]


class BadArguments(Exception):
    """The body cannot be read; the text is the server's."""


async def arguments(request: Request) -> Arguments:
    """The arguments of a call; those of the body win over those of the query.

    Raises:
        BadArguments: a body that is not what its type says.
    """
    body = await request.body()
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    found: Arguments = dict(request.query_params)
    if not body:
        return found
    if kind == "application/json":
        return found | _from_json(body)
    if kind == "multipart/form-data":
        return found | _from_multipart(content_type, body)
    if kind == "application/x-www-form-urlencoded":
        return found | dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    return found


def _from_json(body: bytes) -> Arguments:
    try:
        value = json.loads(body)
    except ValueError:
        raise BadArguments("Bad Request: can't parse JSON object") from None
    if not isinstance(value, dict):
        raise BadArguments("Bad Request: expected an Object")
    return value


def _from_multipart(content_type: str, body: bytes) -> Arguments:
    parser = email.parser.BytesParser(EmailMessage, policy=email.policy.HTTP)
    message = parser.parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    found: Arguments = {}
    for part in message.iter_parts():
        payload = part.get_payload(decode=True)
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str) and isinstance(payload, bytes):
            found[name] = payload if part.get_filename() else payload.decode("utf-8", "replace")
    return found


def integer(value: Any, otherwise: int = 0) -> int:
    """A number given as such or as text; anything else counts as not given, as the server has it."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return otherwise


def truth(value: Any) -> bool:
    """A flag given as such or as text."""
    return str(value).lower() in ("true", "1", "yes", "y", "t")


def structure(value: Any) -> Any:
    """A nested argument, given as JSON text or already as a value; None: neither."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None
