"""What do settings accept and refuse, and is each one documented as it is?"""

import re
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import pytest

from collector.config import Config, ConfigError, variable

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTED = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", DOCUMENTED, re.MULTILINE))
# How the dashboard and the commands connect.
CLIENTS = {f"CHOREOSCOPE_TLS_{name}" for name in ("CA", "CLIENT_CERT", "CLIENT_KEY")}
SOURCES = ("collector", "dashboard", "sample_services", "instrumentation/src")


@pytest.mark.parametrize("setting", fields(Config), ids=lambda setting: setting.name)
def test_every_setting_is_documented_with_its_default(setting: Field[Any]) -> None:
    name, default = setting.name, setting.default
    written = ",".join(default) if isinstance(default, tuple) else str(default)

    documented = ROWS[variable(name)]

    assert documented == "none" if written == "" else documented.startswith(f"`{written.removesuffix('.0')}`")


def test_every_variable_that_any_part_reads_is_documented() -> None:
    read = {
        name
        for folder in SOURCES
        for source in (ROOT / folder).rglob("*.py")
        for name in re.findall(
            r"\b(?:CHOREOSCOPE_[A-Z_]+[A-Z]|NATS_URL)\b", source.read_text(encoding="utf-8")
        )
    }

    assert read <= ROWS.keys()


def test_nothing_else_is_documented() -> None:
    known = {variable(setting.name) for setting in fields(Config)}

    assert ROWS.keys() <= known | {
        *CLIENTS,
        "CHOREOSCOPE_API",
        "CHOREOSCOPE_DASHBOARD",
        "CHOREOSCOPE_SHOP",
        "CHOREOSCOPE_TRACE_LINK",
        "CHOREOSCOPE_USERS",
        "NATS_URL",
    }


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Config.from_env({}) == Config()
    assert Config.from_env({"CHOREOSCOPE_API_PORT": " "}) == Config()


def test_each_kind_of_setting_is_read() -> None:
    read = Config.from_env(
        {
            "CHOREOSCOPE_HTTP_PORT": " 14318 ",
            "CHOREOSCOPE_DATA": "kept/here",
            "CHOREOSCOPE_FLOW_KEYS": "a, b,,c",
            "CHOREOSCOPE_DEADLINE_S": "0.5",
        }
    )

    assert (read.http_port, read.data, read.flow_keys, read.deadline_s) == (
        14318,
        Path("kept/here"),
        ("a", "b", "c"),
        0.5,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHOREOSCOPE_HTTP_PORT", "soon"),
        ("CHOREOSCOPE_HTTP_PORT", "0"),
        ("CHOREOSCOPE_HTTP_PORT", "65536"),
        ("CHOREOSCOPE_HTTP_PORT", "٤٣١٨"),  # digits to Python, but to nobody else who reads settings
        ("CHOREOSCOPE_DEADLINE_S", "٣"),
        ("CHOREOSCOPE_MAX_BODY_BYTES", "-1"),
        ("CHOREOSCOPE_MAX_BODY_BYTES", "1.5"),
        ("CHOREOSCOPE_DEADLINE_S", "nan"),
        ("CHOREOSCOPE_DEADLINE_S", "never"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name} is '{value}': expected a .*number above 0"):
        Config.from_env({name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHOREOSCOPE_DEADLINE_S", "1e10"),  # overflows an interval in nanoseconds
        ("CHOREOSCOPE_DEADLINE_S", "inf"),
        ("CHOREOSCOPE_REPLAY_S", "1e300"),
        ("CHOREOSCOPE_MAX_BODY_BYTES", "8589934592"),  # gRPC's options hold 32 bits
        ("CHOREOSCOPE_MAX_ATTRIBUTES", "99999999999999999999"),
        ("CHOREOSCOPE_QUEUE_BYTES", "1" + "0" * 30),
        ("CHOREOSCOPE_KEY_FLOWS", "1" + "0" * 20),
        ("CHOREOSCOPE_LEARN_FLOWS", "1001"),  # no more examples than that are remembered
        ("CHOREOSCOPE_STORE_MEMORY_BYTES", "1"),
        ("CHOREOSCOPE_API_PORT", "9" * 5_000),  # more digits than Python converts
    ],
)
def test_a_value_that_would_fail_when_it_is_used_is_refused_at_start(name: str, value: str) -> None:
    """An overflow an hour after the start looks like a fault of ours, and loses spans until then."""
    with pytest.raises(
        ConfigError,
        match=rf"^{name} is '{value[:80]}(\.\.\.)?': expected a .*above [\d,]+, at most [\d,]+\.$",
    ):
        Config.from_env({name: value})


@pytest.mark.parametrize("name", ["FLOW_KEYS", "CORRELATION_IDS", "CAUSATION_IDS", "CORS_ORIGINS", "HOSTS"])
def test_a_list_of_nothing_is_refused(name: str) -> None:
    """Without a name there are no flow keys, and each trace would be a flow."""
    with pytest.raises(ConfigError, match=f"^CHOREOSCOPE_{name} is ', ,': expected one name or more"):
        Config.from_env({f"CHOREOSCOPE_{name}": ", ,"})


def test_two_ports_that_are_the_same_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"4317, 4319, 4319: expected three different ports"):
        Config.from_env({"CHOREOSCOPE_HTTP_PORT": "4319"})


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "::ffff:127.0.0.1"])
def test_this_machine_needs_no_token(address: str) -> None:
    assert Config(bind=address).bind == address


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "::ffff:10.0.0.1", "192.0.2.1", "shop.example.com", ""])
def test_others_need_one(address: str) -> None:
    with pytest.raises(ConfigError, match="CHOREOSCOPE_TOKEN"):
        Config(bind=address)

    assert Config(bind=address, token="a" * 16).bind == address
    assert Config(bind=address, tokens="a file").bind == address
    assert Config(bind=address, tls_cert="c", tls_key="k", tls_client_ca="ca").bind == address
    with pytest.raises(ConfigError, match="CHOREOSCOPE_TLS_CLIENT_CA"):
        Config(bind=address, tls_cert="c", tls_key="k")


@pytest.mark.parametrize("token", ["a", "a" * 15])
def test_a_token_that_can_be_guessed_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigError, match=f"has {len(token)} characters: expected at least 16") as refused:
        Config(token=token)

    assert f"{token} " not in str(refused.value)


@pytest.mark.parametrize("given", [{"tls_cert": "c"}, {"tls_key": "k"}, {"tls_client_ca": "ca"}])
def test_half_of_a_certificate_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"^Of the settings for TLS, only CHOREOSCOPE_TLS_.* is given"):
        Config(**given)  # type: ignore[arg-type]


def test_the_token_is_never_shown() -> None:
    """A printed setting ends up in a log, and logs get shared."""
    assert "s3cret" not in repr(Config(token="s3cret-of-sixteen"))


@pytest.mark.parametrize("token", ["żółw", "two\nlines"])
def test_a_token_that_no_header_can_carry_is_refused(token: str) -> None:
    with pytest.raises(ConfigError, match="printable ASCII") as caught:
        Config(token=token)
    assert token not in str(caught.value)


@pytest.mark.parametrize("setting", fields(Config), ids=lambda setting: setting.name)
def test_bytes_that_are_not_utf_8_are_refused_in_every_setting(setting: Field[Any]) -> None:
    """As a flow key, they failed at every tick, an hour after a start that said nothing."""
    name = variable(setting.name)
    with pytest.raises(ConfigError, match=f"^{name} .*not UTF-8: expected UTF-8 text") as refused:
        Config.from_env({name: b"s3cret\xff".decode(errors="surrogateescape")})

    assert str(refused.value).isprintable()
    secret = {"token", "store", "nats", "nats_monitor", "nats_password", "nats_token"}
    assert ("s3cret" in str(refused.value)) == (setting.name not in secret)


def test_a_flow_may_not_be_forgotten_before_its_spans() -> None:
    """Its page and its late spans are found by its row."""
    with pytest.raises(ConfigError, match=r"RETENTION_FLOW_DAYS is '7': .*CHOREOSCOPE_RETENTION_DAYS \(14\)"):
        Config.from_env({"CHOREOSCOPE_RETENTION_FLOW_DAYS": "7"})
