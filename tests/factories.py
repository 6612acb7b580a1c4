"""How do senders write spans? Factories that need no more words than a test is about.

    shop = request(span("send order.placed", id="a"), span("process order.placed", id="b", parent="a"))
    decode([Body(protobuf(shop), Encoding.PROTOBUF)], 0)

A name used as an id is hashed into one, so that `trace="t"` and `id="a"` read well in a test.
"""

import base64
import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector.columns import keys
from collector.formats.otlp import Body, Encoding, decode

NOW = 1_795_000_000_000_000_000  # in November 2026
SECOND = 10**9

Value = str | bool | int | float | bytes | Sequence[Any] | Mapping[str, Any] | None


def trace_id(name: str | bytes) -> bytes:
    """The trace id that a test calls *name*; bytes stay as they are."""
    return name if isinstance(name, bytes) else hashlib.sha256(name.encode()).digest()[:16]


def span_id(name: str | bytes) -> bytes:
    """The span id that a test calls *name*; bytes stay as they are."""
    return name if isinstance(name, bytes) else hashlib.sha256(name.encode()).digest()[16:24]


def ref(trace: str, name: str) -> str:
    """The ref of a span, from the names that a test gave its ids."""
    return f"{trace_id(trace).hex()}:{span_id(name).hex()}"


def span(
    name: str = "work",
    *,
    id: str | bytes | None = None,  # noqa: A002  # the usual word for it
    trace: str | bytes = "trace",
    parent: str | bytes = b"",
    kind: int = Span.SPAN_KIND_INTERNAL,
    start: int = NOW,
    end: int | None = None,
    links: Iterable[tuple[str | bytes, str | bytes]] = (),
    error: str | None = None,
    attributes: Mapping[str, Value] = {},
) -> Span:
    """One span; *links* are (trace, span) pairs, by the names of their ids."""
    return Span(
        trace_id=trace_id(trace),
        span_id=span_id(name if id is None else id),
        parent_span_id=span_id(parent) if parent else b"",
        name=name,
        kind=Span.SpanKind.ValueType(kind),
        start_time_unix_nano=start,
        end_time_unix_nano=start + SECOND // 100 if end is None else end,
        attributes=pairs(attributes),
        links=[Span.Link(trace_id=trace_id(t), span_id=span_id(s)) for t, s in links],
        status=None if error is None else Status(code=Status.STATUS_CODE_ERROR, message=error),
    )


def pairs(attributes: Mapping[str, Value]) -> list[KeyValue]:
    """Attributes as OTLP encodes them, typed by their Python values."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def any_value(value: Value) -> AnyValue:
    """A value of the OTLP type that matches its Python type; None is an `AnyValue` that is not set."""
    written = AnyValue()
    match value:
        case bool():
            written.bool_value = value
        case str():
            written.string_value = value
        case int():
            written.int_value = value
        case float():
            written.double_value = value
        case bytes():
            written.bytes_value = value
        case Mapping():
            written.kvlist_value.SetInParent()
            written.kvlist_value.values.extend(pairs(value))
        case Sequence():
            written.array_value.SetInParent()
            written.array_value.values.extend(any_value(entry) for entry in value)
    return written


def request(
    *spans: Span, service: str | None = "shop", resource: Mapping[str, Value] = {}
) -> ExportTraceServiceRequest:
    """A request with the spans of one service."""
    sent = ExportTraceServiceRequest()
    by_resource = sent.resource_spans.add()
    named = {} if service is None else {"service.name": service}
    by_resource.resource.attributes.extend(pairs({**named, **resource}))
    by_scope = by_resource.scope_spans.add()
    by_scope.scope.name = "tests"
    by_scope.spans.extend(spans)
    return sent


def protobuf(*requests: ExportTraceServiceRequest) -> bytes:
    """The body of *requests* in protobuf: concatenated messages decode as one request."""
    return b"".join(one.SerializeToString() for one in requests)


def field(number: int, octets: bytes, said: int | None = None) -> bytes:
    """A length-delimited protobuf field, for bodies that no encoder would write; *said* is a false length."""
    size, length = len(octets) if said is None else said, b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + octets


def as_json(sent: ExportTraceServiceRequest) -> dict[str, Any]:
    """A request in OTLP's JSON form: ids in hex, enums as numbers."""
    written = MessageToDict(sent, use_integers_for_enums=True)
    _hex_ids(written)
    return written


def json_body(sent: ExportTraceServiceRequest | Mapping[str, Any]) -> bytes:
    """A JSON body of a request, or of what `as_json` returned and a test changed."""
    return json.dumps(as_json(sent) if isinstance(sent, ExportTraceServiceRequest) else sent).encode()


def table(*requests: ExportTraceServiceRequest, received: int = NOW) -> pa.Table:
    """The spans of *requests* as a `SPANS` table."""
    decoded = decode([Body(protobuf(one), Encoding.PROTOBUF) for one in requests], received)
    assert [verdict.error for verdict in decoded.verdicts] == [None] * len(requests)
    return decoded.spans


def refs(spans: pa.Table) -> list[str]:
    """The refs of a `SPANS` table, in the order of its rows."""
    ids = zip(spans["trace_id"].to_pylist(), spans["span_id"].to_pylist(), strict=True)
    return [f"{trace.hex()}:{one.hex()}" for trace, one in ids]


def _hex_ids(written: Any) -> None:
    if isinstance(written, list):
        for entry in written:
            _hex_ids(entry)
    elif isinstance(written, dict):
        for key, entry in written.items():
            if key in ("traceId", "spanId", "parentSpanId"):
                written[key] = base64.b64decode(entry).hex()
            else:
                _hex_ids(entry)


@contextlib.contextmanager
def secret_keys(number: int) -> Iterator[None]:
    """Make all keys with the secret *number* meanwhile."""
    keys.use(keys.Secret(ids=number, texts=f"{number:016x}"))
    try:
        yield
    finally:
        keys.use(keys.PUBLIC)
