"""What is answered about a trace file: its graph, or a part of that. A pure function of a `FileJob`."""

from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa

from collector import conventions, formats
from collector.columns.joins import Mask
from collector.columns.keys import whole
from collector.conventions import Naming
from collector.model.answers import Note, Stitched
from collector.queries.causal_graph import causal_graph
from collector.queries.paging import Part, part_cursor
from collector.stitching import Keying, stitch
from collector.store.contracts import SpanPlace
from collector.web.bodies import TooLargeError, inflate_file

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class FileJob:
    """All that an answer about a file is made of."""

    file: bytes
    most_bytes: int  # that it may inflate to
    now: int  # nanoseconds since the epoch
    naming: Naming
    keying: Keying
    wanted: Part


def is_large(file: bytes, most: int) -> bool:
    """Whether *file* has more than *most* bytes, or inflates to more; raise `BodyError` if it cannot be."""
    if len(file) > most or file[:2] != _GZIP:
        return len(file) > most
    try:
        inflate_file(file, most)
    except TooLargeError:
        return True
    return False


def file_answer(job: FileJob) -> Stitched:
    """The graph of the spans in the file, or the part that is wanted of it.

    Raise `FormatError` if it is not a trace file, `BodyError` if it inflates to too much. Every record and
    line that cannot be used becomes a note.
    """
    # A gzipped file may be sent without Content-Encoding.
    data = inflate_file(job.file, job.most_bytes) if job.file[:2] == _GZIP else job.file
    found = formats.read(data, job.now)
    graph = stitch(conventions.read(found.spans, job.naming), job.keying)
    places = _ordered(graph.graph.spans)
    first, last = _between(places, job.wanted)
    mine: Mask | None = None
    if (first, last) != (0, places.num_rows):
        mine = np.zeros(places.num_rows, np.bool_)
        mine[places["row"].to_numpy()[first:last]] = True
    hiding = job.naming.hiding
    notes = [Note(kind=one.kind.value, ref=one.ref, text=one.told(hiding)) for one in found.problems]
    answer = causal_graph(graph, spelled=found.spelled, notes=notes, mine=mine, most=job.wanted.limit)
    earlier = part_cursor("before", _place(places, first)) if first < last and first > 0 else None
    later = part_cursor("after", _place(places, last - 1)) if first < last < places.num_rows else None
    forward = job.wanted.oldest or job.wanted.after is not None
    return msgspec.structs.replace(
        answer,
        before=first,
        next_cursor=later if forward else earlier,
        earlier_cursor=earlier,
        later_cursor=later,
    )


def _ordered(spans: pa.Table) -> pa.Table:
    """(start, trace_id, span_id, row) of *spans* (READINGS), in that order."""
    start = np.asarray(spans["start"].to_numpy()).astype(np.uint64)
    columns = [pa.array(start), whole(spans["trace_id"]), whole(spans["span_id"])]
    table = pa.table([*columns, np.arange(spans.num_rows)], ["start", "trace_id", "span_id", "row"])
    return table.sort_by([("start", "ascending"), ("trace_id", "ascending"), ("span_id", "ascending")])


def _between(places: pa.Table, wanted: Part) -> tuple[int, int]:
    """From which place to which, exclusively, the part *wanted* reaches."""
    count = places.num_rows
    if wanted.after is not None:
        first = _index(places, wanted.after, inclusive=True)
        return first, min(first + wanted.limit, count)
    if wanted.before is not None:
        last = _index(places, wanted.before, inclusive=False)
        return max(last - wanted.limit, 0), last
    return (0, min(wanted.limit, count)) if wanted.oldest else (max(count - wanted.limit, 0), count)


def _index(places: pa.Table, place: SpanPlace, *, inclusive: bool) -> int:
    """How many places come before *place*; with *inclusive*, itself too."""
    start = places["start"].to_numpy()
    low = int(np.searchsorted(start, np.uint64(place.start), "left"))
    high = int(np.searchsorted(start, np.uint64(place.start), "right"))
    same = places.slice(low, high - low)
    ids = zip(same["trace_id"].to_pylist(), same["span_id"].to_pylist(), strict=True)
    mine = (place.trace_id, place.span_id)
    return low + sum(one < mine or (inclusive and one == mine) for one in ids)


def _place(places: pa.Table, row: int) -> SpanPlace:
    return SpanPlace(*(places[name][row].as_py() for name in ("start", "trace_id", "span_id")))
