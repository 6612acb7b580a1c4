"""Which late reactions prolong a flow? Those that continue it do, and those that only look back do not."""

import pyarrow as pa

from collector import conventions
from collector.diagnosis import Names
from collector.diagnosis.flow_rows import flow_table
from collector.diagnosis.learned import Learner
from collector.diagnosis.record import record
from collector.stitching import Stitched, stitch
from tests.factories import NOW
from tests.telling import MS, REMOTE, Sent, consume, publish, react, receive, spans_of, tell, work

HOUR = 3_600_000  # milliseconds


def seen(*sent: Sent) -> Stitched:
    """What stitching makes of *sent*, received a day later."""
    rows = conventions.read(spans_of(*sent))
    place = rows.schema.get_field_index("received")
    late = pa.array([NOW + 24 * HOUR * MS] * rows.num_rows, pa.int64())
    return stitch(rows.set_column(place, "received", late))


def lasted(*sent: Sent) -> list[float]:
    """How long each flow lasted, in milliseconds."""
    happened = record(seen(*sent), Names())
    spans = zip(happened.started.tolist(), happened.last.tolist(), strict=True)
    return [(last - started) / MS for started, last in spans]


def order_of_last_week() -> list[Sent]:
    placed = publish("placed")
    return [placed, react("paying", placed, at=5, took=10)]


def test_report_that_reads_an_old_order_does_not_prolong_it() -> None:
    """Otherwise every order in a replayed stream would be the newest, and would have taken a week."""
    placed, paying = order_of_last_week()
    reporting = react("reporting", placed, at=2 * HOUR)
    summing = work("summing", parent=reporting, service="reporting", at=3 * HOUR)

    assert lasted(placed, paying, reporting, summing) == [15]
    learner = Learner(Names())
    whole = seen(placed, paying, reporting)
    row = flow_table(whole, record(whole, learner.known.names), learner.expected()).to_pylist()[0]
    assert (row["last"], row["reactions"], row["wait_ms"]) == (NOW + 15 * MS, 2, 5)


def test_service_that_was_away_goes_on_with_the_order() -> None:
    """The service handled the order two hours late, so the order really took that long."""
    placed, paying = order_of_last_week()
    packing = react("packing", placed, at=2 * HOUR)
    packed = publish("packed", parent=packing, service="packing", at=2 * HOUR + 1)

    assert lasted(placed, paying, packing, packed) == [2 * HOUR + 2]


def test_dead_letter_that_is_sent_again_counts_where_it_had_not_gone_well() -> None:
    placed = publish("placed")
    failed = react("failed", placed, service="payment", called="paying", error="no connection")
    again = react("again", placed, service="payment", called="paying", at=2 * HOUR)
    paid = publish("paid", parent=again, service="payment", at=2 * HOUR)
    well = react("well", placed, service="payment", called="paying")

    assert lasted(placed, failed, again, paid) == [2 * HOUR + 1]
    assert lasted(placed, well, again, paid) == [1]
    assert tell(placed, well, again).notes == {("replay", again)}


def test_what_followed_from_a_replay_is_a_replay_in_whatever_trace() -> None:
    placed = publish("placed")
    well = react("well", placed, service="payment", called="paying")
    again = react("again", placed, service="payment", called="paying", at=2 * HOUR)
    paid = publish("paid", parent=again, service="payment", at=2 * HOUR)
    packing = consume("packing", paid, at=3 * HOUR)

    assert lasted(placed, well, again, paid, packing) == [1]


def test_answer_with_the_context_of_what_was_stored_long_ago_does_not_prolong_that() -> None:
    """nats-py replies with the headers it found in the bucket, so the span is in the writer's trace."""
    written = publish("written", subject="$KV.prices.7")
    inbox = {"messaging.destination.name": "_INBOX.x7.1"}
    read = receive("read", parent=written, flags=REMOTE, service="report", said=inbox, at=5 * HOUR)
    shown = work("shown", parent=read, service="report", at=5 * HOUR)

    assert lasted(written, read, shown) == [1]


def test_answer_whose_request_is_known_is_no_delivery_of_what_it_links_to() -> None:
    """In nats.net the answer is the request's child, and links to the stored message."""
    written = publish("written", subject="$KV.prices.7")
    request = publish("request", subject="prices", at=5)
    inbox = {"messaging.destination.name": "_INBOX.x7.1"}
    read = receive("read", written, parent=request, service="order", said=inbox, at=6)

    told = tell(written, request, read)
    assert told.deliveries == set()
    assert told.flows == [{written}, {request}]
