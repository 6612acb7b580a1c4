"""How do commands connect to a collector? With its token, and with TLS if it has a certificate."""

import os
import ssl
from functools import cache
from typing import Any

from collector.commands.failure import CommandError

CA, CERT, KEY = "CHOREOSCOPE_TLS_CA", "CHOREOSCOPE_TLS_CLIENT_CERT", "CHOREOSCOPE_TLS_CLIENT_KEY"


def token() -> str:
    """The token to show; "" for none."""
    return os.environ.get("CHOREOSCOPE_TOKEN", "").strip()


def bearer() -> dict[str, str]:
    """The header that shows the token; empty without one."""
    return {"Authorization": f"Bearer {token()}"} if token() else {}


def given(name: str) -> str:
    """The value of the variable *name*; "" if it is not set."""
    return os.environ.get(name, "").strip()


def connection() -> dict[str, Any]:
    """What httpx needs to know, beside headers; raise `CommandError` for files that cannot be used."""
    # Proxy settings in the environment would divert requests to loopback.
    return {"trust_env": False, "verify": _context(given(CA), given(CERT), given(KEY))}


@cache
def _context(authority: str, cert: str, key: str) -> ssl.SSLContext | bool:
    if not (authority or cert or key):
        return True
    try:
        context = ssl.create_default_context(cafile=authority or None)
    except (ssl.SSLError, OSError) as error:
        raise _unusable(CA, authority, error) from error
    if cert or key:
        try:
            context.load_cert_chain(cert, key or None, password="")
        except (ssl.SSLError, OSError, ValueError) as error:
            raise _unusable(f"{CERT} and {KEY}", f"{cert}' and '{key}", error) from error
    return context


def _unusable(name: str, value: str, error: Exception) -> CommandError:
    why = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return CommandError(f"{name}: '{value}' cannot be used ({why}): expected certificates in PEM.")


def hint(error: Exception, address: str) -> str:
    """What may help after *error*, as the end of a sentence; "" if nothing is known."""
    said = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return f". Its certificate is not trusted: name the authority that signed it in {CA}"
    # In TLS 1.3 a client that is refused because it has no certificate often sees no more than the end.
    cut = "disconnected" in said or "CERTIFICATE_REQUIRED" in said.upper()
    if cut and address.startswith("https://") and not given(CERT):
        return f". If it wants a client certificate, name one in {CERT} and its key in {KEY}"
    if cut and address.startswith("http://"):
        return ". If it has a certificate, its address begins with https://"
    return ""
