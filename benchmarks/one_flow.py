"""One flow of any size, in one trace: as columns for a store, and as requests for a collector.

Four forms: a chain, in which each reaction publishes the next message; a star, in which one message has all
reactions, each of another group; one message that a single group attempts to handle again and again; and a
random tree, in which each span follows from any earlier one.
"""

from collections.abc import Iterator
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.formats.otlp import Body, Encoding, decode
from collector.model.spans import SPANS

Form: TypeAlias = Literal["chain", "star", "attempts", "random"]
FORMS: tuple[Form, ...] = ("chain", "star", "attempts", "random")
STEP = 1_000_000  # nanoseconds from one span's start to the next one's

_TRACE, _SPAN, _PARENT, _START, _END = (
    b"\xa1" * 16,
    b"\xb2" * 8,
    b"\xc3" * 8,
    b"\xd4" * 8,
    b"\xe5" * 8,
)  # marks that numbers are written over
_GROUP = b"########"
_Octets: TypeAlias = npt.NDArray[np.uint8]


def spans_of(
    count: int, form: Form, *, key: str = "BIG", at: int = 10**18, trace: bytes = b"\x07" * 16
) -> pa.Table:
    """SPANS of such a flow, received in the order of their start."""
    bodies = [Body(body, Encoding.PROTOBUF) for body in requests_of(count, form, key=key, at=at, trace=trace)]
    table = pa.concat_tables([decode([body], at).spans for body in bodies]).sort_by("start_unix_nano")
    received = pa.array(np.uint64(at) + np.arange(count, dtype=np.uint64))
    place = SPANS.get_field_index("received_unix_nano")
    return table.set_column(place, SPANS.field(place), received)


def requests_of(
    count: int,
    form: Form,
    *,
    key: str = "BIG",
    at: int = 10**18,
    trace: bytes = b"\x07" * 16,
    each: int = 5_000,
) -> Iterator[bytes]:
    """The same as OTLP requests of *each* spans."""
    number = np.arange(count)
    ids = np.random.default_rng(count).permutation(count).astype(np.uint64) * np.uint64(2**40) + np.uint64(1)
    parent = _parents(number, form)
    publishes = number == 0 if form in {"star", "attempts"} else number % 2 == 0
    groups = form == "star"
    above = np.where(parent < 0, np.uint64(0), ids[np.maximum(parent, 0)])
    start = np.uint64(at) + (number * STEP).astype(np.uint64)
    for first in range(0, count, each):
        some = slice(first, first + each)
        body = b""
        for sends in (True, False):
            rows = np.flatnonzero(publishes[some] == sends) + first
            if len(rows):
                body += _written(
                    sends, key, trace, ids[rows], above[rows], start[rows], rows if groups else None
                )
        yield body


def _parents(number: npt.NDArray[np.int64], form: Form) -> npt.NDArray[np.int64]:
    """What each span follows from; -1: nothing."""
    if form == "chain":
        return number - 1
    if form in {"star", "attempts"}:
        return np.where(number == 0, -1, 0)
    share = np.random.default_rng(0).random(len(number))
    return np.where(number == 0, -1, (share * number).astype(np.int64))


def _written(
    sends: bool,
    key: str,
    trace: bytes,
    ids: npt.NDArray[np.uint64],
    parents: npt.NDArray[np.uint64],
    starts: npt.NDArray[np.uint64],
    groups: npt.NDArray[np.int64] | None,
) -> bytes:
    """A request with spans of one service: one template, over which the numbers are written."""
    template = _template(sends, key)
    if groups is not None:
        template.attributes.add(key="messaging.consumer.group.name").value.string_value = _GROUP.decode()
    encoded = template.SerializeToString()
    field = b"\x12" + _varint(len(encoded)) + encoded  # ScopeSpans.spans
    rows = np.tile(np.frombuffer(field, np.uint8), (len(ids), 1))
    for mark, values in (
        (_TRACE, np.tile(np.frombuffer(trace, np.uint8), (len(ids), 1))),
        (_SPAN, _octets(ids, ">u8")),
        (_PARENT, _octets(parents, ">u8")),
        (_START, _octets(starts, "<u8")),
        (_END, _octets(starts + np.uint64(STEP // 2), "<u8")),
    ):
        place = field.index(mark)
        rows[:, place : place + len(mark)] = values
    if groups is not None:
        place = field.index(_GROUP)
        for digit in range(len(_GROUP)):
            rows[:, place + digit] = 48 + groups // 10 ** (len(_GROUP) - 1 - digit) % 10
    head = ExportTraceServiceRequest()
    resource = head.resource_spans.add().resource
    resource.attributes.add(key="service.name").value.string_value = "planner" if sends else "picker"
    scope_spans = rows.tobytes()
    inner = head.resource_spans[0].SerializeToString() + b"\x12" + _varint(len(scope_spans)) + scope_spans
    return b"\x0a" + _varint(len(inner)) + inner


def _template(sends: bool, key: str) -> Span:
    span = Span(
        trace_id=_TRACE,
        span_id=_SPAN,
        parent_span_id=_PARENT,
        name="send shop.pick" if sends else "process shop.pick",
        kind=Span.SPAN_KIND_PRODUCER if sends else Span.SPAN_KIND_CONSUMER,
        start_time_unix_nano=int.from_bytes(_START, "little"),
        end_time_unix_nano=int.from_bytes(_END, "little"),
    )
    for name, value in (
        ("messaging.system", "nats"),
        ("messaging.destination.name", "shop.pick"),
        ("messaging.operation.type", "send" if sends else "process"),
        ("cloudevents.event_type", "PickPlanned"),
        ("order.id", key),
    ):
        span.attributes.add(key=name).value.string_value = value
    return span


def _octets(values: npt.NDArray[np.uint64], order: str) -> _Octets:
    return np.ascontiguousarray(values.astype(order)).view(np.uint8).reshape(len(values), 8)


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
