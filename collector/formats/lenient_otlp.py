"""Reads OTLP JSON that deviates from the standard: other field names, other id spellings, Tempo's batches.

It reads span by span, into the same shapes as the collector's own decoder.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, TypeVar

from collector.formats.found import Reading
from collector.formats.otlp.from_json import read_part, read_span
from collector.formats.otlp.json_shapes import Encoded, ResourcePart, ScopePart
from collector.formats.records import Record, record
from collector.formats.spelled_ids import ref_of
from collector.formats.trouble import UnusableError
from collector.model.spans import Kind, Status

PartT = TypeVar("PartT", bound=Encoded)

WRAPPINGS = ("trace", "result")  # of Tempo's API v2, of Jaeger's API v3
_BY_SCOPE = ("scopeSpans", "instrumentationLibrarySpans")
_BY_RESOURCE = ("resourceSpans", "batches")
_SCOPE = ("scope", "instrumentationLibrary")


def read(document: Any, reading: Reading) -> None:
    """Add the spans of *document*: a request, one of its resources, or a list of these."""
    reading.each(_resources(_camel(document)), lambda resource: _read_resource(resource, reading))


def _resources(document: Any) -> Iterator[Any]:
    if isinstance(document, list):
        for entry in document:
            yield from _resources(entry)
    elif document is not None:
        document = record(document, "A request")
        document = next(
            (document[name] for name in WRAPPINGS if isinstance(document.get(name), dict)), document
        )
        if any(name in document for name in _BY_SCOPE):
            yield document
        yield from _entries(document, _BY_RESOURCE)


def _read_resource(written: Any, reading: Reading) -> None:
    written = record(written, "An entry of resourceSpans")
    origin = _part(written, ("resource",), ResourcePart)

    def read_scope(by_scope: Any) -> None:
        by_scope = record(by_scope, "An entry of scopeSpans")
        scope = _part(by_scope, _SCOPE, ScopePart)
        reading.each(_entries(by_scope, ("spans",)), lambda span: _read_span(span, origin, scope, reading))

    reading.each(_entries(written, _BY_SCOPE), read_scope)


def _read_span(written: Any, origin: ResourcePart, scope: ScopePart, reading: Reading) -> None:
    written = dict(record(written, "A span"))
    ref = ref_of(written.get("traceId"), written.get("spanId"))
    try:
        _mend(written, reading)
        reading.add(origin, scope, read_span(written))
    except UnusableError as error:
        error.ref = ref
        raise
    except (ValueError, TypeError) as error:
        msg = f"A span cannot be read: {error}."
        raise UnusableError(msg, ref=ref) from error


def _mend(written: dict[str, Any], reading: Reading) -> None:
    """Rewrite ids, kinds and status codes to OTLP's form."""
    ids = reading.ids
    written["traceId"], written["spanId"] = ids.trace(written.get("traceId")), ids.span(written.get("spanId"))
    written["parentSpanId"] = ids.parent(written.get("parentSpanId"))
    written["kind"] = _number(written.get("kind"), Kind, "SPAN_KIND_")
    if isinstance(state := written.get("status"), dict):
        written["status"] = {**state, "code": _number(state.get("code"), Status, "STATUS_CODE_")}
    if isinstance(links := written.get("links"), list):
        written["links"] = [_link(link, reading) for link in links if link is not None]


def _link(link: Any, reading: Reading) -> Any:
    """A link with its ids in OTLP's form. One without valid ids gets empty ones, and so counts as dropped."""
    if not isinstance(link, dict):
        return link
    try:
        trace, span = reading.ids.trace(link.get("traceId")), reading.ids.span(link.get("spanId"))
    except UnusableError:
        trace = span = ""
    return {**link, "traceId": trace, "spanId": span}


def _number(written: Any, names: type[Kind | Status], prefix: str) -> Any:
    """The number of an enum name, in any case and with or without *prefix*; any other value as it is."""
    if isinstance(written, str):
        found = names.__members__.get(written.upper().removeprefix(prefix))
        return written if found is None else found.value
    return written


def _entries(holder: Record, names: tuple[str, ...]) -> Iterator[Any]:
    for name in names:
        entries = holder.get(name)
        if not isinstance(entries, list | None):
            msg = f"{name} is {str(entries)[:40]!r}: expected a list."
            raise UnusableError(msg)
        yield from (entry for entry in entries or () if entry is not None)


def _part(holder: Record, names: tuple[str, ...], kind: type[PartT]) -> PartT:
    written = next((holder[name] for name in names if holder.get(name) is not None), None)
    try:
        return read_part(written, kind) or kind()
    except (ValueError, TypeError) as error:
        msg = f"A {names[0]} cannot be read: {error}."
        raise UnusableError(msg) from error


def _camel(value: Any) -> Any:
    """*value* with all field names in camelCase, as in OTLP's JSON, where no field name is a sender's own."""
    match value:
        case dict():
            return {_camel_case(name): _camel(entry) for name, entry in value.items()}
        case list():
            return [_camel(entry) for entry in value]
    return value


@lru_cache(maxsize=1024)
def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in others)
