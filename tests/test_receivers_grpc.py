"""Does OTLP over gRPC answer as the specification asks, and as exporters understand?"""

from collections.abc import AsyncIterator, Sequence

import grpc
import pytest
import pytest_asyncio
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from collector.config import Config
from collector.store.clickhouse.connections import Database
from tests.factories import request, span
from tests.running import Ingest, ingest

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


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
async def channel(server: Ingest) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as opened:
        yield opened


async def export(
    channel: grpc.aio.Channel,
    sent: ExportTraceServiceRequest,
    compression: grpc.Compression | None = None,
    metadata: Sequence[tuple[str, str]] = (),
) -> ExportTraceServiceResponse:
    call = channel.unary_unary(EXPORT)
    answer = await call(sent.SerializeToString(), compression=compression, metadata=metadata)
    return ExportTraceServiceResponse.FromString(answer)


def metadata(error: grpc.aio.AioRpcError) -> dict[str, bytes]:
    return {key: value for key, value in error.trailing_metadata() or () if isinstance(value, bytes)}


@pytest.mark.parametrize("compression", list(grpc.Compression))
async def test_success_is_an_empty_response(
    server: Ingest, channel: grpc.aio.Channel, compression: grpc.Compression
) -> None:
    answer = await export(channel, request(span("a"), span("b")), compression)

    assert answer == ExportTraceServiceResponse()
    assert server.store.span_count() == 2


async def test_partial_success_names_the_first_bad_id(server: Ingest, channel: grpc.aio.Channel) -> None:
    answer = await export(channel, request(span("good"), span("bad", trace=b"short")))

    assert answer.partial_success.rejected_spans == 1
    assert f"'{b'short'.hex()}'" in answer.partial_success.error_message
    assert server.store.span_count() == 1


async def test_what_can_not_be_read_is_an_invalid_argument(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(EXPORT)(b"\xff\xff")

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "ExportTraceServiceRequest" in (caught.value.details() or "")
    assert Status.FromString(metadata(caught.value)["grpc-status-details-bin"]).code == 3


async def test_too_much_is_resource_exhausted_and_not_to_be_sent_again(
    server: Ingest, channel: grpc.aio.Channel
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await export(channel, request(*(span("x" * 1_000, id=str(n)) for n in range(100))))

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "google.rpc.retryinfo-bin" not in metadata(caught.value)
    assert server.store.span_count() == 0


async def test_too_much_after_inflation_is_resource_exhausted(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(EXPORT)(bytes(60_000_000), compression=grpc.Compression.Gzip)

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_when_the_store_fails_it_is_unavailable_with_a_time_to_retry(
    server: Ingest, channel: grpc.aio.Channel
) -> None:
    """The delay is in two places: Go reads the status details, Python its own trailer."""
    server.database.execute("RENAME TABLE spans TO away")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await export(channel, request(span()))
    server.database.execute("RENAME TABLE away TO spans")

    trailers = metadata(caught.value)
    (detail,) = Status.FromString(trailers["grpc-status-details-bin"]).details
    in_details = RetryInfo()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert detail.Unpack(in_details)
    assert in_details.retry_delay.seconds == 2
    assert RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"]) == in_details


async def test_metrics_are_rejected_as_a_whole_and_not_as_an_error(channel: grpc.aio.Channel) -> None:
    metrics = ExportMetricsServiceRequest()
    metrics.resource_metrics.add().scope_metrics.add().metrics.add().sum.data_points.add()

    answer = await channel.unary_unary(EXPORT.replace("trace", "metrics").replace("Trace", "Metrics"))(
        metrics.SerializeToString()
    )

    assert ExportMetricsServiceResponse.FromString(answer).partial_success.rejected_data_points == 1


async def test_a_method_that_is_none_is_unimplemented(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(EXPORT.replace("Export", "Import"))(b"")

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_token_is_asked_for(database: Database) -> None:
    async with (
        ingest(database, Config(token="s3cret-of-sixteen")) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel,
    ):
        for shown in ((), (("authorization", "Bearer wrong"),)):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await export(channel, request(span()), metadata=shown)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED

        await export(channel, request(span()), metadata=(("authorization", "Bearer s3cret-of-sixteen"),))
        assert server.store.span_count() == 1
