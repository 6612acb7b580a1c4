"""What is answered of a flow while it is still on its way."""

from typing import cast

from collector.api.questions import Questions
from collector.conventions import DEFAULT_NAMING
from collector.counters import Counters
from collector.live.runner import Live
from tests.scenes import Watch, order, without


def notes(watch: Watch, key: str) -> set[str]:
    """The kinds of the notes on a flow."""
    live = cast("Live", watch.tick)  # without its thread
    asked = Questions(watch.spans, watch.flows, live, Counters(), naming=DEFAULT_NAMING, addresses={}).flow(
        key
    )
    assert asked is not None
    return {note["kind"] for note in asked["notes"]}


def test_span_whose_parent_is_on_its_way_is_not_called_an_orphan(watch: Watch) -> None:
    """Parents end after their children, and are sent after them: a chip that comes and goes says nothing."""
    watch.receive(without(order("A-1", watch.now, down={"payment"}), "A-1/OrderPlaced"))
    assert notes(watch, "A-1") == set()
    watch.wait(8)

    assert notes(watch, "A-1") == {"missing_parent", "missing_link_target"}
