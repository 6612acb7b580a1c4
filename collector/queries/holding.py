"""Which flows in memory meet a condition? The store answers the same of its own in SQL."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Ints, Mask
from collector.columns.keys import codes_of, whole
from collector.diagnosis.record import reactor_of
from collector.live.snapshot import Snapshot
from collector.model.conditions import Condition, Erred, IsVariant, Measure, Mentions, Name, Where, Within
from collector.model.flows import State
from collector.store.contracts import begins_trace_id
from collector.store.flow_order import nanoseconds

Owes: TypeAlias = Callable[[Callable[[str | None, str | None], bool]], Mask]


def holds(snapshot: Snapshot, condition: Condition) -> Mask:
    """Which of the unfinished flows meet *condition*."""
    return holding(snapshot.flows, snapshot.state, condition, lambda wanted: owing(snapshot, wanted))


def holding(flows: pa.Table, state: Ints, condition: Condition, owes: Owes | None = None) -> Mask:
    """Which of *flows* (FLOWS) in this *state* meet *condition*; *owes* says which have something overdue."""
    found = _holding(flows, state, condition, owes or (lambda _: np.zeros(flows.num_rows, np.bool_)))
    return ~found if condition.negated else found


def _holding(flows: pa.Table, state: Ints, condition: Condition, owes: Owes) -> Mask:
    found = np.zeros(flows.num_rows, np.bool_)
    match condition:
        case Within():
            measured = _measured(flows, condition.measure)
            found |= True
            if condition.low is not None:
                found &= measured >= condition.low
            if condition.high is not None:
                found &= measured <= condition.high
        case Erred():
            erred = pc.greater(pc.binary_length(pc.fill_null(flows["failures"], "")), 0)
            found |= np.array(erred.to_numpy(), np.bool_)
            found |= state == State.FAILED
        case IsVariant():
            variants = np.array([one for one in condition.variants if one], np.uint64)
            found |= np.isin(flows["variant"].to_numpy(), variants)
        case Mentions():
            for name in condition.names:
                found |= _mentioned(flows, state, condition.where, name, owes)
    return found


def _mentioned(flows: pa.Table, state: Ints, where: Where, name: Name, owes: Owes) -> Mask:
    match where:
        case "text":
            return mentioning(flows, name.text, owes)
        case "waiting":
            needle = name.needle.lower()
            return owes(lambda *words: any(needle in f"\n{word}\n".lower() for word in words if word))
        case "outcome":
            found = _among(flows["outcome"], name)
            found &= state == State.DONE
            return found
        case "named":
            return _among(flows["names"], name)
        case "failures":
            return _among(flows["failures"], name)
        case "id":
            return _in_id(flows, name.text)


def _measured(flows: pa.Table, measure: Measure) -> Ints:
    if measure == "took":
        return _numbers(flows, "last") - _numbers(flows, "started")
    if measure in {"wait", "work"}:
        return nanoseconds(flows, f"{measure}_ms")
    return _numbers(flows, measure)


def _numbers(flows: pa.Table, name: str) -> Ints:
    return np.asarray(flows[name].to_numpy()).astype(np.int64)


def _among(column: pa.ChunkedArray, name: Name) -> Mask:
    """Where one of the names in *column*, which stand on lines of their own, is *name*."""
    encoded = whole(pc.fill_null(column, "")).dictionary_encode()  # one for each variant
    lines = pc.binary_join_element_wise("", encoded.dictionary, "", "\n")
    hits = pc.match_substring(lines, name.needle, ignore_case=True).to_numpy(zero_copy_only=False)
    return np.asarray(hits[codes_of(encoded)], np.bool_)


def owing(snapshot: Snapshot, wanted: Callable[[str | None, str | None], bool]) -> Mask:
    """Which flows have something overdue that *wanted* accepts; called once for each (service, event)."""
    owed = snapshot.owed
    kinds, kind = np.unique(np.stack([owed.step, owed.join]), axis=1, return_inverse=True)
    hits = [wanted(*owed_by(snapshot, step, join)) for step, join in kinds.T.tolist()]
    found = np.zeros(snapshot.flows.num_rows, np.bool_)
    found[owed.flow[np.array(hits, np.bool_)[kind]]] = True
    return found


def owed_by(snapshot: Snapshot, step: int, join: int) -> tuple[str | None, str | None]:
    """(service, event type) that a flow waits for."""
    expected = snapshot.expected
    if expected is None:
        return None, None
    expectation = expected.of(step, join)
    service, _ = expected.names.of_reactor(reactor_of(step))
    return service, expectation.next_event_type if expectation else None


def _in_id(flows: pa.Table, text: str) -> Mask:
    hit = pc.match_substring(whole(flows["id"]), text, ignore_case=True)
    return np.array(hit.to_numpy(zero_copy_only=False))


def mentioning(flows: pa.Table, text: str, owes: Owes) -> Mask:
    """Which flows mention *text*: in their id, an event type, a service, what they wait for, or a trace id.

    A trace id has to begin with it. Case does not matter.
    """
    found = _in_id(flows, text)
    ways = whole(pc.fill_null(flows["names"], "")).dictionary_encode()  # one for each variant
    mentions = pc.match_substring(ways.dictionary, text, ignore_case=True).to_numpy(zero_copy_only=False)
    found |= mentions[codes_of(ways)]
    lower = text.lower()
    found |= owes(lambda *words: any(lower in word.lower() for word in words if word))
    if begins_trace_id(text):
        traces = whole(flows["traces"])
        owner = np.repeat(np.arange(flows.num_rows), np.diff(traces.offsets.to_numpy()))
        starts = [trace.hex().startswith(text.lower()) for trace in traces.flatten().to_pylist()]
        found[owner[np.array(starts, np.bool_)]] = True
    return found
