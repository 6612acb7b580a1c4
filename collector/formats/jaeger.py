"""Reads Jaeger's JSON as its API and UI export it: traces with their spans, and the processes these ran in.

A span may also embed its process, as in the documents that Jaeger writes to Elasticsearch. These may have
tags as fields of an object, in whose names another character stands for dots.
"""

import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from collector.formats.found import Reading
from collector.formats.otlp.json_shapes import EventPart, Link, ResourcePart, Span
from collector.formats.records import (
    SCOPE_TAGS,
    Record,
    attribute,
    event,
    kind_of,
    link_attributes,
    nanoseconds,
    record,
    records,
    repeats_status,
    resource,
    scope,
    status_of,
    text,
    times,
)
from collector.formats.spelled_ids import ref_of
from collector.formats.trouble import UnusableError

_DOT = "@"  # as long as nobody chose another character
_CHOSEN = re.compile(r"span([^A-Za-z0-9])kind")
_READ = SCOPE_TAGS | {"span.kind", "w3c.tracestate"}


def read(document: Any, reading: Reading) -> None:
    """Add the spans of *document*: an API response, a trace, a span, or a list of these."""
    reading.each(_traces(document), lambda trace: _read_trace(trace, reading))


def _traces(document: Any) -> Iterator[Any]:
    if isinstance(document, dict) and "data" in document:
        document = document["data"]
    if isinstance(document, list):
        yield from (entry for entry in document if entry is not None)
    elif document is not None:
        yield document


def _read_trace(trace: Any, reading: Reading) -> None:
    trace = record(trace, "A trace")
    if "spans" not in trace:
        return _read_span(trace, _Processes({}), reading)
    spans, processes = trace["spans"], trace.get("processes")
    if not isinstance(spans, list | None):
        msg = f"A trace has {str(spans)[:40]!r} as its spans: expected a list."
        raise UnusableError(msg)
    known = _Processes(processes if isinstance(processes, dict) else {})
    return reading.each(spans or (), lambda span: _read_span(span, known, reading))


@dataclass
class _Processes:
    """The processes of a trace. Each is parsed once, however many spans ran in it."""

    written: Record
    known: dict[str, ResourcePart] = field(default_factory=dict)

    def of(self, span: Record) -> ResourcePart:
        """The resource that sent *span*: the process that it embeds, or the one that it names."""
        if own := span.get("process"):
            return _origin(own)
        name = text(span.get("processID"))
        if name not in self.known:
            self.known[name] = _origin(self.written.get(name) or {})
        return self.known[name]


def _origin(process: Any) -> ResourcePart:
    process = record(process, "A process")
    return resource(text(process.get("serviceName")), dict(_tags(process, "tags")).items())


def _read_span(written: Any, processes: _Processes, reading: Reading) -> None:
    written = record(written, "A span")
    try:
        origin = processes.of(written)
        tags = list(_tags(written, "tags"))
        span = _span(written, tags, reading)
    except UnusableError as error:
        error.ref = ref_of(written.get("traceID"), written.get("spanID"))
        raise
    reading.add(origin, scope(dict(tags)), span)


def _span(written: Record, tags: list[tuple[str, Any]], reading: Reading) -> Span:
    ids, said = reading.ids, dict(tags)
    start, end = times(written.get("startTime"), written.get("duration"), ("startTime", "duration"))
    trace, own = ids.trace(written.get("traceID")), ids.span(written.get("spanID"))
    parent, links = _references(written, trace, reading, follows=not _of_opentelemetry(said))
    flags = written.get("flags")
    return {
        "traceId": trace,
        "spanId": own,
        "parentSpanId": parent,
        "traceState": text(said.get("w3c.tracestate")),
        "name": text(written.get("operationName")),
        "kind": kind_of(said.get("span.kind")),
        "startTimeUnixNano": start,
        "endTimeUnixNano": end,
        "attributes": [
            attribute(key, value)
            for key, value in tags
            if key not in _READ and not repeats_status(key, value)
        ],
        "events": [_event(log) for log in records(written, "logs")],
        "links": links,
        "status": status_of(said),
        "flags": flags & 1 if isinstance(flags, int) else 0,  # the sampled bit; the others are Jaeger's own
    }


def _of_opentelemetry(said: Record) -> bool:
    """Whether OpenTelemetry's exporters or Collector wrote a span: they add tags of their own."""
    return said.get("internal.span.format") == "otlp" or any(key.startswith("otel.") for key in said)


def _references(written: Record, trace: str, reading: Reading, *, follows: bool) -> tuple[str, list[Link]]:
    """The parent's id, empty if there is none, and the links.

    Jaeger uses references for both. A FOLLOWS_FROM that serves as the parent also stays a link: it may be one
    of several messages that a batch consumed. Unless it *follows* by it, as OpenTracing's spans do, a span
    that only has links is a root.
    """
    ids, links = reading.ids, list[Link]()
    children, followed = list[str](), list[str]()
    for reference in records(written, "references"):
        word = text(reference.get("refType")).upper()
        target = ids.trace(reference.get("traceID") or written.get("traceID"))
        own = ids.span(reference.get("spanID"))
        is_parent = word == "CHILD_OF" and target == trace and not children
        if target == trace:
            (children if word == "CHILD_OF" else followed).append(own)
        if not is_parent:
            said = link_attributes([("opentracing.ref_type", word.lower())])
            links.append({"traceId": target, "spanId": own, "attributes": said})
    old = ids.parent(written.get("parentSpanID"))
    return next(iter([*children, *([old] if old else []), *(followed if follows else [])]), ""), links


def _event(log: Record) -> EventPart:
    fields = list(_tags(log, "fields"))
    name = text(next((value for key, value in fields if key == "event"), None))
    said = [(key, value) for key, value in fields if key != "event"]
    return event(name, nanoseconds(log.get("timestamp"), "timestamp of a log"), said)


def _tags(holder: Record, name: str) -> Iterator[tuple[str, Any]]:
    """(name, value) of each tag; the value has the type that the tag declares."""
    for tag in records(holder, name):
        key, kind, value = tag.get("key"), tag.get("type"), tag.get("value")
        plain = kind == "string" and isinstance(value, str)  # the usual case
        yield text(key), value if plain else _typed(text(kind).lower(), value)
    if name == "tags" and (fields := holder.get("tag")) is not None:
        yield from _fields(record(fields, "The tag of a span"))


def _fields(tag: Record) -> Iterator[tuple[str, Any]]:
    """(name, value) of each tag that is a field. Where dots were kept, they may have made objects."""
    dot = next((found[1] for key in tag if (found := _CHOSEN.fullmatch(key))), _DOT)
    for key, value in tag.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{inner}", said) for inner, said in _fields(value))
        else:
            yield key.replace(dot, "."), value


def _typed(kind: str, value: Any) -> Any:
    """The value of a tag: JSON holds large numbers as text, and bytes as base64."""
    if isinstance(value, str):
        try:
            match kind:
                case "bool":
                    return value.lower() == "true"
                case "int64":
                    return int(value) if len(value) < 30 else value
                case "float64":
                    return float(value)
                case "binary":
                    return b64decode(value, validate=True)
        except ValueError:
            return value
    if kind == "float64" and isinstance(value, int) and not isinstance(value, bool):
        return float(value) if abs(value) < 2**1000 else text(value)
    return value
