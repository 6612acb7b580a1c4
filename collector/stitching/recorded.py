"""What do log records add to the spans that they are about?

A record is a span of no length below the one that it names. It may arrive before or after it, or alone: what
is here is joined anew each time, so order changes nothing.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.keys import whole
from collector.model.readings import Role
from collector.stitching.graph import Mask, Rows, marked, numbers


def with_records(table: pa.Table, role: Rows, parent: Rows) -> pa.Table:
    """*table* (READINGS), in which spans have failed that a record says so of; *role* is changed as well.

    An event that a record tells of is a message of its own, unless the span is about the same event.
    """
    recorded = np.flatnonzero(role == Role.RECORDED)
    if len(recorded):
        same = _about_the_same(table, role, recorded, parent[recorded])
        role[recorded] = np.where(same, int(Role.REPORT), int(Role.SEND))
        table = with_column(table, "role", pa.array(role, pa.uint8()))
    report = np.flatnonzero((role == Role.REPORT) & (parent >= 0))
    if not len(report):
        return table
    failed = np.asarray(table["failed"].to_numpy(), np.bool_)
    well = np.asarray(table["well"].to_numpy(), np.bool_)
    report = report[failed[report] & ~failed[parent[report]] & ~well[parent[report]]]
    return _with_failures(table, report, parent[report]) if len(report) else table


def with_column(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    """*table* with another *column* of that name."""
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(place), column)


def _about_the_same(table: pa.Table, role: Rows, rows: Rows, above: Rows) -> Mask:
    """Which of *rows* tell of the event that the span *above* each published or handled."""
    here = above >= 0
    said = table.select(["event_id", "event_type", "typed"]).take(pa.array(np.where(here, above, rows)))
    mine = table.select(["event_id", "event_type"]).take(pa.array(rows))
    by_id = pc.equal(_texts(mine, "event_id"), _texts(said, "event_id"))  # null where one has none
    typed = np.asarray(said["typed"].to_numpy(), np.bool_)
    by_type = np.asarray(
        pc.fill_null(pc.equal(_texts(mine, "event_type"), _texts(said, "event_type")), False)
    )
    publishes = (role[above] == Role.CREATE) | (role[above] == Role.SEND)
    same = np.asarray(pc.coalesce(by_id, pa.array(np.where(typed, by_type, publishes))), np.bool_)
    found: Mask = same & here & (role[above] != Role.RECORDED)
    return found


def _texts(table: pa.Table, name: str) -> pa.Array:
    return whole(table[name]).cast(pa.string())


def _with_failures(table: pa.Table, report: Rows, span: Rows) -> pa.Table:
    """*table*, in which each *span* failed as the first *report* of it says; rows are in a fixed order."""
    order = np.lexsort((report, numbers(table, "start")[report], span))
    report, span = report[order], span[order]
    first = np.append(True, span[1:] != span[:-1])
    report, span = report[first], span[first]
    mask = marked(table.num_rows, span)
    for name in ("error", "quotable"):
        column = whole(table[name])
        told = column.take(pa.array(report))
        table = with_column(table, name, pc.replace_with_mask(column, pa.array(mask), told))
    failed = np.asarray(table["failed"].to_numpy(), np.bool_) | mask
    return with_column(table, "failed", pa.array(failed))
