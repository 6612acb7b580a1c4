"""Do we read what real exporters send? Recorded from other languages, and live from the Python SDK."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.trace import Link, SpanKind

from collector.formats.otlp import Body, Encoding, decode
from collector.formats.otlp import opened as details
from collector.model.hiding import NOTHING_HIDDEN
from collector.model.spans import Kind, Status
from collector.store.clickhouse.connections import Database
from collector.web.bodies import inflate
from tests.factories import NOW
from tests.running import Ingest, ingest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
RECORDED = sorted((SHARED / "wire" / "exporters").glob("*otlp*.bin"))
OTLP_FILES = sorted((SHARED / "traces" / "otlp").glob("*.json"))
# Other files hold several documents, or keys that OTLP/HTTP does not have: they are no request bodies.
BODIES = [path for path in OTLP_FILES if path.read_text().lstrip("{ \n").startswith('"resourceSpans"')]


@pytest.mark.skipif(not RECORDED, reason="the recordings of other languages' exporters are not here")
@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.stem)
def test_recorded_bodies_are_read(recorded: Path) -> None:
    """Each is one request: a root, a producer, a consumer, and in a second trace a consumer with a link."""
    head = json.loads(recorded.with_suffix(".json").read_text()).get("headers", {})
    data = recorded.read_bytes()
    if coding := head.get("content-encoding"):
        data = inflate(data, coding, 2**20)
    encoding = Encoding.JSON if head.get("content-type") == "application/json" else Encoding.PROTOBUF

    decoded = decode([Body(data, encoding)], NOW)

    spans = decoded.spans.to_pylist()
    by_kind = {kind: [s for s in spans if s["kind"] == kind] for kind in Kind}
    (root,), (producer,), consumers = (by_kind[k] for k in (Kind.INTERNAL, Kind.PRODUCER, Kind.CONSUMER))
    linked = next(consumer for consumer in consumers if consumer["link_span_ids"])
    assert decoded.verdicts[0].rejected == 0
    assert (len(spans), len({span["trace_id"] for span in spans})) == (4, 2)
    assert producer["parent_span_id"] == root["span_id"]
    assert linked["link_span_ids"] == [producer["span_id"]]
    assert linked["status_code"] == Status.ERROR
    assert details.events(linked)[0]["name"]
    assert details.attributes(producer)
    assert details.resource(producer)["service.name"] == producer["service"]


@pytest.mark.skipif(not BODIES, reason="the traces of other tools are not here")
@pytest.mark.parametrize("file", BODIES, ids=lambda path: path.stem)
def test_files_of_other_tools_are_read_as_what_they_say(file: Path) -> None:
    facts = json.loads((SHARED / "facts.json").read_text())[f"traces/otlp/{file.name}"]

    decoded = decode([Body(file.read_bytes(), Encoding.JSON)], NOW)

    (verdict,) = decoded.verdicts
    assert verdict.error is None
    assert verdict.spans + verdict.rejected == facts["span_records"]
    assert verdict.rejected or len(set(decoded.spans["trace_id"].to_pylist())) == facts["traces"]
    assert verdict.rejected or sorted(set(decoded.spans["service"].to_pylist())) == facts["services"]


def exporters(server: Ingest) -> dict[str, Callable[[], SpanExporter]]:
    address = f"http://127.0.0.1:{server.http_port}/v1/traces"
    return {
        "grpc": lambda: GrpcExporter(f"http://127.0.0.1:{server.grpc_port}", insecure=True),
        "grpc, gzip": lambda: GrpcExporter(
            f"http://127.0.0.1:{server.grpc_port}", insecure=True, compression=grpc.Compression.Gzip
        ),
        "http": lambda: HttpExporter(address),
        "http, gzip": lambda: HttpExporter(address, compression=Compression.Gzip),
        "http, deflate": lambda: HttpExporter(address, compression=Compression.Deflate),
    }


@pytest.fixture
async def server(database: Database) -> AsyncIterator[Ingest]:
    async with ingest(database) as running:
        yield running


async def test_what_the_sdk_exports_is_stored_as_it_was_made(server: Ingest) -> None:
    """Every transport and every type of attribute must work."""
    said: dict[str, Any] = {"text": "é", "yes": True, "whole": 2**62, "real": 0.1, "list": ("a", "b")}

    def send(name: str, exporter: SpanExporter) -> tuple[bytes, str]:
        provider = TracerProvider(resource=Resource.create({"service.name": name}))
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        tracer = provider.get_tracer("shop", "1.0")
        with tracer.start_as_current_span("send", kind=SpanKind.PRODUCER, attributes=said) as first:
            first.add_event("sent", {"n": 1})
        linked = tracer.start_span(
            "process", kind=SpanKind.CONSUMER, links=[Link(first.get_span_context(), {"k": "v"})]
        )
        linked.end()
        provider.shutdown()
        context = linked.get_span_context()
        return context.trace_id.to_bytes(16), f"{first.get_span_context().span_id:016x}"

    for name, exporter in exporters(server).items():
        trace, sent_id = await asyncio.to_thread(send, name, exporter())

        (received,) = details.rows(server.store.spans_of([trace]), NOTHING_HIDDEN).values()
        (link,) = details.links(received)
        (sent,) = details.rows(server.store.spans_of(received["link_trace_ids"]), NOTHING_HIDDEN).values()
        assert (received["service"], received["kind"], received["name"]) == (name, Kind.CONSUMER, "process")
        assert link["ref"].endswith(f":{sent_id}")
        assert link["attributes"] == {"k": "v"}
        assert details.attributes(sent) == {**said, "list": ["a", "b"]}
        assert details.events(sent)[0]["attributes"] == {"n": 1}
        assert details.scope(sent) == {"name": "shop", "version": "1.0", "attributes": {}}
        assert details.resource(sent)["telemetry.sdk.language"] == "python"
