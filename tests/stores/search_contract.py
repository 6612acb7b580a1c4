"""What must every store answer about the flows that a search line asks for, and in which order?"""

from typing import Any

import numpy as np
import pyarrow as pa

from collector.model.conditions import SORTS, Order
from collector.model.flows import FLOWS, State
from collector.model.variant_ids import variant_of
from collector.queries.lines import asked
from collector.store.contracts import FlowStore, Place, Search
from collector.store.flow_order import places_of, ranks_of
from tests.factories import NOW, SECOND, trace_id

# What search lines find of A-1, which took a second and is stuck, and of B-1, which is done.
LINES = {
    "": "A-1 B-1",
    "a-1": "A-1",
    '-"a-1"': "B-1",
    "order event:OrderPlaced": "A-1",
    "event:orderPLACED": "A-1",
    "event:Orde": "",
    "event:Order*": "A-1 B-1",
    "event:*shipped,nothing": "B-1",
    "-event:*shipped": "A-1",
    'service:order -service:"order*"': "A-1 B-1",
    """event:"żółw\\\\ '; DROP TABLE flows -- {x:String}" """: "",
    "outcome:OrderShipped": "B-1",
    "-outcome:OrderShipped": "A-1",
    "outcome:OrderCancelled outcome:OrderShipped": "B-1",
    "error:yes": "B-1",
    "error:no": "A-1",
    "error:fraud": "B-1",
    "error:frau": "",
    "-error:payment": "A-1",
    "variant:orderplaced": "A-1",
    f"variant:{variant_of(['OrderShipped']):016x}": "B-1",
    "variant:OrderPlaced,OrderShipped": "",
    "-variant:OrderPlaced": "B-1",
    "took:>500ms": "A-1",
    "took:1s": "A-1",
    "took:<=1ns": "B-1",
    "-took:>500ms": "B-1",
    "started:>=now": "B-1",
    "last:>now": "B-1",
    "messages:1 reactions:0 wait:500us work:0": "A-1 B-1",
    "wait:>500us": "",
    "waiting:payment": "",
    "state:stuck": "A-1",
    "-state:stuck,failed": "B-1",
    "state:done -state:done": "",
    trace_id("B-1").hex()[:9]: "B-1",
}


def flow(name: str, **columns: Any) -> pa.Table:
    """FLOWS of one flow; what is not given is as empty as it can be."""
    nothing: dict[str, Any] = dict.fromkeys(FLOWS.names, 0)
    nothing |= {field.name: None for field in FLOWS if field.type == pa.string()}
    row = {**nothing, "id": name, "key": name, "traces": [trace_id(name)], "incomplete": False}
    return pa.Table.from_pylist([row | {"wait_ms": 0.0, "work_ms": 0.0} | columns], FLOWS)


def put_one(store: FlowStore, table: pa.Table, state: State) -> None:
    """Store one flow in this *state*."""
    store.put(table, np.array([state]), np.array([False]), only_new=False)


class FlowSearchContract:
    """The promises of `FlowStore.found` and `counts` about conditions and orders."""

    def test_a_search_line_finds_what_it_says(self, store: FlowStore) -> None:
        """Values with any characters are values."""
        both = {"messages": 1, "wait_ms": 0.5}
        placed = {"names": "OrderPlaced\norder", "variant": variant_of(["OrderPlaced"])}
        shipped = {"names": "OrderShipped\norder", "variant": variant_of(["OrderShipped"])}
        shipped |= {"outcome": "OrderShipped", "failures": "payment\nfraud"}
        put_one(store, flow("A-1", started=NOW - SECOND, last=NOW, **both, **placed), State.STUCK)
        put_one(store, flow("B-1", started=NOW, last=NOW + 1, **both, **shipped), State.DONE)
        for line, expected in LINES.items():
            search = asked(line, NOW).search

            found = sorted(store.found(search, 10)["id"].to_pylist())
            assert found == expected.split(), (line, found)
            assert sum(store.counts(search).values()) == len(found), line

    def test_every_order_turns_in_pages_both_ways(self, store: FlowStore) -> None:
        """As memory orders its own, so that both make one list; of equals, the newest first."""
        for number, state in enumerate((0, 0, 3, 1, 0, 4)):
            columns = {
                "started": NOW - number % 4 * SECOND,
                "last": NOW + number % 2,
                "last_event_type": f"É{number % 3}",
                "outcome": f"E{number % 2}",
                "messages": number % 3,
                "reactions": number % 2,
                "wait_ms": number % 4 / 7,
                "work_ms": 0.0 if number == 4 else 1e-6 / 3,
            }
            put_one(store, flow(f"A-{number}", **columns), State(state))
        for order in [Order(by, reverse) for by in SORTS for reverse in (False, True)]:
            seen: list[Place] = []
            while (page := store.found(Search(order=order), 2, seen[-1] if seen else None)).num_rows:
                ranks = ranks_of(order, page, np.asarray(page["state"].to_numpy()))
                seen += places_of(page, ranks)

            listed = sorted(seen, key=lambda place: (place.last, place.id), reverse=True)
            listed.sort(key=lambda place: place.rank, reverse=order.reverse)
            assert seen == listed, order
            assert len({place.id for place in seen}) == 6
