"""The pages in a real browser, on a real collector: what people see, click and type.

The `page` fixture fails a test if the browser logged an error or sent a request to anything but the
dashboard.
"""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from tests.dashboard.conftest import NASTY, NASTY_KEY
from tests.dashboard.servers import Dashboard

ABOVE = re.compile(r"[?&]span=")


def ready(page: Page, kind: str) -> Locator:
    """The drawing of this kind, once it is complete."""
    drawing = page.locator(f".cs-{kind}[data-ready=true]")
    drawing.wait_for()
    return drawing


def opened(page: Page, dashboard: Dashboard, address: str, kind: str) -> Locator:
    page.goto(dashboard.url + address)
    return ready(page, kind)


def step(page: Page, name: str) -> Locator:
    """A step of a flow, found as a screen reader finds it: by its role and its name."""
    return page.get_by_role("button", name=re.compile(f"^{name}, "))


def test_the_first_page_leads_to_a_stuck_flow_and_back(page: Page, dashboard: Dashboard, theme: str) -> None:
    """The main job: see that something is stuck, open it, see what is missing, go back."""
    stuck = opened(page, dashboard, "/", "stuck")

    expect(page.get_by_role("heading", level=1)).to_contain_text("13 flows are stuck, the oldest for")
    assert stuck.get_attribute("data-theme") == theme
    page.get_by_role("link", name="A-202", exact=True).click()

    ready(page, "graph")
    assert page.url == f"{dashboard.url}/flow?flow=A-202"
    expect(page.get_by_role("heading", level=1)).to_contain_text("A-202")
    expect(
        page.get_by_role("button", name="PaymentCaptured, expected from payment, not seen")
    ).to_be_visible()
    expect(page.get_by_role("complementary", name="Inspector")).to_contain_text("payment is down")

    page.go_back()
    ready(page, "stuck")
    assert page.url == f"{dashboard.url}/"


def test_a_click_lights_up_causes_and_effects(page: Page, dashboard: Dashboard) -> None:
    """A chosen message is chosen everywhere: in the drawing, the inspector and the address."""
    opened(page, dashboard, "/flow?flow=A-110", "graph")

    step(page, "StockReserved").click()

    inspector = page.get_by_role("complementary", name="Inspector")
    expect(inspector.get_by_role("heading", level=2)).to_have_text("StockReserved")
    expect(page).to_have_url(ABOVE)
    lit = {"OrderPlaced", "StockReserved", "PaymentCaptured", "ParcelPacked", "OrderShipped"}
    names = page.locator(".node.lit .title").all_text_contents()
    assert set(names) == lit
    expect(step(page, "StockReserved")).to_have_attribute("aria-pressed", "true")
    expect(inspector).to_contain_text("span link")

    inspector.get_by_role("button", name="PaymentCaptured").click()
    expect(inspector.get_by_role("heading", level=2)).to_have_text("PaymentCaptured")
    expect(step(page, "PaymentCaptured")).to_have_attribute("aria-pressed", "true")
    expect(inspector.locator(".metrics")).to_have_text(re.compile("Waited.*80 ms.*Worked.*300 ms"))


def test_back_and_forward_go_through_what_was_chosen(page: Page, dashboard: Dashboard) -> None:
    opened(page, dashboard, "/flow?flow=A-110", "graph")
    heading = page.get_by_role("complementary", name="Inspector").get_by_role("heading", level=2)
    step(page, "StockReserved").click()
    expect(heading).to_have_text("StockReserved")
    page.get_by_role("radio", name="Timeline").click()
    ready(page, "timeline")
    expect(page).to_have_url(re.compile("view=timeline"))
    expect(step(page, "StockReserved")).to_have_attribute("aria-pressed", "true")

    page.go_back()
    ready(page, "graph")
    expect(step(page, "StockReserved")).to_have_attribute("aria-pressed", "true")
    page.go_back()
    expect(heading).to_have_text("OrderPlaced")
    page.go_forward()
    expect(heading).to_have_text("StockReserved")


def test_a_deep_link_opens_on_its_step(page: Page, dashboard: Dashboard) -> None:
    """A colleague who is sent the address sees what its sender saw."""
    opened(page, dashboard, "/flow?flow=A-300", "graph")
    page.get_by_role("button", name=re.compile("^payment, reaction of payment")).click()
    expect(page).to_have_url(ABOVE)
    address = page.url

    page.goto("about:blank")
    page.goto(address.replace("flow=A-300", "flow=A-300&view=timeline"))

    ready(page, "timeline")
    inspector = page.get_by_role("complementary", name="Inspector")
    expect(inspector.get_by_role("heading", level=2)).to_contain_text("failed")
    expect(inspector).to_contain_text("502 Bad Gateway")


def test_keys_walk_through_a_flow(page: Page, dashboard: Dashboard) -> None:
    """Everything that the mouse does can be done without it."""
    opened(page, dashboard, "/flow?flow=A-200", "graph")
    heading = page.get_by_role("complementary", name="Inspector").get_by_role("heading", level=2)
    # That a refresh leaves the focus where it is, test_focus.py looks at.
    stage = page.get_by_role("group", name="Graph of flow A-200")

    stage.press("n")
    expect(page).to_have_url(ABOVE)
    expect(heading).to_contain_text("PaymentCaptured")
    stage.press("ArrowUp")
    expect(heading).to_have_text("StockReserved")
    stage.press("ArrowUp")
    expect(heading).to_have_text("OrderPlaced")
    stage.press("ArrowDown")
    expect(heading).not_to_have_text("OrderPlaced")
    stage.press("Escape")
    expect(page).not_to_have_url(ABOVE)
    expect(page.locator(".chosen")).to_have_count(0)


def test_the_graph_is_zoomed_and_fitted(page: Page, dashboard: Dashboard) -> None:
    opened(page, dashboard, "/flow?flow=A-110", "graph")
    world = page.locator(".world")
    before = world.get_attribute("transform")

    page.get_by_role("button", name="Zoom in").click()
    assert world.get_attribute("transform") != before
    page.get_by_role("button", name="Fit").click()
    assert world.get_attribute("transform") == before


def test_the_timeline_tells_waiting_from_working(page: Page, dashboard: Dashboard) -> None:
    opened(page, dashboard, "/flow?flow=A-400&view=timeline", "timeline")

    paid = page.locator(".row", has=step(page, "PaymentCaptured"))
    wait, work = (paid.locator(kind).bounding_box() for kind in (".hatch", ".solid"))
    assert wait
    assert work
    assert abs(work["width"] / wait["width"] - 300 / 80) < 0.3
    assert abs(wait["x"] + wait["width"] - work["x"]) < 1
    owed = page.get_by_role("button", name="ParcelPacked, expected from shipping, not seen")
    expect(page.locator(".row", has=owed)).to_contain_text("overdue")


def test_flows_are_searched_and_narrowed(page: Page, dashboard: Dashboard) -> None:
    """Filters are in the address, and Back from a flow restores them."""
    opened(page, dashboard, "/flows", "flows")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(73)

    page.get_by_role("button", name="stuck 13").click()
    expect(rows).to_have_count(13)
    page.get_by_role("textbox", name="Search").fill("shipping")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(3)
    expect(page).to_have_url(f"{dashboard.url}/flows?state=stuck&q=shipping")

    page.get_by_role("link", name="A-401").click()
    ready(page, "graph")
    page.go_back()

    ready(page, "flows")
    expect(page).to_have_url(f"{dashboard.url}/flows?state=stuck&q=shipping")
    expect(rows).to_have_count(3)
    expect(page.get_by_role("textbox", name="Search")).to_have_value("shipping")


def test_a_filter_is_removed_by_its_pill(page: Page, dashboard: Dashboard) -> None:
    """From the first page to all flows that wait for payment, and from there to all that are stuck."""
    opened(page, dashboard, "/", "stuck")
    page.get_by_role("link", name="1 more flow: show all that wait for payment").click()
    ready(page, "flows")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(10)

    page.get_by_role("button", name="waiting for payment").click()

    expect(rows).to_have_count(13)
    expect(page).to_have_url(f"{dashboard.url}/flows?state=stuck")


def test_a_long_name_is_cut_in_its_middle(page: Page, dashboard: Dashboard) -> None:
    """Both of its ends tell it from others; the whole is shown on hover."""
    name = "tenant-7." + "k" * 400 + ".order-17"
    opened(page, dashboard, f"/flow?flow={name}", "notice")

    shown = page.get_by_title(name, exact=True).first
    expect(shown).to_have_text(re.compile(r"^tenant-7\.k+\u2026k+\.order-17$"))
    assert len(shown.inner_text()) == 60


def test_a_search_without_an_answer_can_be_cleared(page: Page, dashboard: Dashboard) -> None:
    opened(page, dashboard, "/flows?q=nobody", "notice")

    page.get_by_role("button", name="Clear filters").click()

    expect(page.locator("tbody tr")).to_have_count(73)
    expect(page).to_have_url(f"{dashboard.url}/flows")


def test_the_map_leads_to_what_is_stuck(page: Page, dashboard: Dashboard) -> None:
    opened(page, dashboard, "/choreography", "graph")

    placed = "OrderPlaced, 73 times, published by order, taken by "
    expect(page.get_by_role("button", name=re.compile(f"^{placed}"))).to_be_visible()
    expect(page.get_by_role("complementary", name="Variants").get_by_role("listitem")).not_to_have_count(0)
    page.get_by_role("link", name="3 flows wait for shipping here: show them").click()

    ready(page, "flows")
    expect(page.locator("tbody tr")).to_have_count(3)


def test_the_map_can_be_read_in_a_small_window(page: Page, dashboard: Dashboard) -> None:
    """Text of 12 px must not shrink to 9, and nothing may be out of sight."""
    page.set_viewport_size({"width": 1280, "height": 900})
    opened(page, dashboard, "/choreography", "graph")

    sizes = page.locator(".node.event .title").evaluate_all(
        "(all) => all.map((one) => parseFloat(getComputedStyle(one).fontSize) * one.getScreenCTM().a)"
    )
    assert min(sizes) >= 12
    expect(page.locator(".mini.shown")).to_have_count(0)


def test_a_variant_lights_up_its_way(page: Page, dashboard: Dashboard) -> None:
    opened(page, dashboard, "/choreography", "graph")

    page.get_by_role("complementary", name="Variants").get_by_role("link").first.hover()

    expect(page.locator(".node.lit .title", has_text="OrderShipped")).to_have_count(1)
    expect(page.locator(".node:not(.lit)")).to_have_count(0)


def test_the_map_is_drawn_by_services_too(page: Page, dashboard: Dashboard) -> None:
    opened(page, dashboard, "/choreography", "graph")

    page.get_by_role("radio", name="Services").click()

    expect(page.locator(".node.service .title", has_text="inventory")).to_have_count(1)
    expect(page).to_have_url(f"{dashboard.url}/choreography?level=service")


def test_strings_of_spans_are_only_text(page: Page, dashboard: Dashboard) -> None:
    """The sender of a span must not be able to run, style or link anything on this page."""
    opened(page, dashboard, "/", "stuck")
    expect(page.get_by_role("link", name=NASTY_KEY, exact=True)).to_be_visible()
    expect(page.get_by_text(seen(NASTY)).first).to_be_attached()

    page.get_by_role("link", name=NASTY_KEY, exact=True).click()
    ready(page, "graph")
    expect(page.get_by_role("heading", level=1)).to_contain_text(NASTY_KEY)
    page.get_by_role("button", name=re.compile("^payment, reaction of payment")).click()
    expect(page.get_by_role("complementary", name="Inspector")).to_contain_text(seen(NASTY))
    page.get_by_role("radio", name="Timeline").click()
    ready(page, "timeline")
    page.goto(dashboard.url + "/flows?q=<b>x</b> **y** :rocket:")
    ready(page, "notice")
    expect(page.get_by_text("<b>x</b> **y** :rocket:").first).to_be_visible()

    assert page.evaluate("window.pwned") is None
    for foreign in ("img[onerror]", "a[href^=javascript]", ".katex"):
        expect(page.locator(foreign)).to_have_count(0)
    expect(page.locator(".cs").get_by_text("\U0001f680")).to_have_count(0)


def seen(text: str) -> str:
    """Return the text as the page shows it: characters that would act are spelled out."""
    return text.replace("\x07", "\\u0007").replace("\u202e", "\\u202e")


def test_ids_are_copied(page: Page, dashboard: Dashboard) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened(page, dashboard, "/flow?flow=A-110", "graph")

    page.get_by_role("button", name="Copy flow key").click()

    assert page.evaluate("navigator.clipboard.readText()") == "A-110"


def test_ages_grow_by_themselves(page: Page, dashboard: Dashboard) -> None:
    """A page that stays open for an hour must not show the age of an hour ago."""
    silent: list[bool] = []

    def between(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda message: None if silent else socket.send(message))

    # A refresh would set the page's clock back to the collector's, which this test does not move.
    page.route_web_socket("**/_stcore/stream", between)
    page.clock.install()
    opened(page, dashboard, "/flow?flow=A-200", "graph")
    badge = page.get_by_role("heading", level=1).locator(".age")
    expect(badge).to_have_text(re.compile(r"^\d+ [sm]$"))

    silent.append(True)
    page.clock.fast_forward("02:00:00")

    expect(badge).to_have_text(re.compile(r"^2 h"))


def test_a_refresh_keeps_what_is_drawn(page: Page, dashboard: Dashboard) -> None:
    """The page refreshes itself while somebody reads it: nothing may be redrawn or move."""
    opened(page, dashboard, "/flow?flow=A-110", "graph")
    page.evaluate("""() => {
      window.touched = 0;
      for (const host of document.querySelectorAll('[data-testid=stBidiComponentIsolated]')) {
        const world = host.shadowRoot.querySelector('.world');
        if (world) new MutationObserver((found) => { window.touched += found.length; })
          .observe(world, { childList: true, subtree: true, attributes: true });
      }
    }""")

    # On a busy machine, fonts and the scroll bar come late, and the drawing is fitted once more. Two
    # refreshes happen in each round: if they touched anything, every round would see it.
    for _ in range(3):
        page.evaluate("window.touched = 0")
        page.wait_for_timeout(4500)
        if page.evaluate("window.touched") == 0:
            return
    raise AssertionError(page.evaluate("window.touched"))


def test_reduced_motion_is_respected(page: Page, dashboard: Dashboard) -> None:
    page.emulate_media(reduced_motion="reduce")
    opened(page, dashboard, "/flow?flow=A-110", "graph")

    durations = page.locator(".node").first.evaluate("(node) => getComputedStyle(node).transitionDuration")

    assert set(durations.split(", ")) == {"0s"}


def test_without_a_shop_nothing_can_be_broken(page: Page, dashboard: Dashboard) -> None:
    opened(page, dashboard, "/", "stuck")

    expect(page.get_by_role("button", name="Break something")).to_have_count(0)
