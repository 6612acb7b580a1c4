"""The dashboard alone, with a collector that comes and goes, and with the demo shop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from sample_services.services import SERVICES
from tests.dashboard.servers import ROOT, Collector, Dashboard, Process
from tests.dashboard.shop import Shop, place, shipped
from tests.sample_services.harness import NatsServer, free_port


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    """A collector that is not started yet."""
    (tmp_path / "collector").mkdir()
    collector = Collector(tmp_path / "collector")
    yield collector
    collector.stop()


@pytest.fixture
def broken_shop(tmp_path: Path) -> Iterator[str]:
    """The real shop with one service, and the address of its fault control."""
    nats = NatsServer(tmp_path / "nats")
    nats.start()
    control = f"127.0.0.1:{free_port()}"
    others = [part for name in SERVICES if name != "analytics" for part in ("--without", name)]
    command = ["-m", "sample_services", "--rate", "0", "--control", control, *others]
    settings = {"NATS_URL": nats.url, "OTEL_SDK_DISABLED": "true"}
    shop = Process(command, tmp_path, settings)
    shop.start(f"http://{control}/faults")
    yield f"http://{control}"
    shop.stop()
    nats.stop()


@pytest.fixture
def alone(collector: Collector, tmp_path: Path) -> Iterator[Dashboard]:
    """The dashboard of that collector, without a shop."""
    yield from beside(tmp_path, collector.api, f"http://127.0.0.1:{free_port()}")


@pytest.fixture
def demo(collector: Collector, broken_shop: str, tmp_path: Path) -> Iterator[Dashboard]:
    """The dashboard of a running collector, with the shop."""
    collector.run()
    yield from beside(tmp_path, collector.api, broken_shop)


def beside(folder: Path, api: str, shop: str) -> Iterator[Dashboard]:
    (folder / "dashboard").mkdir()
    dashboard = Dashboard(folder / "dashboard", api, shop)
    dashboard.run()
    yield dashboard
    dashboard.stop()


def test_the_page_follows_a_collector_that_comes_and_goes(
    alone: Dashboard, collector: Collector, page: Page
) -> None:
    """Nobody has to reload: the page says what is wrong, and recovers by itself."""
    page.goto(alone.url)
    expect(page.get_by_role("heading", name="No collector answers.")).to_be_visible()
    expect(page.get_by_text("choreoscope collector")).to_be_visible()

    collector.run()
    expect(page.get_by_role("heading", name="Nothing received yet.")).to_be_visible()
    expect(page.get_by_text(collector.otlp)).to_be_visible()

    shop = Shop()
    place(shop, "A-1", shipped, seconds_ago=1)
    shop.send(collector.otlp)
    expect(page.get_by_role("heading", name="Nothing can be called stuck yet.")).to_be_visible()
    expect(page.get_by_text("Still learning what normally follows")).to_be_visible()
    running = page.get_by_role("link", name="Running 1")
    expect(running).to_be_visible()

    collector.stop()
    expect(page.get_by_role("status")).to_contain_text("No answer from the collector for")
    expect(page.get_by_role("heading", name="Nothing can be called stuck yet.")).to_be_visible()

    collector.run()
    expect(page.get_by_role("status")).to_have_count(0)


def test_the_shop_is_broken_and_mended(demo: Dashboard, page: Page) -> None:
    """The buttons of the demo switch real faults on and off."""
    page.goto(demo.url)
    page.get_by_role("button", name="Break something").click()
    service = page.get_by_role("listitem").filter(has_text="analytics")
    service.get_by_role("combobox", name="How to break analytics").select_option("slow")
    service.get_by_role("button", name="Break", exact=True).click()
    expect(service).to_contain_text("broken: slow")

    service.get_by_role("button", name="Mend").click()
    expect(service).to_contain_text("works")


def test_it_listens_on_this_machine_only_wherever_it_is_started(tmp_path: Path) -> None:
    """The settings are beside the script, so they hold wherever it is started from."""
    read = (
        "import streamlit.config as config;"
        f"config._main_script_path = {str(ROOT / 'dashboard' / 'streamlit_app.py')!r};"
        "config.get_config_options(force_reparse=True);"
        "print([config.get_option(name) for name in "
        "('server.address', 'server.headless', 'browser.gatherUsageStats', 'runner.postScriptGC',"
        " 'server.enableStaticServing', 'client.toolbarMode', 'client.showErrorDetails')],"
        " config.get_option('server.allowedHosts'))"
    )

    said = subprocess.run(
        [sys.executable, "-c", read], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout

    assert said.strip() == (
        "['127.0.0.1', True, False, False, True, 'viewer', 'none'] ['localhost', '127.0.0.1']"
    )


def test_a_dashboard_started_from_elsewhere_answers_here_only(alone: Dashboard) -> None:
    """At its start the process says which address it is bound to."""
    assert f"http://127.0.0.1:{alone.port}" in alone.log.read_text()
    assert "External URL" not in alone.log.read_text()
