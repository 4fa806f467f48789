"""The address that the pages are served on: taken before anything begins, and before what serves them is loaded."""

from __future__ import annotations

import errno
import socket

from ytwatcher.errors import ConfigError
from ytwatcher.setting_types import split_listen

USUAL = "127.0.0.1:8470"
WAITING = 128
"""Connections that wait to be taken."""


def listen(address: str) -> socket.socket:
    """Take the port. Whoever connects before the site is served waits.

    Raises:
        ConfigError: it cannot be had; the text names it and what to do.
    """
    host, port = split_listen(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # with the protocol named, small packets leave at once
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(WAITING)
    except OSError as error:
        found.close()
        raise ConfigError([f"web.listen: {_reason(error, host, port)}"]) from error
    return found


def listen_here() -> socket.socket:
    """Take the usual port on this machine, or where that is taken any other."""
    try:
        return listen(USUAL)
    except ConfigError:
        return listen(f"{split_listen(USUAL)[0]}:0")


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is taken by another program; stop that one, or set another port"
    if error.errno == errno.EACCES:
        return f"port {port} is for the system's own services; set one above 1023"
    return f"{host}:{port} cannot be listened on: {error.strerror}"


def url_of(listener: socket.socket) -> str:
    """Where a browser on this machine finds what is served there."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not listened on
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
