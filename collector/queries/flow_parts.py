"""Which spans are needed to show a part of a flow, however large it is, and how are they fetched?

A part is so many spans. Beside these, stitching needs what they follow from and what follows from them: the
spans around them, their ancestors, and what they link to. Of those only what stitching reads is fetched.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Ints, Mask
from collector.columns.keys import whole
from collector.conventions import names_of
from collector.model.answers import FlowItem, Note
from collector.model.notes import LeftOut
from collector.model.spans import NO_SPANS
from collector.queries.errand import Errand
from collector.queries.paging import Part
from collector.queries.sources import Sources
from collector.store.contracts import PLACES, Cut, SpanPlace, TooMuchError

MOST_OCTETS = 8 * 1024 * 1024  # of the spans in one answer, before they are cut
MOST_TRACES = 100_000  # of a flow that is shown: with a flow key, it may have any number
_WHOLE = 30_000  # copies of spans: a flow with fewer is stitched as a whole, whichever part is shown
_AROUND = 10_000  # spans on either side of a part of a larger one
_ROUNDS = 3  # of fetching the parents of those that were fetched
_MOST_ABOVE = 20_000  # spans, in all rounds
_MEETINGS = 200  # traces that a flow's batches link to, fetched to tell whose batches they are
_MEETING_SPANS = 10_000
_NO_PARENT = bytes(8)


@dataclass(frozen=True, eq=False)
class Gathered:
    """The spans of a part, marked by *mine* (None: all that are the flow's), and those that explain them."""

    spans: pa.Table  # SPANS
    mine: Mask | None = None
    total: int = 0  # spans of the whole flow
    shown: int = 0  # of them, in this part, without those that are in it wherever they lie
    before: int = 0  # of them, before this part
    first: SpanPlace | None = None
    last: SpanPlace | None = None
    earlier: bool = False  # there is a part before this one,
    later: bool = False  # and one after it
    notes: Sequence[Note] = field(default=())


def gather(
    sources: Sources,
    item: FlowItem,
    traces: Sequence[bytes],
    wanted: Part,
    errand: Errand,
    also: Sequence[str],
) -> Gathered | None:
    """The spans of the part *wanted* of the flow *item* with these *traces*; None if nothing of it is stored.

    The spans with the refs *also* are in it, too, wherever they lie, unless a cursor leads elsewhere.
    """
    spans, some = sources.spans, list(traces[:MOST_TRACES])
    if wanted.after is None and wanted.before is None:
        every = _small_enough(sources, some, wanted.limit)
        errand.check()
        if every is not None:
            whole_flow = pa.concat_tables([every, _meetings(sources, every, set(some))])
            return Gathered(whole_flow) if every.num_rows else None
    copies = spans.copies_of(some)
    errand.check()
    if not copies:
        return None
    return _part(sources, item, some, copies, wanted, errand, also, left_out=len(traces) - len(some))


def cut_for(sources: Sources) -> Cut:
    """What a span is cut to if only stitching reads it."""
    return Cut(4_096, 0, names_of(sources.naming))


def _small_enough(sources: Sources, traces: Sequence[bytes], most: int) -> pa.Table | None:
    """The spans of *traces*; None if they are more than *most*, or too large to be shown as they are."""
    try:
        every = sources.spans.few_of(traces, most)
    except TooMuchError:
        return None
    return every if every is not None and every.nbytes <= 2 * MOST_OCTETS else None


def _part(
    sources: Sources,
    item: FlowItem,
    traces: Sequence[bytes],
    copies: int,
    wanted: Part,
    errand: Errand,
    also: Sequence[str],
    left_out: int,
) -> Gathered:
    spans, lean = sources.spans, cut_for(sources)
    anywhere = wanted.before is None and wanted.after is None
    after = SpanPlace(0, bytes(16), bytes(8)) if wanted.oldest and anywhere else wanted.after
    places = spans.part_of(traces, wanted.limit + 1, after=after, before=wanted.before)
    # One more than is shown tells whether there is another part.
    over = places.num_rows > wanted.limit
    places = distinct(places.slice(0, wanted.limit) if after else places.slice(1 if over else 0))
    errand.check()
    first, last = (
        (_place(places, 0), _place(places, places.num_rows - 1)) if places.num_rows else (None, None)
    )
    total = spans.count_of(traces)
    before = spans.count_before(traces, first, distinct=total < copies) if first else 0
    errand.check()
    around = [places]
    if copies <= _WHOLE:
        around.append(spans.part_of(traces, _WHOLE))
    elif first is not None and last is not None:
        around.append(spans.part_of(traces, _AROUND, before=first))
        around.append(spans.part_of(traces, _AROUND, after=last))
    errand.check()
    if anywhere:
        places = _with_refs(places, also)
    shown, notes = _shown(sources, traces, places, lean)
    errand.check()
    rest = spans.spans_at(_without(_ids(pa.concat_tables(around)), _ids(shown)), lean)
    held = pa.concat_tables([shown, rest])
    above, complete = _above(sources, held, shown.num_rows, lean, errand)
    held = pa.concat_tables([held, above])
    if left_out:
        text = f"only its first {len(traces):,} of {len(traces) + left_out:,} traces are looked at"
        notes.append(Note(kind=LeftOut.SHORTENED.value, ref=None, text=text))
    if not complete:
        text = "spans here have too many ancestors to fetch: what caused some of them may be missing here"
        notes.append(Note(kind=LeftOut.SHORTENED.value, ref=None, text=text))
    place_of = {place: row for row, place in enumerate(_rows(held.select(PLACES.names)))}
    mine = np.zeros(held.num_rows, np.bool_)
    # A place of a copy that does not count is not that of its span.
    mine[[place_of[place] for place in _rows(places) if place in place_of]] = True
    mine[shown.num_rows :] = False
    count = int(mine.sum())
    _mark_refs(mine, held, also, shown.num_rows)
    return Gathered(
        held,
        mine,
        total=total,
        shown=count,
        before=before,
        first=first,
        last=last,
        earlier=before > 0,
        later=over if after else wanted.before is not None,
        notes=notes,
    )


def _shown(
    sources: Sources, traces: Sequence[bytes], places: pa.Table, lean: Cut
) -> tuple[pa.Table, list[Note]]:
    """The spans at *places*, as whole as an answer has room for them, and notes on what was cut."""
    spans, ids = sources.spans, _ids(places)
    octets = spans.octets_at(traces, places)
    if int(octets.sum()) <= MOST_OCTETS:
        return spans.spans_at(ids), []
    room = _fair_share(octets, MOST_OCTETS)
    large = octets > room
    fitting = spans.spans_at(ids.filter(pa.array(~large)))
    most = int(min(max(room // 256, 4), 64))
    cut = spans.spans_at(ids.filter(pa.array(large)), Cut(256, most, lean.keep))
    refs = [f"{trace.hex()}:{span.hex()}" for trace, span in _rows(ids.filter(pa.array(large)))]
    notes = [
        Note(
            kind=LeftOut.SHORTENED.value,
            ref=ref,
            text=f"it has {size:,} bytes, too many to be shown with the others: its attributes, events and"
            " links are cut. /api/v1/spans has all of it",
        )
        for ref, size in zip(refs, octets[large].tolist(), strict=True)
    ]
    return pa.concat_tables([fitting, cut]), notes


def _fair_share(octets: Ints, room: int) -> int:
    """The most bytes that each span may have, so that together they have at most *room*."""
    ascending = np.sort(octets)
    left, count = room, len(ascending)
    for place, size in enumerate(ascending.tolist()):
        if size * (count - place) > left:
            return left // (count - place)
        left -= size
    return int(ascending[-1])


def _above(sources: Sources, held: pa.Table, shown: int, lean: Cut, errand: Errand) -> tuple[pa.Table, bool]:
    """What the first *shown* spans of *held* follow from, as far as it is not held; whether that is all."""
    found, new = [NO_SPANS], held.slice(0, shown)
    known = _ids(held)
    room, links = _MOST_ABOVE, True
    for _ in range(_ROUNDS):
        wanted = _without(_named_by(new, links=links), known)
        if not wanted.num_rows:
            break
        if wanted.num_rows > room:
            return pa.concat_tables(found), False
        errand.check()
        room -= wanted.num_rows
        new, links = sources.spans.spans_at(wanted, lean), False
        found.append(new)
        known = pa.concat_tables([known, wanted])
    # The ancestors of what was found last are not needed to know what the part itself follows from.
    return pa.concat_tables(found), True


def _named_by(spans: pa.Table, *, links: bool) -> pa.Table:
    """The ids of the parents of *spans*, and of what they link to."""
    parents = spans.filter(pc.not_equal(spans["parent_span_id"], pa.scalar(_NO_PARENT, pa.binary(8))))
    traces, ids = [whole(parents["trace_id"])], [whole(parents["parent_span_id"])]
    if links:
        traces.append(whole(spans["link_trace_ids"]).flatten())
        ids.append(whole(spans["link_span_ids"]).flatten())
    named = pa.table({"trace_id": pa.concat_arrays(traces), "span_id": pa.concat_arrays(ids)})
    return named.group_by(["trace_id", "span_id"], use_threads=False).aggregate([])


def _meetings(sources: Sources, spans: pa.Table, traces: set[bytes]) -> pa.Table:
    """The traces that *spans* link to: what else was in a batch decides whose it is."""
    linked = whole(spans["link_trace_ids"]).flatten().unique().to_pylist()
    others = sorted(set(linked[: len(traces) + 10 * _MEETINGS]) - traces)[:_MEETINGS]
    if not others:
        return NO_SPANS
    return sources.spans.first_of(others, _MEETING_SPANS, _MEETING_SPANS, cut_for(sources))


def _with_refs(places: pa.Table, refs: Sequence[str]) -> pa.Table:
    """*places*, and those of the spans with these *refs*, whose start is not known yet."""
    known = {f"{trace.hex()}:{span.hex()}" for trace, span in _rows(_ids(places))}
    more = [tuple(map(bytes.fromhex, ref.split(":"))) for ref in dict.fromkeys(refs) if ref not in known]
    if not more:
        return places
    columns = [[0] * len(more), [trace for trace, _ in more], [span for _, span in more]]
    return pa.concat_tables([places, pa.table(columns, schema=PLACES)])


def _mark_refs(mine: Mask, held: pa.Table, refs: Sequence[str], shown: int) -> None:
    wanted = set(refs)
    if wanted:
        ids = _rows(_ids(held.slice(0, shown)))
        mine[:shown] |= np.array([f"{trace.hex()}:{span.hex()}" in wanted for trace, span in ids], np.bool_)


def _ids(spans: pa.Table) -> pa.Table:
    return spans.select(["trace_id", "span_id"])


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _without(ids: pa.Table, known: pa.Table) -> pa.Table:
    """The distinct *ids* that are not *known*."""
    distinct = ids.group_by(["trace_id", "span_id"], use_threads=False).aggregate([])
    return distinct.join(known, keys=["trace_id", "span_id"], join_type="left anti", use_threads=False)


def distinct(places: pa.Table) -> pa.Table:
    """*places* (PLACES), which are in order, without repeated ones."""
    once = places.group_by(PLACES.names, use_threads=False).aggregate([]).select(PLACES.names)
    return once.sort_by([(name, "ascending") for name in PLACES.names])


def _place(places: pa.Table, row: int) -> SpanPlace:
    return SpanPlace(*(places[name][row].as_py() for name in PLACES.names))
