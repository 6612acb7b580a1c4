"""Where does a flow stand in a list? The same place, whether it is in memory or in the store."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Ints
from collector.columns.keys import whole
from collector.model.conditions import NOT_OVERDUE, Order
from collector.model.flows import State
from collector.store.contracts import RANKS, Place

_RANK = np.array(RANKS)
_COLUMNS = {"flow": "id", "event": "last_event_type", "outcome": "outcome"}

Ranks: TypeAlias = npt.NDArray[Any]  # whole numbers, or texts


def ranks_of(order: Order, rows: pa.Table, state: Ints, overdue: Mapping[str, Ranks] | None = None) -> Ranks:
    """What *order* goes by, of each of *rows* (FLOWS) in this *state*.

    *overdue* has what only memory knows, by `waiting` and `overdue`. `store.clickhouse.flow_conditions` says
    the same in SQL.
    """
    match order.by:
        case "state":
            return _RANK[state]
        case "waiting":
            return overdue["waiting"] if overdue else np.full(rows.num_rows, "", object)
        case "overdue":
            return overdue["overdue"] if overdue else np.full(rows.num_rows, NOT_OVERDUE)
        case "flow" | "event" | "outcome":
            texts = whole(pc.fill_null(rows[_COLUMNS[order.by]], ""))
            found = np.array(texts.to_pylist(), object)
            return np.where(state == State.DONE, found, "") if order.by == "outcome" else found
        case "took":
            return _numbers(rows, "last") - _numbers(rows, "started")
        case "wait" | "work":
            return nanoseconds(rows, f"{order.by}_ms")
        case "share":
            wait, work = _floats(rows, "wait_ms"), _floats(rows, "work_ms")
            spent = wait + work
            share = np.divide(wait, spent, out=np.zeros(len(wait)), where=spent > 0)
            return np.where(spent > 0, (share * 1e9).astype(np.int64), -1)
        case measure:
            return _numbers(rows, measure)


def nanoseconds(rows: pa.Table, name: str) -> Ints:
    """A column of milliseconds, as the store computes it: both must come to the same number."""
    return (_floats(rows, name) * 1e6).astype(np.int64)


def places_of(rows: pa.Table, ranks: Ranks) -> list[Place]:
    """The place of each of *rows*, which stand at *ranks*."""
    last, ids = rows["last"].to_pylist(), rows["id"].to_pylist()
    return [Place(*one) for one in zip(ranks.tolist(), last, ids, strict=True)]


def in_order(order: Order, ranks: Ranks, last: Ints, names: npt.NDArray[np.object_]) -> Ints:
    """The places that these flows have in a list, the first one first."""
    _, rank = np.unique(ranks, return_inverse=True)  # texts become numbers
    by_name = np.argsort(names, kind="stable")[::-1]
    way = -rank if order.reverse else rank
    return by_name[np.lexsort((-last[by_name], way[by_name]))]


def ordered(order: Order, rows: pa.Table) -> pa.Table:
    """*rows* (STORED_FLOWS) in *order*."""
    ranks = ranks_of(order, rows, np.asarray(rows["state"].to_numpy()))
    last, names = np.asarray(rows["last"].to_numpy()), np.array(rows["id"].to_pylist(), object)
    return rows.take(pa.array(in_order(order, ranks, last, names)))


def _numbers(rows: pa.Table, name: str) -> Ints:
    return np.asarray(rows[name].to_numpy()).astype(np.int64)


def _floats(rows: pa.Table, name: str) -> npt.NDArray[np.float64]:
    return np.asarray(rows[name].to_numpy(), np.float64)
