"""Are encoded values decoded for display? Every type is, and nothing breaks the page."""

import json
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.formats.otlp import opened as details
from collector.model.hiding import NOTHING_HIDDEN
from tests.factories import NOW, Value, field, pairs, ref, request, span, table


def opened(sent: Span, **resource: Value) -> dict[str, Any]:
    (row,) = details.rows(table(request(sent, resource=resource)), NOTHING_HIDDEN).values()
    return dict(row)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("żółw\x00<b>", "żółw\x00<b>"),
        (True, True),
        (-(2**63), -(2**63)),
        (0.1, 0.1),
        (1.0, 1.0),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (b"\xff\x00", {"base64": "/wA="}),
        (None, None),
        ([], []),
        ({}, {}),
        (["a", 1, [True, None]], ["a", 1, [True, None]]),
        ({"k": {"n": [float("nan")], "b": b"\xff"}}, {"k": {"n": ["NaN"], "b": {"base64": "/w=="}}}),
    ],
)
def test_attributes_are_shown_with_their_types(value: Value, shown: Any) -> None:
    row = opened(span(attributes={"it": value}), it=value)

    for found in (details.attributes(row)["it"], details.resource(row)["it"]):
        assert found == shown
        assert type(found) is type(shown)
        json.dumps(found, allow_nan=False)


def test_of_equal_keys_the_last_one_counts() -> None:
    sent = span(attributes={"k": 1})
    sent.attributes.extend(pairs({"k": 2}))

    assert details.attributes(opened(sent)) == {"k": 2}


def test_events_links_and_scope_are_opened() -> None:
    sent = span(links=[("t", "a"), ("t", "b")])
    sent.links[1].attributes.extend(pairs({"offset": 7}))
    sent.events.add(name="retry", time_unix_nano=NOW, attributes=pairs({"n": 2}), dropped_attributes_count=1)

    row = opened(sent)

    assert details.events(row) == [
        {"name": "retry", "time_unix_nano": NOW, "attributes": {"n": 2}, "dropped_attributes": 1}
    ]
    assert details.links(row) == [
        {"ref": ref("t", "a"), "attributes": {}},
        {"ref": ref("t", "b"), "attributes": {"offset": 7}},
    ]
    assert details.scope(row) == {"name": "tests", "version": "", "attributes": {}}


def test_a_value_too_deep_to_open_says_so() -> None:
    """It is stored as it came; a page that failed because of it would hide all the rest."""
    encoded = b""
    for _ in range(200):
        encoded = field(1, field(5, encoded))
    row = {"attribute_keys": ["deep", "near"], "attribute_types": [5, 1], "attribute_values": [encoded, b"x"]}

    found = details.attributes(row)

    assert found == {"deep": {"unreadable_bytes": len(encoded)}, "near": "x"}


def test_what_can_not_be_opened_is_left_out() -> None:
    row = {**opened(span()), "resource": b"\xff", "scope": b"\xff", "events": [b"\xff"]}

    assert details.resource(row) == {}
    assert details.scope(row) == {"name": "", "version": "", "attributes": {}}
    assert details.events(row) == []
