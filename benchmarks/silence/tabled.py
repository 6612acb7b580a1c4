"""The spans of a run as a SPANS table, as `collector.formats.otlp.decode` makes it, but in bulk."""

from collections.abc import Iterable, Sequence
from random import Random

import numpy as np
import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from benchmarks.silence.exporting import Exporter
from benchmarks.silence.faults import Stop
from benchmarks.silence.planned import Planned
from collector.model.spans import SPANS, Kind, Status, ValueType

BEGAN = 1_795_000_000_000_000_000  # nanoseconds since the epoch
SECOND = 10**9
KEY = "claim.id"

KINDS = {"send": Kind.PRODUCER, "process": Kind.CONSUMER, "started": Kind.INTERNAL}
REMOTE = 0x300  # flags of a span whose parent is known to be in another process
_SCOPE = InstrumentationScope(name="simulator").SerializeToString()


def nanoseconds(seconds: float) -> int:
    """A time of the run, in nanoseconds since the epoch."""
    return BEGAN + round(seconds * SECOND)


def table(
    rng: Random, spans: Iterable[Planned], how: dict[str, Exporter], stops: Sequence[Stop], *, twice: float
) -> pa.Table:
    """SPANS of *spans* that arrive, in order of arrival; a share of them, *twice*, comes a second time."""
    arriving = [(span.arrives, span) for span in spans if not span.lost]
    again = [(at + rng.uniform(0.1, 3.0), span) for at, span in arriving if rng.random() < twice]
    arriving += [(at, span) for at, span in again if not any(stop.begin <= at < stop.end for stop in stops)]
    arriving.sort(key=lambda one: one[0])
    return _columns([nanoseconds(at) for at, _ in arriving], [span for _, span in arriving], how)


def _columns(arrivals: Sequence[int], spans: Sequence[Planned], how: dict[str, Exporter]) -> pa.Table:
    resources = {service: _resource(service) for service in how}
    skews = {service: round(one.skew * SECOND) for service, one in how.items()}
    said = [attributes(span) for span in spans]
    empty: list[bytes] = []
    count = len(spans)
    zeros = np.zeros(count, np.uint32)
    columns = {
        "trace_id": [span.trace for span in spans],
        "span_id": [span.id for span in spans],
        "parent_span_id": [span.parent for span in spans],
        "name": [f"{span.operation} {subject(span.event)}" for span in spans],
        "kind": [int(KINDS[span.operation]) for span in spans],
        "start_unix_nano": [nanoseconds(span.start) + skews[span.service] for span in spans],
        "end_unix_nano": [nanoseconds(span.end) + skews[span.service] for span in spans],
        "status_code": [int(Status.ERROR if span.error else Status.UNSET) for span in spans],
        "status_message": [span.error or "" for span in spans],
        "service": [span.service for span in spans],
        "attribute_keys": [list(one) for one in said],
        "attribute_types": [[int(ValueType.STRING)] * len(one) for one in said],
        "attribute_values": [[value.encode() for value in one.values()] for one in said],
        "link_trace_ids": [[span.link[0]] if span.link else empty for span in spans],
        "link_span_ids": [[span.link[1]] if span.link else empty for span in spans],
        "link_attributes": [[empty] if span.link else empty for span in spans],
        "events": [empty] * count,
        "dropped_attributes": zeros,
        "dropped_events": zeros,
        "dropped_links": zeros,
        "trace_state": [""] * count,
        "flags": [flags(span) for span in spans],
        "resource": [resources[span.service] for span in spans],
        "scope": [_SCOPE] * count,
        "received_unix_nano": arrivals,
    }
    return pa.table(
        {name: pa.array(columns[name], SPANS.field(name).type) for name in SPANS.names}, schema=SPANS
    )


def attributes(span: Planned) -> dict[str, str]:
    """What a service says about its span."""
    said = {
        "messaging.system": "nats",
        "messaging.operation.type": span.operation,
        "messaging.operation.name": span.operation,
        "messaging.destination.name": subject(span.event),
        "cloudevents.event_type": span.event,
    }
    if span.operation == "started":
        del said["messaging.operation.type"]
    if span.kept:
        said["messaging.nats.stream"] = "CLAIMS"
    if span.settled:
        said["messaging.nats.outcome"] = span.settled
    if span.key:
        said[KEY] = span.key
    return said


def flags(span: Planned) -> int:
    """The flags of a span: only announcements set any."""
    return REMOTE if span.operation == "started" else 0


def subject(event: str) -> str:
    """Where *event* is published."""
    return f"claims.{event}"


def resource(service: str) -> dict[str, str]:
    """What a service says about itself."""
    return {"service.name": service, "service.instance.id": f"{service}-1"}


def _resource(service: str) -> bytes:
    written = Resource()
    for name, value in resource(service).items():
        written.attributes.add(key=name).value.string_value = value
    return written.SerializeToString()
