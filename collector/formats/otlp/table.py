"""Builds the span table from decoded rows. No Python runs per span, except to repair broken ones."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from collector.formats.otlp import octets as ids
from collector.formats.otlp.rows import Bools, Ints, Refusal, Rows, lengths, offsets
from collector.formats.otlp.values import text
from collector.model.spans import SPANS

UNKNOWN_SERVICE = "unknown_service"  # OpenTelemetry's default for a resource without a name


def build(
    rows: Rows, received_unix_nano: int, max_attributes: int
) -> tuple[pa.Table, Ints, dict[int, Refusal]]:
    """The spans of *rows* as SPANS, the body that each came in, and the refusals by body.

    A span with an invalid id is refused, because nothing can refer to it. An invalid parent id counts as no
    parent, and an invalid link as dropped: the span itself is still worth keeping.
    """
    traces, trace_ok = ids.matrix(rows.spans.field("trace_id"), 16)
    spans, span_ok = ids.matrix(rows.spans.field("span_id"), 8)
    valid = trace_ok & span_ok
    refused: dict[int, Refusal] = {}
    if not valid.all():
        refused = _refusals(rows, trace_ok, valid)
        rows, traces, spans = rows.where(valid), traces[valid], spans[valid]
    columns = _columns(rows, max_attributes)
    columns["trace_id"] = ids.fixed(traces)
    columns["span_id"] = ids.fixed(spans)
    columns["received_unix_nano"] = pa.array(np.full(len(spans), received_unix_nano, np.uint64))
    return pa.table([columns[name] for name in SPANS.names], schema=SPANS), rows.body, refused


def _columns(rows: Rows, max_attributes: int) -> dict[str, pa.Array]:
    spans = rows.spans
    message, code = spans.field("status").flatten()
    columns = {
        "parent_span_id": ids.fixed(ids.matrix(spans.field("parent_span_id"), 8)[0]),
        "name": text(spans.field("name")),
        "kind": _octet(spans.field("kind")),
        "start_unix_nano": number(spans.field("start_time_unix_nano"), pa.uint64()),
        "end_unix_nano": number(spans.field("end_time_unix_nano"), pa.uint64()),
        "status_code": _octet(code),
        "status_message": text(message),
        "service": services(rows.resources).take(pa.array(rows.resource)),
        "events": _without_null_lists(spans.field("events")),
        "dropped_events": number(spans.field("dropped_events_count"), pa.uint32()),
        "trace_state": text(spans.field("trace_state")),
        "flags": number(spans.field("flags"), pa.uint32()),
        "resource": rows.resources.take(pa.array(rows.resource)),
        "scope": rows.scopes.take(pa.array(rows.scope)),
    }
    columns |= _attributes(spans, max_attributes)
    return columns | _links(spans)


def _attributes(spans: pa.StructArray, limit: int) -> dict[str, pa.Array]:
    lists = spans.field("attributes")
    counts, entries = lengths(lists), lists.flatten()
    dropped = number(spans.field("dropped_attributes_count"), pa.uint32())
    if counts.max(initial=0) > limit:
        place = np.arange(len(entries)) - np.repeat(np.cumsum(counts) - counts, counts)
        entries = entries.filter(pa.array(place < limit))
        dropped = _plus(dropped, counts - np.minimum(counts, limit))
        counts = np.minimum(counts, limit)
    values = entries.field("value")
    bounds = offsets(counts)
    return {
        "attribute_keys": pa.ListArray.from_arrays(bounds, text(entries.field("key"))),
        "attribute_types": pa.ListArray.from_arrays(bounds, values.field("type")),
        "attribute_values": pa.ListArray.from_arrays(bounds, values.field("octets")),
        "dropped_attributes": dropped,
    }


def _links(spans: pa.StructArray) -> dict[str, pa.Array]:
    lists = spans.field("links")
    counts, entries = lengths(lists), lists.flatten()
    traces, trace_ok = ids.matrix(entries.field("trace_id"), 16)
    targets, target_ok = ids.matrix(entries.field("span_id"), 8)
    attributes = entries.field("attributes")
    dropped = number(spans.field("dropped_links_count"), pa.uint32())
    valid = trace_ok & target_ok
    if not valid.all():
        owner = np.repeat(np.arange(len(counts)), counts)
        lost = np.bincount(owner[~valid], minlength=len(counts)).astype(np.int32)
        traces, targets, attributes = traces[valid], targets[valid], attributes.filter(pa.array(valid))
        counts, dropped = counts - lost, _plus(dropped, lost)
    bounds = offsets(counts)
    return {
        "link_trace_ids": pa.ListArray.from_arrays(bounds, ids.fixed(traces)),
        "link_span_ids": pa.ListArray.from_arrays(bounds, ids.fixed(targets)),
        "link_attributes": pa.ListArray.from_arrays(bounds, _without_null_lists(attributes)),
        "dropped_links": dropped,
    }


def _without_null_lists(lists: pa.ListArray) -> pa.ListArray:
    return pa.ListArray.from_arrays(offsets(lengths(lists)), lists.flatten())


def number(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """*column* as *kind*; an absent number is 0, as in protobuf."""
    return pc.fill_null(column, 0).cast(kind) if column.null_count else column.cast(kind)


def _octet(column: pa.Array) -> pa.Array:
    """Enum numbers as bytes; one that no version of OTLP could mean becomes 0, OTLP's "unspecified"."""
    numbers = np.asarray(number(column, pa.int32()))
    return pa.array(np.where((numbers >= 0) & (numbers < 256), numbers, 0).astype(np.uint8))


def _plus(column: pa.Array, more: npt.NDArray[np.int32]) -> pa.Array:
    total = np.asarray(column).astype(np.uint64) + more.astype(np.uint64)
    return pa.array(np.minimum(total, 2**32 - 1).astype(np.uint32))


def services(resources: pa.BinaryArray) -> pa.Array:
    """The service of each encoded resource."""
    return pa.array([service_of(resource) for resource in resources.to_pylist()], pa.string())


@lru_cache(maxsize=4096)
def service_of(resource: bytes) -> str:
    """The `service.name` of an encoded resource; if there are several, the last one counts."""
    try:
        attributes = Resource.FromString(resource).attributes
    except DecodeError:
        return UNKNOWN_SERVICE
    names = [a.value.string_value for a in attributes if a.key == "service.name" and a.value.string_value]
    return names[-1] if names else UNKNOWN_SERVICE


def _refusals(rows: Rows, trace_ok: Bools, valid: Bools) -> dict[int, Refusal]:
    bodies, first, counts = np.unique(rows.body[~valid], return_index=True, return_counts=True)
    places = np.flatnonzero(~valid)[first]
    refusals = {}
    for body, place, count in zip(bodies.tolist(), places.tolist(), counts.tolist(), strict=True):
        field, size = ("trace_id", 16) if not trace_ok[place] else ("span_id", 8)
        if rows.spelled is None:
            found = rows.spans.field(field)[place].as_py().hex()
        else:
            found = (rows.spelled.field(field)[place].as_py() or b"").decode()
        refusals[body] = Refusal(
            count,
            f"{count} span(s) refused. The first has {field} '{found[:80]}':"
            f" expected {size} bytes ({2 * size} hex digits) that are not all zero.",
        )
    return refusals
