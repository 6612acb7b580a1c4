"""What can be set, from the environment. Each setting is described in docs/configuration.md."""

import ipaddress
import os
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

_MIB = 1024 * 1024


class ConfigError(Exception):
    """A setting that can not be used, in one line: its name, its value, what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting, with the value in force; `api_port` is read from CHOREOSCOPE_API_PORT, and so on."""

    # Traces hold business data and there is no user management: only this machine, until a token is set.
    bind: str = "127.0.0.1"
    # On the loopback interface whoever can connect can usually read the data folder as well: no token needed.
    token: str = field(default="", repr=False)
    # OTLP's registered ports: exporters use them without being told.
    grpc_port: int = 4317
    http_port: int = 4318
    # The next one, so that the three are easily remembered.
    api_port: int = 4319
    # Where the collector was started, so that two projects on one machine do not mix.
    data: Path = Path("choreoscope-data")
    # OTLP recommends 64 MiB for what a server takes, on the wire and after inflation.
    max_body_bytes: int = 64 * _MIB
    # A hundred times what an SDK lets through by default (128): no honest span has more.
    max_attributes: int = 16_384
    # Several seconds of full load: a request that would wait longer is better kept by its sender.
    queue_bytes: int = 256 * _MIB
    # Enough for an insert, a merge and a large read at once; the live part's memory is its own.
    store_memory_bytes: int = 768 * _MIB
    # The names under which services keep the business identity of a flow; the first that a span has counts.
    flow_keys: tuple[str, ...] = ("order.id", "order_id", "app.order.id", "flow.key")
    # An order is touched from outside some dozens of times; the tenant whose id is taken for one, any number.
    key_flows: int = 200
    # Where senders keep the id of the conversation of a message: the OpenTelemetry conventions' names.
    correlation_ids: tuple[str, ...] = ("messaging.message.conversation_id", "messaging.conversation_id")
    # And the id of what caused it, for which the conventions have no name: what our instrumentation writes.
    causation_ids: tuple[str, ...] = ("messaging.message.causation_id",)
    # Sooner than people notice, later than a service that restarts needs: nothing is stuck before.
    deadline_s: float = 5.0
    # Fewer examples prove nothing; more make a new choreography wait longer for its first verdict.
    learn_flows: int = 20
    # What a restart lives through again, to know unfinished flows and normal times: as much as takes seconds.
    replay_s: float = 900.0
    # Pages served from this machine: a browser may send spans of a shop under development, other sites not.
    cors_origins: tuple[str, ...] = ("http://localhost", "http://127.0.0.1")

    def __post_init__(self) -> None:
        if not (self.token.isascii() and self.token.isprintable()):
            raise ConfigError(
                "CHOREOSCOPE_TOKEN has characters that no header can carry: expected printable ASCII."
            )
        if not self.token and not is_loopback(self.bind):
            raise ConfigError(
                f"CHOREOSCOPE_BIND is '{self.bind}': an address that others reach needs CHOREOSCOPE_TOKEN,"
                " a secret that senders and readers show as 'Authorization: Bearer ...'."
            )

    @classmethod
    def from_env(
        cls, environment: Mapping[str, str] | None = None, *, only: Container[str] | None = None
    ) -> "Config":
        """Read *environment*, by default the process's; raise `ConfigError` for what can not be used.

        With *only*, the settings of these names; the others have their defaults.
        """
        given = os.environ if environment is None else environment
        values = {}
        for setting in (one for one in fields(cls) if only is None or one.name in only):
            name = variable(setting.name)
            if text := given.get(name, "").strip():
                values[setting.name] = _read(name, text, type(setting.default))
        return cls(**values)


def variable(setting: str) -> str:
    """The environment variable that sets the field *setting*."""
    return f"CHOREOSCOPE_{setting.upper()}"


def is_loopback(address: str) -> bool:
    """Whether *address* is reached from this machine alone."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _read(name: str, text: str, kind: type) -> Any:
    if kind is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind not in (int, float):
        return kind(text)
    most = 65_535 if name.endswith("_PORT") else 2**40
    try:
        number = kind(text)
    except ValueError:
        number = -1
    if not 0 < number <= most:
        whole = "a whole number" if kind is int else "a number"
        raise ConfigError(f"{name} is '{text}': expected {whole} above 0, at most {most:,}.")
    return number
