"""Other people's trace files -> span table. The format is found by looking: names of files say little.

A file may have several documents, one a line. Those that can not be read cost the others nothing, as long
as there are spans in any of them; what was wrong is told with the spans.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from collector.formats import detection, exported_otlp, jaeger, lenient_otlp, zipkin
from collector.formats.found import Format, FormatError, Found, Problem, Reading
from collector.formats.otlp import Body, Encoding, decode
from collector.formats.trouble import UnusableError
from collector.model.notes import Trouble

__all__ = ["EXPECTED", "Begun", "FormatError", "Found", "Problem", "Trouble", "begin", "finish", "read"]

EXPECTED = "OTLP (JSON or protobuf), Jaeger JSON or Zipkin JSON"

_AT_ONCE = 2**23  # bytes that are decoded together: enough for compiled code, and for a bar that moves


@dataclass(frozen=True)
class Begun:
    """What one file has; its spans of Zipkin get their ids when all files are known that belong together."""

    tables: Sequence[pa.Table]  # SPANS
    reading: Reading
    halves: Sequence[zipkin.Half]
    received_unix_nano: int


def read(data: bytes, received_unix_nano: int, seen: Callable[[int], Any] = lambda _: None) -> Found:
    """All spans in *data*, inflated; raise `FormatError` if there are none and something was wrong.

    *seen* is told how many bytes were read since it was told last.
    """
    (found,) = finish([begin(data, received_unix_nano, seen)])
    return found


def begin(data: bytes, received_unix_nano: int, seen: Callable[[int], Any] = lambda _: None) -> Begun:
    """`read` for a file of several: `finish` has the rest of it."""
    bodies = detection.split(data)
    if not bodies:
        msg = "it is empty."
        raise FormatError(msg)
    reading, tables = Reading(), []
    zipkins: list[Any] = []
    failed: dict[int, FormatError] = {}
    for first, some in _portions(bodies):
        table, problems, others = exported_otlp.read(some, received_unix_nano)
        tables.append(table)
        reading.problems += problems
        for place in others:
            try:
                _read_other(some[place], reading, zipkins)
            except FormatError as error:
                failed[first + place + 1] = error
        seen(sum(len(body.data) for body in some))
    halves = zipkin.halves(zipkins, reading)
    if failed and not (halves or reading.groups or any(table.num_rows for table in tables)):
        line, first_error = next(iter(failed.items()))
        raise FormatError(str(first_error), line if len(bodies) > 1 else None, len(bodies)) from first_error
    for line, why in failed.items():
        text = f"Line {line} of {len(bodies)} can not be read: {why}"
        reading.problems.append(Problem(Trouble.UNREADABLE, None, text))
    return Begun(tables, reading, halves, received_unix_nano)


def finish(files: Sequence[Begun]) -> Iterator[Found]:
    """What is in each of *files*: the two sides of a call that share an id may be in different ones."""
    zipkin.tell_apart([half for file in files for half in file.halves])
    for file in files:
        for half in file.halves:
            file.reading.add(half.origin, half.scope, half.span)
        spans = pa.concat_tables([*file.tables, file.reading.spans(file.received_unix_nano)])
        yield Found(spans, file.reading.ids.spelled, file.reading.problems)


def _portions(bodies: Sequence[Body]) -> Iterator[tuple[int, Sequence[Body]]]:
    """Bodies that are read together, and the place of the first of them."""
    first, size = 0, 0
    for place, body in enumerate(bodies, 1):
        size += len(body.data)
        if size >= _AT_ONCE or place == len(bodies):
            yield first, bodies[first:place]
            first, size = place, 0


def _read_other(body: Body, reading: Reading, zipkins: list[Any]) -> None:
    """Read what exporters of OTLP would not send; what is Zipkin's waits for the rest of its file."""
    if body.encoding is Encoding.PROTOBUF:
        (verdict,) = decode([body], 0).verdicts
        raise FormatError(str(verdict.error))
    document = detection.load(body.data)
    match detection.format_of(document):
        case Format.OTLP:
            _read_whole(lenient_otlp.read, document, reading)
        case Format.JAEGER:
            _read_whole(jaeger.read, document, reading)
        case Format.ZIPKIN:
            zipkins.append(document)


def _read_whole(read_document: Callable[[Any, Reading], None], document: Any, reading: Reading) -> None:
    try:
        read_document(document, reading)
    except (UnusableError, RecursionError) as error:
        raise FormatError(str(error)) from error
