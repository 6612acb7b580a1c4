"""Decodes JSON bodies to rows, in compiled code (msgspec, then pyarrow) as long as spans have OTLP's form.

The rare parts cost Python time: nested values, events, attributes of links, resources and scopes are encoded
to protobuf one by one. A request with a span that this fast path cannot read is read again span by span, more
leniently; a span that cannot be read even then is refused alone.
"""

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec
import numpy as np
import pyarrow as pa

from collector.formats.otlp.bounds import NO_JSON_REQUEST
from collector.formats.otlp.errors import OtlpError
from collector.formats.otlp.from_protobuf import span_type
from collector.formats.otlp.json_shapes import (
    Encoded,
    Request,
    ResourcePart,
    ResourceSpans,
    ScopePart,
    ScopeSpans,
    Span,
    encode,
)
from collector.formats.otlp.octets import unhex
from collector.formats.otlp.rows import Refusal, Rows, with_entries, with_fields
from collector.formats.otlp.values import of_fields, with_values
from collector.model.spans import Kind, Status

PartT = TypeVar("PartT", bound=Encoded)

_decoder = msgspec.json.Decoder(Request, strict=False, dec_hook=encode)


def read(bodies: Sequence[bytes]) -> tuple[Rows, dict[int, Refusal]]:
    """All spans of *bodies*, and the refusals by body; raise `OtlpError` if a body is not a request."""
    gathered = _Gathered()
    refused: dict[int, Refusal] = {}
    for number, data in enumerate(bodies):
        try:
            request = _decoder.decode(data)
        except (ValueError, RecursionError):  # msgspec's errors and those of UTF-8 are ValueErrors
            request, wrong = _read_patiently(data)
            if wrong:
                reason = f"{len(wrong)} span(s) refused. The first cannot be read: {wrong[0]}."
                refused[number] = Refusal(len(wrong), reason)
        gathered.add(number, request)
    return gathered.rows(), refused


def rows_of(requests: Sequence[Request]) -> Rows:
    """All spans of *requests* that were already parsed."""
    gathered = _Gathered()
    for number, request in enumerate(requests):
        gathered.add(number, request)
    return gathered.rows()


class _Gathered:
    """The spans of several requests in one list, beside the resources and scopes that they share."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resources: list[bytes] = []
        self.scopes: list[bytes] = []
        self.bounds: list[tuple[int, int, int, int]] = []  # body, resource, scope, spans

    def add(self, body: int, request: Request) -> None:
        for by_resource in request.get("resourceSpans") or ():
            self.resources.append(by_resource.get("resource") or b"")
            for by_scope in by_resource.get("scopeSpans") or ():
                spans = by_scope.get("spans") or ()
                self.bounds.append((body, len(self.resources) - 1, len(self.scopes), len(spans)))
                self.scopes.append(by_scope.get("scope") or b"")
                self.spans.extend(spans)

    def rows(self) -> Rows:
        bounds = np.array(self.bounds, np.int32).reshape(-1, 4)
        body, resource, scope = np.repeat(bounds[:, :3], bounds[:, 3], axis=0).T
        by_json, by_protobuf = _types()
        spelled = pa.array(self.spans, by_json).view(by_protobuf)
        spans = _as_rows(spelled)
        return Rows(
            spans=spans,
            body=body,
            resources=pa.array(self.resources, pa.binary()),
            resource=resource,
            scopes=pa.array(self.scopes, pa.binary()),
            scope=scope,
            spelled=spelled,
        )


def _read_patiently(data: bytes) -> tuple[Request, list[str]]:
    """Read each span on its own; return the request and, for each unreadable span, the reason."""
    wrong: list[str] = []
    by_resource: list[ResourceSpans] = []
    try:
        request = mended(json.loads(data, parse_float=_whole))
        for resource in entries_of(request, "resourceSpans"):
            by_scope: list[ScopeSpans] = []
            for scope in entries_of(resource, "scopeSpans"):
                spans: list[Span] = []
                for span in entries_of(scope, "spans"):
                    try:
                        spans.append(read_span(span))
                    except (ValueError, TypeError) as error:
                        wrong.append(str(error))
                by_scope.append({"scope": read_part(scope.get("scope"), ScopePart), "spans": spans})
            part = read_part(resource.get("resource"), ResourcePart)
            by_resource.append({"resource": part, "scopeSpans": by_scope})
    except (ValueError, TypeError, RecursionError) as error:
        raise OtlpError(f"{NO_JSON_REQUEST}: {error}.") from error
    return {"resourceSpans": by_resource}, wrong


def entries_of(holder: Any, name: str) -> list[Any]:
    """The list *name* of an object; raise TypeError if it is none. Without it, nothing."""
    if not isinstance(holder, dict):
        raise TypeError(f"expected an object with {name}, got {str(holder)[:40]!r}")
    entries = holder.get(name)
    if not isinstance(entries, list | None):
        raise TypeError(f"{name}: expected a list, got {str(entries)[:40]!r}")
    return entries or []


def read_part(written: Any, kind: type[PartT]) -> PartT | None:
    """Encode a part that stays encoded; raise ValueError or TypeError if it has the wrong shape."""
    return None if written is None else msgspec.convert(written, kind, dec_hook=encode)


def read_span(written: Any) -> Span:
    """Convert one span; correct harmless mistakes, such as the names of enums instead of numbers."""
    if not isinstance(written, dict):
        raise TypeError(f"expected an object, got {str(written)[:40]!r}")
    for holder, field, names in ((written, "kind", Kind), (written.get("status"), "code", Status)):
        if isinstance(holder, dict) and isinstance(name := holder.get(field), str):
            holder[field] = next((e.value for e in names if name.endswith(f"_{e.name}")), name)
    times = ("startTimeUnixNano", "endTimeUnixNano")
    late = {field: _time(written.pop(field)) for field in times if written.get(field)}
    span = msgspec.convert(written, Span, strict=False, dec_hook=encode)
    for field, time in late.items():
        span[field] = time  # type: ignore[literal-required]
    return span


def _time(written: Any) -> int:
    try:
        time = int(written)
    except OverflowError:  # Python's JSON parser accepts Infinity
        time = -1
    if not 0 <= time < 2**64:
        raise ValueError(f"time {written}: expected nanoseconds since 1970, below 2^64")
    return time


def _whole(digits: str) -> int | float:
    """Parse a float. From 2^53 on, a whole number becomes an int: a time computed in floating point."""
    number = float(digits)
    return int(number) if number.is_integer() and abs(number) >= 2**53 else number


def mended(value: Any) -> Any:
    """*value* with lone surrogates replaced; JavaScript leaves them behind when it truncates text."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {mended(key): mended(entry) for key, entry in value.items()}
        case list():
            return [mended(entry) for entry in value]
    return value


@cache
def _types() -> tuple[pa.DataType, pa.DataType]:
    """The type of spans with all fields optional: with JSON's field names, and with protobuf's."""
    return _optional(span_type(), _camel_case), _optional(span_type(), str)


def _optional(kind: pa.DataType, rename: Callable[[str], str]) -> pa.DataType:
    if pa.types.is_list(kind):
        return pa.list_(_optional(kind.value_type, rename))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(rename(field.name), _optional(field.type, rename)) for field in kind])
    return kind


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))


def _as_rows(spelled: pa.StructArray) -> pa.StructArray:
    """Decode hex ids to bytes, and split attribute values into type and octets."""
    links = dict.fromkeys(("trace_id", "span_id"), unhex)
    return with_fields(
        spelled,
        {
            **dict.fromkeys(("trace_id", "span_id", "parent_span_id"), unhex),
            "links": lambda lists: with_entries(lists, lambda entries: with_fields(entries, links)),
            "attributes": with_values(of_fields),
        },
    )
