"""The flows, wherever they are: those still in memory first, then those in the store."""

import base64
import binascii
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.diagnosis import State
from collector.diagnosis.record import Ints, Mask, reactor_of
from collector.keys import whole
from collector.live.snapshot import Snapshot
from collector.store.flows import FlowStore, Search

Document: TypeAlias = dict[str, Any]

_WORST_FIRST = {State.FAILED: 0, State.STUCK: 0, State.LATE: 1, State.RUNNING: 2, State.DONE: 3}


class QuestionError(Exception):
    """A question that can not be answered as it was asked; the text says what was expected."""


@dataclass(frozen=True)
class Page:
    """Which part of a list is wanted."""

    limit: int = 1000
    offset: int = 0

    def cursor_after(self, total: int) -> str | None:
        """The cursor of the next page; None after the last."""
        following = self.offset + self.limit
        return base64.urlsafe_b64encode(str(following).encode()).decode() if following < total else None


def page(limit: int, cursor: str | None) -> Page:
    """The page at *cursor*, as an earlier answer gave it; raise `QuestionError` for any other."""
    if not cursor:
        return Page(limit)
    try:
        return Page(limit, int(base64.urlsafe_b64decode(cursor.encode())))
    except (ValueError, binascii.Error) as error:
        msg = f"cursor is '{cursor[:40]}': expected the next_cursor of an earlier answer, or none."
        raise QuestionError(msg) from error


def listed(snapshot: Snapshot, store: FlowStore, search: Search, wanted: Page) -> Document:
    """The document of `choreoscope flows`: stuck first, then the newest."""
    mask = matching(snapshot, search)
    items = items_of(snapshot, np.flatnonzero(mask))
    items.sort(key=lambda item: (_WORST_FIRST[State[item["state"].upper()]], -item["last_unix_nano"]))
    over = replace(search, without=tuple(snapshot.flows["id"].to_pylist()))
    counts = {state.word: 0 for state in State}
    for code, n in store.counts(replace(over, states=())).items():
        counts[State(code).word] += n
    for code in snapshot.state[matching(snapshot, replace(search, states=()))].tolist():
        counts[State(code).word] += 1
    total = sum(n for word, n in counts.items() if not search.states or State[word.upper()] in search.states)
    shown = items[wanted.offset : wanted.offset + wanted.limit]
    if len(shown) < wanted.limit:
        offset = max(wanted.offset - len(items), 0)
        shown += [
            stored_item(row) for row in store.found(over, wanted.limit - len(shown), offset).to_pylist()
        ]
    return {"flows": shown, "total": total, "next_cursor": wanted.cursor_after(total), "counts": counts}


def matching(snapshot: Snapshot, search: Search) -> Mask:
    """Which of the unfinished flows *search* asks for."""
    flows = snapshot.flows
    mask = np.asarray(flows["last"].to_numpy()) > search.since
    if search.states:
        mask &= np.isin(snapshot.state, list(search.states))
    if search.text:
        mask &= _mentioning(snapshot, search.text)
    return mask


def _mentioning(snapshot: Snapshot, text: str) -> Mask:
    """Which flows have *text* in their id, last event or what they wait for, or begin a trace id."""
    flows = snapshot.flows
    found = np.zeros(flows.num_rows, np.bool_)
    for name in ("id", "last_event_type"):
        hit = pc.match_substring(pc.fill_null(whole(flows[name]), ""), text, ignore_case=True)
        found |= hit.to_numpy(zero_copy_only=False)
    for place, owed in waiting_for(snapshot).items():
        found[place] |= any(text.lower() in word.lower() for word in owed if word)
    if set(text.lower()) <= set("0123456789abcdef"):
        traces = whole(flows["traces"])
        owner = np.repeat(np.arange(flows.num_rows), np.diff(traces.offsets.to_numpy()))
        starts = [trace.hex().startswith(text.lower()) for trace in traces.flatten().to_pylist()]
        found[owner[np.array(starts, np.bool_)]] = True
    return found


def items_of(snapshot: Snapshot, places: Ints) -> list[Document]:
    """The flow entries of these rows of the snapshot."""
    waiting = waiting_for(snapshot)
    overdue = overdue_s(snapshot)
    rows = snapshot.flows.take(pa.array(places)).to_pylist()
    found = []
    for place, row in zip(places.tolist(), rows, strict=True):
        state = State(int(snapshot.state[place]))
        service, event_type = waiting.get(place, (None, None))
        found.append(
            _item(row, state, service, event_type, overdue.get(place) if state >= State.LATE else None)
        )
    return found


def stored_item(row: Document) -> Document:
    """The flow entry of one row of STORED_FLOWS."""
    return _item(row, State(row["state"]), None, None, None)


def waiting_for(snapshot: Snapshot) -> dict[int, tuple[str, str | None]]:
    """(service, event type) that each overdue flow waits for: what is owed longest."""
    owed, expected = snapshot.owed, snapshot.expected
    found: dict[int, tuple[str, str | None]] = {}
    if expected is None:
        return found
    for entry in np.argsort(owed.since, kind="stable").tolist():
        flow = int(owed.flow[entry])
        if flow in found:
            continue
        service, _ = expected.names.of_reactor(reactor_of(int(owed.step[entry])))
        expectation = expected.of(int(owed.step[entry]), int(owed.join[entry]))
        found[flow] = (service, expectation.next_event_type if expectation else None)
    return found


def overdue_s(snapshot: Snapshot) -> dict[int, float]:
    """For how many seconds each overdue flow has owed its longest debt beyond when it was due."""
    owed, now = snapshot.owed, snapshot.now or 0
    seconds = np.maximum(now - owed.since - owed.due, 0) / 1e9
    found: dict[int, float] = {}
    for flow, late in zip(owed.flow.tolist(), seconds.tolist(), strict=True):
        found[flow] = round(max(found.get(flow, 0.0), late), 3)
    return found


def _item(
    row: Document, state: State, service: str | None, event_type: str | None, overdue: float | None
) -> Document:
    return {
        "id": row["id"],
        "key": row["key"],
        "state": state.word,
        "started_unix_nano": row["started"],
        "last_unix_nano": row["last"],
        "last_event_type": row["last_event_type"],
        "last_service": row["last_service"],
        "waiting_for": service,
        "waiting_for_event": event_type,
        "traces": [trace.hex() for trace in row["traces"]],
        "outcome": row["outcome"] if state is State.DONE else None,
        "messages": row["messages"],
        "reactions": row["reactions"],
        "incomplete": row["incomplete"],
        "wait_ms": round(row["wait_ms"], 3),
        "work_ms": round(row["work_ms"], 3),
        "overdue_s": overdue,
    }
