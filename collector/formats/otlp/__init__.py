"""Converts OTLP bytes to the span table and back: the only package that knows OTLP's two encodings.

Many requests are decoded together, because compiled code is fast on columns and slow on small pieces. Still,
an unreadable request fails alone, and an invalid span is refused alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import pyarrow as pa

from collector.formats.otlp import from_json, from_protobuf
from collector.formats.otlp.bounds import require_filled, require_framed
from collector.formats.otlp.errors import OtlpError
from collector.formats.otlp.json_shapes import Request
from collector.formats.otlp.rows import Refusal, Rows
from collector.formats.otlp.table import build
from collector.formats.otlp.to_json import to_json
from collector.model.spans import SPANS

__all__ = [
    "Body",
    "Decoded",
    "Encoding",
    "OtlpError",
    "Verdict",
    "decode",
    "require_filled",
    "tabulate",
    "to_json",
]


class Encoding(Enum):
    """The encoding of a body; the value is its media type."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body, inflated."""

    data: bytes
    encoding: Encoding


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result for one body: its valid spans are in the table, unless there is an *error*."""

    spans: int = 0
    rejected: int = 0
    message: str = ""  # why spans were rejected; empty if none was
    error: OtlpError | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """The spans of several bodies as one SPANS table, and a verdict for each body, in their order."""

    spans: pa.Table
    verdicts: list[Verdict]


_MAX_ATTRIBUTES = 16_384


def tabulate(requests: Sequence[Request], received_unix_nano: int) -> pa.Table:
    """SPANS of *requests* that were already parsed from another format; their ids are valid."""
    return build(from_json.rows_of(requests), received_unix_nano, _MAX_ATTRIBUTES)[0]


def decode(
    bodies: Sequence[Body], received_unix_nano: int, *, max_attributes: int = _MAX_ATTRIBUTES
) -> Decoded:
    """Decode *bodies*. An unreadable body raises nothing: its verdict has the error.

    A span keeps its first *max_attributes* attributes; the rest are counted in `dropped_attributes`.
    """
    verdicts = [Verdict()] * len(bodies)
    tables = []
    for encoding, (check, reader) in _READERS.items():
        places = [place for place, body in enumerate(bodies) if body.encoding is encoding]
        # Before anything is decoded: what fails here costs its neighbours nothing.
        places = _without(check, bodies, places, verdicts)
        if not places:
            continue
        places, rows, refused = _readable(reader, bodies, places, verdicts)
        table, body_of, invalid = build(rows, received_unix_nano, max_attributes)
        tables.append(table)
        kept = np.bincount(body_of, minlength=len(places)).tolist()
        for number, (place, count) in enumerate(zip(places, kept, strict=True)):
            why = [refusals[number] for refusals in (refused, invalid) if number in refusals]
            verdicts[place] = Verdict(count, sum(r.spans for r in why), " ".join(r.message for r in why))
    return Decoded(pa.concat_tables(tables) if tables else SPANS.empty_table(), verdicts)


Check = Callable[[bytes], None]
Reader = Callable[[Sequence[bytes]], tuple[Rows, dict[int, Refusal]]]
_READERS: dict[Encoding, tuple[Check, Reader]] = {
    Encoding.PROTOBUF: (require_framed, from_protobuf.read),
    Encoding.JSON: (require_filled, from_json.read),
}


def _readable(
    reader: Reader, bodies: Sequence[Body], places: list[int], verdicts: list[Verdict]
) -> tuple[list[int], Rows, dict[int, Refusal]]:
    """Read the bodies at *places* together; if that fails, find the unreadable ones and leave them out."""
    try:
        return places, *reader([bodies[place].data for place in places])
    except OtlpError as error:
        if len(places) == 1:
            verdicts[places[0]] = Verdict(error=error)
            return [], *reader([])
        places = _without(lambda data: reader([data]), bodies, places, verdicts)
        return places, *reader([bodies[place].data for place in places])


def _without(
    check: Callable[[bytes], object], bodies: Sequence[Body], places: list[int], verdicts: list[Verdict]
) -> list[int]:
    """The *places* of the bodies that pass *check*; the others get their verdict."""
    good = []
    for place in places:
        try:
            check(bodies[place].data)
        except OtlpError as error:
            verdicts[place] = Verdict(error=error)
        else:
            good.append(place)
    return good
