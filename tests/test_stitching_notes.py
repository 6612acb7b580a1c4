"""What becomes of senders' mistakes? They are repaired or noted as doubts, and never hide data."""

import pyarrow as pa
import pytest

from collector import conventions
from collector.stitching import stitch
from tests.factories import NOW
from tests.strategies import reading, table
from tests.telling import consume, publish, spans_of, tell, work


def test_span_that_names_itself_is_noted_and_does_no_harm() -> None:
    placed = publish("placed")
    placed.span.parent_span_id = placed.span.span_id
    packing = consume("packing", placed)
    packing.span.links.add(trace_id=packing.span.trace_id, span_id=packing.span.span_id)

    told = tell(placed, packing)
    assert told.deliveries == {(placed, packing)}
    assert told.notes == {("self_link", placed), ("self_link", packing)}


def test_circle_of_parents_is_noted_where_it_is_and_passed_over() -> None:
    """A span below a cycle is not on it."""
    first, second = work("first", trace="t"), work("second", trace="t")
    first.span.parent_span_id, second.span.parent_span_id = second.span.span_id, first.span.span_id
    placed = publish("placed", parent=first)

    told = tell(first, second, placed)
    assert told.notes == {("cycle", first), ("cycle", second)}
    assert told.causes == set()


def test_copies_of_a_span_are_one_span() -> None:
    """Exporters resend when an answer is lost; users need not notice."""
    placed = publish("placed")
    packing = consume("packing", placed)

    assert tell(placed, packing, placed, packing, packing).document == tell(placed, packing).document


def test_copy_that_came_first_says_when_a_span_came() -> None:
    """Lateness is judged by the arrival, and an exporter's retry must not make a span look newer."""
    spans = spans_of(publish("placed"))
    column = spans.schema.get_field_index("received_unix_nano")
    later = spans.set_column(column, spans.schema.field(column), pa.array([NOW + 9], pa.uint64()))

    for copies in ([spans, later], [later, spans]):
        graph = stitch(conventions.read(pa.concat_tables(copies))).graph
        assert graph.spans["received"].to_pylist() == [NOW]


def test_span_without_an_id_is_nobodys_parent() -> None:
    """No decoder lets one through; if one did, the span would seem to be every root's parent."""
    nobody, root = reading(0, 0, span_id=bytes(8)), reading(0, 1)

    assert stitch(table([nobody, root])).graph.parent.tolist() == [-1, -1]


def test_one_id_with_two_contents_is_noted_and_the_later_one_shown() -> None:
    """Some programs copy their ids, and which span arrives first is chance."""
    early, late = publish("placed", service="early"), publish("placed", service="late", at=3)

    told = tell(early, late)
    assert told.document == tell(late, early).document
    assert told.document["messages"][0]["service"] == "late"
    assert [note["kind"] for note in told.document["notes"]] == ["id_reused"]


def test_contents_that_differ_in_links_alone_are_two_contents() -> None:
    """The choice between them must not depend on which one came first."""
    first, second = publish("first"), publish("second")
    one, other = consume("packing", first), consume("packing", second)

    told = tell(first, second, one, other)
    assert told.document == tell(other, second, one, first).document
    assert ("id_reused", "packing") in {(kind, sent.name) for kind, sent in told.notes}


def test_reaction_before_its_message_is_a_matter_of_clocks() -> None:
    """The edge stays: clocks differ, but causes do not."""
    placed = publish("placed", at=10)
    packing = consume("packing", placed, at=5)

    told = tell(placed, packing)
    assert told.deliveries == {(placed, packing)}
    assert told.notes == {("clock_skew", packing)}


@pytest.mark.parametrize(("minutes", "notes"), [(59, 0), (60, 1)])
def test_reaction_long_after_its_message_is_noted(minutes: int, notes: int) -> None:
    """A stream was replayed, a dead letter was resent, or nobody read a queue for a night."""
    placed = publish("placed")
    packing = consume("packing", placed, at=minutes * 60_000)

    told = tell(placed, packing)
    assert told.deliveries == {(placed, packing)}
    assert told.notes == ({("replay", packing)} if notes else set())


def test_end_before_the_start_is_noted() -> None:
    backwards = publish("backwards", took=-1)

    assert tell(backwards).notes == {("end_before_start", backwards)}


def test_links_that_the_sender_dropped_are_noted() -> None:
    """An SDK keeps 128 links: a batch of 200 silently loses some of its messages."""
    packing = consume("packing", publish("placed"))
    packing.span.dropped_links_count = 72

    assert ("dropped_links", packing) in tell(packing, known=[publish("placed")]).notes


def test_times_of_nothing_and_beyond_the_calendar_are_times() -> None:
    """Whatever a clock says, nothing may break."""
    placed, packing = publish("placed"), consume("packing", publish("placed"))
    placed.span.start_time_unix_nano, placed.span.end_time_unix_nano = 0, 2**64 - 1
    packing.span.start_time_unix_nano, packing.span.end_time_unix_nano = 2**64 - 1, 0

    told = tell(placed, packing)
    assert told.deliveries == {(placed, packing)}
    assert told.notes == {("end_before_start", packing), ("replay", packing)}


def test_nothing_is_a_graph() -> None:
    assert tell().document == {
        "spans": 0,
        "shown": 0,
        "before": 0,
        "next_cursor": None,
        "earlier_cursor": None,
        "later_cursor": None,
        "traces": 0,
        "messages": [],
        "reactions": [],
        "edges": [],
        "flows": [],
        "clocks": [],
        "notes": [],
        "unusable": 0,
    }
