"""Starting, stopping and surviving outages: the processes of the shop."""

import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from .harness import NatsServer, Receiver, ShopProcess, alive, free_port, running, until


def test_no_child_is_left_after_a_clean_stop(nats: NatsServer, receiver: Receiver) -> None:
    with running(nats, receiver, "--rate", "5") as shop:
        until(lambda: len(shop.children) == 10, what="ten processes")
        children = shop.children
        until(lambda: receiver.orders("OrderShipped"), 60)
        begun = time.monotonic()
        assert shop.stop() == 0
        assert time.monotonic() - begun < 10
    assert not [pid for pid in children if alive(pid)]


def test_no_child_is_left_after_a_kill(nats: NatsServer, receiver: Receiver) -> None:
    """A killed supervisor cannot stop its children; they notice that it is gone."""
    with running(nats, receiver, "--rate", "5") as shop:
        until(lambda: len(shop.children) == 10, what="ten processes")
        children = shop.children
        shop.process.kill()
        until(lambda: not [pid for pid in children if alive(pid)], 15, "the end of the children")


def test_ctrl_c_ends_all_of_it_without_a_traceback(nats: NatsServer, receiver: Receiver) -> None:
    """A terminal sends SIGINT to the whole group, even while the children are still starting."""
    with running(nats, receiver, "--rate", "5") as shop:
        until(lambda: len(shop.children) == 10, what="ten processes")
        children = shop.children
        os.killpg(shop.process.pid, signal.SIGINT)
        assert shop.process.wait(6) == 0
    assert not [pid for pid in children if alive(pid)]
    assert len(shop.lines) == 1


@pytest.mark.parametrize("service", ["inventory", "notification", "analytics", "warehouse"])
def test_one_service_alone_stops_cleanly(nats: NatsServer, receiver: Receiver, service: str) -> None:
    """However a service consumes, it finishes its work, closes the connection, and sends its last spans."""
    with running(nats, receiver, service) as shop:
        until(shop.handles_sigterm, what="a process that ends when it is asked to")
        time.sleep(1)
        begun = time.monotonic()
        assert shop.stop() == 0
        assert time.monotonic() - begun < 3.5
    assert shop.lines == []


def test_missing_nats_is_logged_once_and_waited_for(
    tmp_path_factory: pytest.TempPathFactory, receiver: Receiver
) -> None:
    nats = NatsServer(tmp_path_factory.mktemp("late"))
    with running(nats, receiver, "fraud") as shop:
        until(lambda: shop.lines, 60, "the first word")
        time.sleep(1.5)
        assert len(shop.lines) == 1
        assert f"fraud: no NATS at 127.0.0.1:{nats.port}: trying again until there is one" in shop.lines[0]
        nats.start()
        until(lambda: len(shop.lines) == 2, 5, "the connection")
        assert shop.lines[1].endswith(f"NATS at 127.0.0.1:{nats.port} is back")
    nats.stop()


def test_stopping_while_there_is_no_nats(
    tmp_path_factory: pytest.TempPathFactory, receiver: Receiver
) -> None:
    nats = NatsServer(tmp_path_factory.mktemp("never"))
    with running(nats, receiver, "fraud") as shop:
        until(lambda: shop.lines, what="the first word")
        assert shop.stop() == 0


def test_orders_flow_again_after_nats_was_away(
    tmp_path_factory: pytest.TempPathFactory, receiver: Receiver
) -> None:
    """Consumers, watches and the load all recover, and the state is still there."""
    nats = NatsServer(tmp_path_factory.mktemp("restarted"))
    nats.start()
    with running(nats, receiver, "--rate", "10", "--expired-cards", "0") as shop:
        until(lambda: len(receiver.orders("OrderShipped")) > 3, 60, "the first orders")
        nats.stop()
        time.sleep(1)
        nats.start()
        known = receiver.orders("OrderPlaced")
        until(lambda: len(receiver.orders("OrderShipped") - known) > 5, 60, "orders after the restart")
        httpx.put(f"{shop.control}/faults/fraud", json={"kind": "failing"}, timeout=10).raise_for_status()
        until(
            lambda: [seen for seen in receiver.reactions("fraud") if seen.span.status.code == 2],
            10,
            "the fault",
        )
        # "12:00:00 payment 1: no NATS at ...": each process that noticed logs it once. A process that
        # did not talk to the broker in that second may not have noticed.
        said = [line.partition(" ")[2].partition(":")[0] for line in shop.lines if "no NATS at" in line]
        assert said
        assert len(said) == len(set(said))
    nats.stop()


def test_analytics_can_come_late_and_changes_nothing(nats: NatsServer) -> None:
    """It starts with the events from then on, and does not affect the orders."""
    receiver = Receiver()

    def shipped() -> set[str]:
        return receiver.orders("OrderShipped")

    with running(nats, receiver, "--rate", "20", "--expired-cards", "0", "--without", "analytics"):
        until(lambda: len(shipped()) > 5, 60, "orders without analytics")
        assert not receiver.reactions("analytics")
        with running(nats, receiver, "analytics"):
            until(lambda: receiver.reactions("analytics"), 60, "analytics' first event")
            known = shipped()
            until(lambda: len(shipped() - known) > 5, 60, "orders with analytics")
    receiver.close()


def test_unreachable_collector_is_one_log_line(nats: NatsServer) -> None:
    """And a stop does not wait for the collector."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    shop = ShopProcess(nats.url, nowhere, "order", "--rate", "20", OTEL_EXPORTER_OTLP_TIMEOUT="1")
    until(lambda: shop.lines, 60, "the word about the collector")
    time.sleep(1)
    begun = time.monotonic()
    assert shop.stop() == 0
    assert time.monotonic() - begun < 3.5
    assert len(shop.lines) == 1
    assert "order" not in shop.lines[0].split()[1]
    assert "no collector takes spans at http://127.0.0.1:" in shop.lines[0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--rate", "many"], "--rate is 'many': expected orders per second from 0 to 1000, such as 5."),
        (["--orders", "-3"], "--orders is '-3': expected how many to place, such as 100."),
        (["--expired-cards", "8"], "--expired-cards is '8': expected a share from 0 to 1, such as 0.08."),
        (
            ["--control", "0.0.0.0:4320"],
            "--control is '0.0.0.0:4320': expected a loopback address with a port",
        ),
    ],
)
def test_invalid_setting_is_one_line(options: list[str], sentence: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "sample_services", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith(sentence)
    assert ended.stderr.count("\n") == 1


def test_taken_port_is_one_line_with_a_remedy() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "sample_services", "--control", f"127.0.0.1:{port}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"port {port} on 127.0.0.1 is taken, most likely by another shop")
    assert "--control" in ended.stderr
