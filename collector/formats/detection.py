"""Which documents does a file hold, and in which format? Its content decides, never its name."""

import codecs
import json
import re
from typing import Any

import msgspec

from collector.formats.found import Format, FormatError
from collector.formats.lenient_otlp import WRAPPINGS
from collector.formats.otlp import Body, Encoding
from collector.formats.otlp.bounds import FEW
from collector.formats.otlp.from_json import mended

_REQUEST = {"resourceSpans", "resource_spans", "batches", "scopeSpans", "scope_spans"}
_REQUEST |= {"instrumentationLibrarySpans", "instrumentation_library_spans"}


# Control characters: a protobuf message with a span contains some, text contains none.
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1f]").search
_BEGINS = re.compile(rb"^[ \t]*[{\[]", re.MULTILINE).search
_TAG = b"\n"  # of the first field of a message
_HIGHEST = 8  # of the first byte of a length: 128 MiB, and no tag of a message is that low
_SHORTEST_MESSAGE = 24  # bytes: a length, and the ids of one span
_SHORTEST = 8  # bytes of a line that may hold a trace: {"a":{}}
_SHOWN = 60


def split(data: bytes) -> list[Body]:
    """The documents of a file; none if it is empty.

    They are one JSON document, one per line, one protobuf message, or several, each after its length.
    Raise `FormatError` for any other text.
    """
    if framed := _framed(data):
        return [Body(message, Encoding.PROTOBUF) for message in framed]
    # Windows shells write UTF-16 when they redirect output to a file.
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = data.decode("utf-16", "replace").encode()
    shown = data.removeprefix(codecs.BOM_UTF8).strip()
    if not shown:
        return []
    if _is_json(shown):
        return [Body(shown, Encoding.JSON)]
    lines = _lines(shown)
    # A protobuf request begins with a line feed (the tag 0x0A), and any byte may follow it, even "{".
    is_text = not data.startswith(b"\n")
    if len(lines) > 1 and (_is_json(lines[0]) or (is_text and any(map(_is_json, lines)))):
        return [Body(line.strip(), Encoding.JSON) for line in lines]
    if shown.startswith((b"{", b"[")) and is_text:
        return [Body(shown, Encoding.JSON)]
    if not _BINARY(data):
        msg = f"it is text of another kind: {shown[:_SHOWN].decode(errors='replace')!r}."
        raise FormatError(msg)
    return [Body(data, Encoding.PROTOBUF)]


def _framed(data: bytes) -> list[bytes]:
    """The messages of a file in which each follows its length in four bytes; none if it is no such file.

    The OpenTelemetry Collector's file exporter writes them. Each begins with the tag of its first field; the
    last one may be cut off, as the file may still be written to.
    """
    if not data or data[0] > _HIGHEST:
        return []
    messages, place, most = list[bytes](), 0, max(FEW, len(data) // _SHORTEST_MESSAGE)
    while place < len(data) and len(messages) < most:
        begins = place + 4
        ends = begins + int.from_bytes(data[place:begins], "big")
        if not data.startswith(_TAG, begins) or (ends > len(data) and not messages):
            break
        messages.append(data[begins:ends])
        place = ends
    rest = data[place:]
    return [*messages, rest] if messages and rest else messages


def _lines(text: bytes) -> list[bytes]:
    """The lines of *text*; none if no line begins like JSON, or most are too short for any.

    Each takes forty bytes of memory, even if it is empty.
    """
    if text.count(b"\n") + text.count(b"\r") > max(FEW, len(text) // _SHORTEST) or not _BEGINS(text):
        return []
    return [line for line in text.splitlines() if line.strip()]


def _is_json(data: bytes) -> bool:
    if not data.lstrip().startswith((b"{", b"[")):
        return False
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def load(data: bytes) -> Any:
    """Parse a JSON document into plain values; raise `FormatError` if it is not JSON."""
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError):  # lone surrogates or NaN, which other parsers accept
        try:
            return mended(json.loads(data))
        except (ValueError, RecursionError) as error:
            msg = f"it is no JSON: {error}."
            raise FormatError(msg) from error


def format_of(document: Any) -> Format:
    """The format of *document*; raise `FormatError` if it is none that we know."""
    found = _of_list(document) if isinstance(document, list) else _of_object(document)
    if found is None:
        begins = msgspec.json.encode(document)[:_SHOWN].decode(errors="replace")
        msg = f"it is JSON of another kind: {begins!r}."
        raise FormatError(msg)
    return found


def _of_list(entries: list[Any]) -> Format | None:
    """The format of the first recognizable entry: a damaged entry does not decide for the others."""
    for entry in entries:
        for one in entry if isinstance(entry, list) else [entry]:
            found = _of_object(one)
            if one != {} and found is not None:
                return found
    return None


def _of_object(entry: Any) -> Format | None:
    if not isinstance(entry, dict):
        return None
    names = set(entry)
    if not entry or names & _REQUEST or any(isinstance(entry.get(name), dict) for name in WRAPPINGS):
        return Format.OTLP  # in JSON, an empty request is {}
    if isinstance(entry.get("data"), list | dict) or {"traceID", "spanID"} <= names:
        return Format.JAEGER
    if "spans" in names and {"traceID", "processes"} & names:
        return Format.JAEGER
    return Format.ZIPKIN if {"traceId", "id"} <= names else None
