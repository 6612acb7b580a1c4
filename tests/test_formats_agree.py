"""Do the same facts give the same graph, whichever file format they were written in?"""

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector import conventions, formats
from collector.model.spans import Kind
from collector.stitching import stitch
from tests.documents import Document, document
from tests.factories import NOW, json_body, protobuf, request, span
from tests.strategies import examples

Sent = tuple[str, Span]  # a service and one of its spans

MS = 10**6
FEWER = settings(max_examples=examples(30))
_REPEATED = [
    {"messaging.system": "kafka", "messaging.destination.name": "orders", "messaging.kafka.offset": "7"},
    {"messaging.system": "kafka", "messaging.destination.name": "orders", "messaging.kafka.offset": "8"},
    {"messaging.system": "nats", "messaging.destination.name": "orders.placed", "order.id": "A-1"},
    {"messaging.system": "nats", "messaging.destination.name": "_INBOX.a", "order.id": "A-2"},
    {"messaging.system": "sidekiq", "messaging.destination": "low", "messaging.message_id": "m-1"},
    {"messaging.system": "rabbitmq", "messaging.operation": "receive", "messaging.message.id": "m-1"},
    {"messaging.system": "servicebus", "messaging.operation.type": "settle"},
    {"cloudevents.event_type": "OrderPlaced", "cloudevents.event_id": "e-1", "order.id": "A-1"},
    {"error.type": "IOError"},
    {},
]
_NAMES = ("send orders", "orders process", "orders create", "ack orders", "work")


def sent_by(random: Random) -> list[Sent]:
    """Spans whose parents and links lead to earlier ones, or nowhere, with all that all formats carry."""
    made: list[Sent] = []
    for number in range(random.randint(1, 9)):
        above = random.choice(made)[1] if made and random.random() < 0.7 else None
        start = NOW + random.randint(0, 50) * MS
        one = span(
            random.choice(_NAMES),
            id=f"{number}",
            trace=above.trace_id if above else random.choice("tu"),
            parent=above.span_id if above else ("lost" if random.random() < 0.2 else b""),
            kind=random.choice(
                [Kind.INTERNAL, Kind.CLIENT, Kind.SERVER, *[Kind.PRODUCER, Kind.CONSUMER] * 3]
            ),
            start=start,
            end=start + random.randint(1, 20) * MS,
            links=[(to.trace_id, to.span_id) for _, to in made if random.random() < 0.15],
            attributes=random.choice(_REPEATED),
        )
        if random.random() < 0.2:
            one.status.code, one.status.message = (
                Status.STATUS_CODE_ERROR,
                random.choice(["", "no connection"]),
            )
        elif random.random() < 0.1:
            one.status.code = Status.STATUS_CODE_OK
        made.append((random.choice(["order", "payment"]), one))
    return made


def as_protobuf(sent: Sequence[Sent]) -> bytes:
    return protobuf(*(request(one, service=service) for service, one in sent))


def as_exported(sent: Sequence[Sent]) -> bytes:
    """As the Collector's file exporter writes it: each message after its length."""
    messages = [protobuf(request(one, service=service)) for service, one in sent]
    return b"".join(len(message).to_bytes(4, "big") + message for message in messages)


def as_lines(sent: Sequence[Sent]) -> bytes:
    return b"\n".join(json_body(request(one, service=service)) for service, one in sent)


def said(one: Span) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in one.attributes}


def _status(one: Span) -> dict[str, str]:
    """The tags that OpenTelemetry's exporters write for a status."""
    if not one.status.code:
        return {}
    tags = {"otel.status_code": Status.StatusCode.Name(one.status.code).removeprefix("STATUS_CODE_")}
    return tags | ({"otel.status_description": one.status.message} if one.status.message else {})


def as_jaeger(sent: Sequence[Sent]) -> bytes:
    spans: list[Mapping[str, Any]] = []
    for service, one in sent:
        tags = (
            said(one) | _status(one) | {"span.kind": Kind(one.kind).name.lower(), "otel.scope.name": "tests"}
        )
        to = [("CHILD_OF", one.trace_id, one.parent_span_id)] if one.parent_span_id else []
        to += [("FOLLOWS_FROM", link.trace_id, link.span_id) for link in one.links]
        spans.append(
            {
                "traceID": one.trace_id.hex(),
                "spanID": one.span_id.hex(),
                "operationName": one.name,
                "references": [
                    {"refType": word, "traceID": trace.hex(), "spanID": span.hex()}
                    for word, trace, span in to
                ],
                "startTime": one.start_time_unix_nano // 1000,
                "duration": (one.end_time_unix_nano - one.start_time_unix_nano) // 1000,
                "tags": [{"key": key, "type": "string", "value": value} for key, value in tags.items()],
                "logs": [],
                "process": {"serviceName": service, "tags": []},
            }
        )
    by_trace: dict[str, Any] = {}
    for found in spans:
        trace = by_trace.setdefault(
            found["traceID"], {"traceID": found["traceID"], "spans": [], "processes": {}}
        )
        process = dict(found).pop("process")
        trace["processes"][process["serviceName"]] = process
        kept = {name: value for name, value in found.items() if name != "process"}
        trace["spans"].append({**kept, "processID": process["serviceName"]})
    return json.dumps({"data": list(by_trace.values())}).encode()


def as_zipkin(sent: Sequence[Sent]) -> bytes:
    return json.dumps([_zipkin(service, one) for service, one in sent]).encode()


def _zipkin(service: str, one: Span) -> dict[str, Any]:
    tags = said(one) | _status(one)
    for number, link in enumerate(one.links):
        tags[f"otlp.link.{number}"] = f"{link.trace_id.hex()}|{link.span_id.hex()}||{{}}|0"
    written = {
        "traceId": one.trace_id.hex(),
        "id": one.span_id.hex(),
        "name": one.name,
        "timestamp": one.start_time_unix_nano // 1000,
        "duration": (one.end_time_unix_nano - one.start_time_unix_nano) // 1000,
        "localEndpoint": {"serviceName": service},
        "tags": tags,
    }
    if one.parent_span_id:
        written["parentId"] = one.parent_span_id.hex()
    if Kind(one.kind) is not Kind.INTERNAL:
        written["kind"] = Kind(one.kind).name
    return written


def graph(file: bytes) -> Document:
    found = formats.read(file, NOW)
    assert found.problems == []
    return document(stitch(conventions.read(found.spans)))


@pytest.mark.parametrize("write", [as_exported, as_lines, as_jaeger, as_zipkin])
@FEWER
@given(random=st.randoms(use_true_random=False))
def test_every_format_gives_the_same_graph(write: Callable[[Sequence[Sent]], bytes], random: Random) -> None:
    """Whoever exports from one system and imports from another must not see another story."""
    sent = sent_by(random)

    assert graph(write(sent)) == graph(as_protobuf(sent))
