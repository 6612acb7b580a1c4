"""A shop that is broken on purpose, and what its spans show."""

import asyncio
import time
from collections.abc import Iterator

import httpx
import nats as client_library
import pytest

from .harness import NatsServer, Receiver, Seen, ShopProcess, plain, running, until


@pytest.fixture(scope="module")
def shop(nats: NatsServer, receiver: Receiver) -> Iterator[ShopProcess]:
    """A shop with orders on their way, none of them declined."""
    with running(nats, receiver, "--rate", "10", "--expired-cards", "0") as process:
        until(lambda: receiver.orders("OrderShipped"), 60, "the first shipped order")
        yield process


_broken: set[str] = set()  # services that the test at hand broke, mended or not


@pytest.fixture(autouse=True)
def mended(shop: ShopProcess, receiver: Receiver) -> Iterator[None]:
    """Every test finds and leaves the shop without faults."""
    _broken.clear()
    yield
    for service in httpx.get(f"{shop.control}/faults").json()["services"]:
        if service["fault"]:
            _broken.add(service["service"])
            httpx.delete(f"{shop.control}/faults/{service['service']}").raise_for_status()
    if _broken:
        flows(receiver)


def flows(receiver: Receiver) -> None:
    """Wait until an order that is placed from now on is shipped."""
    known = receiver.orders("OrderPlaced")
    until(lambda: receiver.orders("OrderShipped") - known, 60, "an order placed now and shipped")


def break_(shop: ShopProcess, service: str, kind: str, **more: object) -> dict[str, object]:
    _broken.add(service)
    answer = httpx.put(f"{shop.control}/faults/{service}", json={"kind": kind, **more}, timeout=10)
    answer.raise_for_status()
    found: dict[str, object] = answer.json()
    return found


def mend(shop: ShopProcess, service: str) -> dict[str, object]:
    answer = httpx.delete(f"{shop.control}/faults/{service}", timeout=10)
    answer.raise_for_status()
    found: dict[str, object] = answer.json()
    return found


def waiting(receiver: Receiver, after: str, before: str) -> set[str]:
    """The orders with an *after* event but no *before* event yet."""
    return receiver.orders(after) - receiver.orders(before)


def failed(reactions: list[Seen]) -> list[Seen]:
    return [seen for seen in reactions if seen.span.status.code == 2]


def test_stopped_service_has_no_processes_until_it_is_mended(shop: ShopProcess, receiver: Receiver) -> None:
    """Both payment processes really end; the orders that waited are paid when they are back."""
    assert break_(shop, "payment", "stopped") == {
        "service": "payment",
        "processes": 2,
        "running": 0,
        "fault": {"kind": "stopped", "share": 1.0, "delay_ms": 0},
    }
    stuck = until(lambda: len(found := waiting(receiver, "StockReserved", "PaymentCaptured")) > 10 and found)
    assert mend(shop, "payment")["running"] == 2
    until(lambda: stuck and stuck <= receiver.orders("OrderShipped"), 60, "the end of the orders that waited")


def test_failing_service_raises_errors_and_its_messages_are_redelivered(
    shop: ShopProcess, receiver: Receiver
) -> None:
    break_(shop, "inventory", "failing")
    broken = "sample_services.faults.BrokenOnPurpose"

    def errors() -> list[Seen]:
        # Another test sends a message that is not an event, on which inventory fails too.
        seen = failed(receiver.reactions("inventory"))
        return [one for one in seen if one.attributes["error.type"] == broken]

    error = until(errors)[0]
    given_back, raised = error.span.events
    assert (given_back.name, raised.name) == ("nak", "exception")
    assert plain(given_back.attributes)["messaging.nats.nak.delay"] >= 2
    assert error.attributes["messaging.nats.outcome"] == "nak"
    assert mend(shop, "inventory")["fault"] is None
    until(lambda: error.order in receiver.orders("OrderShipped"), 60, "the failed order's end")
    tried = [seen for seen in receiver.reactions("inventory") if seen.order == error.order]
    counts = sorted(seen.attributes["messaging.nats.delivery_count"] for seen in tried)
    assert counts == list(range(1, len(tried) + 1))
    assert len(tried) > 1
    # The last attempt succeeded, and it published once.
    assert sum(seen.order == error.order for seen in receiver.messages("StockReserved")) == 1


def test_share_of_failing_messages_leaves_the_others_alone(shop: ShopProcess, receiver: Receiver) -> None:
    break_(shop, "warehouse", "failing", share=0.5)
    known = receiver.orders("ShipmentPrepared")
    until(lambda: failed(receiver.reactions("warehouse")))
    until(
        lambda: len(receiver.orders("ParcelPicked") - known) > 3,
        what="parcels of a failing batch's other half",
    )


def test_silent_service_handles_and_publishes_nothing(shop: ShopProcess, receiver: Receiver) -> None:
    break_(shop, "fraud", "silent")

    def unanswered() -> list[Seen]:
        silent = waiting(receiver, "PaymentCaptured", "OrderCleared")
        return [seen for seen in receiver.reactions("fraud") if seen.order in silent]

    until(lambda: len(unanswered()) > 5)
    found = unanswered()
    # Not just late: an order about to be cleared has been cleared by now.
    time.sleep(0.5)
    silent = {seen.order for seen in found} - receiver.orders("OrderCleared")
    assert silent
    assert not silent & receiver.orders("ShipmentPrepared")
    assert not failed(found)


def test_slow_service_takes_its_time(shop: ShopProcess, receiver: Receiver) -> None:
    break_(shop, "shipping", "slow", delay_ms=700)

    def slow() -> list[int]:
        spans = [seen.span for seen in receiver.reactions("shipping")]
        return [
            took
            for span in spans
            if (took := span.end_time_unix_nano - span.start_time_unix_nano) > 700_000_000
        ]

    until(lambda: len(slow()) > 3, what="slow reactions")
    assert not failed(receiver.reactions("shipping"))


def test_crashing_service_loses_no_message(shop: ShopProcess, receiver: Receiver) -> None:
    """It dies between delivery and acknowledgement; its messages are redelivered to a live process."""
    break_(shop, "fraud", "crashing")
    until(lambda: any("fraud 1 ended with 134" in line for line in shop.lines), what="the crash")
    mend(shop, "fraud")

    def again() -> list[Seen]:
        return [
            seen
            for seen in receiver.reactions("fraud")
            if seen.attributes["messaging.nats.delivery_count"] > 1
        ]

    held = until(again, 45, "the second delivery of what was held")[0].order
    until(lambda: held in receiver.orders("OrderShipped"), 45, "the end of the order that was held")
    assert sum(seen.order == held for seen in receiver.reactions("fraud")) == 1


def test_service_can_be_stopped_and_mended_in_quick_succession(shop: ShopProcess, receiver: Receiver) -> None:
    """Even while its processes are being started or ended."""
    for _ in range(3):
        break_(shop, "payment", "stopped")
        mend(shop, "payment")
    assert break_(shop, "payment", "stopped")["running"] == 0
    time.sleep(1.5)
    shown = httpx.get(f"{shop.control}/faults").json()["services"]
    assert [service["running"] for service in shown if service["service"] == "payment"] == [0]


def test_message_that_is_not_an_event_is_skipped(
    shop: ShopProcess, nats: NatsServer, receiver: Receiver
) -> None:
    """Each service that receives it reports once what is wrong, and continues with the next message."""

    async def publish() -> None:
        connection = await client_library.connect(nats.url)
        await connection.jetstream().publish("shop.order.placed", b"who are you?")
        await connection.close()

    def complaints() -> list[Seen]:
        return [
            seen
            for seen in failed([seen for seen in receiver.spans if seen.is_reaction])
            if seen.attributes["error.type"] == "sample_services.events.NotAnEvent"
        ]

    asyncio.run(publish())
    everyone = ["analytics", "fraud", "inventory", "notification"]
    until(lambda: sorted(seen.service for seen in complaints()) == everyone, what="four complaints")
    flows(receiver)
    assert len(complaints()) == len(everyone)
    outcomes = {seen.service: seen.attributes.get("messaging.nats.outcome") for seen in complaints()}
    assert outcomes == {name: None if name == "notification" else "term" for name in everyone}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            b'{"kind": "sleepy"}',
            'kind is "sleepy": expected one of stopped, slow, failing, silent, crashing.',
        ),
        (
            b'{"kind": "slow", "delay_ms": -1}',
            "delay_ms is -1: expected whole milliseconds from 0 to 600000.",
        ),
        (
            b'{"kind": "silent", "share": 2}',
            "share is 2: expected a number above 0 and up to 1, such as 0.5.",
        ),
        (b"[]", 'the fault is []: expected an object such as {"kind": "stopped"}.'),
        (b"{", "the body is no JSON"),
        (b"[" * 10_000, "the body is no JSON"),
        (b" " * 20_000, "the body is longer than 16384 bytes."),
    ],
)
def test_invalid_fault_is_refused(shop: ShopProcess, body: bytes, sentence: str) -> None:
    answer = httpx.put(f"{shop.control}/faults/payment", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(sentence)


def test_unknown_service_and_foreign_host_are_refused(shop: ShopProcess) -> None:
    """A web page elsewhere can send requests here, but not with a loopback Host."""
    unknown = httpx.delete(f"{shop.control}/faults/bakery")
    assert unknown.status_code == 404
    assert unknown.json()["error"].startswith("service is 'bakery': expected one of order, inventory,")
    for host in ("shop.example", "shop.example:4320", "127.0.0.1.shop.example", "["):
        foreign = httpx.get(f"{shop.control}/faults", headers={"Host": host})
        assert foreign.status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "same-origin"},
    ],
)
def test_no_web_page_breaks_a_service(shop: ShopProcess, headers: dict[str, str]) -> None:
    """A page of any site could make its browser ask, from this very machine."""
    for answer in (
        httpx.get(f"{shop.control}/faults", headers=headers),
        httpx.put(f"{shop.control}/faults/payment", headers=headers, json={"kind": "failing"}),
        httpx.delete(f"{shop.control}/faults/payment", headers=headers),
    ):
        assert answer.status_code == 403
        assert answer.json()["error"].startswith("A web page sent this request")
    assert not [one for one in httpx.get(f"{shop.control}/faults").json()["services"] if one.get("fault")]


def test_control_shows_every_service(shop: ShopProcess) -> None:
    shown = httpx.get(f"{shop.control}/faults").json()
    assert shown["orders_per_second"] == 10.0
    assert {service["service"]: service["processes"] for service in shown["services"]} == {
        "order": 1,
        "inventory": 1,
        "payment": 2,
        "fraud": 1,
        "score": 1,
        "shipping": 1,
        "warehouse": 1,
        "notification": 1,
        "analytics": 1,
    }
    assert all(service["fault"] is None for service in shown["services"])
