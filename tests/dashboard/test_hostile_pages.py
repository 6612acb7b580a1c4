"""What do texts that attack achieve in a browser and on a terminal? They are shown, and that is all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Page

from tests.dashboard.servers import Collector, Dashboard
from tests.factories import protobuf, trace_id
from tests.hostile.span_texts import KEY, TEXTS, attacks
from tests.sample_services.harness import free_port, until
from tests.test_commands import run

ACTIVE = (
    "iframe, base, object, embed, meta[http-equiv=refresh], [onerror], [onload], [onmouseover], [onfocus]"
)
CLEAN = f"window.pwned === undefined && !document.querySelector('{ACTIVE}')"


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector all of whose spans attack, in every field that they have."""
    collector = Collector(tmp_path_factory.mktemp("attacked"))
    collector.run()
    try:
        for sent in attacks():
            answer = httpx.post(
                f"{collector.otlp}/v1/traces",
                content=protobuf(sent),
                headers={"content-type": "application/x-protobuf"},
                trust_env=False,
                timeout=60,
            )
            assert answer.status_code == 200
        until(lambda: asked(collector, f"flows/{KEY}").is_success, 30, "the flow")
        yield collector
    finally:
        collector.stop()


def asked(collector: Collector, question: str) -> httpx.Response:
    return httpx.get(f"{collector.api}/api/v1/{question}", trust_env=False, timeout=60)


@pytest.fixture(scope="module")
def shown(attacked: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """The dashboard of that collector."""
    nobody = f"http://127.0.0.1:{free_port()}"
    dashboard = Dashboard(tmp_path_factory.mktemp("pages"), attacked.api, nobody)
    dashboard.run()
    yield dashboard
    dashboard.stop()


def test_no_text_runs_in_a_page_or_asks_another_site(shown: Dashboard, page: Page) -> None:
    """The `page` fixture fails if the page asked anything but the dashboard, or logged an error."""
    page.set_default_timeout(60_000)
    for address, drawn in (
        (f"/flow?flow={quote(KEY)}", "graph"),
        (f"/flow?flow={quote(KEY)}&view=timeline", "timeline"),
        (f"/flow?flow={quote(KEY)}&view=table", "inspector"),
        ("/flows", "flows"),
        ("/choreography", "graph"),
        ("/", "stuck"),
    ):
        page.goto(shown.url + address)
        page.locator(f".cs-{drawn}").first.wait_for()
        page.wait_for_timeout(200)
        assert page.evaluate(CLEAN), address

    assert "Traceback" not in shown.log.read_text()


@pytest.mark.parametrize("command", ["flow", "why", "flows", "map", "stuck", "expectations"])
def test_no_text_reaches_a_terminal_as_more_than_text(attacked: Collector, command: str) -> None:
    words = [command, KEY] if command in ("flow", "why") else [command]
    done = run(*words, environment={**os.environ, "CHOREOSCOPE_API": attacked.api})
    said = done.stdout + done.stderr

    assert done.returncode in (0, 1)
    assert "Traceback" not in said
    assert all(line.isprintable() for line in said.split("\n"))


def test_every_text_is_kept_as_it_was_sent(attacked: Collector) -> None:
    """What is harmless because something was cut out of it would be a lie."""
    for number, text in enumerate(TEXTS.values()):
        answer = asked(attacked, f"spans/{trace_id(f'hostile {number}').hex()}").raise_for_status().json()
        names = {
            span["name"]
            for resource in answer["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        }
        assert f"send {text}" in names


def test_the_collector_is_well_and_its_log_empty(attacked: Collector) -> None:
    log = attacked.log.read_text()

    assert httpx.get(f"{attacked.api}/readyz", trust_env=False).status_code == 200
    assert [line for line in log.splitlines() if "ready." not in line] == []
