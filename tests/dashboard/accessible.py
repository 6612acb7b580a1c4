"""What does axe-core find on a page, and what has the focus?"""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import Page

from tests.dashboard.servers import ROOT

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
# The role or tag of what has the focus, and its name; inside of our components as well.
FOCUSED = """() => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  const name = at.getAttribute('aria-label') || at.textContent;
  return [at.getAttribute('role') || at.localName, name.trim()];
}"""


def serious(page: Page) -> list[tuple[str, object]]:
    """The rules that *page* breaks so that somebody is kept out, each with the first place.

    Without axe-core the test is skipped; CI must have it.
    """
    if not AXE.exists():
        said = "there is no axe-core here: make lint installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    wrong = [one for one in found["violations"] if one["impact"] in {"serious", "critical"}]
    return [(one["id"], one["nodes"][0]["target"]) for one in wrong]


def tab_to(page: Page, role: str, name: str, *, within: int = 40) -> int:
    """Press Tab until what has this role and a name with *name* in it has the focus; return how often."""
    for pressed in range(1, within + 1):
        page.keyboard.press("Tab")
        found = page.evaluate(FOCUSED)
        if found[0] == role and name in found[1]:
            return pressed
    raise AssertionError(f"{within} times Tab did not lead to {role} {name!r}: it is at {found}")
