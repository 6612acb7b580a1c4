"""What does the client say without an answer, and does one answer serve all viewers?"""

from __future__ import annotations

from pathlib import Path

import httpx
import msgspec
import pytest

from dashboard.client import Api, ApiError, NotFoundError, UnreachableError, address
from dashboard.shapes import Flow, Stuck
from dashboard.shop_control import ShopControl
from dashboard.total_shapes import Summary
from tests import collecting
from tests.dashboard.factories import made
from tests.dashboard.servers import Collector
from tests.sample_services.harness import free_port


@pytest.fixture
def nobody() -> str:
    """An address on which nothing listens."""
    return f"http://127.0.0.1:{free_port()}"


def test_an_unreachable_collector_is_named_by_its_address(nobody: str) -> None:
    api = Api(nobody)

    with pytest.raises(UnreachableError, match=f"No answer from the collector at {nobody}"):
        api.summary()
    api.close()


def test_a_missing_shop_is_none_and_no_error(nobody: str) -> None:
    control = ShopControl(nobody)

    assert control.shop() is None
    with pytest.raises(UnreachableError):
        control.mend("payment")
    control.close()


@pytest.mark.parametrize(
    "value",
    [
        "soon",
        "127.0.0.1:4319",
        "file:///etc/passwd",
        "http://",
        "http://a:b",
        "http://a:99999",
        "http://[::1",
    ],
)
def test_a_wrong_address_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CHOREOSCOPE_API", value)

    with pytest.raises(ApiError, match="expected an address such as http"):
        Api()


def test_the_environment_names_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHOREOSCOPE_API", " http://10.0.0.7:4319/ ")
    assert address("CHOREOSCOPE_API", "http://127.0.0.1:4319") == "http://10.0.0.7:4319"

    monkeypatch.delenv("CHOREOSCOPE_API")
    assert address("CHOREOSCOPE_API", "http://127.0.0.1:4319") == "http://127.0.0.1:4319"


def test_an_unknown_flow_is_told_from_a_failure(watched: Collector) -> None:
    api = Api(watched.api)

    with pytest.raises(NotFoundError, match="Z-1"):
        api.flow("Z-1")
    api.close()


@pytest.mark.parametrize("key", ["../summary", "a/b", "?x=1", "#", "%2e%2e", "\u202e", "x" * 500])
def test_a_key_is_data_and_no_path(watched: Collector, key: str) -> None:
    """A flow key comes from spans: it must not reach another question of the API."""
    api = Api(watched.api)

    with pytest.raises(ApiError):
        api.flow(key)
    api.close()


def test_the_same_question_is_asked_once(watched: Collector) -> None:
    """Many viewers of one page cost one question for each tick."""
    api = Api(watched.api)

    assert api.flow("A-110").value is api.flow("A-110").value
    api.close()


def test_the_last_answer_stays_when_the_collector_stops_answering(watched: Collector) -> None:
    api = Api(watched.api)
    before = api.summary().value
    api._http.close()
    api._http = httpx.Client(base_url=f"http://127.0.0.1:{free_port()}", trust_env=False)
    for held in api._held.values():
        held.asked = float("-inf")

    answer = api.summary()

    assert answer.value is before
    assert isinstance(answer.problem, UnreachableError)
    assert answer.silent_s >= 0
    api.close()


def test_unknown_fields_of_a_newer_collector_do_no_harm() -> None:
    summary = msgspec.to_builtins(made(Summary, now_unix_nano=5)) | {"mood": {"good": True}}

    assert msgspec.convert(summary, Summary).now_unix_nano == 5
    flow = msgspec.to_builtins(made(Flow)) | {"moon": 1}
    assert msgspec.convert(flow, Flow).messages == []


def test_an_answer_without_findings_is_not_taken_for_one_that_has_none() -> None:
    """Whatever answers `{}` at that address has not said that nothing is stuck."""
    with pytest.raises(msgspec.ValidationError, match="missing required field `stuck`"):
        msgspec.json.decode(b"{}", type=Stuck)


def test_the_client_sends_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collector that is open to others needs a token, and the pages must still get their answers."""
    collector = collecting.Collector(tmp_path, CHOREOSCOPE_TOKEN="s3cret-of-sixteen").start()
    stranger = Api(collector.api)
    monkeypatch.setenv("CHOREOSCOPE_TOKEN", "s3cret-of-sixteen")
    ours = Api(collector.api)

    with pytest.raises(ApiError, match="expected 'Bearer'"):
        stranger.summary()
    assert ours.summary().value.states is not None
    stranger.close()
    ours.close()
    assert collector.stop() == 0
