"""How does a test run the ingest side of a collector? In its own event loop, on free ports."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx

from collector.config import Config
from collector.counters import Counters
from collector.ingest.intake import Intake
from collector.ingest.receivers.grpc import grpc_server
from collector.ingest.receivers.http import http_app
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.span_store import ClickHouseSpans
from collector.store.contracts import SpanStore
from collector.web.patience import Patience
from collector.web.serving import HttpServer, listen


@dataclass(frozen=True)
class Ingest:
    """Running receivers, a client for them, and what they write to."""

    http: httpx.AsyncClient
    http_port: int
    grpc_port: int
    store: SpanStore
    database: Database
    counters: Counters
    closed: list[str]  # why HTTP connections were closed

    def refused(self, reason: str) -> float:
        """The number of requests refused for *reason*."""
        labels = {"reason": reason}
        return self.counters.registry.get_sample_value("choreoscope_requests_refused_total", labels) or 0


@contextlib.asynccontextmanager
async def ingest(
    database: Database, config: Config | None = None, patience: Patience | None = None
) -> AsyncIterator[Ingest]:
    """Run both receivers with an intake and a store."""
    closed: list[str] = []
    config, counters, store = config or Config(), Counters(), ClickHouseSpans(database)
    intake = Intake(store, config, counters)
    opened = listen("127.0.0.1", 0, "nobody")
    port = opened.getsockname()[1]
    http = HttpServer(http_app(intake, config, counters), opened, patience=patience, refused=closed.append)
    grpc = grpc_server(intake, config, counters)
    grpc_port = grpc.add_insecure_port("127.0.0.1:0")
    await intake.start()
    await grpc.start()
    await http.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            yield Ingest(client, port, grpc_port, store, database, counters, closed)
    finally:
        await http.stop()
        await grpc.stop(grace=5)
        await intake.close()
