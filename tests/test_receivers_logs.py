"""Do all doors take log records, and answer for those that are kept and those that are not?"""

import gzip
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from collector.config import Config
from collector.store.clickhouse.connections import Database
from tests.log_requests import exception, log_json, log_request, record
from tests.running import Ingest, ingest

EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
PROTOBUF, JSON = ({"content-type": f"application/{kind}"} for kind in ("x-protobuf", "json"))

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(module_database: Database) -> AsyncIterator[Ingest]:
    async with ingest(module_database, Config(max_body_bytes=100_000)) as running:
        yield running


@pytest.fixture
def server(running: Ingest) -> Ingest:
    """One server for all tests of this module, with an empty store for each."""
    running.database.execute("TRUNCATE TABLE spans")
    return running


async def by_grpc(server: Ingest, sent: ExportLogsServiceRequest) -> ExportLogsServiceResponse:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        call = channel.unary_unary(EXPORT)
        answer = await call(sent.SerializeToString(), compression=grpc.Compression.Gzip)
    return ExportLogsServiceResponse.FromString(answer)


def counts(server: Ingest) -> dict[str, float]:
    """How many log records and spans were counted so far."""
    names = ["log_records_received", "log_records_kept", "spans_received", "spans_stored", "spans_duplicate"]
    read = server.counters.registry.get_sample_value
    found = {name: read(f"choreoscope_{name}_total") or 0 for name in names}
    for reason in ("no_event", "invalid", "store"):
        labels = {"reason": reason}
        found[reason] = read("choreoscope_log_records_refused_total", labels) or 0
    return found


async def test_every_door_keeps_the_same_records_once_and_the_counters_add_up(server: Ingest) -> None:
    """An exporter that misses an answer sends again, perhaps through another door."""
    before = counts(server)
    sent = log_request(exception(("A-1", "a")), record(body="a line"), record("ack", of=("A-1", "a")))
    packed = gzip.compress(sent.SerializeToString())

    one = await by_grpc(server, sent)
    two = await server.http.post("/v1/logs", content=packed, headers=PROTOBUF | {"content-encoding": "gzip"})
    three = await server.http.post("/v1/logs", content=log_json(sent), headers=JSON)

    assert one.partial_success.rejected_log_records == 1
    assert "a line of text" in one.partial_success.error_message
    assert (two.status_code, ExportLogsServiceResponse.FromString(two.content)) == (200, one)
    assert three.json()["partialSuccess"] == {
        "rejectedLogRecords": "1",
        "errorMessage": one.partial_success.error_message,
    }
    assert server.store.span_count() == 2
    grown = {name: count - before[name] for name, count in counts(server).items()}
    assert grown == {
        "log_records_received": 9,
        "log_records_kept": 6,
        "no_event": 3,
        "invalid": 0,
        "store": 0,
        "spans_received": 6,
        "spans_stored": 2,
        "spans_duplicate": 4,
    }


async def test_success_is_an_empty_response_and_what_is_no_request_an_error(server: Ingest) -> None:
    kept = log_request(record("ack", of=("B-1", "a")))

    assert await by_grpc(server, kept) == ExportLogsServiceResponse()
    full = await server.http.post("/v1/logs", content=log_json(kept), headers=JSON)
    nothing = await server.http.post("/v1/logs", content=b"", headers=PROTOBUF)
    broken = await server.http.post("/v1/logs", content=b"\x0a\xff", headers=PROTOBUF)
    large = await server.http.post("/v1/logs", content=b" " * 200_000, headers=PROTOBUF)

    assert (full.status_code, full.json()) == (200, {})
    assert (nothing.status_code, nothing.content) == (200, b"")
    assert (broken.status_code, b"no ExportLogsServiceRequest" in broken.content) == (400, True)
    assert large.status_code == 413


async def test_records_that_the_store_does_not_take_are_not_acknowledged(server: Ingest) -> None:
    """The exporter sends them again: what was answered is durable."""
    before = counts(server)
    sent = log_request(record("ack", of=("C-1", "a")), record(body="a line"))
    server.database.execute("RENAME TABLE spans TO away")
    answer = await server.http.post("/v1/logs", content=log_json(sent), headers=JSON)
    server.database.execute("RENAME TABLE away TO spans")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    grown = {name: count - before[name] for name, count in counts(server).items() if count != before[name]}
    assert grown == {"log_records_received": 2, "no_event": 1, "store": 1, "spans_received": 1}
