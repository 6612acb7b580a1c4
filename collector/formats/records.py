"""Converts JSON values to what a span table can hold; raises `UnusableError` for those that make no sense."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.formats.otlp.json_shapes import (
    Attribute,
    AttributePart,
    BytesPart,
    EventPart,
    ResourcePart,
    ScopePart,
    State,
    Value,
)
from collector.formats.trouble import UnusableError
from collector.model.spans import Kind, Status

Record = Mapping[str, Any]
Plain = str | bool | int | float | bytes | None

# The tags in which OpenTelemetry exporters store what other formats have no field for.
_SCOPE = (("otel.scope.name", "otel.library.name"), ("otel.scope.version", "otel.library.version"))
SCOPE_TAGS = frozenset(name for names in _SCOPE for name in names)
_CODE, _DESCRIPTION, _ERROR = "otel.status_code", "otel.status_description", "error"


def record(value: Any, what: str) -> Record:
    """*value*; raise `UnusableError` if it is not an object."""
    if isinstance(value, dict):
        return value
    msg = f"{what} is {str(value)[:40]!r}: expected an object."
    raise UnusableError(msg)


def records(holder: Record, name: str) -> list[Record]:
    """The objects in the list *name*; none if there is no list. Nulls in the list are skipped."""
    entries = holder.get(name)
    if not isinstance(entries, list | None):
        msg = f"A span has {str(entries)[:40]!r} as its {name}: expected a list."
        raise UnusableError(msg)
    if not entries:
        return []
    if all(type(entry) is dict for entry in entries):  # the usual case, without a call per entry
        return entries
    return [record(entry, f"An entry of {name}") for entry in entries if entry is not None]


def text(value: Any) -> str:
    """*value* as text: null is empty, numbers are written out, lists and objects become JSON."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
    return msgspec.json.encode(value).decode()


def kind_of(word: Any) -> int:
    """The number of a span kind, by its name in any case; unknown names are unspecified."""
    return Kind.__members__.get(text(word).upper(), Kind.UNSPECIFIED).value


def nanoseconds(micros: Any, name: str) -> int:
    """Convert microseconds (a number, or its digits as text) to nanoseconds; null is 0."""
    nano = _thousandfold(0 if micros is None else micros)
    if nano is not None and 0 <= nano < 2**64:
        return nano
    msg = f"A span has {str(micros)[:40]!r} as its {name}: expected microseconds, below 2^64 nanoseconds."
    raise UnusableError(msg)


def _thousandfold(micros: Any) -> int | None:
    match micros:
        case bool():
            return None
        case int():
            return micros * 1000
        case float() if abs(micros) < 2**64:  # neither infinite nor NaN
            return round(micros * 1000)
        case str() if micros.isascii() and micros.isdigit() and len(micros) < 30:
            return int(micros) * 1000
    return None


def times(start: Any, duration: Any, names: tuple[str, str]) -> tuple[int, int]:
    """(start, end) in nanoseconds; *names* are the names of the two fields, for errors."""
    begin, took = nanoseconds(start, names[0]), nanoseconds(duration, names[1])
    if begin + took < 2**64:
        return begin, begin + took
    msg = f"A span has {str(duration)[:40]!r} as its {names[1]}: expected it to end below 2^64 nanoseconds."
    raise UnusableError(msg)


def plain(value: Any) -> Plain:
    """*value* if an attribute can hold it, otherwise its text."""
    match value:
        case None | str() | bool() | float() | bytes():
            return value
        case int() if -(2**63) <= value < 2**63:
            return value
    return text(value)


def attribute(key: str, value: Any) -> Attribute:
    """An attribute of a span."""
    return {"key": key, "value": _value(plain(value))}


def _value(value: Plain) -> Value:
    match value:
        case str():
            return {"stringValue": value}
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": value}
        case float():
            return {"doubleValue": value}
        case bytes():
            return {"bytesValue": BytesPart(value)}
    return {}


def pairs(said: Iterable[tuple[str, Any]]) -> list[KeyValue]:
    """The attributes of anything but a span."""
    return [KeyValue(key=key, value=_any(plain(value))) for key, value in said]


def _any(value: Plain) -> AnyValue:
    match value:
        case str():
            return AnyValue(string_value=value)
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
    return AnyValue()


def resource(service: str, said: Iterable[tuple[str, Any]] = ()) -> ResourcePart:
    """The resource that sent a span; an empty *service* adds no service.name."""
    named = [("service.name", service)] if service else []
    return _resource(*(part for key, value in (*named, *said) for part in (key, plain(value))))


@lru_cache(maxsize=1024, typed=True)  # thousands of spans share a few; typed, as 1, 1.0 and True differ
def _resource(*parts: Plain) -> ResourcePart:
    """The resource of alternating keys and values."""
    said = zip(map(text, parts[::2]), parts[1::2], strict=True)
    return ResourcePart(Resource(attributes=pairs(said)).SerializeToString())


def scope(tags: Mapping[str, Any]) -> ScopePart:
    """The instrumentation that created a span, according to its tags."""
    name, version = (next((text(tags[tag]) for tag in tried if tags.get(tag)), "") for tried in _SCOPE)
    return _scope(name, version)


@lru_cache(maxsize=1024)
def _scope(name: str, version: str) -> ScopePart:
    return ScopePart(InstrumentationScope(name=name, version=version).SerializeToString())


def event(name: str, time_unix_nano: int, said: Iterable[tuple[str, Any]] = ()) -> EventPart:
    """An event of a span."""
    written = Span.Event(name=name, time_unix_nano=time_unix_nano, attributes=pairs(said))
    return EventPart(written.SerializeToString())


def link_attributes(said: Iterable[tuple[str, Any]]) -> list[AttributePart]:
    """The attributes of a link."""
    return [AttributePart(pair.SerializeToString()) for pair in pairs(said)]


def status_of(tags: Mapping[str, Any]) -> State:
    """How a span ended, by the tags of OpenTracing, Zipkin or OpenTelemetry's exporters.

    A description takes precedence over the text of `error`, which may be just "true".
    """
    said = text(tags.get(_ERROR)) if _ERROR in tags else None
    failed = said is not None and said.lower() != "false"
    code = Status.__members__.get(text(tags.get(_CODE)).upper().removeprefix("STATUS_CODE_"))
    if code is None:
        code = Status.ERROR if failed else Status.UNSET
    message = text(tags.get(_DESCRIPTION))
    if code is Status.ERROR and not message and said and said.lower() not in {"true", "false"}:
        message = said
    return {"code": code.value, "message": message}


def repeats_status(name: str, value: Any) -> bool:
    """Whether a tag only repeats the status."""
    return name in {_CODE, _DESCRIPTION} or (name == _ERROR and text(value).lower() == "true")
