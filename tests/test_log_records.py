"""Which log records are kept, as what, and what is said of the others?"""

import json
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector.formats.otlp import Body, Decoded, Encoding, decode
from collector.formats.otlp.opened import attributes
from collector.model.spans import Kind, Status
from tests.factories import NOW, Value, field, protobuf, request, span, span_id, trace_id
from tests.log_requests import ERROR, WARN, exception, log_json, log_request, record

KEYS = ("order.id", "order_id")
HANDLING = ("A-1", "handling")


def read(sent: ExportLogsServiceRequest | bytes, encoding: Encoding = Encoding.PROTOBUF) -> Decoded:
    data = sent if isinstance(sent, bytes) else sent.SerializeToString()
    return decode([Body(data, encoding, logs=True)], NOW + 5, flow_keys=KEYS)


def kept(one: LogRecord) -> dict[str, Any]:
    (row,) = read(log_request(one, service="payment")).spans.to_pylist()
    return dict(row)


ORDER = {"order.id": "A-1"}


@pytest.mark.parametrize(
    ("one", "became"),
    [
        pytest.param(exception(HANDLING), "span_event", id="an exception of a span"),
        pytest.param(record("ack", of=HANDLING), "span_event", id="a settle of a span"),
        pytest.param(
            record("cache.miss", of=HANDLING, attributes=ORDER), "span_event", id="any event of a span"
        ),
        pytest.param(
            record(of=HANDLING, attributes={"event.name": "ack"}), "span_event", id="the older name"
        ),
        pytest.param(
            record(of=HANDLING, body="oh", attributes={"exception.type": "IOError"}),
            "span_event",
            id="a logged exception",
        ),
        pytest.param(record("OrderPlaced", attributes=ORDER), "event_without_span", id="an event with a key"),
        pytest.param(
            record(attributes={"event.name": "OrderPlaced", "order_id": 17}),
            "event_without_span",
            id="an event with a number for a key",
        ),
        pytest.param(
            record(attributes={"cloudevents.event_type": "OrderPlaced"}),
            "event_without_span",
            id="a CloudEvent",
        ),
        pytest.param(
            record("x", of=HANDLING, attributes={"cloudevents.event_type": "OrderPlaced"}),
            "event_in_span",
            id="a CloudEvent of a span",
        ),
    ],
)
def test_events_are_kept(one: LogRecord, became: str) -> None:
    row = kept(one)

    assert attributes(row)["choreoscope.log_record"] == became
    assert row["kind"] == (Kind.INTERNAL if became == "span_event" else Kind.PRODUCER)
    assert (row["start_unix_nano"], row["end_unix_nano"], row["service"]) == (NOW, NOW, "payment")
    named = became != "event_without_span"
    assert row["parent_span_id"] == (span_id("handling") if named else bytes(8))
    assert (row["trace_id"] == trace_id("A-1")) is named


@pytest.mark.parametrize(
    ("one", "why"),
    [
        pytest.param(record(body="placed an order", attributes=ORDER), "a line of text", id="a line"),
        pytest.param(record(of=HANDLING, body="placed"), "a line of text", id="a line within a span"),
        pytest.param(record("user.login"), "'user.login', and has no span id and no flow key", id="no key"),
        pytest.param(record("user.login", attributes={"order.id": ""}), "no flow key", id="an empty key"),
        pytest.param(record("exception", attributes=ORDER), "'exception', and has no span id", id="whose?"),
        pytest.param(
            record(attributes={"exception.type": "IOError", **ORDER}), "no span id", id="whose exception?"
        ),
        pytest.param(record("messaging.ack", attributes=ORDER), "no span id", id="a settle of nothing"),
        pytest.param(record("ack", of=(b"short", "a")), "trace_id '73686f7274': expected 16", id="bad id"),
    ],
)
@pytest.mark.parametrize("encoding", Encoding)
def test_other_records_are_refused_by_name_and_reason(one: LogRecord, why: str, encoding: Encoding) -> None:
    """Nobody should believe that their logs are kept, and the others in the request are."""
    sent = log_request(record("ack", of=HANDLING), one, one)
    found = read(sent if encoding is Encoding.PROTOBUF else log_json(sent), encoding)
    (verdict,) = found.verdicts

    assert (found.spans.num_rows, verdict.spans, verdict.rejected) == (1, 1, 2)
    assert verdict.message.startswith("2 log record(s) refused. The first ")
    assert why in verdict.message
    assert "OTEL_LOGS_EXPORTER=none" in verdict.message
    assert list(verdict.refused) == ["invalid" if "expected" in why else "no_event"]


def test_both_encodings_and_every_retry_give_the_same_spans() -> None:
    """Otherwise a retry, perhaps through another door, would add an event twice."""
    said: dict[str, Value] = {
        "exception.type": "IOError",
        "n": 7,
        "list": ["a", 1.5],
        "raw": b"\x00\xff",
        "order.id": "A-1",
    }
    sent = log_request(
        record("exception", of=HANDLING, severity=ERROR, body={"text": "ö"}, attributes=said),
        record("OrderPlaced", attributes=said | {"exception.type": ""}, body="placed"),
        record("OrderPlaced", attributes=ORDER),
        record("OrderPlaced", attributes=ORDER, at=NOW + 1),
    )
    by_json = json.loads(log_json(sent))
    by_json["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["severityNumber"] = "SEVERITY_NUMBER_ERROR"

    first = read(sent).spans
    again = read(json.dumps(by_json).encode(), Encoding.JSON).spans

    assert first.num_rows == 4 - 1  # an exception of no span
    assert again.to_pylist() == first.to_pylist()
    assert len(set(first["span_id"].to_pylist())) == 3


@pytest.mark.parametrize(
    ("one", "failed"),
    [
        pytest.param(exception(HANDLING), True, id="unhandled, by its severity"),
        pytest.param(exception(HANDLING, severity=WARN), False, id="handled, by its severity"),
        pytest.param(exception(HANDLING, severity=0), False, id="unsaid, as on a span"),
        pytest.param(record("messaging.process.exception", of=HANDLING), True, id="of the operation itself"),
        pytest.param(
            record("exception", of=HANDLING, severity=ERROR, attributes={"exception.escaped": False}),
            False,
            id="dealt with",
        ),
        pytest.param(
            record("exception", of=HANDLING, attributes={"exception.escaped": True}), True, id="escaped"
        ),
        pytest.param(
            record(of=HANDLING, severity=ERROR, attributes={"exception.type": "IOError"}),
            False,
            id="a line that tells of one",
        ),
        pytest.param(record("retry", of=HANDLING, severity=ERROR), False, id="another event"),
    ],
)
def test_only_what_ended_the_work_of_its_span_says_that_it_failed(one: LogRecord, failed: bool) -> None:
    """An exception that was caught and logged must not make a handling look as if it had failed."""
    assert kept(one)["status_code"] == (Status.ERROR if failed else Status.UNSET)


def test_what_a_record_says_is_kept_in_order_and_its_text_is_the_error() -> None:
    row = kept(exception(HANDLING, "no connection", body="it went wrong"))

    assert row["status_message"] == "IOError: no connection"
    assert attributes(row) == {
        "choreoscope.log_record": "span_event",
        "log.body": "it went wrong",
        "exception.type": "IOError",
        "exception.message": "no connection",
    }


def test_a_record_without_a_time_has_that_of_its_arrival() -> None:
    bare = record("ack", of=HANDLING)
    bare.time_unix_nano = bare.observed_time_unix_nano = 0

    assert kept(bare)["start_unix_nano"] == NOW + 5


def test_bodies_of_both_signals_are_read_together_and_fail_alone() -> None:
    bodies = [
        Body(protobuf(request(span("a"))), Encoding.PROTOBUF),
        Body(b"\x0a\xff", Encoding.PROTOBUF, logs=True),
        Body(log_json(log_request(record("ack", of=HANDLING))), Encoding.JSON, logs=True),
        Body(b'{"resourceLogs": 7}', Encoding.JSON, logs=True),
        Body(b"", Encoding.PROTOBUF, logs=True),
    ]
    found = decode(bodies, NOW)

    assert sorted(found.spans["name"].to_pylist()) == ["a", "ack"]
    assert [verdict.spans for verdict in found.verdicts] == [1, 0, 1, 0, 0]
    said = [str(verdict.error or "") for verdict in found.verdicts]
    assert [text[:29] for text in said] == [
        "",
        "The body is no ExportLogsServ",
        "",
        "The body is no ExportLogsServ",
        "",
    ]


@pytest.mark.parametrize("encoding", Encoding)
def test_a_body_of_empty_records_is_refused_as_a_whole(encoding: Encoding) -> None:
    """Each takes two bytes of the body, and a hundred of our memory."""
    by_scope = field(2, b"\x12\x00" * 20_000)
    packed = field(1, by_scope)
    written = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[' + b",".join([b"{}"] * 20_000) + b"]}]}]}"
    (verdict,) = read(packed if encoding is Encoding.PROTOBUF else written, encoding).verdicts

    assert "most of them are empty" in str(verdict.error)
