"""What does a trace file of another system contain, and what do we read from it?"""

import json
from typing import Any

from collector import conventions, formats
from collector.formats import Found
from collector.formats.otlp.opened import Row, rows
from collector.model.hiding import NOTHING_HIDDEN
from collector.stitching import stitch
from tests.documents import Document, document
from tests.factories import NOW

MICROS = NOW // 1000
SHORT_TRACE = "5af7183fb1d4cf5f"  # of 64 bits, as most of Zipkin's are
LONG_TRACE = SHORT_TRACE * 2


def jaeger(span: str = "a" * 16, *tags: tuple[str, str, Any], **fields: Any) -> dict[str, Any]:
    """A span; tags are (key, type, value)."""
    return {
        "traceID": LONG_TRACE,
        "spanID": span,
        "operationName": "work",
        "references": [],
        "startTime": MICROS,
        "duration": 250,
        "tags": [{"key": key, "type": kind, "value": value} for key, kind, value in tags],
        "logs": [],
        "processID": "p1",
        "warnings": ["clock skew"],
        **fields,
    }


def trace(*spans: Any, **fields: Any) -> dict[str, Any]:
    processes = {
        "p1": {"serviceName": "order", "tags": [{"key": "host", "type": "string", "value": "h-1"}]},
        "p2": {"serviceName": "packing"},
    }
    return {"traceID": LONG_TRACE, "spans": list(spans), "processes": processes, **fields}


def reference(word: str, span: str, trace_id: str = LONG_TRACE) -> dict[str, str]:
    return {"refType": word, "traceID": trace_id, "spanID": span}


def zipkin(span: str = "c", kind: str | None = None, service: str = "order", **fields: Any) -> dict[str, Any]:
    return {
        "traceId": SHORT_TRACE,
        "id": span * 16,
        "kind": kind,
        "name": "work",
        "timestamp": MICROS,
        "duration": 250,
        "localEndpoint": {"serviceName": service},
        **fields,
    }


def v1(span: str = "2", **fields: Any) -> dict[str, Any]:
    return {"traceId": SHORT_TRACE, "id": span * 16, "name": "call", **fields}


def at(service: str, value: str, offset: int) -> dict[str, Any]:
    return {"value": value, "timestamp": MICROS + offset, "endpoint": {"serviceName": service}}


def said(service: str, key: str, value: Any) -> dict[str, Any]:
    return {"key": key, "value": value, "endpoint": {"serviceName": service}}


def read(*documents: Any) -> Found:
    """The content of a file with one document per line; bytes are written as they are."""
    lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in documents]
    return formats.read(b"\n".join(lines), NOW)


def span_of(*documents: Any) -> Row:
    """The only span of a file that reads without problems."""
    found = read(*documents)
    assert found.problems == []
    (row,) = rows(found.spans, NOTHING_HIDDEN).values()
    return row


def told(*documents: Any) -> Document:
    """The document of a file that reads without problems."""
    found = read(*documents)
    assert found.problems == []
    return document(stitch(conventions.read(found.spans)), spelled=found.spelled)


def edges(answer: Document) -> set[tuple[str, str, str]]:
    """(kind, from, to) of each edge; a span is named by the last part of its ref."""
    return {
        (edge["kind"], edge["from"].rpartition(":")[2], edge["to"].rpartition(":")[2])
        for edge in answer["edges"]
    }
