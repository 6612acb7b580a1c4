"""What can be set, from the environment. Each setting is described in docs/configuration.md."""

import ipaddress
import os
from collections.abc import Container, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

_MIB = 1024 * 1024
_DAY = 86_400
_SHOWN = 80  # characters of a value in an error
_PATTERNS, _PATTERN = 100, 200  # how many, and characters of one
_ODD = set("[]{}()^$|\\\"'`,;=")  # of other kinds of patterns, or of a list that is quoted
TOKEN_LEAST = 16  # characters: 64 bits as hex digits, which nobody guesses over a network


class ConfigError(Exception):
    """A setting that cannot be used, in one line: its name, its value, what was expected."""


def _number(default: float, most: float, least: float = 0) -> Any:
    """A number above *least*, at most *most*: beyond these, it would fail when it is used."""
    return field(default=default, metadata={"least": least, "most": most})


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting, with the value in force; `api_port` is read from CHOREOSCOPE_API_PORT, and so on."""

    # Traces hold business data, and there are no user accounts: this machine only, until a token is set.
    bind: str = "127.0.0.1"
    # Anyone who can connect over loopback can usually read the data folder as well: no token is needed there.
    token: str = field(default="", repr=False)
    # A file of tokens with names and roles. Empty: the one token, if there is one, may do everything.
    tokens: str = ""
    # A certificate and its key, in PEM. Without them nothing is encrypted, which on loopback nobody can read.
    tls_cert: str = ""
    tls_key: str = ""
    # The authorities whose certificates clients must have. Empty: clients need none.
    tls_client_ca: str = ""
    # Further names by which we may be asked. On loopback, a name of its own would let a foreign page in.
    hosts: tuple[str, ...] = ()
    # OTLP's registered ports: exporters use them by default.
    grpc_port: int = _number(4317, 65_535)
    http_port: int = _number(4318, 65_535)
    # The next port, so that the three are easy to remember.
    api_port: int = _number(4319, 65_535)
    # Relative to where the collector is started, so that two projects on one machine do not mix.
    data: Path = Path("choreoscope-data")
    # Empty: in the data folder. Another disk is safer.
    backups: str = ""
    # Empty: the embedded store in the data folder, which needs no server.
    store: str = field(default="", repr=False)  # its address may hold a password
    # OTLP recommends a limit of 64 MiB, on the wire and after inflation. gRPC cannot take 2 GiB or more.
    max_body_bytes: int = _number(64 * _MIB, 2**31 - 1)
    # A hundred times the default limit of SDKs (128): no honest span has more.
    max_attributes: int = _number(16_384, 1_000_000)
    # Several seconds of full load. A request that would wait longer is better off with its sender.
    queue_bytes: int = _number(256 * _MIB, 2**40)
    # Enough for an insert, a merge and a large read at once. The live part's memory does not count.
    store_memory_bytes: int = _number(768 * _MIB, 2**40, least=128 * _MIB - 1)
    # Of a process that answers large questions: enough for a file of the largest size, and not for two.
    worker_memory_bytes: int = _number(1024 * _MIB, 2**40, least=256 * _MIB - 1)
    # Empty: everything is learned. A file of declared expectations; it has no usual place.
    expectations: str = ""
    # Attributes that hold the business identity of a flow. The first one that a span has counts.
    flow_keys: tuple[str, ...] = ("order.id", "order_id", "app.order.id", "flow.key")
    # An order is touched from outside a few dozen times. A tenant's id would join any number of flows.
    key_flows: int = _number(200, 1_000_000_000)
    # Attributes that hold a message's conversation id, as the OpenTelemetry conventions name them.
    correlation_ids: tuple[str, ...] = ("messaging.message.conversation_id", "messaging.conversation_id")
    # The id of what caused a message. The conventions do not name it; our instrumentation writes this one.
    causation_ids: tuple[str, ...] = ("messaging.message.causation_id",)
    # Patterns of event types. Empty: ids and generated words are left out, as far as they are recognized.
    event_names: tuple[str, ...] = ()
    # The shortest time before anything is called stuck: people notice later, and a service restarts sooner.
    deadline_s: float = _number(5.0, 366 * _DAY)
    # Fewer examples prove nothing, and more delay the first verdict on a new choreography. The learner keeps
    # 1,000 examples of a step.
    learn_flows: int = _number(20, 1_000)
    # How much a restart replays to know unfinished flows and normal times again. It takes a few seconds.
    replay_s: float = _number(900.0, 366 * _DAY)
    # Two weeks: a flow that stopped on a Friday is still there after a holiday. Days of arrival, in UTC.
    retention_days: int = _number(14, 36_500)
    # 0: 80 % of what is free at the start, and what is stored already. The rest is for others and for merges.
    retention_bytes: int = _number(0, 2**60, least=-1)
    # A row of a flow takes some hundred bytes, its spans some thousand.
    retention_flow_days: int = _number(90, 36_500)
    # 0: 256 MiB, or a tenth of a small disk: a minute of full load, with its merges.
    min_free_bytes: int = _number(0, 2**60, least=-1)
    # Addresses of one NATS, whose own knowledge findings then rest on as well. Empty: on spans alone.
    nats: tuple[str, ...] = field(default=(), repr=False)  # an address may hold a password
    # How to sign in: files, but for the user, password and token. The names are those of the `nats` command.
    nats_creds: str = ""
    nats_nkey: str = ""
    nats_user: str = ""
    nats_password: str = field(default="", repr=False)
    nats_token: str = field(default="", repr=False)
    nats_cert: str = ""
    nats_key: str = ""
    nats_ca: str = ""
    # What the subjects of answers begin with: some users may listen to one of their own only.
    nats_inbox: str = "_INBOX"
    # Monitoring ports. Empty: NATS itself is asked, which takes no port and sees one account only.
    nats_monitor: tuple[str, ...] = field(default=(), repr=False)
    # A server audits each request: enough for an answer within a second, and nothing beside what services do.
    nats_requests: float = _number(20, 1_000)
    # "true" creates one stream, which keeps what happens to messages while the collector is away.
    nats_keep: str = ""
    # Names of attributes whose values nobody sees. Empty: who may read may read all.
    hide: tuple[str, ...] = ()
    # Pages served from this machine, such as a shop under development. Other sites may not send spans.
    cors_origins: tuple[str, ...] = ("http://localhost", "http://127.0.0.1")

    def __post_init__(self) -> None:
        if not (self.token.isascii() and self.token.isprintable()):
            raise ConfigError(
                "CHOREOSCOPE_TOKEN has characters that no header can carry: expected printable ASCII."
            )
        if 0 < len(self.token) < TOKEN_LEAST:
            raise ConfigError(
                f"CHOREOSCOPE_TOKEN has {len(self.token)} characters: expected at least {TOKEN_LEAST},"
                " such as those of: openssl rand -hex 16"
            )
        if bool(self.tls_cert) != bool(self.tls_key) or (self.tls_client_ca and not self.tls_cert):
            given = [name for name in ("tls_cert", "tls_key", "tls_client_ca") if getattr(self, name)]
            raise ConfigError(
                f"Of the settings for TLS, only {' and '.join(map(variable, given))} is given:"
                " expected both CHOREOSCOPE_TLS_CERT and CHOREOSCOPE_TLS_KEY."
            )
        if not (self.token or self.tokens or self.tls_client_ca or is_loopback(self.bind)):
            raise ConfigError(
                f"CHOREOSCOPE_BIND is '{shown(self.bind)}': an address that others reach needs"
                " CHOREOSCOPE_TOKEN, a secret that senders and readers show as 'Authorization: Bearer ...',"
                " or CHOREOSCOPE_TOKENS, or CHOREOSCOPE_TLS_CLIENT_CA for clients with certificates."
            )
        if self.nats_keep not in {"", "true", "false"}:
            raise ConfigError(f"CHOREOSCOPE_NATS_KEEP is '{shown(self.nats_keep)}': expected true or false.")
        _check_patterns(self.hide)
        _check_event_names(self.event_names)
        if self.retention_flow_days < self.retention_days:
            raise ConfigError(
                f"CHOREOSCOPE_RETENTION_FLOW_DAYS is '{self.retention_flow_days}': expected no less than"
                f" CHOREOSCOPE_RETENTION_DAYS ({self.retention_days}), as a flow is found by its row."
            )
        ports = [self.grpc_port, self.http_port, self.api_port]
        if len(set(ports)) < len(ports):
            raise ConfigError(
                f"CHOREOSCOPE_GRPC_PORT, CHOREOSCOPE_HTTP_PORT and CHOREOSCOPE_API_PORT are"
                f" {', '.join(map(str, ports))}: expected three different ports."
            )

    @classmethod
    def from_env(
        cls, environment: Mapping[str, str] | None = None, *, only: Container[str] | None = None
    ) -> "Config":
        """Read *environment*, by default the process's; raise `ConfigError` for what cannot be used.

        With *only*, the settings of these names; the others have their defaults.
        """
        given = os.environ if environment is None else environment
        values = {}
        for setting in (one for one in fields(cls) if only is None or one.name in only):
            if text := given.get(variable(setting.name), "").strip():
                _check_text(setting, text)
                values[setting.name] = _read(setting, text)
        return cls(**values)


def variable(setting: str) -> str:
    """The environment variable that sets the field *setting*."""
    return f"CHOREOSCOPE_{setting.upper()}"


def is_loopback(address: str) -> bool:
    """Whether *address* is reached from this machine alone."""
    if address.lower() == "localhost":
        return True
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def shown(value: str) -> str:
    """*value* as an error shows it, cut if it is long."""
    return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}..."


def _check_text(setting: "Field[Any]", text: str) -> None:
    """Raise `ConfigError` for bytes that are not UTF-8: they become characters that nothing else takes."""
    readable = text.encode(errors="replace").decode()
    if readable != text:
        value = f" ('{shown(readable)}')" if setting.repr else ""
        raise ConfigError(
            f"{variable(setting.name)}{value} has bytes that are not UTF-8: expected UTF-8 text."
        )


def _check_patterns(patterns: tuple[str, ...]) -> None:
    """Raise `ConfigError` for a pattern of names that would hide something else than is meant."""
    if len(patterns) > _PATTERNS:
        raise ConfigError(
            f"CHOREOSCOPE_HIDE has {len(patterns):,} patterns: expected at most {_PATTERNS}."
            " One with * may stand for many."
        )
    for pattern in patterns:
        said = f"CHOREOSCOPE_HIDE has the pattern '{shown(pattern)}'"
        if len(pattern) > _PATTERN:
            raise ConfigError(f"{said} of {len(pattern):,} characters: expected at most {_PATTERN}.")
        odd = next((sign for sign in pattern if sign in _ODD or not sign.isprintable() or sign.isspace()), "")
        if odd:
            raise ConfigError(
                f"{said}, with {odd!r} in it: expected the name of an attribute, in which * stands for any"
                " characters and ? for one."
            )


def _check_event_names(patterns: tuple[str, ...]) -> None:
    """Raise `ConfigError` for a pattern of event types that names nothing."""
    if len(patterns) > _PATTERNS:
        raise ConfigError(
            f"CHOREOSCOPE_EVENT_NAMES has {len(patterns):,} patterns: expected at most {_PATTERNS}."
            " One with * may stand for many."
        )
    for pattern in patterns:
        said = f"CHOREOSCOPE_EVENT_NAMES has the pattern '{shown(pattern)}'"
        if len(pattern) > _PATTERN:
            raise ConfigError(f"{said} of {len(pattern):,} characters: expected at most {_PATTERN}.")
        form, named, name = pattern.removeprefix("!").partition("=")
        keeps = pattern.startswith("!")
        if not pattern.isprintable() or not form.strip() or (named and (keeps or not name.strip())):
            raise ConfigError(
                f"{said}: expected 'orders.*.placed', in which * stands for one part and ** for any"
                " characters, 'orders.*.placed=OrderPlaced', or '!errors.*' for names that stay as they are."
            )


def _read(setting: "Field[Any]", text: str) -> Any:
    name, kind = variable(setting.name), type(setting.default)
    if issubclass(kind, Path):
        return Path(text)
    if kind is tuple:
        parts = tuple(part.strip() for part in text.split(",") if part.strip())
        if not parts:
            raise ConfigError(f"{name} is '{shown(text)}': expected one name or more, separated by commas.")
        return parts
    if kind is str:
        return text
    least, most = setting.metadata["least"], setting.metadata["most"]
    try:
        number = (int(text) if kind is int else float(text)) if text.isascii() else least
    except (ValueError, OverflowError):
        number = least
    if not least < number <= most:
        whole = "a whole number" if kind is int else "a number"
        raise ConfigError(f"{name} is '{shown(text)}': expected {whole} above {least:,}, at most {most:,}.")
    return number
