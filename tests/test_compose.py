"""Do docker-compose.yml and the Dockerfile match the code? No engine runs them here to notice a drift."""

import contextlib
import os
import re
import shlex
import subprocess
import sysconfig
import threading
import time
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

import click
import httpx
import pytest
import yaml
from opentelemetry.util.re import parse_env_headers
from starlette.routing import Route

from collector.api.app import api_app
from collector.commands import choreoscope
from collector.config import Config, ConfigError, variable
from collector.counters import Counters
from collector.upkeep.health import Troubles
from dashboard import client, shop_control
from sample_services.__main__ import _parser
from sample_services.settings import Settings
from tests.collecting import free_ports

ROOT = Path(__file__).parent.parent
TOKEN = "0c4e1a7f0c4e1a7f"  # opens nothing
PUBLISHED = re.compile(r"127\.0\.0\.1:(\d+):(\d+)")
Document = dict[str, Any]


def compose() -> Document:
    """The file, with its variables filled in as the engine would do it."""
    text = (ROOT / "docker-compose.yml").read_text()
    filled = re.sub(r"\$\{CHOREOSCOPE_TOKEN:\?[^}]*\}", TOKEN, text)
    assert "${" not in filled, "a variable that this test does not know"
    return cast("Document", yaml.safe_load(filled))


def service(name: str) -> Document:
    return cast("Document", compose()["services"][name])


def ports(name: str) -> set[int]:
    """The published ports of *name*'s container, each under its own number."""
    found = [PUBLISHED.fullmatch(port) for port in service(name).get("ports", [])]
    assert all(found), f"{name} publishes a port to other machines"
    pairs = [(int(match[1]), int(match[2])) for match in found if match]
    assert all(outside == inside for outside, inside in pairs)
    return {inside for _, inside in pairs}


def dashboard_port() -> int:
    options = {parameter.name: parameter.default for parameter in choreoscope.commands["dashboard"].params}
    return cast("int", options["port"])


def instructions(word: str) -> list[str]:
    """The arguments of each *word* in the Dockerfile, with continued lines joined."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.removeprefix(word).strip() for line in text.splitlines() if line.startswith(f"{word} ")]


def test_the_four_parts_are_there() -> None:
    assert set(compose()["services"]) == {"broker", "collector", "dashboard", "shop"}


def test_without_its_profile_only_collector_and_dashboard_run() -> None:
    """Whoever has services of their own wants neither our broker nor our shop, and keeps the token."""
    example = dict(
        line.split("=", 1)
        for line in (ROOT / ".env.example").read_text().splitlines()
        if re.match("[A-Z]", line)
    )
    profiles = {name: set(one.get("profiles", [])) for name, one in compose()["services"].items()}

    assert {name for name, needed in profiles.items() if not needed} == {"collector", "dashboard"}
    assert set().union(*profiles.values()) == set(example["COMPOSE_PROFILES"].split(","))
    assert example["CHOREOSCOPE_TOKEN"] == ""
    assert "/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_token_is_nobodys_default() -> None:
    """A secret in a public file is not a secret."""
    text = (ROOT / "docker-compose.yml").read_text()

    assert all("TOKEN:?" in place for place in re.findall(r"\$\{[^}]*\}", text))
    assert len(re.findall(r"\$\{CHOREOSCOPE_TOKEN:\?", text)) == 2


def test_the_collector_starts_with_what_it_is_given() -> None:
    environment = service("collector")["environment"]
    config = Config.from_env(environment)
    known = {variable(name) for name in Config.__dataclass_fields__}

    assert set(environment) <= known, "the collector reads no such variable"
    assert ports("collector") == {config.grpc_port, config.http_port, config.api_port}
    assert service("collector")["volumes"] == [f"spans:{config.data}"]


def test_the_collector_would_refuse_to_start_without_the_token() -> None:
    """It listens beyond loopback, which is what the token is for."""
    with pytest.raises(ConfigError, match="CHOREOSCOPE_TOKEN"):
        Config.from_env({**service("collector")["environment"], "CHOREOSCOPE_TOKEN": ""})


def test_the_collectors_health_is_asked_where_it_is_told_without_a_token() -> None:
    program = service("collector")["healthcheck"]["test"][-1]
    address = urlsplit(re.findall(r"http://[^']+", program)[0])
    asked = SimpleNamespace(sources=SimpleNamespace(troubles=Troubles()), live_flows=dict)
    app = api_app(cast("Any", asked), cast("Any", None), Counters(), Config())
    paths = {route.path for route in app.routes if isinstance(route, Route)}

    assert address.port == Config().api_port
    assert address.path in paths & {"/healthz", "/readyz"}
    compile(program, "healthcheck", "exec")


def test_the_dashboard_finds_the_collector_and_can_be_reached() -> None:
    environment = service("dashboard")["environment"]
    api = urlsplit(environment["CHOREOSCOPE_API"])

    assert set(environment) == {"CHOREOSCOPE_API", "CHOREOSCOPE_TOKEN", "STREAMLIT_SERVER_ADDRESS"}
    assert (api.hostname, api.port) == ("collector", Config().api_port)
    assert ports("dashboard") == {dashboard_port()}


def test_the_dashboard_shows_the_collectors_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector answers no request without it."""
    shown = []

    class Collector(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.append(self.headers["Authorization"])
            self.send_error(404)

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name, value in service("dashboard")["environment"].items():
            monkeypatch.setenv(name, value)
        with pytest.raises(client.ApiError):
            client.Api(f"http://127.0.0.1:{server.server_port}").summary()
        server.shutdown()

    assert shown[0] == f"Bearer {TOKEN}"


def test_the_shop_finds_the_broker_and_shows_the_token_with_its_spans() -> None:
    environment = service("shop")["environment"]
    settings = Settings.from_env(environment)
    nats, otlp = urlsplit(settings.nats_url), urlsplit(environment["OTEL_EXPORTER_OTLP_ENDPOINT"])
    headers = parse_env_headers(environment["OTEL_EXPORTER_OTLP_HEADERS"], liberal=True)

    assert (nats.hostname, nats.port) == ("broker", urlsplit(Settings().nats_url).port)
    assert (otlp.hostname, otlp.port) == ("collector", Config().http_port)
    assert headers["authorization"] == f"Bearer {TOKEN}"


def test_the_shop_can_be_broken_from_the_dashboard() -> None:
    """Its fault control listens on loopback only, so the two must share a network."""
    settings = Settings.from_env(service("shop")["environment"])

    assert service("shop")["network_mode"] == "service:dashboard"
    assert f"http://{settings.control_host}:{settings.control_port}" == shop_control.SHOP_DEFAULT
    assert "CHOREOSCOPE_SHOP" not in service("dashboard")["environment"]


@pytest.mark.parametrize("name", ["collector", "dashboard", "shop"])
def test_the_commands_are_real(name: str) -> None:
    program, *arguments = service(name)["command"]
    if program == "choreoscope":
        assert isinstance(choreoscope.commands[arguments[0]], click.Command)
        assert len(arguments) == 1
    else:
        assert (program, *arguments[:2]) == ("python", "-m", "sample_services")
        assert _parser().parse_args(arguments[2:]).service == "all"


def test_the_broker_takes_its_options_and_answers_when_asked_for_its_health(tmp_path: Path) -> None:
    """Our own nats-server stands in for the image's: the options are the same."""
    listening, monitoring = free_ports(2)
    described = service("broker")
    program, *options = described["command"]
    options = [{"/data": str(tmp_path), "8222": str(monitoring)}.get(option, option) for option in options]
    health = described["healthcheck"]["test"][-1]
    ours = Path(sysconfig.get_path("scripts")) / program
    command = [ours, *options, "-a", "127.0.0.1", "-p", str(listening)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as broker:
        try:
            answer = asked(health.replace(":8222", f":{monitoring}"))
        finally:
            broker.terminate()

    assert answer.json() == {"status": "ok"}
    assert (tmp_path / "jetstream").is_dir()
    assert described["volumes"] == ["broker:/data"]


def asked(address: str) -> httpx.Response:
    """The first response from *address* that does not ask to wait: NATS answers before it is ready."""
    until = time.monotonic() + 10
    while True:
        with contextlib.suppress(httpx.TransportError):
            response = httpx.get(address, trust_env=False)
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                return response
        assert time.monotonic() < until, f"{address} does not answer"
        time.sleep(0.02)


def test_everything_that_is_named_is_there() -> None:
    """The services that others depend on, and the volumes."""
    document = compose()
    for described in document["services"].values():
        for other, condition in described.get("depends_on", {}).items():
            healthy = condition["condition"] == "service_healthy"
            assert not healthy or "healthcheck" in document["services"][other]
        for volume in described.get("volumes", []):
            assert volume.partition(":")[0] in document["volumes"]


def test_the_image_is_built_from_what_the_build_needs() -> None:
    """If a packed folder is not copied, nobody notices until the container starts."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    build = instructions("COPY")[:-1]
    copied = {part for line in build for part in shlex.split(line)[:-1]}
    packed = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    needed = {"pyproject.toml", "constraints.txt", "instrumentation", project["project"]["readme"]}

    assert copied == needed | {*packed, *project["project"]["license-files"]}
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == kept
    extras = re.findall(r"\[([a-z,]+)\]'", " ".join(instructions("RUN")))
    assert {"dashboard", "samples"} <= set(",".join(extras).split(","))
    assert {"dashboard", "samples"} <= set(project["project"]["optional-dependencies"])


def test_the_image_runs_as_nobody_special_and_keeps_its_data_in_the_volume() -> None:
    (user,), (volume,), (command,) = instructions("USER"), instructions("VOLUME"), instructions("CMD")
    environment = " ".join(instructions("ENV"))

    assert user not in {"", "root", "0"}
    assert f"CHOREOSCOPE_DATA={volume}" in environment
    assert f"spans:{volume}" in service("collector")["volumes"]
    assert shlex.split(command.strip("[]").replace(",", " ")) == service("collector")["command"]
    assert {int(port) for port in instructions("EXPOSE")[0].split()} == ports("collector") | ports(
        "dashboard"
    )


def test_the_image_has_a_python_that_the_project_allows() -> None:
    versions = {re.fullmatch(r"python:3\.(\d+)-slim( AS build)?", line) for line in instructions("FROM")}
    minors = {int(match[1]) for match in versions if match}
    makefile = (ROOT / "Makefile").read_text()
    least, most = re.findall(r"\(3, (\d+)\) <= sys\.version_info\[:2\] <= \(3, (\d+)\)", makefile)[0]

    assert None not in versions
    assert len(minors) == 1
    assert int(least) <= minors.pop() <= int(most)
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
