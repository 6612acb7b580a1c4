"""How many flows that are not in memory have stopped? Those that count, and those that were cut."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from collector.model.flows import State
from collector.queries.flow_list import in_store_alone
from collector.queries.sources import Sources
from collector.store.contracts import Search, StoreError


@dataclass(frozen=True)
class Stopped:
    """Counts of stuck and failed flows that are only in the store."""

    states: Mapping[int, int] = field(default_factory=dict)  # of which all spans are kept, by state
    unlisted: int = 0  # of which they are not


def stopped_elsewhere(sources: Sources, last: Stopped | None) -> Stopped:
    """The counts now; *last* if the store cannot say."""
    every = in_store_alone(sources.live.snapshot, Search(states=(State.STUCK, State.FAILED)))
    with suppress(StoreError):
        whole = sources.flows.counts(replace(every, begun_since=sources.retained().since))
        return Stopped(whole, sum(sources.flows.counts(every).values()) - sum(whole.values()))
    return last or Stopped()
