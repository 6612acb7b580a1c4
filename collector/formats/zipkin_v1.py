"""Converts Zipkin's JSON of version 1 to version 2, in which many annotations have become fields.

A record of version 1 may hold both sides of a call; each side becomes a record of its own.
"""

from collections.abc import Iterator
from typing import Any

from collector.formats.records import Record, nanoseconds, record, records, text

# The annotations that start and end each kind of span; their endpoint names the service.
_SIDES = {"CLIENT": ("cs", "cr"), "SERVER": ("sr", "ss"), "PRODUCER": ("ms", "ms"), "CONSUMER": ("mr", "mr")}
_CORE = {name for names in _SIDES.values() for name in names}
_REMOTE = {"sa", "ca", "ma"}  # "server address" and the like: the endpoint at the other end
_CALLED = {"SERVER", "CONSUMER"}


def as_v2(written: Record) -> list[Record]:
    """*written* itself if it is version 2, otherwise the spans that it holds."""
    annotations = records(written, "annotations")
    if "binaryAnnotations" not in written and not any("endpoint" in one for one in annotations):
        return [written]
    tags = records(written, "binaryAnnotations")
    core = {text(one.get("value")): one for one in annotations if text(one.get("value")) in _CORE}
    kinds = [kind for kind, names in _SIDES.items() if core.keys() & set(names)]
    if not kinds:
        return [_span(written, annotations, tags)]
    return list(_halves(written, kinds, core, (annotations, tags)))


def _halves(
    written: Record, kinds: list[str], core: dict[str, Record], said: tuple[list[Record], list[Record]]
) -> Iterator[Record]:
    owners = {kind: _service_of(next(core[name] for name in _SIDES[kind] if name in core)) for kind in kinds}
    for kind in kinds:
        # Entries that match no side's service belong to the first side.
        mine = [[one for one in part if _owner(one, owners, kinds[0]) == kind] for part in said]
        span = _span(written, *mine)
        span["kind"] = kind
        span["localEndpoint"] = {"serviceName": owners[kind]}
        first, last = (core.get(name, {}).get("timestamp") for name in _SIDES[kind])
        if first is not None and (len(kinds) > 1 or written.get("timestamp") is None):
            span["timestamp"] = first
            span["duration"] = _between(first, last) if last is not None else None
        if kind in _CALLED and len(kinds) > 1:
            span["shared"] = True
        yield span


def _span(written: Record, annotations: list[Record], tags: list[Record]) -> dict[str, Any]:
    """One side of a record, except for its kind."""
    ends = [one.get("endpoint") for one in tags if _is_remote(one)]
    local = [one.get("endpoint") for one in (*tags, *annotations) if not _is_remote(one)]
    kept = ("traceId", "id", "parentId", "name", "timestamp", "duration")
    return {
        **{name: written.get(name) for name in kept},
        "localEndpoint": next(filter(None, local), None),
        "remoteEndpoint": next(filter(None, ends), None),
        "annotations": [one for one in annotations if not _is_core(one)],
        "tags": {text(one.get("key")): one.get("value") for one in tags if not _is_remote(one)},
    }


def _is_remote(one: Record) -> bool:
    return text(one.get("key")) in _REMOTE


def _is_core(one: Record) -> bool:
    return text(one.get("value")) in _CORE


def _owner(one: Record, owners: dict[str, str], otherwise: str) -> str:
    """The kind of the side that reported *one*; the caller reports the server's address, and vice versa."""
    if _is_remote(one):
        aim = {"sa": "CLIENT", "ca": "SERVER"}.get(text(one.get("key")), otherwise)
        return aim if aim in owners else otherwise
    service = _service_of(one)
    return next((kind for kind, owner in owners.items() if owner == service), otherwise)


def _service_of(one: Record) -> str:
    endpoint = record(one.get("endpoint") or {}, "An endpoint")
    return text(endpoint.get("serviceName"))


def _between(first: Any, last: Any) -> int:
    """Microseconds from *first* to *last*, never negative."""
    begin, end = (nanoseconds(one, "timestamp of an annotation") for one in (first, last))
    return max(end - begin, 0) // 1000
