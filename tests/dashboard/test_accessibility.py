"""Can everybody use the pages: by keyboard alone, whatever colours they see, whatever they want to move?"""

from __future__ import annotations

import base64
from itertools import combinations

from playwright.sync_api import Locator, Page, expect

from dashboard.shapes import Flows
from tests.dashboard.accessible import tab_to
from tests.dashboard.colours import ciede2000, seen
from tests.dashboard.factories import made
from tests.dashboard.servers import Dashboard
from tests.dashboard.staging import Stage, item

# The colour of a picture that differs most from that of its corner, as #rrggbb.
MARK = """async (text) => {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const picture = await createImageBitmap(new Blob([bytes]));
  const pen = new OffscreenCanvas(picture.width, picture.height).getContext('2d');
  pen.drawImage(picture, 0, 0);
  const { data } = pen.getImageData(0, 0, picture.width, picture.height);
  const at = (place) => [...data.slice(place, place + 3)];
  const far = (colour) => colour.reduce((sum, part, place) => sum + (part - data[place]) ** 2, 0);
  let most = at(0);
  for (let place = 0; place < data.length; place += 4) if (far(at(place)) > far(most)) most = at(place);
  return '#' + most.map((part) => part.toString(16).padStart(2, '0')).join('');
}"""


def test_the_evidence_of_the_oldest_stuck_flow_is_reached_by_keyboard_alone(
    page: Page, dashboard: Dashboard
) -> None:
    page.goto(dashboard.url)
    page.locator(".cs-stuck[data-ready=true] section.group").first.wait_for()

    tab_to(page, "a", "Open the oldest flow that waits for")
    page.keyboard.press("Enter")
    page.locator(".cs-graph[data-ready=true]").wait_for()
    tab_to(page, "group", "Graph of flow")
    page.keyboard.press("n")
    expect(page.locator(".node.ghost .hit")).to_have_attribute("aria-pressed", "true")
    inspector = page.get_by_role("complementary", name="Inspector")
    proof = inspector.locator(".evidence button").first
    tab_to(page, "button", proof.inner_text())
    expect(proof).to_be_focused()
    page.keyboard.press("Enter")

    expect(inspector.get_by_role("heading", level=2)).to_have_text("StockReserved")
    expect(inspector).to_be_focused()  # what had the focus is gone
    tab_to(page, "button", "OrderPlaced", within=3)


def mark(place: Locator) -> str:
    """The colour of the mark in the badge at *place*: as it is on the screen."""
    picture = base64.b64encode(place.screenshot()).decode()
    return str(place.page.evaluate(MARK, picture))


def test_states_differ_on_the_screen_for_every_eye(
    page: Page, theatre: Dashboard, stage: Stage, theme: str
) -> None:
    """As Chromium shows them to who cannot see red, green or blue."""
    states = ("stuck", "failed", "late", "running", "done")
    flows = [item(f"A-{state}", state=state) for state in states]
    stage.documents["/api/v1/flows"] = made(Flows, flows=flows, total=5)
    page.goto(theatre.url + "/flows")
    badges = page.locator("tbody .badge")
    expect(badges).to_have_text(list(states))
    shown: dict[str, tuple[str, ...]] = {}
    session = page.context.new_cdp_session(page)
    for sight in ("none", "protanopia", "deuteranopia", "tritanopia"):
        session.send("Emulation.setEmulatedVisionDeficiency", {"type": sight})
        colours = [mark(badges.nth(place)) for place in range(len(states))]
        marks = badges.evaluate_all("(all) => all.map((one) => one.querySelector('svg')?.innerHTML)")
        for one, other in combinations(range(len(states)), 2):
            close = ciede2000(*(seen(colours[place], "normal") for place in (one, other))) < 13
            assert not close or marks[one] != marks[other], (sight, states[one], states[other])
        shown[sight] = tuple(colours)
    assert len(set(shown.values())) == 4  # else nothing was simulated
