"""How does the collector sign in to NATS? By what the settings name."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_NAME = "choreoscope"


class SignInError(Exception):
    """Settings for NATS that cannot be used, in one line without secrets."""


@dataclass(frozen=True)
class SignIn:
    """Where NATS is and who asks it. Files are read anew for each connection: credentials are renewed."""

    servers: tuple[str, ...] = field(repr=False)  # an address may hold a password
    creds: str = ""
    nkey: str = ""  # a file with a seed
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    cert: str = ""
    key: str = ""
    ca: str = ""
    inbox: str = "_INBOX"

    def __post_init__(self) -> None:
        for name in ("creds", "nkey", "cert", "key", "ca"):
            path = getattr(self, name)
            if path and not Path(path).is_file():
                raise SignInError(f"CHOREOSCOPE_NATS_{name.upper()} is '{path}': there is no such file.")
        if bool(self.cert) != bool(self.key):
            raise SignInError("Of CHOREOSCOPE_NATS_CERT and CHOREOSCOPE_NATS_KEY only one is given.")
        for server in self.servers:
            if urlsplit(server).scheme not in {"nats", "tls", "ws", "wss"}:
                raise SignInError(
                    f"CHOREOSCOPE_NATS has '{shown(server)}': expected addresses such as nats://localhost:4222,"
                    " with commas between."
                )

    def options(self) -> dict[str, Any]:
        """What `nats.connect` is given. Raise OSError if a file cannot be read."""
        given: dict[str, Any] = {
            # Its subscriptions shall not look like a service's: by this name users know whose they are.
            "name": _NAME,
            "inbox_prefix": self.inbox,
            "user_credentials": self.creds or None,
            "nkeys_seed": self.nkey or None,
            "user": self.user or None,
            "password": self.password or None,
            "token": self.token or None,
        }
        if self.ca or self.cert or any(urlsplit(one).scheme in {"tls", "wss"} for one in self.servers):
            context = ssl.create_default_context(cafile=self.ca or None)
            if self.cert:
                context.load_cert_chain(self.cert, self.key)
            given["tls"] = context
        return {name: value for name, value in given.items() if value is not None}


def shown(server: str) -> str:
    """The address of *server* without what is secret in it."""
    found = urlsplit(server)
    host = found.netloc.rpartition("@")[2]
    return f"{found.scheme}://{host}" if found.scheme else host or "?"
