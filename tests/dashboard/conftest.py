"""A shop with a collector, its dashboard and a browser, each started once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Response,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.dashboard.servers import Collector, Dashboard
from tests.dashboard.shop import Shop, declined_by_error, place, shipped, unanswered, unpaid
from tests.dashboard.staging import Stage, staged
from tests.sample_services.harness import free_port, until

CHROMIUM = os.environ.get("CHOREOSCOPE_CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--process-per-site",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WINDOW: ViewportSize = {"width": 1440, "height": 900}

TRACE_LINK = "https://jaeger.example/trace/{trace_id}?from=choreoscope&x=1"

# Every string of this flow tries to be more than text.
NASTY_KEY = "<img src=x onerror=window.pwned=1>"
NASTY = "**bold** :rocket: $x^2$ `code` <b>b</b> [l](javascript:alert(1)) \x07\u202e{% x %} {0} %s"


def learned(collector: Collector) -> bool:
    learning = collector.ask("summary")["learning"]
    return isinstance(learning, dict) and learning["expectations"] > 0


def judged(collector: Collector) -> bool:
    states = collector.ask("summary")["states"]
    return isinstance(states, dict) and states["stuck"] >= 13 and not states["late"]


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector that has learned what a healthy order does, and then saw three kinds of stopped ones.

    A-100 to A-159 went well. Nobody paid for A-200 to A-206. Payment failed for A-300 and A-301, and in the
    flow whose strings are nasty. Shipping did not answer for A-400 to A-402.
    """
    collector = Collector(tmp_path_factory.mktemp("collector"))
    collector.run()
    shop = Shop()
    for number in range(60):
        place(shop, f"A-{100 + number}", shipped, seconds_ago=3)
    shop.send(collector.otlp)
    until(lambda: learned(collector), 110, "learning")
    for number in range(7):
        place(shop, f"A-{200 + number}", unpaid, seconds_ago=3 - number / 10)
    for number in range(2):
        place(shop, f"A-{300 + number}", declined_by_error, seconds_ago=4)
    for number in range(3):
        place(shop, f"A-{400 + number}", unanswered, seconds_ago=4)
    place(shop, NASTY_KEY, lambda order: declined_by_error(order, NASTY, strange=NASTY), seconds_ago=4.5)
    # All of them began after the collector: it does not judge flows whose beginning it may have missed.
    shop.send(collector.otlp)
    try:
        until(lambda: judged(collector), 60, "the verdict")
        yield collector
    finally:
        collector.stop()


@pytest.fixture(scope="session")
def dashboard(watched: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """The dashboard of that collector; no fault control answers."""
    nobody = f"http://127.0.0.1:{free_port()}"
    dashboard = Dashboard(
        tmp_path_factory.mktemp("dashboard"), watched.api, nobody, CHOREOSCOPE_TRACE_LINK=TRACE_LINK
    )
    dashboard.run()
    yield dashboard
    dashboard.stop()


class Chromium:
    """The system's Chromium, open from the first test that needs it to the last one of this folder.

    While it is open, Playwright keeps an event loop running, and no asynchronous test can run.
    """

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()
        self._browser: Browser | None = None
        self._profiles: dict[str, BrowserContext] = {}

    def window(self, scheme: Any) -> Page:
        """An empty window, in a profile that remembers nothing of another test but what it has read.

        In a new profile Streamlit's scripts are fetched, read and compiled anew, which takes two seconds of
        processor time. They are kept while any page of this machine is open: an empty one always is.
        """
        if scheme not in self._profiles:
            profile = self._opened().new_context(viewport=WINDOW, color_scheme=scheme)
            stays = profile.new_page()
            stays.route("**/*", lambda route: route.fulfill(body=""))
            stays.goto("http://127.0.0.1/")
            self._profiles[scheme] = profile
        profile = self._profiles[scheme]
        profile.clear_cookies()
        profile.clear_permissions()
        return profile.new_page()

    def _opened(self) -> Browser:
        if self._browser is None:
            playwright = self._open.enter_context(sync_playwright())
            self._browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            self._open.callback(self._browser.close)
        return self._browser

    def close(self) -> None:
        """Close it if it is open."""
        self._profiles.clear()
        self._browser = None
        self._open.close()


_chromium = Chromium()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Iterator[None]:
    """Close the browser after the last test of this folder, whose tests alone come here."""
    try:
        yield
    finally:
        if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
            _chromium.close()


@pytest.fixture
def chromium() -> Chromium:
    """The system's Chromium. Without one the tests are skipped; CI must have one."""
    if not Path(CHROMIUM).exists():
        said = f"no browser at {CHROMIUM}: install Chromium, or set CHOREOSCOPE_CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)
    return _chromium


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> str:
    """Both themes: what can be read in one may be invisible in the other."""
    return str(request.param)


@pytest.fixture
def page(request: pytest.FixtureRequest, chromium: Chromium) -> Iterator[Page]:
    """A window; the test fails if the page logged an error or sent a request outside the dashboard."""
    scheme: Any = request.getfixturevalue("theme") if "theme" in request.fixturenames else "light"
    page = chromium.window(scheme)
    page.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)  # the first page of a new dashboard takes 6 s on a busy machine
    errors: list[str] = []
    asked: list[str] = []
    missing: list[str] = []

    def answered(response: Response) -> None:
        if response.status >= 400:
            missing.append(response.url)

    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    page.on("response", answered)
    yield page
    page.close()
    # Streamlit looks for its own endpoints below the address of a deep link, twice, and finds none.
    probes = [url for url in missing if "/_stcore/" in url]
    failed = [text for text in errors if "Failed to load resource" in text]
    assert missing == probes
    assert errors == failed
    assert len(failed) <= len(probes)
    assert [url for url in asked if not url.startswith(("http://127.0.0.1:", "blob:", "data:"))] == []


@pytest.fixture(scope="session")
def opened_stage() -> Iterator[Stage]:
    """A collector that answers what a test wants."""
    with staged() as stage:
        yield stage


@pytest.fixture
def stage(opened_stage: Stage) -> Stage:
    """The same, without what the test before wanted."""
    opened_stage.reset()
    return opened_stage


@pytest.fixture(scope="session")
def theatre(opened_stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """The dashboard of that collector; its shop is on the stage too."""
    dashboard = Dashboard(tmp_path_factory.mktemp("theatre"), opened_stage.url, opened_stage.url)
    dashboard.run()
    yield dashboard
    dashboard.stop()
