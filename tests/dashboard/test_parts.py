"""Does the page of a flow say which part of a large one it shows, and lead to the others?"""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import client
from dashboard.client import Answered, Api
from dashboard.total_shapes import Summary
from tests.dashboard.factories import Story, made
from tests.dashboard.servers import ROOT

PAGE = str(ROOT / "dashboard" / "views" / "flow_page.py")


def large(**more: Any) -> Any:
    """A part of a flow of a million spans."""
    story = Story()
    story.step(story.publish("OrderPlaced"), "inventory", "StockReserved")
    place = {"spans": 1_000_000, "shown": 2_000, "before": 998_000, "earlier_cursor": "before it"}
    return msgspec.structs.replace(story.flow(), **{**place, **more})


def test_part_of_a_large_flow_says_so_and_leads_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def flow(self: Api, key: str, part: str = "") -> Answered[Any]:
        asked.append(part)
        return Answered(large())

    monkeypatch.setattr(Api, "flow", flow)
    summary = made(Summary, now_unix_nano=time.time_ns())
    monkeypatch.setattr(Api, "summary", lambda self: Answered(summary))
    st.cache_resource.clear()
    app = AppTest.from_file(PAGE, default_timeout=20)
    app.query_params["flow"] = "BIG"
    app.run()

    assert not app.exception
    said = "Showing 2,000 of 1,000,000 spans, in the order of their start: 998,001 to 1,000,000."
    assert app.text[0].value == said
    sent = [json.loads(element.proto.json) for element in app.get("bidi_component")]
    (panel,) = [data for data in sent if data["kind"] == "inspector"]
    assert panel["rootless"] == "nothing in this part of the flow"  # not that the flow starts here
    usable = {button.label: not button.disabled for button in app.button}
    assert usable == {"First": True, "Earlier": True, "Later": False, "Last": False}
    app.button(key="part-Earlier").click().run()
    app.button(key="part-First").click().run()
    assert asked == ["", "before it", "first"]
    st.cache_resource.clear()


def test_parts_are_asked_for_seldom_and_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a second of the collector's time, and tens of megabytes of this process."""
    asked = []

    def fetch(self: Api, path: str, kind: Any, params: Any, *more: Any) -> Any:
        asked.append(params.get("cursor") or params.get("order"))
        return large()

    monkeypatch.setattr(Api, "_fetch", fetch)
    api = Api("http://127.0.0.1:9")
    for _ in range(2):
        for number in range(8):
            api.flow("BIG", part=f"c{number}")
        api.flow("BIG", part="c7")

    assert asked == [f"c{number}" for number in range(8)] * 2
    assert len(api._held) == client.KEPT_PARTS
    api.close()
