"""Large flows in a browser: folded, drawn where they are seen, kept while they are read, and taken along."""

from __future__ import annotations

import struct
from pathlib import Path
from xml.etree import ElementTree

from playwright.sync_api import Locator, Page, expect

from dashboard.shapes import Flow
from tests.dashboard.accessible import serious
from tests.dashboard.factories import Story, finding
from tests.dashboard.servers import Dashboard
from tests.dashboard.staging import Stage, of

PAINTED = """(stage) => stage.querySelector('canvas').getContext('2d')
  .getImageData(0, 0, 2000, 900).data.some(Boolean)"""
SHAPES = {"g", "rect", "path", "circle", "text", "tspan"}
NASTY = "<img src=x onerror=alert(1)>]]>&amp;\x07\ufffe"


def order(lines: int) -> Flow:
    """An order with many lines, of which one is stuck and one failed."""
    story = Story()
    root = story.publish("OrderPlaced", "orders")
    last = root
    for line in range(lines):
        opened = story.step(root, "orders", "LineOpened", wait_ms=5 + line)
        checked = story.step(opened, "stock", "StockChecked", status="error" if line == 40 else "ok")
        if line == 17:
            last = checked
        else:
            story.step(checked, "picking", "ItemsPicked")
    owed = finding(last, service="picking", event="ItemsPicked")
    return of(story, "order", state="stuck", findings=[owed])


def opened(page: Page, theatre: Dashboard, flow: str) -> Locator:
    page.goto(f"{theatre.url}/flow?flow={flow}")
    page.locator(".cs-graph[data-ready=true]").wait_for()
    return page.locator(".stage")


def test_a_large_flow_is_folded_and_unfolded_by_keys(page: Page, theatre: Dashboard, stage: Stage) -> None:
    """What is unfolded stays where it is; only what is in view is made, and a refresh makes nothing anew."""
    stage.flow("order", order(82))
    drawn = opened(page, theatre, "order")
    expect(page.locator(".legend")).to_contain_text("247 steps, drawn as 10")
    expect(drawn.locator(".node")).to_have_count(10)
    drawn.press("n")
    drawn.press("f")
    stack = page.get_by_role("button", name="80\u00d7 LineOpened, ")
    stack.click()
    before = stack.bounding_box()

    drawn.press("e")

    line = page.get_by_role("button", name="LineOpened, published by orders", exact=False).first
    expect(page.locator(".legend")).not_to_contain_text("drawn as")
    expect(page.locator(".cs-graph")).to_have_attribute("data-count", "247")
    after = line.bounding_box()
    assert before
    assert after
    assert abs(before["x"] - after["x"]) + abs(before["y"] - after["y"]) < 2
    assert 10 < drawn.locator(".node").count() < 120

    drawn.evaluate("(stage) => stage.querySelectorAll('.node').forEach((node) => { node.mine = true; })")
    page.wait_for_timeout(2_500)  # a refresh
    assert drawn.evaluate("(stage) => [...stage.querySelectorAll('.node')].every((node) => node.mine)")

    drawn.press("/")
    page.keyboard.type("picked")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("1 of 82")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("2 of 82")
    page.keyboard.press("Escape")
    # From far away all is painted, and can be chosen.
    drawn.press("f")
    expect(drawn).to_have_class("stage tiny")
    assert drawn.evaluate(PAINTED)
    line.dblclick(force=True)
    expect(page.locator(".legend")).to_contain_text("247 steps, drawn as 10")


def test_a_drawing_is_saved_with_all_that_it_needs(
    page: Page, theatre: Dashboard, stage: Stage, tmp_path: Path
) -> None:
    """The file goes into a report: it must look the same there, and what came from spans is text in it."""
    story = Story()
    placed = story.publish("OrderPlaced")
    story.step(placed, NASTY, NASTY)
    stage.documents["/api/v1/flows/nasty"] = of(story, "../nasty")
    opened(page, theatre, "nasty")

    saved = {}
    for form in ("SVG", "PNG"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save as {form}").click()
        assert download.value.suggested_filename == f"flow-nasty.{form.lower()}"
        saved[form] = tmp_path / form
        download.value.save_as(saved[form])

    svg = ElementTree.parse(saved["SVG"]).getroot()  # our own file
    inside = {node.tag.split("}")[1] for node in svg.iter()}
    assert inside <= {
        "svg",
        "title",
        "style",
        "defs",
        "pattern",
        "g",
        "rect",
        "path",
        "circle",
        "text",
        "tspan",
    }
    style = next(node.text or "" for node in svg.iter() if node.tag.endswith("style"))
    assert "data:font/woff2;base64,d09GMg" in style
    assert "var(" not in style
    assert any((node.text or "").startswith("<img") for node in svg.iter() if node.tag.endswith("text"))
    text = saved["SVG"].read_text()
    assert "href" not in text
    assert text.count("http") == text.count("http://www.w3.org/2000/svg")
    png = saved["PNG"].read_bytes()
    assert png.startswith(b"\x89PNG")
    assert struct.unpack(">II", png[16:24]) == (2 * int(svg.get("width", 0)), 2 * int(svg.get("height", 0)))


def test_a_ghost_that_is_suggested_is_not_pressed(page: Page, theatre: Dashboard, stage: Stage) -> None:
    """Nobody has chosen it. Stacks and ghosts keep nobody out either."""
    stage.flow("order", order(30))
    opened(page, theatre, "order")

    ghost = page.get_by_role("button", name="ItemsPicked, expected from picking, not seen")
    expect(ghost).to_have_attribute("aria-pressed", "false")
    assert serious(page) == []
