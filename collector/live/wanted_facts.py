"""What must be asked of brokers, for the sake of the flows of this moment? Pure."""

import numpy as np
import pyarrow.compute as pc

from collector.brokers.contract import Spot, Wanted
from collector.diagnosis.record import reactor_of
from collector.live.snapshot import Snapshot

_MOST = 2_000  # entries that are looked at, the newest: older ones have their answer


def wanted_of(snapshot: Snapshot) -> Wanted:
    """The places where something is overdue: late or stuck, as an answer must be there with the verdict."""
    owed, expected = snapshot.owed, snapshot.expected
    anything = snapshot.flows.num_rows > 0
    if expected is None or not len(owed):
        return Wanted(anything=anything)
    rows = np.argsort(owed.since, kind="stable")[-_MOST:]
    places = snapshot.places.take(rows)
    reactors = [expected.names.of_reactor(reactor_of(step)) for step in np.unique(owed.step[rows]).tolist()]
    spots = (Spot.of(record) for record in pc.unique(places["record"]).to_pylist())
    return Wanted(
        frozenset(one for one in pc.unique(places["destination"]).to_pylist() if one),
        frozenset(name for pair in reactors for name in pair if name),
        frozenset(one for one in spots if one is not None),
        anything,
    )
