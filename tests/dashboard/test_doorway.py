"""Who sees the pages of a dashboard that has a token? Asked by programs, browsers and foreign pages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from streamlit import config as streamlit_config
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from collector.config import Config
from dashboard import guarding
from dashboard.client import ApiError
from dashboard.guarding import Guard, may_enter, refuse_unsafe
from dashboard.logins import LASTS_S, Logins
from tests.conftest import new_stores
from tests.dashboard.servers import ROOT, Collector, Dashboard
from tests.sample_services.harness import free_port
from tests.standing_factories import Told, app_of, serving
from tests.test_deciding import KNOWN
from tests.test_tokens import DECIDE, READ, SEND, TEXT, written

TOKEN = "a token of the pages"
PAGE = {"accept": "text/html"}
OPENED = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


@pytest.fixture(scope="module")
def closed(watched: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """The dashboard with a token."""
    nobody = f"http://127.0.0.1:{free_port()}"
    dashboard = Dashboard(tmp_path_factory.mktemp("closed"), watched.api, nobody, CHOREOSCOPE_TOKEN=TOKEN)
    dashboard.run()
    yield dashboard
    dashboard.stop()


@pytest.fixture
def asked(closed: Dashboard) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=closed.url, trust_env=False, verify=False) as client:
        yield client


@pytest.fixture
def known(asked: httpx.Client) -> httpx.Client:
    """Somebody who has signed in."""
    answer = asked.post("/login", data={"token": TOKEN, "then": "/flows"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/flows")
    return asked


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/flows",
        "/index.html",
        "/static/js/x.js",
        "/app/static/icon.svg",
        "/media/x",
        "/component/x/y",
        "/_stcore/host-config",
        "/_stcore/metrics",
        "/_stcore/agent/openapi.json",
        "/_stcore/agent/mcp",
    ],
)
def test_nothing_is_shown_to_who_has_not_signed_in(asked: httpx.Client, path: str) -> None:
    assert asked.get(path).status_code == 401
    answer = asked.get(path, headers=PAGE)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?then=%2F")
    assert asked.post(path).status_code == 401
    assert asked.get("/_stcore/health").text == "ok"


def test_who_has_signed_in_sees_the_pages_until_signing_out(known: httpx.Client) -> None:
    (cookie,) = known.cookies.jar
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "strict"
    page = known.get("/flows", headers=PAGE)
    assert (page.status_code, "<title>Streamlit</title>" in page.text) == (200, True)
    shown = dict(known.cookies)
    assert known.post("/logout").headers["location"] == "/login"
    known.cookies.update(shown)
    assert known.get("/flows").status_code == 401


@pytest.mark.parametrize("path", ["/", "/login", "/logout", "/_stcore/health", "/flows", "/nothing"])
def test_every_answer_protects_the_browser(known: httpx.Client, path: str) -> None:
    sent = known.get(path, headers=PAGE).headers

    assert sent["x-content-type-options"] == "nosniff"
    assert sent["x-frame-options"] == "DENY"
    policy = dict(part.strip().partition(" ")[::2] for part in sent["content-security-policy"].split(";"))
    assert policy["frame-ancestors"] == policy["default-src"] == "'none'"
    assert "unsafe" not in policy.get("script-src", "")
    assert "http" not in sent["content-security-policy"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 400),
        ({"host": "127.0.0.1.evil.example"}, 400),
        ({"host": "["}, 400),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}, 403),
        (OPENED | {"sec-fetch-dest": "iframe"}, 403),
        (OPENED, 200),
    ],
)
def test_foreign_pages_and_names_are_refused(
    known: httpx.Client, headers: dict[str, str], status: int
) -> None:
    assert known.get("/flows", headers=PAGE | headers).status_code == status
    if status != 200:
        assert known.post("/login", data={"token": TOKEN}, headers=headers).status_code == status


def test_a_link_of_another_site_is_opened_once_more(asked: httpx.Client) -> None:
    """The browser holds a strict cookie back at first; who has none is asked for a token at the second."""
    answer = asked.get("/flows", headers=PAGE | OPENED)

    assert (answer.status_code, 'http-equiv="refresh" content="0"' in answer.text) == (200, True)
    assert asked.post("/flows", headers=PAGE | OPENED).status_code == 403


@pytest.mark.parametrize(
    ("origin", "signed_in", "status"),
    [
        ("http://evil.example", True, 403),
        ("null", True, 403),
        ("http://localhost:{port}", True, 403),
        (None, True, 403),
        ("http://127.0.0.1:{port}", False, 403),
        ("http://127.0.0.1:{port}", True, 101),
    ],
)
def test_the_websocket_wants_its_own_origin_and_a_viewer(
    known: httpx.Client, closed: Dashboard, origin: str | None, signed_in: bool, status: int
) -> None:
    cookie = "; ".join(f"{name}={value}" for name, value in known.cookies.items())
    address = f"ws://127.0.0.1:{closed.port}/_stcore/stream"
    given: dict[str, Any] = {"additional_headers": {"cookie": cookie}} if signed_in else {}
    if origin is not None:
        given["origin"] = origin.format(port=closed.port)
    try:
        with connect(address, subprotocols=["streamlit"], proxy=None, **given):  # type: ignore[list-item]
            found = 101
    except InvalidStatus as error:
        found = error.response.status_code

    assert found == status


@pytest.mark.parametrize(
    "then", ["//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb", "", "x"]
)
def test_signing_in_leads_nowhere_else(asked: httpx.Client, then: str) -> None:
    assert asked.post("/login", data={"token": TOKEN, "then": then}).headers["location"] == "/"
    assert "evil" not in asked.get("/login", params={"then": then}).text


def test_what_is_asked_for_is_shown_as_text(asked: httpx.Client) -> None:
    then = '/flows?q="><script>alert(1)</script>'

    assert "<script" not in asked.get("/login", params={"then": then}).text


def test_a_viewer_signs_in_and_reads_every_page(closed: Dashboard, page: Page) -> None:
    """No page breaks its own policy: the browser would report it as an error, which fails this test."""
    page.goto(f"{closed.url}/flows?q=A-200")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("A-200").first).to_be_visible()
    assert page.url == f"{closed.url}/flows?q=A-200"
    for path, text in (("/", "stopped"), ("/flow?flow=A-200", "A-200"), ("/expectations", "payment")):
        page.goto(closed.url + path)
        expect(page.get_by_text(text).first).to_be_visible()
    page.goto(f"{closed.url}/choreography")
    expect(page.locator("svg title").filter(has_text="payment").first).to_be_attached()
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()


@pytest.mark.usefixtures("theme")
def test_the_login_fits_and_can_be_pressed(closed: Dashboard, page: Page) -> None:
    page.goto(f"{closed.url}/login")
    for width in (390, 720, 1280):
        page.set_viewport_size({"width": width, "height": 600})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate("document.activeElement.id") == "token"
        box = page.get_by_role("button", name="Sign in").bounding_box()
        assert box is not None
        assert box["height"] >= 44


def test_guessing_is_slowed_down(watched: Collector) -> None:
    logins = Logins()
    for _ in range(4):
        logins.fail("10.0.0.1")
    assert logins.wait_s("10.0.0.1") == 0
    logins.fail("10.0.0.1")
    assert 0 < logins.wait_s("10.0.0.1") <= 61
    assert logins.wait_s("10.0.0.2") == 0
    for number in range(100):
        logins.fail(f"10.0.1.{number}")
    assert logins.wait_s("10.0.0.2") > 0


def test_sessions_end_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    logins = Logins()
    first = logins.begin(READ)
    assert logins.token(first) == READ
    assert logins.token(None) is logins.token("") is logins.token("x") is None
    for _ in range(1_000):
        last = logins.begin(READ)
    assert logins.token(first) is None
    now = 1e9
    monkeypatch.setattr("dashboard.logins.time.monotonic", lambda: now)
    assert logins.token(last) is None
    again = logins.begin(READ)
    now += LASTS_S - 1
    assert logins.token(again) == READ
    now += 2
    assert logins.token(again) is None


def test_a_collector_with_tokens_says_whose_are_good(
    engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dashboard needs no token of its own: each viewer asks with theirs, and has its role."""
    with new_stores(engine) as opened:
        app = app_of(Told(KNOWN), opened(), Config(tokens=str(written(tmp_path, TEXT))))
        with serving(app) as address:
            monkeypatch.setenv("CHOREOSCOPE_API", address)
            guard = Guard()
            assert guard.wants_token()
            assert [guard.knows(token) for token in (READ, DECIDE)] == [True, True]
            assert [
                guard.knows(token) for token in (SEND, "", "x", "\u017c\u00f3\u0142w", f"{READ}\r\na: b")
            ] == [False] * 5
        # It does not open because the collector has gone.
        guard._asked = float("-inf")
        assert guard.wants_token()
        with pytest.raises(ApiError, match="No answer"):
            guard.knows(READ)


def test_a_collector_that_answers_everybody_makes_no_token_good(
    watched: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHOREOSCOPE_API", watched.api)
    assert not Guard().wants_token()
    monkeypatch.setenv("CHOREOSCOPE_TOKEN", TOKEN)
    guard = Guard()
    assert guard.wants_token()
    assert [guard.knows(token) for token in (TOKEN, "any other token", "")] == [True, False, False]


@pytest.mark.parametrize(
    ("claims", "users", "may"),
    [
        ({"email": "ada@shop.example"}, "*", True),
        ({"email": "Ada@Shop.example"}, " bob@shop.example, ada@shop.example", True),
        ({"email": "ada@shop.example"}, "@shop.example", True),
        ({"email": "ada@evil-shop.example"}, "@shop.example", False),
        ({"email": "ada@shop.example", "email_verified": False}, "@shop.example", False),
        ({"email": "ada@shop.example"}, "", False),
        ({"email": "@shop.example"}, "@shop.example", False),
        ({}, "@", False),
        ({"email": None}, "none", False),
    ],
)
def test_an_account_must_be_named(
    monkeypatch: pytest.MonkeyPatch, claims: dict[str, object], users: str, may: bool
) -> None:
    """Some providers let everybody in who has an account anywhere."""
    monkeypatch.setenv("CHOREOSCOPE_USERS", users)

    assert may_enter(claims) is may


@pytest.mark.parametrize(
    ("address", "token", "provider", "said"),
    [
        ("0.0.0.0", "", False, "STREAMLIT_SERVER_ADDRESS is '0.0.0.0': an address that others reach needs"),
        (None, "", False, "needs CHOREOSCOPE_TOKEN, with which viewers sign in"),
        ("192.0.2.1", "", False, "needs CHOREOSCOPE_TOKEN"),
        ("127.0.0.1", "short", False, "CHOREOSCOPE_TOKEN has 5 characters: expected at least 16"),
        ("0.0.0.0", TOKEN, False, ""),
        ("0.0.0.0", "", True, ""),
        ("127.0.0.1", "", False, ""),
        ("localhost", "", False, ""),
        ("::1", "", False, ""),
    ],
)
def test_it_is_not_shown_to_others_without_a_login(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    address: str | None,
    token: str,
    provider: bool,
    said: str,
) -> None:
    monkeypatch.setattr(streamlit_config, "get_option", lambda name: address)
    monkeypatch.setattr(guarding, "has_provider", lambda: provider)
    monkeypatch.setenv("CHOREOSCOPE_TOKEN", token)
    if not said:
        refuse_unsafe()
        return
    with pytest.raises(SystemExit) as ended:
        refuse_unsafe()

    (line,) = capsys.readouterr().err.splitlines()
    assert (ended.value.code, said in line) == (2, True)
    assert line.startswith("choreoscope: ")


def test_the_process_ends_with_that_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard")]
    command += ["--server.address", "0.0.0.0", "--server.port", str(free_port())]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    assert ended.returncode == 2
    assert "STREAMLIT_SERVER_ADDRESS is '0.0.0.0'" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
