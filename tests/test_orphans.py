"""Which events were published without a context, and how many of them near the time that flows wait?"""

import pyarrow as pa

from collector import conventions
from collector.diagnosis import Names
from collector.diagnosis.findings import Orphans
from collector.diagnosis.record import Record, record
from collector.live.orphans import OrphanCounts
from collector.stitching import stitch
from tests.factories import NOW, SECOND
from tests.scenes import Sent, order, table
from tests.test_lost_contexts import without_context

NAMES = Names()


def happened(*sent: list[Sent]) -> Record:
    spans = pa.concat_tables([table(part, NOW + 60 * SECOND) for part in sent])
    return record(stitch(conventions.read(spans)), NAMES)


def near(counts: OrphanCounts, service: str, event: str, since: int) -> Orphans | None:
    return counts.near(NAMES.services.code(service), (NAMES.event_types.code(event),), -1, since)


def lost(number: int) -> list[Sent]:
    return without_context(f"A-{number}", NOW + number * SECOND, keyed=False)


def test_events_without_context_are_counted_once_however_often_they_are_stitched() -> None:
    """A flow that grows is stitched again, with the same orphans in it."""
    counts, seen = OrphanCounts(NAMES), happened(*map(lost, range(5)))
    counts.see(seen)
    counts.see(seen)
    found = near(counts, "payment", "PaymentCaptured", NOW)

    assert found is not None
    assert (found.what, found.times, found.published) == ("PaymentCaptured", 5, True)
    assert NOW <= found.since < NOW + SECOND


def test_only_those_since_flows_wait_are_told() -> None:
    counts = OrphanCounts(NAMES)
    counts.see(happened(*map(lost, range(5))))
    found = near(counts, "payment", "PaymentCaptured", NOW + 3 * SECOND)

    assert found is not None
    assert found.times == 2
    assert near(counts, "payment", "PaymentCaptured", NOW + 60 * SECOND) is None


def test_event_that_says_what_caused_it_is_none() -> None:
    counts = OrphanCounts(NAMES)
    counts.see(happened(order("A-1", NOW)))

    assert near(counts, "payment", "PaymentCaptured", NOW) is None
    assert near(counts, "fraud", "OrderCleared", NOW) is None


def test_event_whose_parent_has_not_come_yet_has_not_lost_it() -> None:
    sent = [one for one in order("A-1", NOW) if one[1].name != "process shop.StockReserved"]
    counts = OrphanCounts(NAMES)
    counts.see(happened(sent))

    assert near(counts, "payment", "PaymentCaptured", NOW) is None
