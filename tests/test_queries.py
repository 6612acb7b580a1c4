"""What is answered about a flow that is still running?"""

from dataclasses import replace

import pytest

from collector.queries import Reader
from collector.queries.paging import Page, Part
from tests.documents import sources
from tests.factories import pairs
from tests.scenes import Watch, order, publish, react, without


def questions(watch: Watch) -> Reader:
    """A reader of what *watch* knows."""
    return Reader(sources(watch))


def notes(watch: Watch, key: str) -> set[str]:
    """The kinds of the notes on a flow."""
    asked = questions(watch).flow(key)
    assert asked is not None
    return {note.kind for note in asked.notes}


def test_span_whose_parent_is_on_its_way_is_not_called_an_orphan(watch: Watch) -> None:
    """Parents end and are sent after their children: a warning that comes and goes says nothing."""
    watch.receive(without(order("A-1", watch.now, down={"payment"}), "A-1/OrderPlaced"))
    assert notes(watch, "A-1") == set()
    watch.wait(8)

    assert notes(watch, "A-1") == {"missing_parent", "missing_link_target"}


# How libraries name the destination and the event type of what they handle.
DIALECTS = {
    "conventions": ("messaging.destination.name", "cloudevents.event_type"),
    "conventions before 1.17": ("messaging.destination", "cloudevents.event_type"),
    "template": ("messaging.destination.template", "cloudevents.event_type"),
    "address": ("messaging.url", "cloudevents.event_type"),
    "Brave": ("kafka.topic", "cloudevents.event_type"),
    "RabbitMQ": ("messaging.rabbitmq.routing_key", None),
}


@pytest.mark.parametrize("orphan", [False, True], ids=["", "without its message"])
@pytest.mark.parametrize(("destination", "event_type"), DIALECTS.values(), ids=DIALECTS)
def test_what_a_reaction_handled_is_shown_however_its_sender_named_it(
    watch: Watch, destination: str, event_type: str | None, orphan: bool
) -> None:
    """It was stitched by that, so the page that proves it must not say `null`."""
    sent = publish("order", "OrderPlaced", "A-1", at=watch.now)
    service, its = react("mailer", "OrderPlaced", "A-1", at=watch.now)
    names = {"messaging.destination.name": destination, "cloudevents.event_type": event_type}
    for attribute in list(its.attributes):
        if attribute.key in names:
            its.attributes.remove(attribute)
            if named := names[attribute.key]:
                its.attributes.extend(pairs({named: attribute.value.string_value}))
    its.name = "handle"
    watch.receive([(service, its)] if orphan else [sent, (service, its)])

    flow = questions(watch).flow("A-1")
    assert flow is not None
    (reaction,) = flow.reactions

    assert reaction.destination == "shop.OrderPlaced"
    assert reaction.event_type == ("OrderPlaced" if event_type or not orphan else "shop.OrderPlaced")


def test_flows_that_stopped_are_counted_where_memory_could_not_hold_them(watch: Watch) -> None:
    """Of a hundred stuck flows, memory holds a few: the summary still counts a hundred."""
    watch.tick._pacing = replace(watch.tick._pacing, most_spans=100)
    for number in range(100):
        watch.receive(order(f"A-{number}", watch.now, down={"payment"}), after_s=0.01)
    watch.wait(12)
    watch.receive(order("B-1", watch.now))
    held = watch.snapshot.flows.num_rows

    states = questions(watch).summary().states

    assert held < 100
    assert states["stuck"] == 100
    assert states["failed"] == 0


def test_step_at_which_a_flow_stopped_is_shown_with_its_last_part(watch: Watch) -> None:
    """It may lie a million spans before the last one, and is what the reader came for."""
    watch.receive(order("A-1", watch.now, down={"payment"}))
    for number in range(4):  # what somebody did with the order meanwhile
        watch.receive([publish("audit", f"Noted{number}", "A-1", at=watch.now)])
    watch.wait(8)
    reader = questions(watch)

    flow = reader.flow("A-1", Part(limit=2))

    assert flow is not None
    assert flow.spans > flow.shown == 2
    (finding,) = [one for one in flow.findings if one.missing.service == "payment"]
    assert finding.stopped_at.ref in {message.ref for message in flow.messages}
    assert flow.earlier_cursor
    assert flow.later_cursor is None


def test_an_empty_list_says_whether_it_is_known_to_be_empty(watch: Watch) -> None:
    """Until the replay after a start is done, an empty list does not mean that nothing is stuck."""
    watch.receive(order("A-1", watch.now))
    asked = questions(watch)
    for known in (False, True):
        why = asked.why("A-1")
        assert why is not None
        assert asked.stuck(Page(10), late=False).replayed is why.replayed is known
        asked.sources.live.replayed.set()
