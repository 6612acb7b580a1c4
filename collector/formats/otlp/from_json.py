"""JSON bodies -> rows. Compiled code all the way (msgspec, then pyarrow) while spans are as OTLP writes them.

What is rare costs Python: values inside values, events, the attributes of links, resources and scopes
become protobuf one by one. A request with a span that the quick way can not read is read again span by
span, with more patience; what even that can not read is refused alone.
"""

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec
import numpy as np
import pyarrow as pa

from collector.formats.otlp.errors import OtlpError
from collector.formats.otlp.from_protobuf import span_type
from collector.formats.otlp.id_columns import unhex
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
from collector.formats.otlp.rows import Refusal, Rows, with_entries, with_fields
from collector.formats.otlp.values import of_fields, with_values
from collector.model.spans import Kind, Status

PartT = TypeVar("PartT", bound=Encoded)

_decoder = msgspec.json.Decoder(Request, strict=False, dec_hook=encode)


def read(bodies: Sequence[bytes]) -> tuple[Rows, dict[int, Refusal]]:
    """Every span of *bodies*, and what was refused of which; raise `OtlpError` if one is no request."""
    gathered = _Gathered()
    refused: dict[int, Refusal] = {}
    for number, data in enumerate(bodies):
        try:
            request = _decoder.decode(data)
        except (ValueError, RecursionError):  # as msgspec's errors are, and those of UTF-8
            request, wrong = _read_patiently(data)
            if wrong:
                reason = f"{len(wrong)} span(s) refused. The first can not be read: {wrong[0]}."
                refused[number] = Refusal(len(wrong), reason)
        gathered.add(number, request)
    return gathered.rows(), refused


def rows_of(requests: Sequence[Request]) -> Rows:
    """Every span of *requests* that somebody has read already."""
    gathered = _Gathered()
    for number, request in enumerate(requests):
        gathered.add(number, request)
    return gathered.rows()


class _Gathered:
    """The spans of several requests in one list, with what they share beside it."""

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
    """Read each span for itself; return why some could not be read beside the others."""
    wrong: list[str] = []
    by_resource: list[ResourceSpans] = []
    try:
        request = mended(json.loads(data, parse_float=_whole))
        for resource in _entries(request, "resourceSpans"):
            by_scope: list[ScopeSpans] = []
            for scope in _entries(resource, "scopeSpans"):
                spans: list[Span] = []
                for span in _entries(scope, "spans"):
                    try:
                        spans.append(read_span(span))
                    except (ValueError, TypeError) as error:
                        wrong.append(str(error))
                by_scope.append({"scope": read_part(scope.get("scope"), ScopePart), "spans": spans})
            part = read_part(resource.get("resource"), ResourcePart)
            by_resource.append({"resource": part, "scopeSpans": by_scope})
    except (ValueError, TypeError, RecursionError) as error:
        raise OtlpError(f"The body is no ExportTraceServiceRequest in JSON: {error}.") from error
    return {"resourceSpans": by_resource}, wrong


def _entries(holder: Any, name: str) -> list[Any]:
    if not isinstance(holder, dict):
        raise TypeError(f"expected an object with {name}, got {str(holder)[:40]!r}")
    entries = holder.get(name)
    if not isinstance(entries, list | None):
        raise TypeError(f"{name}: expected a list, got {str(entries)[:40]!r}")
    return entries or []


def read_part(written: Any, kind: type[PartT]) -> PartT | None:
    """A part that goes on encoded; raise ValueError or TypeError if its shape is another."""
    return None if written is None else msgspec.convert(written, kind, dec_hook=encode)


def read_span(written: Any) -> Span:
    """One span, with what senders get wrong without harm put right: some write the names of enums."""
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
    except OverflowError:  # Python's JSON knows infinity
        time = -1
    if not 0 <= time < 2**64:
        raise ValueError(f"time {written}: expected nanoseconds since 1970, below 2^64")
    return time


def _whole(digits: str) -> int | float:
    """Read a number: a time that was computed in floating point is a whole number still."""
    number = float(digits)
    return int(number) if number.is_integer() and abs(number) >= 2**53 else number


def mended(value: Any) -> Any:
    """*value* without the halves of surrogate pairs that JavaScript writes where it cut a text."""
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
    """The type of spans with each field optional, by the names of JSON and by those of protobuf."""
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
    """Bytes for hex digits, and for each attribute's value its type and octets."""
    links = dict.fromkeys(("trace_id", "span_id"), unhex)
    return with_fields(
        spelled,
        {
            **dict.fromkeys(("trace_id", "span_id", "parent_span_id"), unhex),
            "links": lambda lists: with_entries(lists, lambda entries: with_fields(entries, links)),
            "attributes": with_values(of_fields),
        },
    )
