"""Can the decoder take this body without harm? Asked of every body before anything of it is decoded.

`ptars` adds lengths without looking for an overflow, so a length near 2^64 makes it panic, and a panic
writes several lines to our log before anybody can catch it: a sender could fill the disk with them. So
protobuf's own compiled parser reads each body first, with a descriptor that knows only the nesting that ptars
follows. All else is unknown to it, and of unknown fields it checks just that they end where they should.

And an empty span takes two or three bytes of a body and a hundred of our memory: 16 MiB of them took 4 s and
0.9 GB, as JSON 9 s and 1.1 GB, only to be refused one by one. A body with more parts than it has bytes for
their contents is refused as a whole.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.formats.otlp.errors import OtlpError

NO_REQUEST = "The body is no ExportTraceServiceRequest"
NO_JSON_REQUEST = f"{NO_REQUEST} in JSON"
NO_LOGS = "The body is no ExportLogsServiceRequest"
NO_JSON_LOGS = f"{NO_LOGS} in JSON"
FEW = 1_024  # so small a number of parts costs nothing, whatever they are
SMALLEST_SPAN = 30  # bytes: both ids, their headers, and the header of the span
SMALLEST_RECORD = 16  # bytes: a time, and a short text or name
SMALLEST_ATTRIBUTE, SMALLEST_LINK = 4, 16  # bytes: a short key; half of the ids

_PACKAGE = "choreoscope.framing"
_SMALLEST_PART = 8  # bytes of JSON: a bracket pair, a comma and a short name
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)  # possessive: without backtracking


@dataclass(frozen=True)
class Nesting:
    """How the requests of a signal are nested, and how small the innermost part may be."""

    request: Any  # the class of the request
    parts: tuple[str, str, str]  # the fields that lead to the innermost parts
    others: tuple[str, ...]  # further fields that are looked into
    smallest: int  # bytes
    what: str  # the innermost parts are
    wrong: str  # said of a body that is none


# The fields that ptars follows.
TRACES = Nesting(
    ExportTraceServiceRequest,
    ("resource_spans", "scope_spans", "spans"),
    ("links", "status"),
    SMALLEST_SPAN,
    "spans",
    NO_REQUEST,
)
LOGS = Nesting(
    ExportLogsServiceRequest,
    ("resource_logs", "scope_logs", "log_records"),
    (),
    SMALLEST_RECORD,
    "log records",
    NO_LOGS,
)


def require_framed(body: bytes, nesting: Nesting = TRACES) -> None:
    """Raise `OtlpError` unless every length in *body* (protobuf) ends within the field that holds it.

    Also raise it if there are more spans in it than bytes for their ids.
    """
    try:
        request = _skeleton(nesting).FromString(body)
    except DecodeError as error:
        msg = f"{nesting.wrong}: a field in it is cut off, or longer than what holds it."
        raise OtlpError(msg) from error
    most = max(FEW, len(body) // nesting.smallest)
    outer, inner, innermost = nesting.parts
    resources = getattr(request, outer)
    parts = len(resources)
    if parts <= most:
        scopes = [getattr(resource, inner) for resource in resources]
        parts += sum(map(len, scopes))
        if parts <= most:
            parts = max(parts, sum(len(getattr(scope, innermost)) for some in scopes for scope in some))
    if parts > most:
        raise hollow(parts, f"{nesting.what} or lists of {nesting.what}", len(body), nesting.wrong)


def require_filled(body: bytes, wrong: str = NO_JSON_REQUEST) -> None:
    """Raise `OtlpError` if *body* (JSON) has more objects and lists than bytes for their contents."""
    most = max(FEW, len(body) // _SMALLEST_PART)
    if body.count(b"{") + body.count(b"[") <= most:
        return
    bare = _TEXT.sub(b"", body)  # brackets in text are no parts
    parts = bare.count(b"{") + bare.count(b"[")
    if parts > most:
        raise hollow(parts, "objects and lists", len(body), wrong)


def hollow(count: int, parts: str, size: int, wrong: str = NO_REQUEST) -> OtlpError:
    """The error about so many parts in a body of *size* bytes."""
    return OtlpError(f"{wrong}: it has {count:,} {parts} in {size:,} bytes, so most of them are empty.")


@cache
def _skeleton(nesting: Nesting) -> Any:
    """The class of requests of which nothing but the nesting is known."""
    file = FileDescriptorProto(name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto3")
    known = nesting.request.DESCRIPTOR
    _add(file, known, (*nesting.parts, *nesting.others))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{known.name}"))


def _add(file: FileDescriptorProto, known: Any, opened: Sequence[str]) -> None:
    message = file.message_type.add(name=known.name)
    for field in known.fields:
        if field.name in opened:
            message.field.add(
                name=field.name,
                number=field.number,
                label=FieldDescriptorProto.LABEL_REPEATED,
                type=FieldDescriptorProto.TYPE_MESSAGE,
                type_name=f".{_PACKAGE}.{field.message_type.name}",
            )
            _add(file, field.message_type, opened)
