"""What may people say about what is expected, who may say it, and is it kept?"""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from collector.config import Config
from collector.declaring import DeclaredFile
from collector.diagnosis.standing import Standings
from collector.model import answers as shapes
from collector.model.decisions import Decision
from collector.queries import deciding
from collector.store.contracts import StoreError, Stores
from tests.conftest import new_stores
from tests.documents import fields
from tests.factories import SECOND
from tests.standing_factories import Told, app_of, drop, learning, serving, standing

KNOWN = Standings(
    (standing(), learning(), standing("shipping", ["A", "B"], kind="join", event_type="C")), (drop(),)
)
WISH = {
    "word": "forget",
    "event_type": "StockReserved",
    "service": "payment",
    "author": "ada",
    "reason": "it was retired",
}
PATH = "/api/v1/expectations"


@dataclass
class Asked:
    """An API, and what is behind it."""

    told: Told
    stores: Stores
    address: str

    def get(self, **parameters: str) -> Any:
        answer = httpx.get(self.address + PATH, params=parameters, trust_env=False)
        return answer.raise_for_status().json()

    def post(self, body: Any, headers: Mapping[str, str] | None = None) -> httpx.Response:
        given: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        return httpx.post(self.address + PATH, headers=dict(headers or {}), trust_env=False, **given)


@pytest.fixture
def asked(engine: Any) -> Iterator[Asked]:
    with new_stores(engine) as opened:
        told, stores = Told(KNOWN), opened()
        with serving(app_of(told, stores)) as address:
            yield Asked(told, stores, address)


def test_expectations_are_answered(asked: Asked) -> None:
    answer = asked.get()

    fields(shapes.Expectations, answer)
    assert [one["service"] for one in answer["expectations"]] == ["mailer", "payment", "shipping"]
    assert answer["drops"][0]["sentence"].startswith("audit normally takes 30 %")
    assert (answer["decisions"], answer["problem"], answer["replayed"]) == ([], None, True)
    assert [one["state"] for one in asked.get(service="mailer")["expectations"]] == ["learning"]
    assert asked.get(service="nobody")["expectations"] == []


def test_what_a_person_says_is_stored_applied_and_shown(asked: Asked) -> None:
    answer = asked.post(WISH)

    assert answer.status_code == 200
    fields(shapes.Decision, answer.json())
    assert answer.json() == {"time_unix_nano": asked.told.decided[0].at, **WISH}
    assert asked.told.decided == asked.stores.decisions.all()
    (step,) = asked.get(service="payment")["expectations"]
    assert (step["state"], step["history"][-1]["author"], step["history"][-1]["reason"]) == (
        "forgotten",
        "ada",
        "it was retired",
    )
    assert asked.get()["decisions"] == [answer.json()]


def test_what_cannot_be_stored_is_not_applied(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a restart would take back what a person was told is done."""

    def failing(decision: Decision) -> None:
        raise StoreError("The store could not insert into decisions: no room")

    monkeypatch.setattr(asked.stores.decisions, "write", failing)
    answer = asked.post(WISH)

    assert (answer.status_code, answer.json()["error"]) == (
        503,
        "The store could not insert into decisions: no room",
    )
    assert asked.told.decided == []


def test_the_newest_word_is_the_newest_though_the_clock_was_set_back(asked: Asked) -> None:
    ahead = asked.post(WISH).json()["time_unix_nano"] + 3_600 * SECOND
    asked.stores.decisions.write(Decision(ahead, "keep", "StockReserved", "payment", "ada", "not yet"))

    assert asked.post(WISH).json()["time_unix_nano"] > ahead


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"word": "drop"}, "word is 'drop': expected forget or keep."),
        ({"word": None}, "word is None: expected forget or keep."),
        ({"word": []}, "word is []: expected forget or keep."),
        ({"author": ""}, "author is '': expected text of 1 to 100 characters."),
        ({"reason": " \n"}, "reason is ' \n': expected text of 1 to 1,000 characters."),
        (
            {"reason": "x" * 1_001},
            f"reason is '{'x' * 80}...' (1,001 characters): expected text of 1 to 1,000",
        ),
        ({"author": "x" * 101}, "(101 characters): expected text of 1 to 100 characters."),
        ({"service": "x" * 201}, "(201 characters): expected text of 1 to 200 characters."),
        ({"event_type": 7}, "event_type is 7: expected text of 1 to 200 characters."),
        ({"colour": "red"}, "colour is 'red': no such field, expected word, event_type, service, author and"),
    ],
)
def test_a_field_that_is_wrong_is_named(asked: Asked, change: dict[str, Any], said: str) -> None:
    answer = asked.post(WISH | change)

    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert asked.stores.decisions.all() == []


@pytest.mark.parametrize("name", list(WISH))
def test_a_field_that_is_missing_is_named(asked: Asked, name: str) -> None:
    answer = asked.post({key: value for key, value in WISH.items() if key != name})

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{name} is missing: expected ")


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"word=forget", 400, "The body is no JSON"),
        (b'"forget"', 400, "The body is no JSON object"),
        (b"[" * 100_000, 413, "The body has more than"),
        (b"[" * 20_000, 400, "The body is no JSON"),
        (b"\xff", 400, "The body is no JSON"),
        (b"", 400, "The body is no JSON"),
    ],
)
def test_a_body_that_is_none_is_refused(asked: Asked, body: bytes, status: int, said: str) -> None:
    answer = asked.post(body, JSON)

    assert answer.status_code == status
    assert said in answer.json()["error"]


def test_the_longest_texts_fit(asked: Asked) -> None:
    """Escaped, a character takes twelve bytes."""
    wish = WISH | {"author": "\U0001f600" * 100, "reason": "\U0001f600" * 1_000}

    assert asked.post(wish).json()["reason"] == wish["reason"]


def test_a_step_that_nobody_knows_is_named_with_the_nearest(asked: Asked) -> None:
    """Case counts here: a word on a step that is not there would change nothing, and nobody would notice."""
    answer = asked.post(WISH | {"service": "Payment"})

    assert answer.status_code == 404
    assert answer.json()["nearest"][0] == "payment after StockReserved"
    assert "Known are: payment after StockReserved" in answer.json()["error"]
    assert asked.post(WISH | {"service": "audit", "event_type": "\u202e"}).status_code == 404
    assert asked.stores.decisions.all() == []


def test_a_part_of_a_join_can_be_forgotten(asked: Asked) -> None:
    assert asked.post(WISH | {"service": "shipping", "event_type": "B"}).status_code == 200


def test_what_was_forgotten_can_be_kept_again(asked: Asked) -> None:
    """Also when the learner does not know of it any more."""
    asked.post(WISH)
    asked.told.snapshot = Told(Standings()).snapshot

    assert asked.post(WISH | {"word": "keep"}).status_code == 200


def test_there_is_a_bound(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "MOST_STORED", 2)
    answers = [asked.post(WISH) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 409]
    assert "There are 2 decisions, and at most 2 are stored" in answers[-1].json()["error"]


def test_nothing_can_be_said_before_anything_is_known(asked: Asked) -> None:
    """During the replay every step would be unknown."""
    asked.told.replayed = threading.Event()
    answer = asked.post(WISH)

    assert (answer.status_code, "just started" in answer.json()["error"]) == (503, True)
    assert asked.get()["replayed"] is False


FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("headers", "status", "said"),
    [
        ({"content-type": "text/plain"}, 415, "Content-Type is 'text/plain': expected application/json."),
        (FORM, 415, "expected application/json"),
        ({"content-type": "multipart/form-data; boundary=x"}, 415, "expected application/json"),
        ({"content-type": "text/plain; application/json"}, 415, "expected application/json"),
        ({"content-type": ""}, 415, "Content-Type is ''"),
        (JSON | {"sec-fetch-site": "cross-site"}, 403, "Sec-Fetch-Site is 'cross-site'"),
        (JSON | {"sec-fetch-site": "same-site"}, 403, "Sec-Fetch-Site is 'same-site'"),
        (JSON | {"origin": "https://evil.example"}, 403, "Origin is 'https://evil.example'"),
        (JSON | {"origin": "null"}, 403, "Origin is 'null'"),
        (JSON | {"origin": "http://127.0.0.1:1"}, 403, "Origin is 'http://127.0.0.1:1'"),
        (JSON | {"origin": "http://[", "sec-fetch-site": "same-origin"}, 403, "Origin is"),
        (JSON | {"host": "evil.example", "origin": "http://evil.example"}, 400, "The Host header names"),
    ],
)
def test_a_page_of_another_site_can_say_nothing(
    asked: Asked, headers: dict[str, str], status: int, said: str
) -> None:
    """A browser would send the request from this very machine, where no token may be needed."""
    body = b'{"word":"forget","event_type":"StockReserved","service":"payment","author":"a","reason":"r"}'
    answer = asked.post(body, headers)

    assert answer.status_code == status
    assert said in answer.json()["error"]
    assert "access-control-allow-origin" not in answer.headers
    assert asked.stores.decisions.all() == []


def test_a_browser_is_not_allowed_to_ask_beforehand(asked: Asked) -> None:
    """JSON from another site needs a preflight: without an answer that allows it, the browser stops."""
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    answer = httpx.options(asked.address + PATH, headers=headers, trust_env=False)

    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_a_page_of_ours_and_a_program_may(asked: Asked, site: str) -> None:
    origin = {"origin": asked.address} if site == "same-origin" else {}

    assert asked.post(WISH, {"sec-fetch-site": site, **origin}).status_code == 200
    assert asked.post(WISH, {"content-type": "Application/JSON; charset=utf-8"}).status_code == 200


def test_the_token_is_needed_as_everywhere(engine: Any) -> None:
    with new_stores(engine) as opened:
        told, stores = Told(KNOWN), opened()
        with serving(app_of(told, stores, Config(token="s3cret-of-sixteen"))) as address:
            asked = Asked(told, stores, address)
            shown = {"authorization": "Bearer s3cret-of-sixteen"}

            assert asked.post(WISH).status_code == 401
            assert asked.post(WISH, {"authorization": "Bearer wrong"}).status_code == 401
            assert stores.decisions.all() == []
            assert asked.post(WISH, shown).status_code == 200


def test_the_declared_file_says_who_is_responsible_and_what_is_wrong_with_it(
    engine: Any, tmp_path: Path
) -> None:
    file = tmp_path / "expectations.yaml"
    file.write_text(
        "services:\n  payment:\n    owner: team money\n    runbook: https://wiki.example/payment\n"
    )
    declared = DeclaredFile(file)
    file.write_text("services: 7\n")
    for seconds in (0, 2, 4):
        declared.check(seconds * SECOND)
    with new_stores(engine) as opened, serving(app_of(Told(KNOWN), opened(), declared=declared)) as address:
        answer = httpx.get(address + PATH, trust_env=False).json()

    (payment,) = [one for one in answer["expectations"] if one["service"] == "payment"]
    assert (payment["owner"], payment["runbook"]) == ("team money", "https://wiki.example/payment")
    assert "services" in answer["problem"]
