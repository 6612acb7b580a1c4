"""Which flows are there? One list of those in memory and those in the store."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Ints, Mask
from collector.columns.keys import codes_of, whole
from collector.diagnosis.record import reactor_of
from collector.live.snapshot import Snapshot
from collector.model import answers
from collector.model.answers import FlowItem, Flows
from collector.model.flows import State
from collector.queries.causal_graph import LISTED_TRACES
from collector.queries.dismissed import NOTHING_DISMISSED, Dismissed
from collector.queries.paging import Page, cursor_after
from collector.queries.remnants import spans_kept
from collector.queries.sources import Sources
from collector.store.contracts import RANKS, Place, Search, begins_trace_id

_RANK = np.array(RANKS)


def flows(sources: Sources, search: Search, wanted: Page, dismissed: Dismissed = NOTHING_DISMISSED) -> Flows:
    """The flows that match *search*: stuck first, then the newest. *dismissed* says which of them are.

    Those in memory and those in the store make one list. A flow that is evicted while a reader turns pages
    keeps its place, so it is neither skipped nor shown twice.
    """
    snapshot, store = sources.live.snapshot, sources.flows
    kept_since = sources.retained().since
    hidden = dismissed.hidden(snapshot)
    anywhere = replace(search, states=(), dismissed=False)
    every = matching(snapshot, anywhere, hidden)
    counts = {state.word: 0 for state in State} | {"dismissed": int((every & hidden).sum())}
    for state, n in zip(State, np.bincount(snapshot.state[every & ~hidden], minlength=5), strict=True):
        counts[state.word] += int(n)
    alone = in_store_alone(snapshot, anywhere)
    if dismissed.any:
        for (code, gone), n in store.counts_apart(alone).items():
            counts["dismissed" if gone else State(code).word] += n
    else:
        for code, n in store.counts(alone).items():
            counts[State(code).word] += n
    words = {State(code).word for code in search.states} | ({"dismissed"} if search.dismissed else set())
    total = sum(n for word, n in counts.items() if not words or word in words)
    after = Place(*wanted.after) if wanted.after else None
    # One more than is shown, to know whether there is another page.
    here = _in_order(snapshot, matching(snapshot, search, hidden), after)[: wanted.limit + 1]
    entries = list(zip(_places(snapshot, here), items_of(snapshot, here, kept_since, dismissed), strict=True))
    for row in store.found(in_store_alone(snapshot, search), wanted.limit + 1, after).to_pylist():
        item = stored_item(row, kept_since, dismissed)
        entries.append((Place(int(_RANK[row["state"]]), row["last"], row["id"]), item))
    entries.sort(key=lambda entry: (entry[0].rank, -entry[0].last, entry[0].id))
    shown = entries[: wanted.limit]
    following = cursor_after(shown[-1][0]) if len(entries) > len(shown) else None
    return Flows(flows=[item for _, item in shown], total=total, next_cursor=following, counts=counts)


def nearest(sources: Sources, name: str, most: int = 5) -> list[str]:
    """The names of flows that look like *name*, which may be mistyped, or only the beginning of a key."""
    for length in (len(name), max(len(name) - 2, 3), 3):
        if found := flows(sources, Search(name[:length]), Page(most)).flows:
            return [item.key or item.id for item in found]
    return []


def in_store_alone(snapshot: Snapshot, search: Search) -> Search:
    """*search* for stored flows that were not in memory at the time of *snapshot*, which has them newer."""
    kept = snapshot.flows["id"].filter(pa.array(snapshot.kept)).to_pylist()
    return replace(search, without=kept, stored_by=snapshot.stored)


def _in_order(snapshot: Snapshot, mask: Mask, after: Place | None) -> Ints:
    """The rows that *mask* marks, in list order, from *after* on."""
    rows = np.flatnonzero(mask)
    rank, last = _RANK[snapshot.state[rows]], np.asarray(snapshot.flows["last"].to_numpy())[rows]
    names = np.array(snapshot.flows["id"].take(pa.array(rows)).to_pylist(), object)
    if after is not None:
        later = (rank > after.rank) | ((rank == after.rank) & (last < after.last))
        later |= (rank == after.rank) & (last == after.last) & (names > after.id)
        rows, rank, last, names = rows[later], rank[later], last[later], names[later]
    by_name = np.argsort(names, kind="stable")
    return rows[by_name[np.lexsort((-last[by_name], rank[by_name]))]]


def _places(snapshot: Snapshot, rows: Ints) -> list[Place]:
    chosen = snapshot.flows.select(["last", "id"]).take(pa.array(rows)).to_pylist()
    ranks = _RANK[snapshot.state[rows]].tolist()
    return [Place(rank, row["last"], row["id"]) for rank, row in zip(ranks, chosen, strict=True)]


def matching(snapshot: Snapshot, search: Search, hidden: Mask) -> Mask:
    """Which of the unfinished flows match *search*; *hidden* marks those that are dismissed."""
    flows = snapshot.flows
    last = np.asarray(flows["last"].to_numpy())
    mask = last > search.since
    if search.before:
        mask &= last < search.before
    if search.states or search.dismissed:
        wanted = np.isin(snapshot.state, list(search.states)) & ~hidden
        mask &= wanted | hidden if search.dismissed else wanted
    if search.waiting_for:
        mask &= _owed(snapshot, lambda service, _: service == search.waiting_for)
    if search.text:
        mask &= _mentioning(snapshot, search.text)
    return mask


def _owed(snapshot: Snapshot, wanted: Callable[[str | None, str | None], bool]) -> Mask:
    """Which flows have something overdue that *wanted* accepts; called once for each (service, event)."""
    owed = snapshot.owed
    kinds, kind = np.unique(np.stack([owed.step, owed.join]), axis=1, return_inverse=True)
    hits = [wanted(*owed_by(snapshot, step, join)) for step, join in kinds.T.tolist()]
    found = np.zeros(snapshot.flows.num_rows, np.bool_)
    found[owed.flow[np.array(hits, np.bool_)[kind]]] = True
    return found


def _mentioning(snapshot: Snapshot, text: str) -> Mask:
    """Which flows mention *text*: in their id, an event type, a service, what they wait for, or a trace id.

    A trace id has to begin with it. Case does not matter.
    """
    flows = snapshot.flows
    hit = pc.match_substring(whole(flows["id"]), text, ignore_case=True)
    found = np.array(hit.to_numpy(zero_copy_only=False))
    ways = whole(flows["names"]).dictionary_encode()  # one for each variant
    mentions = pc.match_substring(ways.dictionary, text, ignore_case=True).to_numpy(zero_copy_only=False)
    found |= mentions[codes_of(ways)]
    lower = text.lower()
    found |= _owed(snapshot, lambda *words: any(lower in word.lower() for word in words if word))
    if begins_trace_id(text):
        traces = whole(flows["traces"])
        owner = np.repeat(np.arange(flows.num_rows), np.diff(traces.offsets.to_numpy()))
        starts = [trace.hex().startswith(text.lower()) for trace in traces.flatten().to_pylist()]
        found[owner[np.array(starts, np.bool_)]] = True
    return found


def items_of(
    snapshot: Snapshot, places: Ints, kept_since: int = 0, dismissed: Dismissed = NOTHING_DISMISSED
) -> list[FlowItem]:
    """The list entries of these rows of the snapshot; the oldest span that is kept is of *kept_since*."""
    owed = snapshot.owed
    entry = longest_owed(snapshot)[places]
    overdue = np.maximum((snapshot.now or 0) - owed.since - owed.due, 0) / 1e9
    rows = snapshot.flows.take(pa.array(places)).to_pylist()
    for place, row in zip(places.tolist(), rows, strict=True):
        row["incomplete"] = row["incomplete"] and not snapshot.coming[place]
    found = []
    for place, debt, row in zip(places.tolist(), entry.tolist(), rows, strict=True):
        state = State(int(snapshot.state[place]))
        said = dismissed.of(row["id"], row["received"], state)
        if debt < 0:
            found.append(_item(row, kept_since, state, dismissed=said))
            continue
        service, event_type = owed_by(snapshot, int(owed.step[debt]), int(owed.join[debt]))
        late = round(float(overdue[debt]), 3) if state >= State.LATE else None
        found.append(_item(row, kept_since, state, service, event_type, late, said))
    return found


def stored_item(
    row: Mapping[str, Any], kept_since: int, dismissed: Dismissed = NOTHING_DISMISSED
) -> FlowItem:
    """The list entry of one row of STORED_FLOWS."""
    state = State(row["state"])
    return _item(row, kept_since, state, dismissed=dismissed.of(row["id"], row["received"], state))


def longest_owed(snapshot: Snapshot) -> Ints:
    """For each flow, the overdue entry that has been owed for longest; -1 if nothing is overdue."""
    entry = np.full(snapshot.flows.num_rows, -1)
    newest_first = np.argsort(snapshot.owed.since, kind="stable")[::-1]
    entry[snapshot.owed.flow[newest_first]] = newest_first
    return entry


def owed_by(snapshot: Snapshot, step: int, join: int) -> tuple[str | None, str | None]:
    """(service, event type) that a flow waits for."""
    expected = snapshot.expected
    if expected is None:
        return None, None
    expectation = expected.of(step, join)
    service, _ = expected.names.of_reactor(reactor_of(step))
    return service, expectation.next_event_type if expectation else None


def _item(
    row: Mapping[str, Any],
    kept_since: int,
    state: State,
    service: str | None = None,
    event_type: str | None = None,
    overdue: float | None = None,
    dismissed: answers.Dismissed | None = None,
) -> FlowItem:
    kept = spans_kept(row["begun"], row["received"], kept_since)
    return FlowItem(
        id=row["id"],
        key=row["key"],
        state=state.word,
        started_unix_nano=row["started"],
        last_unix_nano=row["last"],
        last_event_type=row["last_event_type"],
        last_service=row["last_service"],
        waiting_for=service,
        waiting_for_event=event_type,
        traces=[trace.hex() for trace in row["traces"][:LISTED_TRACES]],
        outcome=row["outcome"] if state is State.DONE else None,
        messages=row["messages"],
        reactions=row["reactions"],
        incomplete=row["incomplete"] and kept == "all",  # what was dropped was not lost
        wait_ms=round(row["wait_ms"], 3),
        work_ms=round(row["work_ms"], 3),
        overdue_s=overdue,
        spans_kept=kept,
        dismissed=dismissed,
        set_aside=row.get("set_aside", False),
    )
