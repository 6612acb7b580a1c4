"""Can a port be opened, and if not, does the error help?"""

import pytest

from collector.config import ConfigError
from collector.web.serving import PortError, address, listen, resolved


def test_addresses_are_written_as_clients_read_them() -> None:
    assert address("127.0.0.1", 4317) == "127.0.0.1:4317"
    assert address("::1", 4317) == "[::1]:4317"


def test_a_port_that_is_taken_is_an_error_of_one_line() -> None:
    with listen("127.0.0.1", 0, "NOBODY") as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            PortError, match=rf"^Port {port} on 127.0.0.1 .*another port for ours with THE_VARIABLE"
        ):
            listen("127.0.0.1", port, "THE_VARIABLE")


def test_the_likely_holder_of_an_otlp_port_is_named() -> None:
    assert "Jaeger" in str(PortError("127.0.0.1", 4317, "V", "in use"))


def test_an_address_that_is_none_of_ours_is_an_error() -> None:
    with pytest.raises(PortError, match=r"192\.0\.2\.1"):
        listen("192.0.2.1", 0, "V")


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.1", "localhost", "LOCALHOST"])
def test_what_stands_for_an_address_of_this_machine_is_resolved(bind: str) -> None:
    assert resolved(bind) == "127.0.0.1"


@pytest.mark.parametrize("bind", ["a..b", "[::1]", "é.invalid", "::1%nowhere", "192.0.2.1", "x" * 300, "a b"])
def test_an_address_that_is_none_is_blamed_on_its_own_setting(bind: str) -> None:
    """A port was blamed, and a program on it that was not there."""
    with pytest.raises(ConfigError, match=r"^CHOREOSCOPE_BIND is '.*: expected an IP address") as refused:
        resolved(bind)

    assert len(str(refused.value)) < 300
