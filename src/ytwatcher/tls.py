"""Whose certificates are believed."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """The authorities that httpx believes, for all clients of this process: to read them for each would be the longest part of a start."""
    return httpx.create_ssl_context()
