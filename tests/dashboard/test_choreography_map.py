"""The map draws who leads to what, who takes what, and where flows wait."""

from __future__ import annotations

from dashboard.answers import Map, MapEmit, MapEvent, MapReaction, MapStuck, Percentiles
from dashboard.drawing import scene
from dashboard.drawing.choreography import picture

SHOP = Map(
    events=[
        MapEvent(event_type="OrderPlaced", count=100, services=["order"]),
        MapEvent(event_type="PaymentCaptured", count=90, services=["payment"]),
        MapEvent(event_type="PaymentDeclined", count=4, services=["payment"], terminal=True),
    ],
    reactions=[
        MapReaction(
            event_type="OrderPlaced",
            service="payment",
            count=94,
            wait_ms=Percentiles(p95=40.0),
            work_ms=Percentiles(p95=300.0),
        ),
        MapReaction(event_type="OrderPlaced", service="analytics", count=100),
    ],
    emits=[
        MapEmit(service="payment", event_type="OrderPlaced", emits="PaymentCaptured", count=90),
        MapEmit(service="payment", event_type="OrderPlaced", emits="PaymentDeclined", count=4),
    ],
    stuck=[
        MapStuck(
            event_type="OrderPlaced", missing_service="payment", next_event_type="PaymentCaptured", flows=6
        )
    ],
    flows=100,
)


def test_events_are_linked_by_who_reacts() -> None:
    drawn = picture(SHOP)

    assert [(way.source, way.target.split("\n")[-1], way.count) for way in drawn.ways] == [
        ("OrderPlaced", "PaymentCaptured", 90),
        ("OrderPlaced", "PaymentDeclined", 4),
        ("OrderPlaced", "analytics", 100),
    ]
    assert drawn.ways[0].total_ms == 340.0


def test_stuck_flows_are_counted_once() -> None:
    """A service that can answer in two ways owes one answer."""
    assert [way.stuck for way in picture(SHOP).ways] == [6, 0, 0]


def test_a_debt_of_somebody_who_never_reacted_is_drawn() -> None:
    """The service was down for the whole window: there is no arrow, and still a debt."""
    silent = Map(
        events=[MapEvent(event_type="OrderPlaced", count=5)],
        stuck=[MapStuck(event_type="OrderPlaced", missing_service="payment", flows=5)],
    )

    (way,) = picture(silent).ways

    assert (way.source, way.service, way.stuck) == ("OrderPlaced", "payment", 5)


def test_services_fold_their_events() -> None:
    drawn = picture(SHOP, "service")

    assert {place.title: place.count for place in drawn.places} == {
        "order": 0,
        "payment": 94,
        "analytics": 100,
    }
    assert [(way.source, way.target, way.count, way.stuck) for way in drawn.ways] == [
        ("order", "payment", 94, 6),
        ("order", "analytics", 100, 0),
    ]


def test_thickness_says_how_often_and_colour_how_slow() -> None:
    drawn = scene.choreography(
        picture(SHOP), lambda _: "#000000", by="p95", link_to=lambda _: {"page": "flows"}
    )

    widths = {edge["t"].split("\n")[-1]: edge["width"] for edge in drawn["edges"]}
    assert widths["analytics"] == 7.5
    assert widths["PaymentDeclined"] < widths["PaymentCaptured"] < 7.5
    assert [edge["step"] for edge in drawn["edges"]] == [1, 1, 0]
    assert [edge.get("stuck") for edge in drawn["edges"]] == ["6 stuck", None, None]
