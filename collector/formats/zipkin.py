"""Reads Zipkin's JSON: a list of spans, or a list of such lists. Version 1 is converted to version 2 first.

In Zipkin, the two sides of a call may share one span id. Here each side becomes a span of its own: the
server's gets an id derived from trace, span and service, and the client's as its parent; whatever the server
did is moved below it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec

from collector.formats import zipkin_v1
from collector.formats.found import Reading
from collector.formats.otlp.json_shapes import Link, ResourcePart, ScopePart, Span
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

_LINK = "otlp.link."  # the OpenTelemetry Collector stores links in tags with this prefix
_READ = SCOPE_TAGS | {"w3c.tracestate", "service.name"}


@dataclass(frozen=True, slots=True)
class Half:
    """A span as one service reported it."""

    service: str
    answers: bool  # this is the side that was called
    origin: ResourcePart
    scope: ScopePart
    span: Span

    @property
    def key(self) -> tuple[str, str]:
        """The (trace id, span id) that it may share with its other half."""
        return self.span["traceId"] or "", self.span["spanId"] or ""


@dataclass
class _Shared:
    """Which sides of each span id there are, and which services were called."""

    called: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    calling: set[tuple[str, str]] = field(default_factory=set)

    def add(self, half: Half) -> None:
        if half.answers:
            self.called.setdefault(half.key, set()).add(half.service)
        else:
            self.calling.add(half.key)

    def id_of(self, trace: str, span: str, service: str) -> str | None:
        """The new id for the half of *service*, if it shares this span with its caller; otherwise None."""
        key = (trace, span)
        if key not in self.calling or service not in self.called.get(key, ()):
            return None
        return sha256(f"{trace}:{span}:{service}:server".encode()).hexdigest()[:16]


def halves(documents: Iterable[Any], reading: Reading) -> list[Half]:
    """The spans of *documents*, each as one service reported it; *reading* collects unusable ones."""
    found: list[Half] = []
    reading.each(_flat(documents), lambda written: found.extend(_halves(written, reading)))
    return found


def tell_apart(found: Iterable[Half]) -> None:
    """Give halves that share an id ids of their own. All halves that may meet must be passed together."""
    found = list(found)
    shared = _Shared()
    for half in found:
        shared.add(half)
    for half in found:
        _tell_apart(half, shared)


def _flat(documents: Iterable[Any]) -> Iterator[Any]:
    """The spans of *documents*: each is a span, a list of spans or a list of such lists."""
    for document in documents:
        for entry in document if isinstance(document, list) else [document]:
            for one in entry if isinstance(entry, list) else [entry]:
                if one is not None:
                    yield one


def _tell_apart(half: Half, shared: _Shared) -> None:
    span, (trace, own) = half.span, half.key
    derived = shared.id_of(trace, own, half.service) if half.answers else None
    if derived:
        span["spanId"], span["parentSpanId"] = derived, own
    elif parent := span["parentSpanId"]:
        span["parentSpanId"] = shared.id_of(trace, parent, half.service) or parent


def _halves(written: Any, reading: Reading) -> Iterator[Half]:
    written = record(written, "A span")
    try:
        # Convert all halves before keeping any: a record is used as a whole or not at all.
        yield from [_half(one, reading) for one in zipkin_v1.as_v2(written)]
    except UnusableError as error:
        error.ref = ref_of(written.get("traceId"), written.get("id"))
        raise


def _half(written: Record, reading: Reading) -> Half:
    tags = record(written.get("tags") or {}, "The tags of a span")
    local = record(written.get("localEndpoint") or {}, "An endpoint")
    service = text(local.get("serviceName")) or text(tags.get("service.name"))
    kind = text(written.get("kind")).upper()
    answers = written.get("shared") is True or kind in {"SERVER", "CONSUMER"}
    origin = resource(service, _address("host", local))
    return Half(service, answers, origin, scope(tags), _span(written, tags, reading))


def _span(written: Record, tags: Record, reading: Reading) -> Span:
    start, end = times(written.get("timestamp"), written.get("duration"), ("timestamp", "duration"))
    links, linking = _links(tags, reading)
    remote = record(written.get("remoteEndpoint") or {}, "An endpoint")
    said = [(key, value) for key, value in tags.items() if key not in _READ | linking]
    return {
        "traceId": reading.ids.trace(written.get("traceId")),
        "spanId": reading.ids.span(written.get("id")),
        "parentSpanId": reading.ids.parent(written.get("parentId")),
        "traceState": text(tags.get("w3c.tracestate")),
        "name": text(written.get("name")),
        "kind": kind_of(written.get("kind")),
        "startTimeUnixNano": start,
        "endTimeUnixNano": end,
        "attributes": [
            attribute(key, value)
            for key, value in [*said, *_address("peer", remote)]
            if not repeats_status(key, value)
        ],
        "events": [
            event(text(one.get("value")), nanoseconds(one.get("timestamp"), "timestamp of an annotation"))
            for one in records(written, "annotations")
        ],
        "links": links,
        "status": status_of(tags),
    }


def _address(side: str, endpoint: Record) -> list[tuple[str, Any]]:
    """The address of an endpoint, under the attribute names of OpenTelemetry's Zipkin exporters."""
    parts = {
        "peer.service": text(endpoint.get("serviceName")) if side == "peer" else "",
        f"net.{side}.ip": text(endpoint.get("ipv4") or endpoint.get("ipv6")),
        f"net.{side}.port": endpoint.get("port"),
    }
    return [(name, value) for name, value in parts.items() if value]


def _links(tags: Record, reading: Reading) -> tuple[list[Link], set[str]]:
    """The links stored in tags, and the names of these tags; a link that cannot be read stays a tag."""
    links: list[Link] = []
    names = set()
    for name, value in tags.items():
        if name.startswith(_LINK):
            try:
                links.append(_link(text(value), reading))
            except ValueError:  # includes UnusableError
                continue
            names.add(name)
    return links, names


def _link(value: str, reading: Reading) -> Link:
    """`<trace id>|<span id>|<trace state>|<attributes as JSON>|<dropped attributes>`."""
    trace, span, _, rest = f"{value}|||".split("|", 3)
    encoded = rest.rstrip("|").rpartition("|")[0]
    said = msgspec.json.decode(encoded) if encoded else {}
    return {
        "traceId": reading.ids.trace(trace),
        "spanId": reading.ids.span(span),
        "attributes": link_attributes(said.items() if isinstance(said, dict) else ()),
    }
