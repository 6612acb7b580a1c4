"""The shapes of an OTLP request in JSON, for msgspec to read. Fields that are not here are ignored."""

from typing import Annotated, ClassVar, TypedDict, TypeVar

from google.protobuf.json_format import Error as ProtobufError
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from msgspec import Meta
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

Int32 = Annotated[int, Meta(ge=-(2**31), lt=2**31)]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
UInt32 = Annotated[int, Meta(ge=0, lt=2**32)]
Time = Annotated[int, Meta(ge=0, le=2**63 - 1)]  # msgspec can check no more; later times take the slow path


MessageT = TypeVar("MessageT", bound=Message)


def _read(part: object, into: MessageT) -> MessageT:
    if not isinstance(part, dict):
        raise TypeError(f"{into.DESCRIPTOR.name}: expected an object, got {str(part)[:40]!r}")
    try:
        return ParseDict(part, into, ignore_unknown_fields=True)
    except ProtobufError as error:
        raise ValueError(str(error)[-200:]) from error


class Encoded(bytes):
    """A part that stays encoded as protobuf, because only the view of one flow needs its contents."""

    message: ClassVar[type[Message]]

    @classmethod
    def of(cls, part: object) -> "Encoded":
        """Encode *part*, given as plain values; raise ValueError or TypeError if it has the wrong shape."""
        return cls(_read(part, cls.message()).SerializeToString())


class ArrayPart(Encoded):
    """A value that is a list of values."""

    message = common_pb2.ArrayValue


class ListPart(Encoded):
    """A value that maps names to values."""

    message = common_pb2.KeyValueList


class BytesPart(Encoded):
    """The value of `bytesValue`: base64 in any dialect that protobuf accepts. Decoded, not encoded."""

    message = common_pb2.AnyValue

    @classmethod
    def of(cls, part: object) -> "BytesPart":
        """Decode the text *part*."""
        return cls(_read({"bytesValue": part}, common_pb2.AnyValue()).bytes_value)


class EventPart(Encoded):
    """An event of a span."""

    message = trace_pb2.Span.Event


class AttributePart(Encoded):
    """An attribute of a link."""

    message = common_pb2.KeyValue


class ResourcePart(Encoded):
    """The resource that sent the spans."""

    message = resource_pb2.Resource


class ScopePart(Encoded):
    """The instrumentation that created the spans."""

    message = common_pb2.InstrumentationScope


class Value(TypedDict, total=False):
    """OTLP's `AnyValue`."""

    stringValue: str | None
    boolValue: bool | None
    intValue: Int64 | None
    doubleValue: float | None
    arrayValue: ArrayPart | None
    kvlistValue: ListPart | None
    bytesValue: BytesPart | None


class Attribute(TypedDict, total=False):
    """OTLP's `KeyValue`."""

    key: str | None
    value: Value | None


class Link(TypedDict, total=False):
    """OTLP's `Span.Link`."""

    traceId: str | None
    spanId: str | None
    attributes: list[AttributePart] | None


class State(TypedDict, total=False):
    """OTLP's `Status`."""

    message: str | None
    code: Int32 | None


class Span(TypedDict, total=False):
    """OTLP's `Span`."""

    traceId: str | None
    spanId: str | None
    parentSpanId: str | None
    traceState: str | None
    name: str | None
    kind: Int32 | None
    startTimeUnixNano: Time | None
    endTimeUnixNano: Time | None
    attributes: list[Attribute] | None
    droppedAttributesCount: UInt32 | None
    events: list[EventPart] | None
    droppedEventsCount: UInt32 | None
    links: list[Link] | None
    droppedLinksCount: UInt32 | None
    status: State | None
    flags: UInt32 | None


class ScopeSpans(TypedDict, total=False):
    """OTLP's `ScopeSpans`."""

    scope: ScopePart | None
    spans: list[Span] | None


class ResourceSpans(TypedDict, total=False):
    """OTLP's `ResourceSpans`."""

    resource: ResourcePart | None
    scopeSpans: list[ScopeSpans] | None


class Request(TypedDict, total=False):
    """OTLP's `ExportTraceServiceRequest`."""

    resourceSpans: list[ResourceSpans] | None


def encode(kind: type, part: object) -> object:
    """Convert a part that JSON has no type for: msgspec's `dec_hook`."""
    if issubclass(kind, Encoded):
        return kind.of(part)
    raise NotImplementedError(kind)
