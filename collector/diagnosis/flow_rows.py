"""What do lists show of a flow, and what does the store keep of it? The rows of the flow table."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import ascending, distinct_pairs, inverse
from collector.columns.keys import whole
from collector.diagnosis.expected import Expected
from collector.diagnosis.record import Ints, Names, Record, type_of
from collector.model.flows import FLOWS
from collector.model.identity import public_trace_keys
from collector.model.variant_ids import variant_keys
from collector.stitching import Stitched
from collector.stitching.flow_names import flow_ids


def flow_table(stitched: Stitched, record: Record, expected: Expected) -> pa.Table:
    """FLOWS, one row for each flow of *stitched*."""
    flows, messages, reactions = stitched.flows, record.messages, record.reactions
    key = pa.array(flows.key, pa.string())
    # Requests sort first: they are not events, and the last event is wanted.
    order = np.lexsort((messages.time, ~messages.request, messages.flow))
    latest = _last_of(messages.flow[order], order, flows.count)
    names = expected.names
    types = np.array([*names.event_types.names, None], object)
    services = np.array([*names.services.names, None], object)
    single = _first_of_each(reactions.row, reactions.flow)
    counted = ~record.aside[reactions.row[single]]
    wait = np.maximum(reactions.start - reactions.published, 0)[single] * counted / 1e6
    work = np.maximum(reactions.end - reactions.start, 0)[single] * counted / 1e6
    columns = {
        "id": pa.array(flow_ids(stitched.graph, flows), pa.string()),
        "key": key,
        "traces": _traces(stitched),
        "started": record.started,
        "last": record.last,
        "received": record.received,
        "begun": first_arrivals(stitched),
        "last_event_type": pa.array(types[_at(messages.type, latest)], pa.string()),
        "last_service": pa.array(services[_at(messages.service, latest)], pa.string()),
        "outcome": outcomes(record, expected),
        "messages": np.bincount(messages.flow, minlength=flows.count).astype(np.int32),
        "reactions": np.bincount(reactions.flow[single], minlength=flows.count).astype(np.int32),
        "wait_ms": np.bincount(reactions.flow[single], wait, minlength=flows.count),
        "work_ms": np.bincount(reactions.flow[single], work, minlength=flows.count),
        "incomplete": flows.incomplete,
        "names": _names(record, names, flows.count),
        "failures": _failures(record, names, flows.count),
        "variant": variants(record, names),
    }
    return pa.table(columns, schema=FLOWS)


def first_arrivals(stitched: Stitched) -> Ints:
    """When the first span of each flow was received, nanoseconds since the epoch."""
    flows = stitched.flows
    found = np.full(flows.count, np.iinfo(np.int64).max)
    np.minimum.at(found, flows.flow, stitched.graph.numbers("received")[flows.row])
    return found


def outcomes(record: Record, expected: Expected) -> pa.Array:
    """The event type that ended each flow, by what is known now about which types end flows; or null."""
    messages, names = record.messages, expected.names.event_types.names
    ending = np.isin(messages.type, expected.ending_types)
    last = np.flatnonzero(~messages.followed & ending & ~messages.request)
    last = last[np.lexsort((messages.time[last], messages.flow[last]))]
    ended = _last_of(messages.flow[last], last, record.flows)
    return pa.array(np.array([*names, None], object)[_at(messages.type, ended)], pa.string())


def _names(record: Record, names: Names, count: int) -> pa.Array:
    """The event types and services of each flow. Flows that took the same path have the same text."""
    messages, reactions = record.messages, record.reactions
    types = len(names.event_types.names)
    known = reactions.step >= 0
    step, reacted = reactions.step[known], reactions.flow[known]
    flow = np.concatenate([messages.flow, reacted, messages.flow, reacted])
    kind = np.concatenate([messages.type, type_of(step)])
    service = np.concatenate([messages.service, names.service_of(step)])
    code = np.concatenate([kind, np.where(service >= 0, types + service, -1)])
    vocabulary = [*names.event_types.names, *names.services.names]
    return _spelled(flow[code >= 0], code[code >= 0], vocabulary, count)


def _failures(record: Record, names: Names, count: int) -> pa.Array:
    """The services of each flow whose reactions failed, also if they published, or it went well later."""
    reactions = record.reactions
    failed = reactions.failed & (reactions.step >= 0)
    service = names.service_of(reactions.step[failed])
    known = service >= 0
    return _spelled(reactions.flow[failed][known], service[known], names.services.names, count)


def variants(record: Record, names: Names) -> npt.NDArray[np.uint64]:
    """The variant of each flow; requests are no events."""
    messages = record.messages
    event = ~messages.request & (messages.type >= 0)
    return variant_keys(messages.flow[event], messages.type[event], names.event_types.names, record.flows)


def _spelled(flow: Ints, code: Ints, vocabulary: Sequence[str], count: int) -> pa.Array:
    """For each flow, its names, one per line: the places in *vocabulary* that *code* has for it."""
    if not len(flow):
        return pa.repeat("", count)
    flow, code = distinct_pairs(flow, code)
    offsets = np.searchsorted(flow, np.arange(count + 1))
    # Few distinct paths occur: each is spelled once, and identified by the sum of its names' keys.
    way = np.zeros(count, np.uint64)
    np.add.at(way, flow, _mixed(code.astype(np.uint64)))
    _, first, which = np.unique(way, return_index=True, return_inverse=True)
    length = (offsets[1:] - offsets[:-1])[first]
    ends = np.cumsum(length)
    spelled = code[np.repeat(offsets[first] - (ends - length), length) + np.arange(length.sum())]
    parts = pa.ListArray.from_arrays(
        pa.array(np.append(0, ends), pa.int32()), pa.array(vocabulary, pa.string()).take(pa.array(spelled))
    )
    return pc.binary_join(parts, "\n").take(pa.array(which))


def _mixed(codes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Small numbers spread over all 64 bits (the finalizer of splitmix64)."""
    mixed = (codes + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _traces(stitched: Stitched) -> pa.ListArray:
    """The distinct trace ids of each flow."""
    flows, graph = stitched.flows, stitched.graph
    _, first, code = np.unique(graph.trace, return_index=True, return_inverse=True)
    ids = whole(graph.spans["trace_id"]).take(pa.array(first))
    order = ascending(public_trace_keys(ids))
    flow, trace = distinct_pairs(flows.flow, inverse(order)[code[flows.row]])
    offsets = np.searchsorted(flow, np.arange(flows.count + 1))
    ids = ids.take(pa.array(order[trace]))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), ids)


def _first_of_each(row: Ints, flow: Ints) -> Ints:
    """The places of the first entry of each (row, flow): a join's reaction has one entry per message."""
    _, first = np.unique(row * (int(flow.max(initial=0)) + 1) + flow, return_index=True)
    return np.asarray(first, np.int64)


def _last_of(flow: Ints, places: Ints, count: int) -> Ints:
    """The last of the *places* of each flow; -1 for none. *flow* is ascending."""
    found = np.full(count, -1)
    found[flow] = places
    return found


def _at(codes: Ints, places: Ints) -> Ints:
    """The codes at *places*; -1 where a place is -1, which picks the None after the last name."""
    if not len(codes):
        return np.full(len(places), -1)
    return np.where(places >= 0, codes[np.maximum(places, 0)], -1)
