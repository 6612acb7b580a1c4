"""Can a web page of another site make a browser ask, or tell, the collector anything?"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from collector.config import Config
from collector.store.clickhouse.connections import Database
from tests.conftest import new_stores
from tests.factories import protobuf, request, span
from tests.running import ingest
from tests.standing_factories import Told, app_of, serving
from tests.test_deciding import KNOWN
from tests.test_receivers_http import PROTOBUF

CLIENT = httpx.Client(trust_env=False, verify=False)  # its certificates would take longer than all answers
OPENED = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
PATHS = [
    ("GET", "/api/v1/summary"),
    ("GET", "/api/v1/expectations"),
    ("GET", "/metrics"),
    ("GET", "/healthz"),
    ("POST", "/api/v1/stitch"),
    ("POST", "/api/v1/expectations"),
]


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    yield
    CLIENT.close()


@pytest.fixture(scope="module")
def own(engines: Any) -> Iterator[str]:
    yield from served(engines.on_folder(), Config(hosts=("Spans.Example",)))


def served(engine: Any, config: Config) -> Iterator[str]:
    with new_stores(engine) as opened, serving(app_of(Told(KNOWN), opened(), config)) as address:
        yield address


def asked(address: str, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    return CLIENT.request(method, address + path, headers=headers)


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        OPENED,
    ],
)
def test_no_path_answers_a_foreign_page(own: str, method: str, path: str, headers: dict[str, str]) -> None:
    answer = asked(own, method, path, headers)

    assert answer.status_code == 403
    assert answer.json()["error"].startswith(("Sec-Fetch-Site is '", "Origin is '"))
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:4319", "127.0.0.1.evil.example", "[", "", "a@b"]
)
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_no_path_answers_to_a_foreign_name(own: str, method: str, path: str, host: str) -> None:
    """A page of evil.example whose name was made to mean 127.0.0.1 is of the same origin to the browser."""
    answer = asked(own, method, path, {"host": host, "origin": f"http://{host}"})

    assert answer.status_code == 400


@pytest.mark.parametrize(
    "host", ["localhost:1", "127.0.0.1", "[::1]:4319", "spans.example", "SPANS.example:443"]
)
def test_it_answers_to_its_own_names(own: str, host: str) -> None:
    assert asked(own, "GET", "/healthz", {"host": host, "origin": f"http://{host}"}).status_code == 200


def test_a_link_leads_to_the_manual_only(own: str) -> None:
    assert asked(own, "GET", "/docs", OPENED).status_code == 200
    assert asked(own, "GET", "/openapi.json", OPENED).status_code == 200
    assert asked(own, "GET", "/docs", OPENED | {"sec-fetch-dest": "iframe"}).status_code == 403
    assert asked(own, "GET", "/api/v1/summary", {"sec-fetch-site": "none"}).status_code != 403


def test_every_answer_protects_the_browser(own: str) -> None:
    for path, headers in (
        ("/docs", {}),
        ("/nothing", {}),
        ("/api/v1/expectations", OPENED),
        ("/", {"host": "e"}),
    ):
        sent = asked(own, "GET", path, dict(headers)).headers
        assert sent["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in sent["content-security-policy"]
        assert "default-src 'none'" in sent["content-security-policy"]
        assert sent["cache-control"] == "no-store"


def test_elsewhere_the_token_stands_for_the_name_unless_names_are_set(engine: Any) -> None:
    """No browser adds the token by itself; and a server has more names than it knows."""
    config = {"bind": "0.0.0.0", "token": "t" * 16}
    for more, status in (({}, 200), ({"hosts": ("spans.example",)}, 400)):
        for address in served(engine, Config(**config, **more)):  # type: ignore[arg-type]
            assert asked(address, "GET", "/healthz", {"host": "other.example"}).status_code == status
            assert asked(address, "GET", "/healthz", {"origin": "http://evil.example"}).status_code == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost.evil.example", "https://localhost"]
)
async def test_no_foreign_page_sends_spans(database: Database, origin: str) -> None:
    """The answer was hidden from the page, but its spans were stored."""
    async with ingest(database) as server:
        body, headers = protobuf(request(span())), PROTOBUF | {"origin": origin}
        answer = await server.http.post("/v1/traces", content=body, headers=headers)

        assert answer.status_code == 403
        assert server.refused("forbidden") == 1
        assert server.store.span_count() == 0
