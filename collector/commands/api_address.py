"""Where is the API, and what answers there instead? A collector has three ports, and people mix them up."""

import os
from urllib.parse import urlsplit

import httpx

from collector.commands.failure import CommandError

DEFAULT = "http://127.0.0.1:4319"
_NAME = "CHOREOSCOPE_API"


def address() -> str:
    """The API's address, from CHOREOSCOPE_API; raise `CommandError` if that is none."""
    value = os.environ.get(_NAME, "").strip()
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a host or a port that cannot be read
        usable = False
    if value and not usable:
        raise CommandError(f"{_NAME} is '{value}': expected an address such as {_likely(value)}.")
    return value.rstrip("/") or DEFAULT


def other_door(answer: httpx.Response, said: object) -> str | None:
    """What answers in place of the API, which *said* that there is no such page; None if the API does."""
    where, path = address(), urlsplit(address()).path
    if isinstance(said, dict) and "message" in said and "/v1/traces" in str(said["message"]):
        return (
            f"{_NAME} is '{where}', the port that takes spans (OTLP/HTTP): expected that of the API, 4319"
            " unless CHOREOSCOPE_API_PORT says otherwise. The collector names its ports when it starts."
        )
    if path and answer.status_code == httpx.codes.NOT_FOUND and answer.request.url.path.startswith(path):
        bare = where.removesuffix(path)
        return f"{_NAME} is '{where}', and there is no API below '{path}': expected {bare}, most likely."
    return None


def hint_at_door(error: Exception) -> str:
    """What may be there instead after *error*, as the end of a sentence; "" if nothing is known."""
    if isinstance(error, httpx.RemoteProtocolError) and "illegal" in str(error):
        return ". What answers there does not speak HTTP/1.1: is it the port for spans (OTLP/gRPC)?"
    if "WRONG_VERSION_NUMBER" in str(error):
        return ". What answers there has no certificate: its address begins with http://"
    return ""


def _likely(value: str) -> str:
    """The address that was most likely meant by *value*."""
    host = value.partition("://")[2] or value
    try:
        parts = urlsplit(f"//{host}")
        return f"http://{parts.netloc}" if parts.hostname and parts.port else DEFAULT
    except ValueError:
        return DEFAULT
