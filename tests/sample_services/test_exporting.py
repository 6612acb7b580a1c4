"""Which protocol do the shop's spans take? That of OpenTelemetry's own variable."""

import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as OverHttp

from sample_services import tracing


@pytest.mark.parametrize(
    ("protocol", "kind"), [("", OverHttp), ("http/protobuf", OverHttp), ("grpc", OverGrpc)]
)
def test_protocol_is_that_of_the_variable(
    monkeypatch: pytest.MonkeyPatch, protocol: str, kind: type[OverHttp] | type[OverGrpc]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    exporter = tracing._otlp_exporter()
    try:
        assert isinstance(exporter, kind)
    finally:
        exporter.shutdown()
