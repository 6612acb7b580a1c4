"""What can be set from outside, by environment variables or command-line options."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Requests that NATS does not answer within this time are retried; it answers within milliseconds.
ANSWER_S = 2.0


class SettingError(ValueError):
    """An invalid setting; the text names it and says what was expected."""


@dataclass(frozen=True)
class Settings:
    """The settings of one process; the defaults suit a shop on one machine."""

    # Where NATS listens by default.
    nats_url: str = "nats://127.0.0.1:4222"
    # Only the machine they run on may break services: loopback only.
    control_host: str = "127.0.0.1"
    control_port: int = 4320
    # Enough for a lively picture, few enough for two cores.
    orders_per_second: float = 5.0
    # None: as long as the shop is open.
    orders: int | None = None
    # The share of customers whose card has expired; each of their payments is declined.
    expired_cards: float = 0.08

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """Read ``NATS_URL`` and ``CHOREOSCOPE_SHOP``; raise `SettingError` for an invalid address."""
        url = env.get("NATS_URL") or cls.nats_url
        if urlsplit(url).scheme not in ("nats", "tls", "ws", "wss") or not urlsplit(url).hostname:
            raise SettingError(f"NATS_URL is {url!r}: expected an address such as nats://127.0.0.1:4222.")
        shop = env.get("CHOREOSCOPE_SHOP") or f"http://{cls.control_host}:{cls.control_port}"
        host, port = control_address(shop, "CHOREOSCOPE_SHOP")
        return cls(nats_url=url, control_host=host, control_port=port)


def control_address(text: str, name: str) -> tuple[str, int]:
    """Host and port of the fault control from *text*, a URL or ``host:port``.

    Raises `SettingError`, naming the setting *name*, unless it is a loopback address.
    """
    parts = urlsplit(text if "//" in text else f"//{text}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise SettingError(f"{name} is {text!r}: {error}; expected such as http://127.0.0.1:4320.") from error
    if host not in LOOPBACK or port is None:
        raise SettingError(
            f"{name} is {text!r}: expected a loopback address with a port, such as http://127.0.0.1:4320."
        )
    return host, port


def share(text: str) -> float:
    """A share from *text*, 0 to 1; raise `SettingError` for anything else."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise SettingError(f"--expired-cards is {text!r}: expected a share from 0 to 1, such as 0.08.")
    return value


def count(text: str) -> int:
    """A number of orders from *text*; raise `SettingError` for anything else."""
    if not text.isdecimal():
        raise SettingError(f"--orders is {text!r}: expected how many to place, such as 100.")
    return int(text)


def rate(text: str) -> float:
    """Orders a second from *text*: 0 (none) to 1000; raise `SettingError` for anything else."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1000:
        raise SettingError(f"--rate is {text!r}: expected orders per second from 0 to 1000, such as 5.")
    return value
