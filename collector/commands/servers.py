"""The commands that run until they are told to stop: the collector and the dashboard."""

import errno
import os
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from collector.commands.connecting import given
from collector.commands.failure import CommandError


@click.command()
def collector() -> int:
    """Run the collector: OTLP in on 4317 and 4318, the API on 4319.

    Settings are environment variables: docs/configuration.md lists them.
    """
    from collector.__main__ import main  # noqa: PLC0415  # the engine costs a second to load

    return main()


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True)
def dashboard(port: int) -> None:
    """Run the dashboard. It asks the collector at CHOREOSCOPE_API."""
    where = given("STREAMLIT_SERVER_ADDRESS") or "127.0.0.1"
    require_free(where, port, "the dashboard", "another dashboard", "--port")
    os.execv(sys.executable, dashboard_command(port))  # noqa: S606  # our own interpreter and words


def dashboard_command(port: int) -> list[str]:
    """The command line that runs the dashboard on *port*."""
    spec = find_spec("dashboard")
    if spec is None or spec.origin is None or find_spec("streamlit") is None:
        msg = "The dashboard is not installed: pip install 'choreoscope[dashboard]'."
        raise CommandError(msg)
    folder = Path(spec.origin).parent
    command = [sys.executable, "-m", "streamlit", "run", str(folder), "--server.port", str(port)]
    if cert := given("CHOREOSCOPE_TLS_CERT"):
        command += ["--server.sslCertFile", cert, "--server.sslKeyFile", given("CHOREOSCOPE_TLS_KEY")]
    return command


def require_free(host: str, port: int, what: str, holder: str, option: str) -> None:
    """Raise `CommandError` if *port* is taken, which *what* needs; *option* chooses another one."""
    try:
        (kind, *_, place), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            why, then = f"is taken, probably by {holder}", "stop that one, or choose"
        else:
            why, then = f"of {host} cannot be used ({error.strerror})", "choose"
        msg = f"Port {port} for {what} {why}: {then} another port with {option}."
        raise CommandError(msg) from error
