"""Which flows are there? One list of those in memory and those in the store."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from collector.columns.joins import Ints, Mask
from collector.live.snapshot import Snapshot
from collector.model import answers
from collector.model.answers import FlowItem, Flows
from collector.model.conditions import NOT_OVERDUE, Order
from collector.model.flows import State
from collector.queries.beside import both
from collector.queries.causal_graph import LISTED_TRACES
from collector.queries.dismissed import NOTHING_DISMISSED, Dismissed
from collector.queries.holding import holds, owed_by, owing
from collector.queries.lines import Asked
from collector.queries.nearest_names import nearest
from collector.queries.paging import Page, cursor_after
from collector.queries.remnants import spans_kept
from collector.queries.sources import Sources
from collector.store.contracts import Place, Search
from collector.store.flow_order import Ranks, in_order, places_of, ranks_of

_NEWEST_FIRST, _NEWEST = Order("last", reverse=True), 50


def flows(sources: Sources, asked: Asked, wanted: Page, dismissed: Dismissed = NOTHING_DISMISSED) -> Flows:
    """The flows that are *asked* for, in their order, and how many there are."""
    # What the page was made from is counted, or a flow that comes meanwhile would be listed and not counted.
    snapshot, search = sources.live.snapshot, asked.search
    hidden = dismissed.hidden(snapshot)
    anywhere = replace(search, states=(), dismissed=False)
    every = matching(snapshot, anywhere, hidden)
    counts = {state.word: 0 for state in State} | {"dismissed": int((every & hidden).sum())}
    for state, n in zip(State, np.bincount(snapshot.state[every & ~hidden], minlength=5), strict=True):
        counts[state.word] += int(n)
    alone = in_store_alone(snapshot, anywhere)
    stored, (shown, following) = both(
        partial(_stored_counts, sources, alone, dismissed),
        partial(listed, sources, snapshot, search, wanted, dismissed),
    )
    for word, n in stored.items():
        counts[word] += n
    words = {State(code).word for code in search.states} | ({"dismissed"} if search.dismissed else set())
    total = sum(n for word, n in counts.items() if not words or word in words)
    names = [] if shown or wanted.after else asked.line.names
    near = []
    if len(names) == 1:
        near = nearest(sources, names[0], absent=is_absent(search, names[0], counts))
    return Flows(
        flows=shown,
        total=total,
        next_cursor=following,
        counts=counts,
        states=asked.states,
        line=asked.read,
        nearest=near,
        keyless=bool(names) and are_keyless(sources, snapshot),
    )


def are_keyless(sources: Sources, snapshot: Snapshot) -> bool:
    """Whether there are flows, and neither one in memory nor one of the newest stored has a flow key."""
    keys = snapshot.flows["key"]
    if keys.null_count < len(keys):
        return False
    newest = sources.flows.found(Search(order=_NEWEST_FIRST), _NEWEST)["key"]
    return bool(len(keys) + len(newest)) and newest.null_count == len(newest)


def is_absent(search: Search, name: str, counts: Mapping[str, int]) -> bool:
    """Whether *counts*, those of *search*, say that nothing at all has this *name*."""
    alone = not (search.since or search.before or search.waiting_for)
    return alone and not any(counts.values()) and search.all_conditions == Search(name).all_conditions


def _stored_counts(sources: Sources, alone: Search, dismissed: Dismissed) -> Counter[str]:
    """How many flows match in the store *alone*, by state and "dismissed"."""
    found: Counter[str] = Counter()
    if dismissed.any:
        for (code, gone), n in sources.flows.counts_apart(alone).items():
            found["dismissed" if gone else State(code).word] += n
    else:
        for code, n in sources.flows.counts(alone).items():
            found[State(code).word] += n
    return found


def listed(
    sources: Sources, snapshot: Snapshot, search: Search, wanted: Page, dismissed: Dismissed
) -> tuple[list[FlowItem], str | None]:
    """A page of the flows that match *search*, and the cursor of the next one; *dismissed* says which are.

    Those in memory and those in the store make one list. A flow that is evicted while a reader turns pages
    keeps its place, so it is neither skipped nor shown twice.
    """
    kept_since, order = sources.retained().since, search.order
    after = Place(*wanted.after) if wanted.after else None
    more = wanted.limit + 1  # than is shown, to know whether there is another page
    here, places = _in_order(
        snapshot, matching(snapshot, search, dismissed.hidden(snapshot)), order, after, more
    )
    entries = list(zip(places, items_of(snapshot, here, kept_since, dismissed), strict=True))
    rows = sources.flows.found(in_store_alone(snapshot, search), more, after)
    places = places_of(rows, ranks_of(order, rows, np.asarray(rows["state"].to_numpy())))
    stored = (stored_item(row, kept_since, dismissed) for row in rows.to_pylist())
    entries += zip(places, stored, strict=True)
    entries.sort(key=lambda entry: entry[0][1:], reverse=True)
    entries.sort(key=lambda entry: entry[0].rank, reverse=order.reverse)  # which leaves the rest in order
    shown = entries[: wanted.limit]
    following = cursor_after(shown[-1][0], order) if len(entries) > len(shown) else None
    return [item for _, item in shown], following


def in_store_alone(snapshot: Snapshot, search: Search) -> Search:
    """*search* for stored flows that were not in memory at the time of *snapshot*, which has them newer."""
    return replace(search, without=snapshot.kept_ids, stored_by=snapshot.stored)


def _in_order(
    snapshot: Snapshot, mask: Mask, order: Order, after: Place | None, most: int
) -> tuple[Ints, list[Place]]:
    """At most *most* of the rows that *mask* marks, in *order*, from *after* on, and their places."""
    rows = np.flatnonzero(mask)
    flows = snapshot.flows.drop_columns(["traces", "names"]).take(pa.array(rows))
    knows = order.by in {"waiting", "overdue"}
    ranks = ranks_of(order, flows, snapshot.state[rows], _overdue(snapshot, rows) if knows else None)
    last = np.asarray(flows["last"].to_numpy())
    names = np.array(flows["id"].to_pylist(), object)
    chosen = np.arange(len(rows))
    if after is not None:
        later = (ranks < after.rank) if order.reverse else (ranks > after.rank)
        alike = ranks == after.rank
        later |= alike & (last < after.last)
        later |= alike & (last == after.last) & (names < after.id)
        chosen = np.flatnonzero(later)
    chosen = chosen[in_order(order, ranks[chosen], last[chosen], names[chosen])][:most]
    return rows[chosen], places_of(flows.take(pa.array(chosen)), ranks[chosen])


def matching(snapshot: Snapshot, search: Search, hidden: Mask) -> Mask:
    """Which of the unfinished flows match *search*; *hidden* marks those that are dismissed."""
    flows = snapshot.flows
    last = np.asarray(flows["last"].to_numpy())
    mask = last > (search.since or float("-inf"))
    if search.before:
        mask &= last < search.before
    if search.states or search.dismissed:
        wanted = np.isin(snapshot.state, list(search.states)) & ~hidden
        mask &= wanted | hidden if search.dismissed else wanted
    if search.waiting_for:
        mask &= owing(snapshot, lambda service, _: service == search.waiting_for)
    for condition in search.all_conditions:
        mask &= holds(snapshot, condition)
    return mask


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


def _overdue(snapshot: Snapshot, rows: Ints) -> dict[str, Ranks]:
    """What lists may be ordered by that only memory knows: for whom each of *rows* waits, since when."""
    owed, entry = snapshot.owed, longest_owed(snapshot)[rows]
    waits = entry >= 0
    due = np.full(len(rows), NOT_OVERDUE)
    due[waits] = -(owed.since + owed.due)[entry[waits]]
    kinds = {
        pair: owed_by(snapshot, *pair)[0] or ""
        for pair in set(zip(owed.step.tolist(), owed.join.tolist(), strict=True))
    }
    steps, joins = owed.step[entry[waits]].tolist(), owed.join[entry[waits]].tolist()
    waiting = np.full(len(rows), "", object)
    waiting[waits] = [kinds[pair] for pair in zip(steps, joins, strict=True)]
    return {"waiting": waiting, "overdue": due}


def longest_owed(snapshot: Snapshot) -> Ints:
    """For each flow, the overdue entry that has been owed for longest; -1 if nothing is overdue."""
    entry = np.full(snapshot.flows.num_rows, -1)
    newest_first = np.argsort(snapshot.owed.since, kind="stable")[::-1]
    entry[snapshot.owed.flow[newest_first]] = newest_first
    return entry


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
