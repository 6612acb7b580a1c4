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
from functools import cache
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.formats.otlp.errors import OtlpError

NO_REQUEST = "The body is no ExportTraceServiceRequest"
NO_JSON_REQUEST = f"{NO_REQUEST} in JSON"
FEW = 1_024  # so small a number of parts costs nothing, whatever they are
SMALLEST_SPAN = 30  # bytes: both ids, their headers, and the header of the span
SMALLEST_ATTRIBUTE, SMALLEST_LINK = 4, 16  # bytes: a short key; half of the ids

_PACKAGE = "choreoscope.framing"
_OPENED = ("resource_spans", "scope_spans", "spans", "links", "status")  # the fields that ptars follows
_SMALLEST_PART = 8  # bytes of JSON: a bracket pair, a comma and a short name
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)  # possessive: without backtracking


def require_framed(body: bytes) -> None:
    """Raise `OtlpError` unless every length in *body* (protobuf) ends within the field that holds it.

    Also raise it if there are more spans in it than bytes for their ids.
    """
    try:
        request = _skeleton().FromString(body)
    except DecodeError as error:
        msg = f"{NO_REQUEST}: a field in it is cut off, or longer than what holds it."
        raise OtlpError(msg) from error
    most = max(FEW, len(body) // SMALLEST_SPAN)
    parts = len(request.resource_spans)
    if parts <= most:
        scopes = [resource.scope_spans for resource in request.resource_spans]
        parts += sum(map(len, scopes))
        if parts <= most:
            parts = max(parts, sum(len(scope.spans) for some in scopes for scope in some))
    if parts > most:
        raise hollow(parts, "spans or lists of spans", len(body))


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
def _skeleton() -> Any:
    """The class of requests of which nothing but the nesting is known."""
    file = FileDescriptorProto(name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto3")
    _add(file, ExportTraceServiceRequest.DESCRIPTOR)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    name = f"{_PACKAGE}.{ExportTraceServiceRequest.DESCRIPTOR.name}"
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def _add(file: FileDescriptorProto, known: Any) -> None:
    message = file.message_type.add(name=known.name)
    for field in known.fields:
        if field.name in _OPENED:
            message.field.add(
                name=field.name,
                number=field.number,
                label=FieldDescriptorProto.LABEL_REPEATED,
                type=FieldDescriptorProto.TYPE_MESSAGE,
                type_name=f".{_PACKAGE}.{field.message_type.name}",
            )
            _add(file, field.message_type)
