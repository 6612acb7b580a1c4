"""The map draws which event leads to which, which service takes what, and where flows wait."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from dashboard.drawing import scene
from dashboard.drawing.process_map import picture
from dashboard.total_shapes import Map, MapEmit, MapEvent, MapReaction, MapStuck, Percentiles
from tests.dashboard.factories import made

SHOP = made(
    Map,
    events=[
        made(MapEvent, event_type="OrderPlaced", count=100, services=["order"]),
        made(MapEvent, event_type="PaymentCaptured", count=90, services=["payment"]),
        made(MapEvent, event_type="PaymentDeclined", count=4, services=["payment"], terminal=True),
    ],
    reactions=[
        made(
            MapReaction,
            event_type="OrderPlaced",
            service="payment",
            count=94,
            wait_ms=made(Percentiles, p95=40.0),
            work_ms=made(Percentiles, p95=300.0),
        ),
        made(MapReaction, event_type="OrderPlaced", service="analytics", count=100),
    ],
    emits=[
        made(MapEmit, service="payment", event_type="OrderPlaced", emits="PaymentCaptured", count=90),
        made(MapEmit, service="payment", event_type="OrderPlaced", emits="PaymentDeclined", count=4),
    ],
    stuck=[
        made(
            MapStuck,
            event_type="OrderPlaced",
            missing_service="payment",
            next_event_type="PaymentCaptured",
            flows=6,
        )
    ],
    flows=100,
)


def drawn_scene(found: Map) -> dict[str, Any]:
    return scene.choreography(
        picture(found),
        lambda _: "#000000",
        by="p95",
        flows_of=lambda *parts: {"of": [part.id for part in parts]},
        link_to=lambda _: {"page": "flows"},
    )


def test_events_are_linked_by_who_reacts() -> None:
    drawn = picture(SHOP)

    assert [(way.source, way.target, way.count) for way in drawn.ways] == [
        ("OrderPlaced", "PaymentCaptured", 90),
        ("OrderPlaced", "PaymentDeclined", 4),
    ]
    assert drawn.ways[0].total_ms == 340.0


def test_a_service_that_only_takes_is_named_in_the_box() -> None:
    """Analytics takes everything: a box for each time would be half of the drawing."""
    placed, *others = picture(SHOP).places

    assert [(way.service, way.count) for way in placed.takers] == [("analytics", 100)]
    assert [place.kind for place in others] == ["event", "event"]
    node = drawn_scene(SHOP)["nodes"][0]
    assert node["sub"] == "taken by analytics"
    assert node["label"].endswith("published by order, taken by analytics")
    assert "analytics: 100 times" in node["tip"]


@pytest.mark.parametrize("said", [{"errors": 1}, {"wait_ms": made(Percentiles, p95=900.0)}])
def test_a_taker_that_is_slow_or_fails_is_drawn(said: dict[str, Any]) -> None:
    found = made(
        Map,
        events=SHOP.events,
        reactions=[
            made(MapReaction, **{"event_type": "OrderPlaced", "service": "analytics", "count": 9, **said})
        ],
    )

    assert [(way.source, way.service) for way in picture(found).ways] == [("OrderPlaced", "analytics")]
    assert picture(found).places[0].takers == ()


def test_arrows_that_leave_one_box_stand_apart() -> None:
    """Each is up to 8 px thick: on top of each other they cannot be told apart."""
    many = made(
        Map,
        events=[made(MapEvent, event_type=name, count=9) for name in "ABCDE"],
        emits=[made(MapEmit, service="s", event_type="A", emits=name, count=9) for name in "BCDE"],
    )

    edges = drawn_scene(many)["edges"]
    starts = sorted(edge["points"][0][0] for edge in edges)
    assert min(after - before for before, after in pairwise(starts)) >= 8
    assert [edge["t"] for edge in sorted(edges, key=lambda edge: edge["points"][0][0])] == list("BCDE")


def test_stuck_flows_are_counted_once() -> None:
    """A service that can answer in two ways owes one answer."""
    assert [way.stuck for way in picture(SHOP).ways] == [6, 0]


def test_a_debt_of_a_service_that_never_reacted_is_drawn() -> None:
    """The service was down for the whole window: it has no arrow, but it owes reactions."""
    silent = made(
        Map,
        events=[made(MapEvent, event_type="OrderPlaced", count=5)],
        stuck=[made(MapStuck, event_type="OrderPlaced", missing_service="payment", flows=5)],
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
    drawn = drawn_scene(SHOP)

    widths = {edge["t"]: edge["width"] for edge in drawn["edges"]}
    assert 1.2 < widths["PaymentDeclined"] < widths["PaymentCaptured"] == 7.5
    assert [edge["step"] for edge in drawn["edges"]] == [1, 1]
    assert [edge.get("stuck") for edge in drawn["edges"]] == ["6 stuck", None]
