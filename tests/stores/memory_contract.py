"""What must a store remember for the next process, beside spans and flows?"""

import pyarrow as pa

from collector.columns.keys import text_keys
from collector.store.contracts import FlowStore, Stretch
from tests.factories import NOW, trace_id

NAUGHTY = "clé\x00'; DROP TABLE refused_keys --\\ {x:String}\n"


class FlowMemoryContract:
    """Tests of a store of flows; see `contract.py`."""

    def test_messages_of_flows_are_found_by_their_ids(self, store: FlowStore) -> None:
        ids = text_keys(pa.array([f"message {number}" for number in range(9_000)]))
        store.offer(ids[:2], pa.array([trace_id("A-1")] * 2, pa.binary(16)))

        assert store.offering(ids).to_pylist() == [trace_id("A-1")]
        assert store.offering(ids[2:]).to_pylist() == []
        assert store.offering(ids[:0]).to_pylist() == []

    def test_refused_keys_are_remembered_once(self, store: FlowStore) -> None:
        for _ in range(2):
            store.refuse(["tenant-1", NAUGHTY])

        assert sorted(store.refused_keys()) == sorted(["tenant-1", NAUGHTY])

    def test_the_longest_of_equal_stretches_counts_and_the_newest_are_given(self, store: FlowStore) -> None:
        store.listen([Stretch(NOW, NOW + 5), Stretch(NOW + 9, NOW + 10)])
        store.listen([Stretch(NOW + 9, NOW + 15)])
        store.listen([Stretch(NOW + 20, NOW + 21)])

        assert store.listened(8) == [(NOW, NOW + 5), (NOW + 9, NOW + 15), (NOW + 20, NOW + 21)]
        assert store.listened(1) == [(NOW + 20, NOW + 21)]
