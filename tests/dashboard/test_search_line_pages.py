"""The search line in a browser: typed, underlined, sorted, taken along, and reached from every page."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.dashboard.servers import Dashboard
from tests.dashboard.test_browser import opened, ready


def test_a_line_is_typed_explained_sorted_and_linked(
    page: Page, dashboard: Dashboard, tmp_path: Path
) -> None:
    """What cannot be read is underlined, the rest counts, and Back leads to the line before."""
    opened(page, dashboard, "/flows", "flows")
    rows, line = page.locator("tbody tr"), page.get_by_role("textbox", name="Search")
    page.keyboard.press("/")
    expect(line).to_be_focused()
    line.fill('state:stuck service:"inventory" took:>tens')
    line.press("Enter")

    expect(rows).to_have_count(13)
    notice = ready(page, "notice")
    expect(notice.locator("u")).to_have_text(">tens")
    expect(notice).to_contain_text("took is '>tens': expected a duration with its unit, such as >10s")
    expect(page.get_by_role("button", name="stuck 13")).to_have_attribute("aria-pressed", "true")

    head = page.get_by_role("columnheader", name="messages")
    expect(head).not_to_have_attribute("aria-sort", "descending")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(page).to_have_url(re.compile(r"sort=-messages"))
    counts = [int(text) for text in rows.locator("td:nth-child(8)").all_inner_texts()]
    assert counts == sorted(counts, reverse=True)

    page.get_by_role("button", name="done 60").click()
    expect(line).to_have_value('service:"inventory" took:>tens')  # the pill says the state now
    expect(rows).to_have_count(60)
    page.get_by_test_id("stPopover").get_by_role("button").click()
    page.get_by_role("button", name="waited").click()
    expect(page.get_by_role("columnheader", name="waited")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV of the first 10,000").click()
    download.value.save_as(tmp_path / "flows.csv")
    assert len((tmp_path / "flows.csv").read_text().splitlines()) == 61


def test_every_page_has_the_line_and_leads_to_flows(page: Page, dashboard: Dashboard) -> None:
    opened(page, dashboard, "/", "stuck")
    page.keyboard.press("/")
    page.keyboard.type("A-40")
    page.keyboard.press("Enter")
    ready(page, "flows")
    expect(page).to_have_url(f"{dashboard.url}/flows?q=A-40")
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(page.get_by_role("textbox", name="Search")).to_have_value("A-40")
    page.go_back()
    ready(page, "stuck")

    page.get_by_role("link", name="p95 end to end").click()
    ready(page, "flows")
    line = re.compile(r"^state:done last:>-15m took:>=\d+ms$")
    expect(page.get_by_role("textbox", name="Search")).to_have_value(line)
    expect(page.get_by_role("columnheader", name="took")).to_have_attribute("aria-sort", "descending")
    assert 1 <= page.locator("tbody tr").count() <= 60

    opened(page, dashboard, "/choreography", "graph")
    variants = page.get_by_role("complementary", name="Variants").get_by_role("link")
    many = variants.first.locator(".muted").inner_text()
    variants.first.click()
    ready(page, "flows")
    expect(page.locator("tbody tr")).to_have_count(int(many.split()[0]))
    page.go_back()
    ready(page, "graph")
    page.get_by_role("button", name=re.compile("^PaymentCaptured, ")).click()
    page.get_by_role("link", name="Flows with PaymentCaptured").click()
    ready(page, "flows")
    expect(page.get_by_role("textbox", name="Search")).to_have_value('event:"PaymentCaptured" last:>-15m')

    opened(page, dashboard, "/flow?flow=A-4019", "notice")
    page.get_by_role("link", name="A-401", exact=True).click()
    ready(page, "graph")
