"""Facts on the wire: the round trip of CloudEvents through NATS headers."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sample_services import settings
from sample_services.events import SUBJECTS, Event, NotAnEvent, read
from sample_services.order import is_due, order_id
from sample_services.shipping import NEEDED, note

placed = Event(
    type="OrderPlaced",
    order_id="A-17",
    id="OrderPlaced/A-17",
    source="/shop/order",
    correlation_id="c-1",
    data={"item": "lamp"},
)
texts = st.text(min_size=1).filter(
    lambda text: not any(0xD800 <= ord(character) < 0xE000 for character in text)
)


@given(
    order=texts,
    identity=texts,
    correlation=texts,
    cause=st.none() | texts,
    data=st.dictionaries(texts, texts),
)
def test_event_arrives_as_it_was_sent(
    order: str, identity: str, correlation: str, cause: str | None, data: dict[str, str]
) -> None:
    """NATS headers hold printable ASCII; anything else in an id is escaped, as the binding requires."""
    event = Event("OrderPlaced", order, identity, "/shop/order", correlation, cause, data=data)
    headers = event.headers()
    assert all(value.isascii() and value.isprintable() and " " not in value for value in headers.values())
    assert read({name.upper(): value for name, value in headers.items()}, event.body()) == event


def test_following_event_names_its_cause_and_keeps_its_conversation() -> None:
    following = placed.then("StockReserved", "inventory", shelf=4)
    assert following.id == placed.then("StockReserved", "inventory").id
    assert following.causation_id == placed.id
    assert (following.correlation_id, following.order_id) == (placed.correlation_id, placed.order_id)
    assert following.data == {"item": "lamp", "shelf": 4}
    assert following.subject == "shop.stock.reserved"


def test_only_stored_events_are_deduplicated() -> None:
    assert placed.headers()["Nats-Msg-Id"] == placed.id
    assert "Nats-Msg-Id" not in placed.then("EmailComposed", "order").headers()


@pytest.mark.parametrize(
    ("headers", "body", "sentence"),
    [
        (None, b"{}", "no ce-id, ce-type"),
        ({**placed.headers(), "ce-type": "OrderEaten"}, b"{}", "ce-type is 'OrderEaten'"),
        (placed.headers(), b"{", "the body is no JSON"),
        (placed.headers(), b"[]", "the body is a JSON list"),
    ],
)
def test_reading_a_non_event_says_why(headers: dict[str, str] | None, body: bytes, sentence: str) -> None:
    with pytest.raises(NotAnEvent, match=sentence):
        read(headers, body)


@given(st.permutations([*NEEDED, *NEEDED]))
def test_join_is_complete_once_and_stays_so(happened: list[str]) -> None:
    """Whatever the order and number of deliveries, one type completes the join, always the same."""
    document: dict[str, object] = {}
    completed = []
    for event_type in happened:
        document = note(document, event_type)
        completed.append(document.get("completed_by"))
    known = [found for found in completed if found]
    assert len(set(known)) == 1
    assert known[0] == next(kind for kind in happened if kind != happened[0])


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_order_ids_differ_exactly_when_their_times_do(one: int, other: int) -> None:
    assert (order_id(one) == order_id(other)) == (one == other)


@given(st.integers(1, 400), st.floats(0, 1))
def test_share_of_expired_cards_is_spread_evenly(orders: int, share: float) -> None:
    assert abs(sum(is_due(number, share) for number in range(orders)) - orders * share) <= 1


def test_every_event_is_documented() -> None:
    """Users who build on the shop's spans read the table, not the code."""
    table = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text()
    for event_type, subject in SUBJECTS.items():
        assert f"| `{event_type}` | `{subject}`" in table


def test_settings_come_from_the_environment() -> None:
    found = settings.Settings.from_env(
        {"NATS_URL": "nats://broker:4333", "CHOREOSCOPE_SHOP": "http://localhost:9"}
    )
    assert (found.nats_url, found.control_host, found.control_port) == ("nats://broker:4333", "localhost", 9)
    with pytest.raises(settings.SettingError, match="NATS_URL is 'broker'"):
        settings.Settings.from_env({"NATS_URL": "broker"})
    with pytest.raises(settings.SettingError, match=r"CHOREOSCOPE_SHOP is 'http://10\.0\.0\.1:4320'"):
        settings.Settings.from_env({"CHOREOSCOPE_SHOP": "http://10.0.0.1:4320"})
    with pytest.raises(settings.SettingError, match="such as"):
        settings.Settings.from_env({"CHOREOSCOPE_SHOP": "http://127.0.0.1:port"})
