"""Are records that came with one context told apart, and the attempts of one record folded?"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests import documents as answers
from tests.factories import Value, pairs, span_id
from tests.scenes import MS, Watch, handling, order
from tests.telling import Sent, Told, consume, create, publish, react, tell

# By the names of a place: (the partition's, the offset's).
KAFKA = [
    ("messaging.kafka.destination.partition", "messaging.kafka.message.offset"),
    ("messaging.destination.partition.id", "messaging.kafka.offset"),
    ("", "messaging.kafka.offset"),
    ("messaging.nats.stream", "messaging.nats.sequence"),
]


def records(*said: Mapping[str, Value], how: str = "parent", group: str | None = "meters") -> Told:
    """One span that publishes a batch, and a handling for each of *said*, of which the first fails."""
    batch = publish("batch", said={"messaging.batch.message_count": len(said)})
    return tell(batch, *handlings(batch, *said, how=how, group=group))


def handlings(batch: Sent, *said: Mapping[str, Value], how: str, group: str | None) -> list[Sent]:
    made = []
    for number, one in enumerate(said):
        more: dict[str, Any] = {
            "said": one,
            "at": 10 + 20 * number,
            "took": 9,
            "service": "billing",
            "group": group,
        }
        more |= {"called": "process orders", "error": None if number else "bad reading"}
        name = f"record {number}"
        made.append(react(name, batch, **more) if how == "parent" else consume(name, batch, **more))
    return made


def outcomes(told: Told) -> list[tuple[int, str]]:
    """(attempts, status) of each reaction, by time."""
    found = sorted(told.document["reactions"], key=lambda one: str(one["start_unix_nano"]))
    return [(one["attempts"], one["status"]) for one in found]


@pytest.mark.parametrize("how", ["parent", "link"])
@pytest.mark.parametrize("group", ["meters", None])
@pytest.mark.parametrize(("partition", "offset"), KAFKA)
def test_records_of_a_batch_are_reactions_of_their_own(
    partition: str, offset: str, group: str | None, how: str
) -> None:
    """Folded into attempts, the record that failed looked as if it had gone well the second time."""
    within: Mapping[str, Value] = {partition: "4"} if partition else {}
    told = records(*({**within, offset: number} for number in (7, 8, 9)), how=how, group=group)

    assert len(told.messages) == 1
    assert outcomes(told) == [(1, "error"), (1, "ok"), (1, "ok")]


@pytest.mark.parametrize("how", ["parent", "link"])
@pytest.mark.parametrize("group", ["meters", None])
@pytest.mark.parametrize(("partition", "offset"), KAFKA)
def test_one_record_that_is_read_again_is_tried_again(
    partition: str, offset: str, group: str | None, how: str
) -> None:
    within: Mapping[str, Value] = {partition: "4"} if partition else {}
    told = records(*[{**within, offset: 7}] * 3, how=how, group=group)

    assert outcomes(told) == [(3, "ok")]


@pytest.mark.parametrize("name", ["messaging.message.id", "cloudevents.event_id"])
def test_ids_tell_records_apart_as_well(name: str) -> None:
    assert outcomes(records({name: "a"}, {name: "b"}, {name: "b"})) == [(1, "error"), (2, "ok")]


def test_offset_counts_within_its_partition_and_topic() -> None:
    """Each of them begins at 0."""
    place: dict[str, Value] = {"messaging.kafka.offset": 0, "messaging.destination.partition.id": "0"}
    other: dict[str, Value] = place | {"messaging.destination.partition.id": "1"}
    topic: dict[str, Value] = place | {"messaging.destination.name": "refunds"}

    assert outcomes(records(place, other, topic)) == [(1, "error"), (1, "ok"), (1, "ok")]


def test_records_that_nothing_identifies_are_not_taken_for_attempts() -> None:
    """The sender says that there were three of them: one that failed stays one that failed."""
    assert outcomes(records({}, {}, {})) == [(1, "error"), (1, "ok"), (1, "ok")]


def tag(number: int) -> Mapping[str, Value]:
    return {"messaging.system": "rabbitmq", "messaging.rabbitmq.message.delivery_tag": number}


def test_delivery_after_one_that_failed_is_another_attempt() -> None:
    """A redelivery has a tag of its own."""
    placed = publish("placed")
    told = tell(placed, *handlings(placed, tag(1), tag(2), tag(3), how="parent", group=None))

    assert outcomes(told) == [(2, "ok"), (1, "ok")]


def test_deliveries_of_a_batch_are_told_apart_by_their_tags() -> None:
    assert outcomes(records(tag(1), tag(2), tag(2))) == [(1, "error"), (2, "ok")]


def test_handling_within_that_of_another_record_is_its_own() -> None:
    """A worker kept the first record's context; the second record came without one."""
    placed = publish("placed")
    first = react("first", placed, said={"messaging.kafka.offset": 1}, service="billing")
    second = consume("second", parent=first, said={"messaging.kafka.offset": 2}, service="billing")
    same = consume("same", parent=first, said={"messaging.kafka.offset": 1}, service="billing")

    assert tell(placed, first, second).reactions == {first: {first}, second: {second}}
    assert tell(placed, first, same).reactions == {first: {first}}  # two libraries saw one handling


@pytest.mark.parametrize(("offsets", "found"), [((7, 8), ["handler_failed"]), ((7, 7), [])])
def test_record_that_failed_is_not_excused_by_another_one(
    watch: Watch, offsets: tuple[int, int], found: list[str]
) -> None:
    """A flow looked well because another record of the same batch had gone well."""
    broken = order("A-1", watch.now, failing={"inventory"})
    whole = order("A-1", watch.now)
    first, second = span_id(handling("inventory", "OrderPlaced", "A-1")), span_id("again")
    rest = [one for one in whole if one[1].span_id not in {sent.span_id for _, sent in broken}]
    (again,) = (sent for _, sent in whole if sent.span_id == first)
    again.span_id = second
    again.start_time_unix_nano, again.end_time_unix_nano = watch.now + 100 * MS, watch.now + 120 * MS
    for _, sent in rest:
        if sent.parent_span_id == first:
            sent.parent_span_id = second
    (failed,) = (sent for _, sent in broken if sent.span_id == first)
    for one, offset in zip((failed, again), offsets, strict=True):
        one.attributes.extend(pairs({"messaging.kafka.offset": offset}))
    watch.receive([*broken, ("inventory", again), *rest])
    watch.wait(8)

    assert [finding["cause"] for finding in answers.stuck(watch.snapshot)["stuck"]] == found


EVENT = {"messaging.system": "kafka", "cloudevents.event_type": "OrderPlaced", "cloudevents.event_id": "e-1"}


@pytest.mark.parametrize("around", [publish, create])
@pytest.mark.parametrize(
    "said",
    [
        {"cloudevents.event_type": "CouponUsed", "cloudevents.event_id": "e-2"},
        {"cloudevents.event_id": "e-2"},
        {"cloudevents.event_type": "CouponUsed"},
        {"messaging.message.id": "m-2"},
        {"messaging.destination.partition.id": "1", "messaging.kafka.offset": 4},
    ],
)
def test_publish_of_another_event_within_a_publish_is_its_own(
    around: Callable[..., Sent], said: Mapping[str, Value]
) -> None:
    """Its reaction was shown as one to the event around it."""
    ids = {"messaging.message.id": "m-1", "messaging.kafka.offset": 3}
    placed = around("placed", said={**EVENT, **ids})
    used = publish("used", parent=placed, said=said)
    saving = react("saving", used)

    told = tell(placed, used, saving)
    assert told.messages == {placed: {placed}, used: {used}}
    assert told.deliveries == {(used, saving)}


def test_copies_that_say_the_same_or_less_are_one_message() -> None:
    """Two libraries saw one publish, and a third one created it: not every one of them knows its ids."""
    placed = create("placed", said=EVENT)
    plain = publish("plain", parent=placed)
    sent = publish("sent", parent=plain, said=EVENT)

    assert tell(placed, plain, sent).messages == {placed: {placed, plain, sent}}


def test_another_event_is_told_apart_across_a_span_that_says_nothing() -> None:
    placed = publish("placed", said=EVENT)
    plain = publish("plain", parent=placed)
    used = publish("used", parent=plain, said={"cloudevents.event_id": "e-2"})

    assert tell(placed, plain, used).messages == {placed: {placed, plain}, used: {used}}


def test_events_that_differ_within_one_create_are_messages_of_their_own() -> None:
    around = create("around")
    sends = [publish(name, parent=around, said={"cloudevents.event_id": name}) for name in ("e-1", "e-2")]

    assert tell(around, *sends).messages == {around: {around}, **{one: {one} for one in sends}}
