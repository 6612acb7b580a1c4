"""Whom does the client trust, and which certificate does it show? From the environment."""

from __future__ import annotations

import os
import ssl

CA, CERT, KEY = "CHOREOSCOPE_TLS_CA", "CHOREOSCOPE_TLS_CLIENT_CERT", "CHOREOSCOPE_TLS_CLIENT_KEY"


class TrustError(Exception):
    """A file that cannot be used; `str()` is one sentence that names its setting."""


def verifying() -> ssl.SSLContext | bool:
    """The context of connections to the collector; True for the public authorities."""
    authority, cert, key = (os.environ.get(name, "").strip() for name in (CA, CERT, KEY))
    if not (authority or cert or key):
        return True
    # The collector's commands do the same, but we must not import them.
    try:
        context = ssl.create_default_context(cafile=authority or None)
        if cert or key:
            context.load_cert_chain(cert, key or None, password="")
    except (ssl.SSLError, OSError, ValueError) as error:
        given = f"{CA} is {authority!r}, {CERT} is {cert!r}, {KEY} is {key!r}"
        raise TrustError(f"{given}: expected files with certificates in PEM ({error}).") from error
    return context
