"""Converts OTLP bytes to the span table and back: the only package that knows OTLP's two encodings.

Many requests are decoded together, because compiled code is fast on columns and slow on small pieces. Still,
an unreadable request fails alone, and an invalid span is refused alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.formats.otlp import from_json, from_protobuf
from collector.formats.otlp.bounds import require_filled, require_framed
from collector.formats.otlp.errors import OtlpError
from collector.formats.otlp.json_shapes import Request
from collector.formats.otlp.log_records import converted
from collector.formats.otlp.rows import Refusal, Rows
from collector.formats.otlp.scanning import scanned
from collector.formats.otlp.table import build
from collector.formats.otlp.to_json import to_json
from collector.model.spans import NO_SPANS

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
    logs: bool = False  # it has log records instead of spans


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result for one body: its valid spans are in the table, unless there is an *error*."""

    spans: int = 0
    rejected: int = 0  # spans, or log records
    message: str = ""  # why they were rejected; empty if none was
    error: OtlpError | None = None
    refused: Mapping[str, int] = field(default_factory=dict)  # log records that were rejected, by reason


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
    bodies: Sequence[Body],
    received_unix_nano: int,
    *,
    max_attributes: int = _MAX_ATTRIBUTES,
    flow_keys: Sequence[str] = (),
) -> Decoded:
    """Decode *bodies*. An unreadable body raises nothing: its verdict has the error.

    A span keeps its first *max_attributes* attributes; the rest are counted in `dropped_attributes`. Log
    records become spans as `log_records` says; those with one of *flow_keys* may be business events.
    """
    if not any(body.logs for body in bodies):  # usually
        return _decode(bodies, received_unix_nano, max_attributes)
    plain = list(bodies)
    said: dict[int, Verdict] = {}
    for place, body in enumerate(bodies):
        if not body.logs:
            continue
        plain[place] = Body(b"", Encoding.PROTOBUF)
        try:
            found = converted(
                body.data,
                is_json=body.encoding is Encoding.JSON,
                received_unix_nano=received_unix_nano,
                flow_keys=flow_keys,
            )
        except OtlpError as error:
            said[place] = Verdict(error=error)
        else:
            plain[place] = Body(found.data, Encoding.PROTOBUF)
            rejected = sum(found.refused.values())
            said[place] = Verdict(0, rejected, found.message(flow_keys), refused=found.refused)
    decoded = _decode(plain, received_unix_nano, max_attributes)
    verdicts = [
        replace(said[place], spans=one.spans) if place in said else one
        for place, one in enumerate(decoded.verdicts)
    ]
    return Decoded(decoded.spans, verdicts)


def _decode(bodies: Sequence[Body], received_unix_nano: int, max_attributes: int) -> Decoded:
    verdicts = [Verdict()] * len(bodies)
    protobuf, json = (
        [place for place, body in enumerate(bodies) if body.encoding is encoding] for encoding in Encoding
    )
    limits = (received_unix_nano, max_attributes)
    # Most bodies are usual, and the scanner is fast. What it leaves is read as ever.
    found = scanned([bodies[place].data for place in protobuf], *limits)
    owners = np.asarray(protobuf, np.int64)
    usual = (found.spans, owners[found.body_of])
    for place, count in zip(owners[found.taken].tolist(), found.counts().tolist(), strict=True):
        verdicts[place] = Verdict(count)
    others = _read(
        require_framed, from_protobuf.read, bodies, owners[~found.taken].tolist(), verdicts, limits
    )
    tables = [
        _in_order(usual, others),
        _read(require_filled, from_json.read, bodies, json, verdicts, limits)[0],
    ]
    return Decoded(pa.concat_tables([table for table in tables if table.num_rows] or tables[:1]), verdicts)


Check = Callable[[bytes], None]
Reader = Callable[[Sequence[bytes]], tuple[Rows, dict[int, Refusal]]]
Owned = tuple[pa.Table, npt.NDArray[np.int64]]  # spans, and the place of the body of each


def _read(
    check: Check,
    reader: Reader,
    bodies: Sequence[Body],
    places: list[int],
    verdicts: list[Verdict],
    limits: tuple[int, int],
) -> Owned:
    """The spans of the bodies at *places*, which get their verdicts."""
    # Before anything is decoded: what fails here costs its neighbours nothing.
    places = _without(check, bodies, places, verdicts)
    if not places:
        return NO_SPANS, np.zeros(0, np.int64)
    places, rows, refused = _readable(reader, bodies, places, verdicts)
    table, body_of, invalid = build(rows, *limits)
    kept = np.bincount(body_of, minlength=len(places)).tolist()
    for number, (place, count) in enumerate(zip(places, kept, strict=True)):
        why = [refusals[number] for refusals in (refused, invalid) if number in refusals]
        verdicts[place] = Verdict(count, sum(r.spans for r in why), " ".join(r.message for r in why))
    return table, np.asarray(places, np.int64)[body_of]


def _in_order(first: Owned, second: Owned) -> pa.Table:
    """The spans of both, in the order of their bodies."""
    if not second[0].num_rows:
        return first[0]
    if not first[0].num_rows:
        return second[0]
    spans, owners = pa.concat_tables([first[0], second[0]]), np.concatenate([first[1], second[1]])
    return spans.take(pa.array(np.argsort(owners, kind="stable"))).combine_chunks()


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
