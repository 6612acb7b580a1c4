"""How is a part of a flow read, when the whole is too large? By places, which are light, and then by ids."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from collector.columns.joins import Ints
from collector.model.spans import NO_SPANS, SPANS
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.span_rows import COLUMNS, spans_of_rows
from collector.store.contracts import PLACES, Cut, SpanPlace

_MOST_BYTES = 99_000  # of one parameter: a server accepts 128 KiB
_IDS_AT_ONCE = 10_000

# The copy that counts is the first in this order. READINGS hold no times after `_LAST`.
_LAST = 2**63 - 1
BEST = f"least(end_unix_nano, {_LAST}) DESC, least(start_unix_nano, {_LAST}) DESC, received_unix_nano"

_PLACE = "(start_unix_nano, trace_id, span_id)"
_BOUND = "({start:UInt64}, toFixedString(unhex({trace:String}), 16), toFixedString(unhex({span:String}), 8))"
_OCTETS = (
    "length(name) + length(status_message) + length(resource) + length(scope) + length(trace_state)"
    " + length(attribute_shape) + length(attribute_text)"
    " + arraySum(x -> length(x), events) + 24 * length(link_trace_ids)"
    " + arraySum(x -> arraySum(y -> length(y), x), link_attributes) AS octets"
)

_COUNT = "length(attribute_parts[1])"
_KEYS = f"arraySlice(attribute_parts, 2, {_COUNT})"
_TYPES = "arrayMap(t -> toUInt8(t), extractAll(attribute_parts[1], '.'))"
_VALUES = f"arraySlice(attribute_parts, 2 + {_COUNT}, {_COUNT})"


def _kept(entries: str) -> str:
    """Those *entries* of attributes that a cut span keeps. A span may have the same name a million times.

    A function that named a whole array in what it does to each entry would have it copied for each of them.
    """
    which = "(e, i, k) -> i <= {most:UInt32} OR has({keep:Array(String)}, k)"
    found = f"arrayFilter({which}, {entries}, arrayEnumerate({_KEYS}), {_KEYS})"
    return f"arraySlice({found}, 1, {{most:UInt32}} + 200)"


def _as_meant(entry: str) -> str:
    """As `attribute_words` writes it."""
    between = f"replaceAll({entry}, concat(char(30), 'u'), char(31))"
    return f"replaceAll({between}, concat(char(30), 'r'), char(30))"


_KEPT_VALUES = f"arrayMap(v -> {_as_meant('v')}, {_kept(_VALUES)})"
_WORD = "'(cut: ', toString(length(v)), ' bytes)'"
# Of the events, those that say that the span failed are always kept.
_SHORT = "arrayFilter(e -> length(e) <= {longest:UInt32}, events)"
_CUT: Mapping[str, str] = {
    "name": "leftUTF8(toString(name), {longest:UInt32})",
    "status_message": "leftUTF8(status_message, {longest:UInt32})",
    "trace_state": "leftUTF8(toString(trace_state), {longest:UInt32})",
    "attribute_keys": f"arrayMap(k -> leftUTF8({_as_meant('k')}, {{longest:UInt32}}), {_kept(_KEYS)})",
    "attribute_types": (
        f"arrayMap((t, v) -> if(length(v) > {{longest:UInt32}}, 1, t), {_kept(_TYPES)}, {_KEPT_VALUES})"
    ),
    "attribute_values": (
        "arrayMap((t, v) -> if(length(v) <= {longest:UInt32}, v,"
        f" if(t = 1, concat(leftUTF8(v, {{longest:UInt32}}), '... ', {_WORD}), concat({_WORD}))),"
        f" {_kept(_TYPES)}, {_KEPT_VALUES})"
    ),
    "link_trace_ids": "arraySlice(link_trace_ids, 1, {links:UInt32})",
    "link_span_ids": "arraySlice(link_span_ids, 1, {links:UInt32})",
    "link_attributes": (
        "arrayMap(x -> CAST([], 'Array(String)'), arraySlice(link_attributes, 1, {links:UInt32}))"
    ),
    "events": (
        f"arrayConcat(arraySlice({_SHORT}, 1, {{most:UInt32}}), arraySlice(arrayFilter("
        f"e -> position(e, 'exception.escaped') > 0, arraySlice({_SHORT}, {{most:UInt32}} + 1)), 1, 4))"
    ),
    "resource": "if(length(resource) <= {longest:UInt32}, toString(resource), '')",
    "scope": "if(length(scope) <= {longest:UInt32}, toString(scope), '')",
}


# Before they are sorted: all of them may be too large for the memory of a query.
_CUTTING = " SETTINGS query_plan_execute_functions_after_sorting = 0"


class SpanParts:
    """Parts of the spans in *database*: see `contracts.SpanStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def first_of(self, trace_ids: Iterable[bytes], each: int, limit: int, cut: Cut) -> pa.Table:
        """At most *limit* copies (SPANS, *cut*) of these traces, of each trace the *each* received first."""
        where, named = _of_traces(sorted(set(trace_ids)))
        columns, parameters, names = _columns(cut)
        answer = self._database.query(
            f"SELECT {columns} FROM spans WHERE {where}"
            " LIMIT {each:UInt32} BY trace_id LIMIT {limit:UInt64}",
            {**parameters, **named, "each": each, "limit": limit},
            names,
        )
        return _as_spans(answer, cut)

    def few_of(self, trace_ids: Sequence[bytes], most: int) -> pa.Table | None:
        """The spans (SPANS) of these traces, deduplicated; None if there are more than *most* copies."""
        where, named = _of_traces(trace_ids)
        columns = ", ".join(COLUMNS)
        some = f"SELECT {columns} FROM spans WHERE {where} LIMIT {{most:UInt64}}"
        answer = self._database.query(
            f"SELECT {columns}, count() OVER () AS copies FROM ({some}) ORDER BY {BEST}"
            " LIMIT 1 BY trace_id, span_id",
            {**named, "most": most + 1},
            [*COLUMNS, "copies"],
        )
        if answer.num_rows and answer["copies"][0].as_py() > most:
            return None
        return spans_of_rows(answer)

    def copies_of(self, trace_ids: Sequence[bytes]) -> int:
        """How many copies of spans there are of these traces."""
        where, parameters = _of_traces(trace_ids)
        answer = self._database.query(f"SELECT count() AS n FROM spans WHERE {where}", parameters, ["n"])
        return int(answer["n"][0].as_py())

    def count_of(self, trace_ids: Sequence[bytes]) -> int:
        """How many distinct spans these traces have."""
        where, parameters = _of_traces(trace_ids)
        answer = self._database.query(
            f"SELECT uniqExact({_identity(trace_ids)}) AS n FROM spans WHERE {where}", parameters, ["n"]
        )
        return int(answer["n"][0].as_py())

    def count_before(self, trace_ids: Sequence[bytes], place: SpanPlace, *, distinct: bool) -> int:
        """How many spans of these traces come before *place*; without *distinct*, copies count."""
        where, parameters = _of_traces(trace_ids)
        counted = f"uniqExact({_identity(trace_ids)})" if distinct else "count()"
        answer = self._database.query(
            f"SELECT {counted} AS n FROM spans WHERE {where} AND start_unix_nano <= {{start:UInt64}}"
            f" AND {_PLACE} < {_BOUND}",
            {**parameters, **_bound(place)},
            ["n"],
        )
        return int(answer["n"][0].as_py())

    def part_of(
        self,
        trace_ids: Sequence[bytes],
        limit: int,
        *,
        after: SpanPlace | None = None,
        before: SpanPlace | None = None,
    ) -> pa.Table:
        """PLACES of at most *limit* copies: the first after *after*, or else the last before *before*."""
        where, parameters = _of_traces(trace_ids)
        way = "" if after else " DESC"
        if (bound := after or before) is not None:
            where += f" AND {_PLACE} {'>' if after else '<'} {_BOUND}"
            # The same of the first column alone, which is what can be skipped by.
            where += f" AND start_unix_nano {'>=' if after else '<='} {{start:UInt64}}"
            parameters |= _bound(bound)
        answer = self._database.query(
            f"SELECT start_unix_nano, trace_id, span_id FROM spans WHERE {where}"
            f" ORDER BY start_unix_nano{way}, trace_id{way}, span_id{way} LIMIT {{limit:UInt64}}",
            {**parameters, "limit": limit},
            PLACES.names,
        )
        table = pa.table([answer[field.name].cast(field.type) for field in PLACES], schema=PLACES)
        return table if after else table.take(pa.array(np.arange(table.num_rows)[::-1]))

    def octets_at(self, trace_ids: Sequence[bytes], places: pa.Table) -> Ints:
        """How many bytes each span at *places* (PLACES) has, about."""
        found: dict[tuple[bytes, bytes], int] = {}
        for ids in _in_portions(places.select(["trace_id", "span_id"])):
            where, parameters = _at(ids)
            answer = self._database.query(
                f"SELECT trace_id, span_id, {_OCTETS} FROM spans WHERE {where}",
                parameters,
                ["trace_id", "span_id", "octets"],
            )
            for trace, span, octets in zip(
                *(answer[n].to_pylist() for n in answer.column_names), strict=True
            ):
                found[trace, span] = max(found.get((trace, span), 0), octets)
        ids = zip(places["trace_id"].to_pylist(), places["span_id"].to_pylist(), strict=True)
        return np.array([found.get(pair, 0) for pair in ids], np.int64)

    def spans_at(self, ids: pa.Table, cut: Cut | None = None) -> pa.Table:
        """The spans (SPANS) with these *ids* (trace_id, span_id), deduplicated, in no particular order."""
        columns, parameters, names = _columns(cut)
        first = _CUTTING if cut else ""
        tables = [NO_SPANS]
        for some in _in_portions(ids):
            where, named = _at(some)
            answer = self._database.query(
                f"SELECT {columns} FROM spans WHERE {where} ORDER BY {BEST}"
                f" LIMIT 1 BY trace_id, span_id{first}",
                {**parameters, **named},
                names,
            )
            tables.append(_as_spans(answer, cut))
        return pa.concat_tables(tables)


def listed(name: str, octets: Iterable[bytes]) -> tuple[str, dict[str, str]]:
    """SQL for an array of strings of bytes, and its parameters: as many as it takes."""
    text = ",".join(one.hex() for one in octets)
    starts = range(0, max(len(text), 1), _MOST_BYTES)
    parameters = {f"{name}_{start}": text[start : start + _MOST_BYTES] for start in starts}
    parts = ", ".join(f"{{{part}:String}}" for part in parameters)
    joined = parts if len(parameters) == 1 else f"concat({parts})"
    return f"arrayMap(x -> unhex(x), splitByChar(',', {joined}))", parameters


def _identity(trace_ids: Sequence[bytes]) -> str:
    """What tells the spans of these traces apart. A hash of 8 bytes takes half the time of 24 bytes."""
    return "span_id" if len(trace_ids) == 1 else "sipHash64(trace_id, span_id)"


def _of_traces(trace_ids: Sequence[bytes]) -> tuple[str, dict[str, Any]]:
    sql, parameters = listed("traces", trace_ids)
    return f"trace_id IN (SELECT toFixedString(arrayJoin({sql}), 16))", dict(parameters)


def _at(ids: pa.Table) -> tuple[str, dict[str, Any]]:
    pairs = zip(ids["trace_id"].to_pylist(), ids["span_id"].to_pylist(), strict=True)
    sql, parameters = listed("ids", (trace + span for trace, span in pairs))
    traces, more = _of_traces(sorted(set(ids["trace_id"].to_pylist())))
    both = "toFixedString(substring(id, 1, 16), 16), toFixedString(substring(id, 17, 8), 8)"
    pairs_named = f"(SELECT {both} FROM (SELECT arrayJoin({sql}) AS id))"
    return f"{traces} AND (trace_id, span_id) IN {pairs_named}", {**parameters, **more}


def _in_portions(ids: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, ids.num_rows, _IDS_AT_ONCE):
        yield ids.slice(start, _IDS_AT_ONCE)


def _read_as(name: str) -> str:
    """The name of a column in answers: a name that stands for two things would be looked up in itself."""
    return f"cut_{name}" if name in _CUT else name


def _as_spans(answer: pa.Table, cut: Cut | None) -> pa.Table:
    if cut is None:
        return spans_of_rows(answer)
    return pa.table([answer[_read_as(one.name)].cast(one.type) for one in SPANS], schema=SPANS)


def _bound(place: SpanPlace) -> dict[str, Any]:
    return {"start": place.start, "trace": place.trace_id.hex(), "span": place.span_id.hex()}


def _columns(cut: Cut | None) -> tuple[str, dict[str, Any], list[str]]:
    """What is asked for, its parameters, and what the answer's columns are called."""
    if cut is None:
        return ", ".join(COLUMNS), {}, COLUMNS
    shown = ", ".join(f"{_CUT[name]} AS cut_{name}" if name in _CUT else name for name in SPANS.names)
    bounds = {"longest": cut.longest, "most": cut.most, "keep": list(cut.keep), "links": cut.links}
    return shown, bounds, [_read_as(name) for name in SPANS.names]
