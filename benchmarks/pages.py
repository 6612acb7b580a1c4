"""How long does a person wait for a drawing? `python -m benchmarks.pages [--forms chain] [--sizes 30,1000]`

A real collector takes in large flows, and a real dashboard shows them to Chromium (1440x900). Each budget of
the design is printed beside what was measured, with its verdict; what has no budget is printed without.
Exit code 1 says that a budget was exceeded. What else the machine does is in every figure: run it alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.page_flows import FORMS, Form, businesses, made
from dashboard.client import Api
from dashboard.drawing import scene
from dashboard.drawing.component import assembled
from dashboard.drawing.fold import Choices, Folded, fold
from dashboard.drawing.steps import Steps, steps
from tests.dashboard.conftest import CHROMIUM, FLAGS, WINDOW
from tests.dashboard.growing import growing_fan
from tests.dashboard.servers import Collector, Dashboard
from tests.sample_services.harness import free_port, until

# Budgets of drawings by the number of messages, in ms.
LAYOUT = {30: 10.0, 1_000: 60.0, 2_000: 150.0}
MESH_LAYOUT = {1_000: 300.0}
RENDER = {30: 60.0, 1_000: 600.0, 2_000: 1_000.0}
HIGHLIGHT, PAN, ZOOM = 16.0, 34.0, 130.0
OPENED, SWITCHED, FIRST_TABLE = 2_500.0, 450.0, 1_600.0
MOVED = 10.0  # percent of the cards, for each message that is added
SENT = 60 * 1024

# Clicks on cards that are in view, and for each says how long its handler and the new styles took (ms).
HIGHLIGHT_JS = """async (stage) => {
  const frame = () => new Promise(requestAnimationFrame);
  const port = stage.getBoundingClientRect();
  const inside = ({ left, right, top, bottom }) =>
    left > port.left && right < port.right && top > port.top + 60 && bottom < port.bottom;
  const cards = [...stage.querySelectorAll("g.node")].filter((g) => inside(g.getBoundingClientRect()));
  const [took, seen] = [[], []];
  for (const card of cards.slice(0, 12)) {
    await frame();
    const start = performance.now();
    card.dispatchEvent(new MouseEvent("click", { bubbles: true }));
    for (const g of stage.querySelectorAll("g.node")) getComputedStyle(g).opacity;
    took.push(performance.now() - start);
    await frame();
    await frame();
    seen.push(performance.now() - start);
    stage.querySelector("svg").dispatchEvent(new MouseEvent("click", { bubbles: true }));
    await frame();
  }
  return [took, seen];
}"""

# Moves the drawing in each of 60 frames, and says how long each frame took (ms).
FRAMES_JS = """async (stage, how) => {
  const svg = stage.querySelector("svg.canvas");
  const box = svg.getBoundingClientRect();
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  const at = { clientX: x, clientY: y, bubbles: true, cancelable: true };
  const times = [];
  let last = await new Promise(requestAnimationFrame);
  if (how === "pan") {
    svg.setPointerCapture = () => {};
    svg.dispatchEvent(new PointerEvent("pointerdown", { ...at, pointerId: 1, buttons: 1 }));
  }
  for (let step = 1; step <= 60; step += 1) {
    if (how === "pan") {
      const far = Math.min(step, 60 - step);
      const moved = { clientX: x + 9 * far, clientY: y - 14 * far };
      svg.dispatchEvent(new PointerEvent("pointermove", { ...at, ...moved, pointerId: 1, buttons: 1 }));
    } else {
      svg.dispatchEvent(new WheelEvent("wheel", { ...at, deltaY: step <= 30 ? 70 : -70 }));
    }
    const now = await new Promise(requestAnimationFrame);
    times.push(now - last);
    last = now;
  }
  if (how === "pan") svg.dispatchEvent(new PointerEvent("pointerup", { ...at, pointerId: 1 }));
  return times;
}"""


@dataclass
class Report:
    """The lines that were printed, and whether all budgets were kept."""

    kept: bool = True
    lines: list[str] = field(default_factory=list)

    def say(self, what: str, measured: float, budget: float | None = None, unit: str = "ms") -> None:
        """Print what was measured, and the budget beside it if there is one."""
        digits = 1 if measured < 100 else 0
        said = f"{what:58} {measured:9,.{digits}f} {unit}"
        if budget is not None:
            over = measured > budget
            self.kept &= not over
            said += f"   budget {budget:,.0f} {unit}   {'OVER' if over else 'kept'}"
        print(said, flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--forms", default=",".join(FORMS), help="of the flows")
    parser.add_argument("--sizes", default="30,1000,2000", help="messages of a flow")
    parser.add_argument("--times", type=int, default=3, help="that a page is opened")
    parser.add_argument("--no-map", action="store_true", help="leave out the map and the switching of pages")
    parser.add_argument("--shots", type=Path, help="a folder for a picture of each page")
    given = parser.parse_args()
    forms = [form for form in FORMS if form in given.forms.split(",")]
    sizes = [int(size) for size in given.sizes.split(",")]
    report = Report()
    print(f"load of this machine: {', '.join(f'{load:.1f}' for load in os.getloadavg())}")
    growth(report)
    report.say("script and style sheet of a view, largest", _largest_sent(), SENT, "bytes")
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as (collector, dashboard):
        fed(collector, forms, sizes, with_map=not given.no_map)
        api = Api(collector.api)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            warm(browser, dashboard)
            for form in forms:
                for size in sizes:
                    laid_out(report, api, form, size)
                    shown(report, browser, dashboard, form, size, given)
            if not given.no_map:
                map_shown(report, browser, dashboard, given)
                switched(report, browser, dashboard)
            browser.close()
    sys.exit(not report.kept)


@contextmanager
def running(folder: Path) -> Iterator[tuple[Collector, Dashboard]]:
    """A collector and its dashboard, as people start them."""
    for name in ("collector", "dashboard"):
        (folder / name).mkdir()
    collector = Collector(folder / "collector")
    collector.run()
    dashboard = Dashboard(folder / "dashboard", collector.api, f"http://127.0.0.1:{free_port()}")
    try:
        dashboard.run()
        yield collector, dashboard
    finally:
        dashboard.stop()
        collector.stop()


def fed(collector: Collector, forms: Sequence[Form], sizes: Sequence[int], *, with_map: bool) -> None:
    """Send the flows, and wait until they can be asked for."""
    bodies = [made(form, size).body() for form in forms for size in sizes]
    for body in [*bodies, *(businesses() if with_map else ())]:
        headers = {"content-type": "application/x-protobuf"}
        httpx.post(
            f"{collector.otlp}/v1/traces", content=body, headers=headers, trust_env=False, timeout=60
        ).raise_for_status()
    for form in forms:
        for size in sizes:
            address = f"{collector.api}/api/v1/flows/{form}-{size}?limit=10"
            until(
                lambda address=address: httpx.get(address, trust_env=False, timeout=30).is_success,  # type: ignore[misc]
                60,
                address,
            )


def warm(browser: Browser, dashboard: Dashboard) -> None:
    """Let the dashboard import what it needs: that is measured nowhere."""
    with opened(browser) as page:
        page.goto(f"{dashboard.url}/flow?flow=nobody")
        page.locator(".cs-notice[data-ready=true]").wait_for(timeout=60_000)


@contextmanager
def opened(browser: Browser) -> Iterator[Page]:
    """A window without a cache."""
    context = browser.new_context(viewport=WINDOW)
    try:
        yield context.new_page()
    finally:
        context.close()


def ms(run: Callable[[], Any]) -> float:
    """How long *run* takes."""
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


def p95(values: Sequence[float]) -> float:
    """The 95th percentile."""
    return sorted(values)[max(0, round(0.95 * len(values)) - 1)]


def laid_out(report: Report, api: Api, form: Form, size: int) -> None:
    """The part of Python: from the API's answer to what is sent to the browser."""
    name = f"{form}-{size}"
    asked = ms(lambda: api.flow(name))
    found: Steps = steps(api.flow(name).value)
    report.say(f"{name}: API answer, read", asked)
    report.say(f"{name}: steps", min(ms(lambda: steps(api.flow(name).value)) for _ in range(3)))
    budget = (MESH_LAYOUT if form == "mesh" else LAYOUT).get(size)
    report.say(f"{name}: folding", min(ms(lambda: fold(found, Choices())) for _ in range(3)))
    whole, folded = Folded(found), fold(found, Choices())
    for what in (whole, folded) if len(folded.steps.steps) < len(found.steps) else (whole,):
        boxes = len(what.steps.steps)
        took = min(
            ms(lambda what=what: scene.graph(what, str, selected=None, name=name))  # type: ignore[misc]
            for _ in range(3)
        )
        report.say(f"{name}: layout of {boxes:,} boxes", took, budget)


def shown(
    report: Report, browser: Browser, dashboard: Dashboard, form: Form, size: int, given: argparse.Namespace
) -> None:
    """The page of a flow: opening it, choosing a card, moving the drawing."""
    name = f"{form}-{size}"
    times, renders = [], []
    for _ in range(given.times):
        with opened(browser) as page:
            start = time.perf_counter()
            page.goto(f"{dashboard.url}/flow?flow={name}")
            graph = page.locator(".cs-graph[data-ready=true]")
            graph.wait_for(timeout=60_000)
            times.append((time.perf_counter() - start) * 1e3)
            renders.append(float(graph.get_attribute("data-render-ms") or 0))
    report.say(f"{name}: page opened", statistics.median(times), OPENED if size <= 1_000 else None)
    report.say(f"{name}: render", statistics.median(renders), RENDER.get(size))
    with opened(browser) as page:
        page.goto(f"{dashboard.url}/flow?flow={name}")
        page.locator(".cs-graph[data-ready=true]").wait_for(timeout=60_000)
        page.wait_for_timeout(800)
        moved(report, page, name, given)
        page.goto(f"{dashboard.url}/flow?flow={name}&view=timeline")
        rows = page.locator(".cs-timeline[data-ready=true]")
        rows.wait_for(timeout=60_000)
        took = float(rows.get_attribute("data-render-ms") or 0)
        report.say(f"{name}: render of the timeline", took, RENDER.get(size))


def moved(report: Report, page: Page, name: str, given: argparse.Namespace) -> None:
    """Choosing cards, and moving the drawing as it opens and as a whole."""
    stage = page.locator(".stage")
    if given.shots:
        given.shots.mkdir(exist_ok=True)
        page.screenshot(path=given.shots / f"{name}.png")
    drawn = stage.evaluate("(stage) => stage.querySelectorAll('*').length")
    report.say(f"{name}: elements of the drawing", drawn, None, "")
    took, seen = stage.evaluate(HIGHLIGHT_JS)
    if took:
        report.say(f"{name}: click to highlight p95, with styles", p95(took), HIGHLIGHT)
        report.say(f"{name}: click to the second frame after it p95", p95(seen))
    page.wait_for_timeout(300)
    for how, budget in (("pan", PAN), ("zoom", ZOOM)):
        frames, cpu = moving(page, how)
        report.say(f"{name}: {how} p95", p95(frames), budget)
        report.say(f"{name}: {how}, processor time of the page a frame", cpu)
    stage.press("f")
    page.wait_for_timeout(400)
    if given.shots:
        page.screenshot(path=given.shots / f"{name}-whole.png")
    frames, cpu = moving(page, "pan")
    report.say(f"{name}: pan p95 as a whole", p95(frames), PAN)
    report.say(f"{name}: pan as a whole, processor time of the page a frame", cpu)


def moving(page: Page, how: str) -> tuple[list[float], float]:
    """How long each frame takes while the drawing moves, and the processor time of the page's own thread.

    What else the machine does lengthens frames, but not that time. Painting is done by other threads.
    """
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def used() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return 1e3 * next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")

    before = used()
    frames: list[float] = page.locator(".stage").evaluate(FRAMES_JS, how)
    taken = (used() - before) / len(frames)
    session.detach()
    return frames, taken


def map_shown(report: Report, browser: Browser, dashboard: Dashboard, given: argparse.Namespace) -> None:
    """The map of 40 services and 300 event types."""
    with opened(browser) as page:
        start = time.perf_counter()
        page.goto(f"{dashboard.url}/choreography")
        graph = page.locator(".cs-graph[data-ready=true]")
        graph.wait_for(timeout=60_000)
        report.say("map: page opened", (time.perf_counter() - start) * 1e3, OPENED)
        report.say("map: render", float(graph.get_attribute("data-render-ms") or 0), RENDER[1_000])
        page.wait_for_timeout(800)
        moved(report, page, "map", given)


def switched(report: Report, browser: Browser, dashboard: Dashboard) -> None:
    """From page to page, by the menu."""
    with opened(browser) as page:
        page.goto(dashboard.url)
        page.locator("[data-ready=true]").first.wait_for(timeout=60_000)
        took: dict[str, list[float]] = {"Flows": [], "Choreography": []}
        for _ in range(4):
            for name, kind in (("Flows", "flows"), ("Choreography", "graph")):
                page.wait_for_timeout(300)
                start = time.perf_counter()
                page.get_by_role("link", name=name, exact=True).click()
                page.locator(f".cs-{kind}[data-ready=true]").wait_for(timeout=60_000)
                took[name].append((time.perf_counter() - start) * 1e3)
        report.say("switch to Flows, first", took["Flows"][0], FIRST_TABLE)
        report.say("switch to Flows, later", statistics.median(took["Flows"][1:]), SWITCHED)
        report.say("switch to Choreography", statistics.median(took["Choreography"]), SWITCHED)


def growth(report: Report) -> None:
    """How many cards of a fan move, in percent, when one more message arrives."""
    moved = growing_fan(400)
    report.say("fan that grows to 400: cards that move, mean", statistics.mean(moved), MOVED, "%")
    report.say("fan that grows to 400: worst, from 20 cards on", max(moved[20:]), MOVED, "%")


def _largest_sent() -> int:
    return max(len(sent.script.encode()) + len(sent.sheet.encode()) for sent in assembled().values())


if __name__ == "__main__":
    main()
