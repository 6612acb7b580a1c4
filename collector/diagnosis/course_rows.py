"""Which course did each flow take, and at which paces? What the store keeps for the map of many flows."""

from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa

from collector.columns.joins import Ints, Mask, alike, inverse
from collector.columns.keys import PUBLIC, mixed, text_keys
from collector.diagnosis.record import Names, Record, reactor_of, type_of
from collector.model.courses import COURSES, Course, Led, Published, Reacted, no_courses, paces_of

_PUBLISHED, _REACTED, _LED = range(3)
_REQUEST, _CAUSED, _FOLLOWED = 1, 2, 4
_UNSEEN, _ALONE = 1, 2
_NO_KEY = np.uint64(0x9E3779B97F4A7C15)  # of a flow without a flow key


@dataclass(frozen=True)
class _Entries:
    """What happened, flow by flow: an entry for each message, reaction, and message that one led to."""

    flow: Ints
    kind: Ints
    what: Ints  # the event type of a message, or the step
    whose: Ints  # the service of a message, whether a reaction failed, the event type that it led to
    marks: Ints  # of a message or a reaction: what else is true of it
    time: Ints  # of a message
    pace: Ints  # of a reaction

    def where(self, mask: Mask) -> "_Entries":
        return _Entries(**{name: column[mask] for name, column in vars(self).items()})


def courses(record: Record, names: Names, flows: Mask, keyed: Mask | None = None) -> pa.Table:
    """COURSES of those *flows* of *record* that are marked, in their order; *keyed* have a flow key."""
    count = int(flows.sum())
    has_key = np.ones(count, np.bool_) if keyed is None else keyed[flows]
    entries = _entries(record)
    entries = entries.where(flows[entries.flow] & (entries.what >= 0) & (entries.whose >= 0))
    if not len(entries.flow):
        return no_courses(count)
    flow = (np.cumsum(flows) - 1)[entries.flow]
    entry, example = alike([entries.kind, entries.what, entries.whose, entries.marks])
    said = _said(entries, example, names)
    keys = text_keys(pa.array([f"{type(one).__name__} {one}" for one in said], pa.string()), PUBLIC)
    rank = inverse(np.lexsort((keys, entries.kind[example])))
    order = np.lexsort((rank[entry], flow))
    entry, time = entry[order], entries.time[order]
    begin = np.searchsorted(flow[order], np.arange(count + 1))
    # What a flow did is known by the sum of its entries' keys: each of them counts as often as it occurs.
    done = np.zeros(count, np.uint64)
    with np.errstate(over="ignore"):
        np.add.at(done, flow, mixed(keys)[entry[inverse(order)]])
        done[~has_key] += _NO_KEY
    _, first, which = np.unique(done, return_index=True, return_inverse=True)
    texts = [
        _text(
            said,
            entry[begin[one] : begin[one + 1]],
            time[begin[one] : begin[one + 1]],
            keyed=bool(has_key[one]),
        )
        for one in first
    ]
    paced = order[entries.kind[order] == _REACTED]
    ends = np.cumsum(np.bincount(flow[paced], minlength=count))
    text = pa.DictionaryArray.from_arrays(which.astype(np.int32), pa.array(texts, pa.string()))
    pace = pa.array(entries.pace[paced].astype(np.uint16))
    return pa.table(
        [text, pa.ListArray.from_arrays(pa.array(np.append(0, ends), pa.int32()), pace)], schema=COURSES
    )


def _entries(record: Record) -> _Entries:
    messages, reactions = record.messages, record.reactions
    marks = _REQUEST * messages.request + _CAUSED * messages.caused + _FOLLOWED * messages.followed
    wait = paces_of(np.maximum(reactions.start - reactions.published, 0) / 1e6).astype(np.int64)
    work = paces_of(np.maximum(reactions.end - reactions.start, 0) / 1e6)
    unseen = reactions.message < 0
    lost = _UNSEEN * unseen + _ALONE * (unseen & reactions.rooted)
    parts = [
        (_PUBLISHED, messages.flow, messages.type, messages.service, marks, messages.time, 0),
        (_REACTED, reactions.flow, reactions.step, reactions.failed, lost, 0, wait * 256 + work),
        *((_LED, made.flow, made.step, made.type, 0, 0, 0) for made in (record.emits, record.asks)),
    ]
    columns = []
    for kind, flow, *others in parts:
        columns.append([np.broadcast_to(one, len(flow)).astype(np.int64) for one in (flow, kind, *others)])
    return _Entries(*(np.concatenate(some) for some in zip(*columns, strict=True)))


def _said(entries: _Entries, example: Ints, names: Names) -> list[Published | Reacted | Led]:
    """What each entry in *example* says, in names."""
    types, services = names.event_types.names, names.services.names
    found: list[Published | Reacted | Led] = []
    for kind, what, whose, marks in zip(
        *(column[example].tolist() for column in (entries.kind, entries.what, entries.whose, entries.marks)),
        strict=True,
    ):
        if kind == _PUBLISHED:
            said = (bool(marks & one) for one in (_REQUEST, _CAUSED, _FOLLOWED))
            found.append(Published(types[what], services[whose], *said))
            continue
        step = (types[type_of(what)], *names.of_reactor(reactor_of(what)))
        if kind == _LED:
            found.append(Led(*step, types[whose]))
            continue
        unseen, alone = (bool(marks & one) for one in (_UNSEEN, _ALONE))
        found.append(Reacted(*step, bool(whose), unseen=unseen, alone=alone))
    return found


def _text(said: list[Published | Reacted | Led], entry: Ints, time: Ints, *, keyed: bool) -> str:
    """The course of a flow with these entries, which are in the order of their ranks."""
    distinct, begin, counts = np.unique(entry, return_index=True, return_counts=True)
    in_order = np.argsort(begin)
    earliest = np.minimum.reduceat(time, np.sort(begin))
    parts = [
        msgspec.structs.replace(said[one], count=count)
        for one, count in zip(distinct[in_order].tolist(), counts[in_order].tolist(), strict=True)
    ]
    came = sorted(zip(earliest.tolist(), range(len(parts)), strict=True))
    return Course(
        published=tuple(parts[place] for _, place in came if isinstance(parts[place], Published)),
        reacted=tuple(part for part in parts if isinstance(part, Reacted)),
        led=tuple(part for part in parts if isinstance(part, Led)),
        keyed=keyed,
    ).text
