"""Does OTLP over HTTP answer as the specification asks?"""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pyarrow as pa
import pytest
import pytest_asyncio
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.config import Config
from collector.store.clickhouse.connections import Database
from collector.web.bodies import TooLargeError, inflate
from tests.factories import json_body, protobuf, request, span
from tests.running import Ingest, ingest

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}


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


@pytest_asyncio.fixture(loop_scope="module")
async def guarded(database: Database) -> AsyncIterator[Ingest]:
    async with ingest(database, Config(token="s3cret-of-sixteen")) as running:
        yield running


async def test_success_is_empty_and_the_spans_are_stored(server: Ingest) -> None:
    answer = await server.http.post("/v1/traces", content=protobuf(request(span())), headers=PROTOBUF)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert server.store.span_count() == 1


@pytest.mark.parametrize(
    "media_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"]
)
async def test_json_is_answered_in_json(server: Ingest, media_type: str) -> None:
    headers = {"content-type": media_type}
    answer = await server.http.post("/v1/traces", content=json_body(request(span())), headers=headers)

    assert (answer.status_code, answer.content) == (200, b"{}")
    assert answer.headers["content-type"] == "application/json"
    assert server.store.span_count() == 1


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("zstd", lambda data: pa.compress(data, "zstd", asbytes=True)),
        ("identity", bytes),
    ],
)
async def test_packed_bodies_are_unpacked(server: Ingest, coding: str, packed: object) -> None:
    assert callable(packed)
    content = packed(protobuf(request(span("a"), span("b"))))
    answer = await server.http.post(
        "/v1/traces", content=content, headers={**PROTOBUF, "content-encoding": coding}
    )

    assert answer.status_code == 200
    assert server.store.span_count() == 2


async def test_a_large_packed_body_is_unpacked_beside_the_others(server: Ingest) -> None:
    content = gzip.compress(protobuf(request(*(span(id=str(n)) for n in range(1_200)))), 0)
    assert len(content) > 32 * 1024

    answer = await server.http.post(
        "/v1/traces", content=content, headers={**PROTOBUF, "content-encoding": "gzip"}
    )

    assert answer.status_code == 200
    assert server.store.span_count() == 1_200


async def test_a_chunked_body_is_put_together(server: Ingest) -> None:
    """Node's exporter does not know the length when it starts to send."""

    async def pieces() -> AsyncIterator[bytes]:
        data = protobuf(request(span()))
        for place in range(0, len(data), 7):
            yield data[place : place + 7]

    answer = await server.http.post("/v1/traces", content=pieces(), headers=PROTOBUF)

    assert answer.status_code == 200
    assert server.store.span_count() == 1


async def test_partial_success_names_the_first_bad_id(server: Ingest) -> None:
    sent = request(span("good"), span("bad", trace=b"short"), span("worse", trace=b""))

    by_protobuf = await server.http.post("/v1/traces", content=protobuf(sent), headers=PROTOBUF)
    by_json = await server.http.post("/v1/traces", content=json_body(sent), headers=JSON)

    answer = ExportTraceServiceResponse.FromString(by_protobuf.content)
    assert (by_protobuf.status_code, answer.partial_success.rejected_spans) == (200, 2)
    assert f"'{b'short'.hex()}'" in answer.partial_success.error_message
    assert by_json.json()["partialSuccess"]["rejectedSpans"] == "2"
    assert server.store.span_count() == 1


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/metrics", "/v1/logs"])
async def test_what_can_not_be_read_is_400_with_a_status(server: Ingest, path: str) -> None:
    by_protobuf = await server.http.post(path, content=b"\xff\xff", headers=PROTOBUF)
    by_json = await server.http.post(path, content=b"{", headers=JSON)

    status = Status.FromString(by_protobuf.content)
    assert (by_protobuf.status_code, status.code) == (400, 3)
    assert "The body is no" in status.message
    assert (by_json.status_code, by_json.json()["code"]) == (400, 3)
    assert "retry-after" not in by_json.headers


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("broken", ["other", "cut", "continued"])
async def test_a_broken_packing_is_400(server: Ingest, coding: str, broken: str) -> None:
    whole = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "zstd": lambda data: pa.compress(data, "zstd", asbytes=True),
    }[coding](protobuf(request(span())))
    content = {"other": b"not packed at all", "cut": whole[:-6], "continued": whole + b"more"}[broken]

    answer = await server.http.post(
        "/v1/traces", content=content, headers={**PROTOBUF, "content-encoding": coding}
    )

    assert answer.status_code == 400
    assert coding in Status.FromString(answer.content).message
    assert server.store.span_count() == 0


@pytest.mark.parametrize(
    "headers", [{}, {"content-type": "text/plain"}, {"content-type": "multipart/form-data; boundary=x"}]
)
async def test_unknown_content_types_are_415(server: Ingest, headers: dict[str, str]) -> None:
    before = server.refused("media_type")
    answer = await server.http.post("/v1/traces", content=b"x", headers=headers)

    assert answer.status_code == 415
    assert "application/x-protobuf or application/json" in answer.json()["message"]
    assert server.refused("media_type") == before + 1


async def test_an_unknown_packing_is_415(server: Ingest) -> None:
    answer = await server.http.post("/v1/traces", content=b"x", headers={**JSON, "content-encoding": "br"})

    assert answer.status_code == 415
    assert "expected gzip, deflate, zstd or none" in answer.json()["message"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_other_methods_are_405(server: Ingest, method: str) -> None:
    answer = await server.http.request(method, "/v1/traces")

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert "POST" in answer.json()["message"]


async def test_other_paths_are_404(server: Ingest) -> None:
    """Even the path of exporters whose endpoint lacks one."""
    answer = await server.http.post("/", content=protobuf(request(span())), headers=PROTOBUF)

    assert answer.status_code == 404
    assert "/v1/traces" in Status.FromString(answer.content).message


async def test_too_much_on_the_wire_is_413(server: Ingest) -> None:
    before = server.refused("too_large")
    answer = await server.http.post("/v1/traces", content=b"x" * 100_001, headers=PROTOBUF)

    assert answer.status_code == 413
    assert "100,000 bytes" in Status.FromString(answer.content).message
    assert server.refused("too_large") == before + 1


async def test_too_much_on_the_wire_is_413_though_no_length_is_announced(server: Ingest) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(101):
            yield b"x" * 1_000

    answer = await server.http.post("/v1/traces", content=pieces(), headers=PROTOBUF)

    assert answer.status_code == 413


async def test_a_gzipped_body_is_one_stream(server: Ingest) -> None:
    """Two million empty ones, 38 MiB, kept a processor busy for a second and a half."""
    body = protobuf(request(span()))
    content = gzip.compress(body[:10]) + gzip.compress(body[10:])

    answer = await server.http.post(
        "/v1/traces", content=content, headers={**PROTOBUF, "content-encoding": "gzip"}
    )

    assert answer.status_code == 400
    assert "something follows its end" in Status.FromString(answer.content).message


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
async def test_nothing_that_inflates_two_hundredfold_is_inflated(coding: str) -> None:
    """64 MiB of zeros are 8 KiB of zstd: a few of those would stay below every other limit."""
    packed: Any = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "zstd": lambda data: pa.compress(data, "zstd", asbytes=True),
    }[coding]

    assert inflate(packed(bytes(2**20)), coding, 2**26) == bytes(2**20)
    with pytest.raises(TooLargeError, match="200 times its size"):
        inflate(packed(bytes(2**20 + 1)), coding, 2**26)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
async def test_a_small_body_that_inflates_to_too_much_is_413(server: Ingest, coding: str) -> None:
    """It inflates a thousandfold, but bytes beyond the limit are never inflated."""
    bomb = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "zstd": lambda data: pa.compress(data, "zstd", asbytes=True),
    }[coding](bytes(60_000_000))
    assert len(bomb) < 100_000

    answer = await server.http.post(
        "/v1/traces", content=bomb, headers={**PROTOBUF, "content-encoding": coding}
    )

    assert answer.status_code == 413
    assert "inflates to more" in Status.FromString(answer.content).message


@pytest.mark.parametrize("length", ["-1", "many", "1e3"])
async def test_a_nonsense_length_is_refused(server: Ingest, length: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.http_port)
    writer.write(f"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{{}}".encode())
    answer = await reader.readline()
    writer.close()

    assert b" 400 " in answer


async def test_when_the_store_fails_it_is_503_with_a_time_to_retry(server: Ingest) -> None:
    """Exporters drop a batch if the delay exceeds their own limit: ten seconds in Python."""
    server.database.execute("RENAME TABLE spans TO away")
    answer = await server.http.post("/v1/traces", content=protobuf(request(span())), headers=PROTOBUF)
    server.database.execute("RENAME TABLE away TO spans")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert Status.FromString(answer.content).code == 14


async def test_metrics_are_rejected_as_a_whole_and_not_as_an_error(server: Ingest) -> None:
    """A user who sends everything should not see an error every minute, nor believe that it was stored."""
    before = server.refused("no_traces")
    metrics = ExportMetricsServiceRequest()
    metric = metrics.resource_metrics.add().scope_metrics.add().metrics.add()
    metric.gauge.data_points.add()
    metric.gauge.data_points.add()

    answer = await server.http.post("/v1/metrics", content=metrics.SerializeToString(), headers=PROTOBUF)
    nothing = await server.http.post("/v1/metrics", content=b"", headers=PROTOBUF)

    partial = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_data_points) == (200, 2)
    assert "OTEL_METRICS_EXPORTER=none" in partial.error_message
    assert (nothing.status_code, nothing.content) == (200, b"")
    assert server.refused("no_traces") == before + 2


@pytest.mark.parametrize(
    "shown",
    [
        None,
        "s3cret-of-sixteen",
        "Bearer",
        "Bearer wrong",
        "Basic s3cret-of-sixteen",
        "Bearer s3cret-of-sixteen2",
        "Bearer żółw",
    ],
)
async def test_without_the_token_it_is_401(guarded: Ingest, shown: str | None) -> None:
    headers = httpx.Headers(
        PROTOBUF if shown is None else {**PROTOBUF, "authorization": shown}, encoding="utf-8"
    )
    answer = await guarded.http.post("/v1/traces", content=protobuf(request(span())), headers=headers)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert guarded.store.span_count() == 0
    assert guarded.refused("unauthorized") == 1


async def test_with_the_token_it_is_taken(guarded: Ingest) -> None:
    headers = {**PROTOBUF, "authorization": "bearer s3cret-of-sixteen"}
    answer = await guarded.http.post("/v1/traces", content=protobuf(request(span())), headers=headers)

    assert answer.status_code == 200


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:8501", "http://localhost"])
async def test_a_page_of_this_machine_may_send(server: Ingest, origin: str) -> None:
    """Browser exporters send a preflight request because of the content type."""
    asked = await server.http.options(
        "/v1/traces",
        headers={
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type,authorization",
        },
    )
    answer = await server.http.post("/v1/traces", content=b"{}", headers={**JSON, "origin": origin})

    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize(
    "origin", ["https://example.com", "http://localhost.example.com", "http://localhost:80.evil"]
)
async def test_a_page_from_elsewhere_may_not(server: Ingest, origin: str) -> None:
    asked = await server.http.options(
        "/v1/traces", headers={"origin": origin, "access-control-request-method": "POST"}
    )

    assert asked.status_code == 400
    assert "access-control-allow-origin" not in asked.headers


async def test_many_requests_on_one_connection(server: Ingest) -> None:
    """HTTP/1.1 keeps connections open; a refused request must not spoil the next one."""
    for number in range(10):
        good = await server.http.post(
            "/v1/traces", content=protobuf(request(span(id=str(number)))), headers=PROTOBUF
        )
        bad = await server.http.post("/v1/traces", content=b"\xff", headers=PROTOBUF)
        assert (good.status_code, bad.status_code) == (200, 400)

    assert server.store.span_count() == 10
