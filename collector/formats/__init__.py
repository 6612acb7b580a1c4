"""Which spans are in a trace file that another tool wrote?

Its content decides which format it is, as file names say little. A file may hold several documents, one
per line, or several protobuf messages, each after its length. As long as any document has spans, unreadable
documents do not fail the file: each is reported as a problem beside the spans.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import pyarrow as pa

from collector.formats import detection, exported_otlp, jaeger, lenient_otlp, zipkin
from collector.formats.found import Format, FormatError, Found, Problem, Reading
from collector.formats.otlp import Body, Encoding, OtlpError, decode, require_filled
from collector.formats.search_hits import unwrapped
from collector.formats.trouble import UnusableError
from collector.model.notes import Trouble

__all__ = ["EXPECTED", "Begun", "FormatError", "Found", "Problem", "Trouble", "begin", "finish", "read"]

EXPECTED = "OTLP (JSON or protobuf), Jaeger JSON or Zipkin JSON"

_AT_ONCE = 2**23  # bytes decoded together: enough to pay off, few enough for a progress bar to move


@dataclass(frozen=True)
class Begun:
    """One file, read so far. Its Zipkin spans get their ids once all files that belong together are known."""

    tables: Sequence[pa.Table]  # SPANS
    reading: Reading
    halves: Sequence[zipkin.Half]
    received_unix_nano: int


def read(data: bytes, received_unix_nano: int, seen: Callable[[int], Any] = lambda _: None) -> Found:
    """All spans in the inflated *data*; raise `FormatError` if there are none and something was wrong.

    *seen* is called with the number of bytes read since its last call.
    """
    (found,) = finish([begin(data, received_unix_nano, seen)])
    return found


def begin(data: bytes, received_unix_nano: int, seen: Callable[[int], Any] = lambda _: None) -> Begun:
    """The first half of `read`, for one of several files; `finish` does the rest."""
    bodies = detection.split(data)
    if not bodies:
        msg = "it is empty."
        raise FormatError(msg)
    reading, tables = Reading(), []
    zipkins: list[Any] = []
    failed: dict[int, str] = {}  # not the errors: each would keep a kilobyte
    for first, some in _portions(bodies):
        table, problems, others = exported_otlp.read(some, received_unix_nano)
        tables.append(table)
        reading.problems += problems
        for place in others:
            try:
                _read_other(some[place], reading, zipkins)
            except FormatError as error:
                failed[first + place + 1] = str(error)
        seen(sum(len(body.data) for body in some))
    halves = zipkin.halves(zipkins, reading)
    if failed and not (halves or reading.groups or any(table.num_rows for table in tables)):
        line, why = next(iter(failed.items()))
        raise FormatError(why, line if len(bodies) > 1 else None, len(bodies))
    for line, why in failed.items():
        what = "Line" if bodies[0].encoding is Encoding.JSON else "Message"
        text = f"{what} {line} of {len(bodies)} cannot be read: {why}"
        reading.problems.append(Problem(Trouble.UNREADABLE, None, text))
    return Begun(tables, reading, halves, received_unix_nano)


def finish(files: Sequence[Begun]) -> Iterator[Found]:
    """The contents of each of *files*: two sides of a call that share an id may be in different ones."""
    zipkin.tell_apart([half for file in files for half in file.halves])
    for file in files:
        for half in file.halves:
            file.reading.add(half.origin, half.scope, half.span)
        spans = pa.concat_tables([*file.tables, file.reading.spans(file.received_unix_nano)])
        yield Found(spans, file.reading.ids.spelled, file.reading.problems)


def _portions(bodies: Sequence[Body]) -> Iterator[tuple[int, Sequence[Body]]]:
    """Groups of bodies to decode together, each with the index of its first body."""
    first, size = 0, 0
    for place, body in enumerate(bodies, 1):
        size += len(body.data)
        if size >= _AT_ONCE or place == len(bodies):
            yield first, bodies[first:place]
            first, size = place, 0


def _read_other(body: Body, reading: Reading, zipkins: list[Any]) -> None:
    """Read a document that no OTLP exporter would send; Zipkin documents wait for the rest of their file."""
    if body.encoding is Encoding.PROTOBUF:
        (verdict,) = decode([body], 0).verdicts
        raise FormatError(str(verdict.error))
    try:
        require_filled(body.data, "it is of no use")
    except OtlpError as error:
        raise FormatError(str(error)) from error
    document = unwrapped(detection.load(body.data))
    match detection.format_of(document):
        case Format.OTLP:
            _read_whole(lenient_otlp.read, document, reading)
        case Format.JAEGER:
            _read_whole(jaeger.read, document, reading)
        case Format.ZIPKIN:
            zipkins.append(document)
        case unread:
            assert_never(unread)  # a new format needs a line here


def _read_whole(read_document: Callable[[Any, Reading], None], document: Any, reading: Reading) -> None:
    try:
        read_document(document, reading)
    except (UnusableError, RecursionError) as error:
        raise FormatError(str(error)) from error
