"""The engines that judge outside this process: how the SQL gets to a server, what runs there, and how it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from ytwatcher.errors import InputError
from ytwatcher.secret import Secret
from ytwatcher.settings import Streaming
from ytwatcher.streaming import schemas
from ytwatcher.streaming.engines.access import access
from ytwatcher.streaming.engines.flink import Flink
from ytwatcher.streaming.engines.ksqldb import MEDIA_TYPE, KsqlDb
from ytwatcher.streaming.engines.plan import Deployment
from ytwatcher.streaming.engines.rest import Rest


def deployment(streaming: Streaming) -> Deployment:
    """What shall run on the engine, after the settings.

    Raises:
        OutsideError: a file that the settings name cannot be read.
    """
    tables = access(streaming)
    return Deployment(
        prefix=streaming.prefix,
        partitions=streaming.partitions,
        bootstrap=streaming.bootstrap or "",
        registry_url=streaming.registry_url or "",
        changes_schema=schemas.text("changes"),
        outbound_schema=schemas.text("outbound"),
        access=tables.options,
        secrets=tables.secrets,
    )


@asynccontextmanager
async def open_flink(streaming: Streaming, deployment: Deployment) -> AsyncIterator[Flink]:
    """The deployment on the Flink of the settings.

    Raises:
        InputError: its addresses are not set.
    """
    if streaming.flink_gateway_url is None or streaming.flink_url is None:
        raise InputError("streaming.flink_gateway_url and streaming.flink_url have to name Flink's SQL Gateway and JobManager")
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(
            Rest("Flink's SQL Gateway", streaming.flink_gateway_url, setting="streaming.flink_gateway_url")
        )
        manager = await stack.enter_async_context(Rest("Flink's JobManager", streaming.flink_url, setting="streaming.flink_url"))
        yield Flink(gateway, manager, deployment)


@asynccontextmanager
async def open_ksqldb(streaming: Streaming, deployment: Deployment) -> AsyncIterator[KsqlDb]:
    """The deployment on the ksqlDB server of the settings.

    Raises:
        InputError: its address is not set.
    """
    if streaming.ksqldb_url is None:
        raise InputError("streaming.ksqldb_url has to name the ksqlDB server")
    auth = _auth(streaming.ksqldb_username, streaming.ksqldb_password)
    async with Rest("ksqlDB", streaming.ksqldb_url, auth, MEDIA_TYPE, setting="streaming.ksqldb_url") as rest:
        yield KsqlDb(rest, deployment)


def _auth(username: str | None, password: Secret | None) -> tuple[str, str] | None:
    return (username, password.reveal()) if username is not None and password is not None else None
