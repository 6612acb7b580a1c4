"""What must the scanner return? What the decoder returns without it, and what protobuf's own parser says."""

import ctypes
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector.formats.otlp import Body, Decoded, Encoding, decode, scanning
from collector.formats.otlp.table import service_of
from tests.factories import NOW, any_value, field, span
from tests.guarding import Guarded, Guards

MOST_ATTRIBUTES = 16_384


@contextmanager
def without_scanner() -> Iterator[None]:
    """Let everything be decoded as if there were no compiler."""
    ready, scanning.ready = scanning.ready, lambda: None
    try:
        yield
    finally:
        scanning.ready = ready


def read(bodies: Sequence[bytes], most: int = MOST_ATTRIBUTES) -> Decoded:
    """*bodies*, decoded."""
    return decode([Body(body, Encoding.PROTOBUF) for body in bodies], NOW, max_attributes=most)


def difference(bodies: Sequence[bytes], most: int = MOST_ATTRIBUTES) -> str:
    """How decoding with the scanner differs from decoding without it; empty if it does not."""
    new = read(bodies, most)
    with without_scanner():
        old = read(bodies, most)
    for body, one, other in zip(bodies, new.verdicts, old.verdicts, strict=True):
        if (one.spans, one.rejected, one.message, str(one.error)) != (
            other.spans,
            other.rejected,
            other.message,
            str(other.error),
        ):
            return f"{one} and not {other}: {body.hex()}"
    if new.spans.equals(old.spans):
        return ""
    wrong = [name for name in old.spans.column_names if not new.spans[name].equals(old.spans[name])]
    return f"{wrong} differ: {[body.hex() for body in bodies]}"


def taken(bodies: Sequence[bytes], most: int = MOST_ATTRIBUTES) -> list[bool]:
    """Which of *bodies* the scanner takes."""
    found: list[bool] = scanning.scanned(bodies, NOW, most).taken.tolist()
    return found


def expected(body: bytes) -> list[dict[str, Any]] | None:
    """The rows of *body* by protobuf's own parser, which refuses text that is not UTF-8: then None."""
    try:
        sent = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        return None
    return [
        _row(one, by_resource.resource.SerializeToString(), by_scope.scope.SerializeToString())
        for by_resource in sent.resource_spans
        for by_scope in by_resource.scope_spans
        for one in by_scope.spans
    ]


def _row(one: Span, resource: bytes, scope: bytes) -> dict[str, Any]:
    """What is not encoded any more, of a span whose ids are valid."""
    return {
        "trace_id": one.trace_id,
        "span_id": one.span_id,
        "parent_span_id": one.parent_span_id if len(one.parent_span_id) == 8 else bytes(8),
        "name": one.name,
        "kind": one.kind,
        "start_unix_nano": one.start_time_unix_nano,
        "end_unix_nano": one.end_time_unix_nano,
        "status_code": one.status.code,
        "status_message": one.status.message,
        "service": service_of(resource),
        "attribute_keys": [pair.key for pair in one.attributes],
        "attribute_values": [_octets(pair) for pair in one.attributes],
        "link_trace_ids": [link.trace_id for link in one.links],
        "link_span_ids": [link.span_id for link in one.links],
        "dropped_attributes": one.dropped_attributes_count,
        "dropped_events": one.dropped_events_count,
        "dropped_links": one.dropped_links_count,
        "trace_state": one.trace_state,
        "flags": one.flags,
    }


def _octets(pair: KeyValue) -> bytes | float | None:
    """A value in text, a double as it is; None for what stays encoded."""
    match pair.value.WhichOneof("value"):
        case "string_value":
            return pair.value.string_value.encode()
        case "bool_value":
            return b"true" if pair.value.bool_value else b"false"
        case "int_value":
            return str(pair.value.int_value).encode()
        case "double_value":
            return pair.value.double_value
        case "bytes_value":
            return pair.value.bytes_value
        case "array_value" | "kvlist_value":
            return None
    return b""


def contradiction(bodies: Sequence[bytes]) -> str:
    """How what the scanner makes of *bodies* contradicts protobuf's own parser; empty if it does not."""
    found = scanning.scanned(bodies, NOW, MOST_ATTRIBUTES)
    seen = found.spans.select(list(_row(Span(), b"", b""))).to_pylist()
    for body, is_taken, place in zip(bodies, found.taken, _first_spans(found), strict=True):
        rows = expected(body) if is_taken else None
        if rows is None:
            continue
        if len(rows) != place.stop - place.start:
            return f"{place.stop - place.start} spans and not {len(rows)}: {body.hex()}"
        for row, one in zip(rows, seen[place], strict=True):
            if row != one and (wrong := _contradicted(row, one)):
                return f"{wrong}: {body.hex()}"
    return ""


def _first_spans(found: scanning.Scanned) -> list[slice]:
    """Which spans each body has."""
    ends = np.cumsum(np.bincount(found.body_of, minlength=len(found.taken))).tolist()
    return [slice(begin, end) for begin, end in pairwise([0, *ends])]


def _contradicted(row: dict[str, Any], seen: dict[str, Any]) -> str:
    for name, value in row.items():
        same = value == seen[name]
        if name == "attribute_values":
            same = all(
                one is None or (repr(float(other)) == repr(one) if isinstance(one, float) else one == other)
                for one, other in zip(value, seen[name], strict=True)
            )
        if not same:
            return f"{name} is {seen[name]!r} and not {value!r}"
    return ""


class Harness:
    """Scans bodies that end at a guard, into arrays that end at guards."""

    def __init__(self) -> None:
        self._body, self._guards = Guarded(2**20), Guards()

    def scan(self, body: bytes, most: int = MOST_ATTRIBUTES) -> bool:
        """Whether the scanner takes *body*; the process dies if it touches a guard."""
        found = self.scan_all(np.array([self._body.put(body)]), np.array([len(body)]), most)
        return bool(found[0])

    def scan_all(
        self, places: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], most: int = MOST_ATTRIBUTES
    ) -> npt.NDArray[np.bool_]:
        """Which of the bodies at *places*, each at a guard of its own, the scanner takes."""
        self._guards.again()
        array, scanning._array = scanning._array, self._guards.array
        try:
            pointers = (ctypes.c_void_p * len(places)).from_buffer_copy(places.tobytes())
            found = scanning.Columns(pointers, lengths, most)
        finally:
            scanning._array = array
        assert found.sound, [ctypes.string_at(*one).hex() for one in zip(places, lengths, strict=True)]
        return found.taken.view(np.bool_)


def random_request(rng: random.Random) -> ExportTraceServiceRequest:
    """Any request, of a few spans with anything in them."""
    sent = ExportTraceServiceRequest()
    for _ in range(rng.choice((0, 1, 1, 1, 2))):
        by_resource = sent.resource_spans.add(schema_url=_text(rng) if rng.random() < 0.2 else "")
        by_resource.resource.attributes.extend(_pairs(rng))
        if rng.random() < 0.7:
            by_resource.resource.attributes.add(key="service.name").value.string_value = _text(rng)
        for _ in range(rng.choice((0, 1, 1, 2))):
            by_scope = by_resource.scope_spans.add(schema_url=_text(rng) if rng.random() < 0.2 else "")
            if rng.random() < 0.8:
                by_scope.scope.name = _text(rng)
            by_scope.spans.extend(_span(rng) for _ in range(rng.randrange(4)))
    return sent


def _span(rng: random.Random) -> Span:
    return Span(
        trace_id=_id(rng, 16),
        span_id=_id(rng, 8),
        parent_span_id=rng.choice((b"", rng.randbytes(8), _id(rng, 8))),
        trace_state=rng.choice(("", "", "a=b")),
        name=_text(rng),
        kind=Span.SpanKind.ValueType(rng.choice((0, 1, 3, 5, 77, 255, 256, -1, 2**31 - 1))),
        start_time_unix_nano=rng.choice((0, NOW, 2**64 - 1)),
        end_time_unix_nano=rng.choice((0, NOW, 2**63)),
        attributes=_pairs(rng),
        dropped_attributes_count=rng.choice((0, 0, 1, 200, 2**32 - 1)),
        events=[
            Span.Event(name=_text(rng), time_unix_nano=NOW, attributes=_pairs(rng))
            for _ in range(rng.choice((0, 0, 1, 3)))
        ],
        dropped_events_count=rng.choice((0, 0, 7)),
        links=[
            Span.Link(
                trace_id=_id(rng, 16),
                span_id=_id(rng, 8),
                trace_state=rng.choice(("", "a=b")),
                attributes=_pairs(rng),
                dropped_attributes_count=rng.choice((0, 300)),
                flags=rng.choice((0, 1)),
            )
            for _ in range(rng.choice((0, 0, 1, 2)))
        ],
        dropped_links_count=rng.choice((0, 0, 7)),
        status=rng.choice(
            (None, Status(), Status(code=Status.STATUS_CODE_ERROR, message=_text(rng)), Status(message="x"))
        ),
        flags=rng.choice((0, 0x301, 2**32 - 1)),
    )


def _id(rng: random.Random, size: int) -> bytes:
    return (
        rng.randbytes(size)
        if rng.random() < 0.98
        else rng.choice((b"", bytes(size), rng.randbytes(size - 1)))
    )


def _text(rng: random.Random) -> str:
    return rng.choice(
        (
            "",
            "a",
            "send shop.order.placed",
            "żółw",
            "x" * 15,
            "y" * 16,
            "z" * 17,
            "w" * rng.choice((127, 128, 300)),
        )
    )


def _pairs(rng: random.Random) -> list[KeyValue]:
    made = []
    for _ in range(rng.choice((0, 1, 2, 5))):
        pair = KeyValue(key=_text(rng))
        if rng.random() < 0.95:
            pair.value.CopyFrom(any_value(_value(rng)))
        made.append(pair)
    return made


def _value(rng: random.Random) -> Any:
    simple: list[Callable[[], Any]] = [
        lambda: _text(rng),
        lambda: _text(rng),
        lambda: rng.randrange(-(2**63), 2**63),
        lambda: rng.choice((0, 1, -1, 9, 10, 99, 100, -(2**63), 2**63 - 1, 127, 128)),
        lambda: rng.random() < 0.5,
        lambda: rng.choice(
            (0.1, -0.0, 1e300, 5e-324, 1.0, float("inf"), float("-inf"), float("nan"), rng.random())
        ),
        lambda: rng.randbytes(rng.choice((0, 3, 200))),
        lambda: None,
        lambda: [1, "x", [2.5]],
        lambda: {"k": {"l": b"\xff"}},
    ]
    return rng.choice(simple)()


def padded(body: bytes) -> bytes:
    """*body* with the lengths of its messages in four digits, as .NET's exporter writes them."""
    sent = ExportTraceServiceRequest.FromString(body)
    made = b""
    for by_resource in sent.resource_spans:
        inside = field(1, by_resource.resource.SerializeToString())
        for by_scope in by_resource.scope_spans:
            inner = field(1, by_scope.scope.SerializeToString())
            for one in by_scope.spans:
                attributes = b"".join(_long(9, pair.SerializeToString()) for pair in one.attributes)
                rest = Span()
                rest.CopyFrom(one)
                rest.ClearField("attributes")
                inner += _long(2, rest.SerializeToString() + attributes)
            inside += _long(2, inner)
        made += _long(1, inside)
    return made


def _long(number: int, octets: bytes) -> bytes:
    size = len(octets)
    digits = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21])
    return bytes([number << 3 | 2]) + digits + octets


def sound_span(name: str = "a") -> bytes:
    """An encoded span with something in each field."""
    made = span(name, parent="p", links=[("t", "b")], error="no", attributes={"n": -1, "s": "x", "f": 1.5})
    made.trace_state, made.flags, made.dropped_events_count = "a=b", 0x301, 300
    made.events.add(name="paused", time_unix_nano=NOW)
    made.links[0].attributes.extend([KeyValue(key="k")])
    return made.SerializeToString()
